package simtest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Edit is a change of settings: their paths, such as "nodePools[0].spot", and what they become; nil removes one.
type Edit map[string]any

// Edited gives the engine's stack with other settings, in a file of its own.
func (e *Engine) Edited(t testing.TB, changes ...Edit) *Engine {
	t.Helper()
	data, err := os.ReadFile(e.File)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Config map[string]any `yaml:"config"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		for _, path := range slices.Sorted(maps.Keys(change)) {
			file.Config = simcloud.Values(file.Config).With("redoubt:"+path, change[path])
		}
	}
	if data, err = yaml.Marshal(file); err != nil {
		t.Fatal(err)
	}
	other := e.With(nil)
	other.File = filepath.Join(t.TempDir(), filepath.Base(e.File))
	if err := os.WriteFile(other.File, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return other
}

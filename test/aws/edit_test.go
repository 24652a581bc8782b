package aws_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// edit is a change of settings: their paths, such as "nodePools[0].spot", and what they become; nil removes one.
type edit map[string]any

// edited gives the environment with other settings, in a file of its own.
func (e environment) edited(t testing.TB, changes ...edit) environment {
	t.Helper()
	data, err := os.ReadFile(e.File)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		for _, path := range slices.Sorted(maps.Keys(change)) {
			steps := strings.Split("config.redoubt:"+strings.ReplaceAll(path, "[", ".["), ".")
			file, _ = put(file, steps, change[path]).(map[string]any)
		}
	}
	if data, err = yaml.Marshal(file); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), filepath.Base(e.File))
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	other := environment{e.With(nil)}
	other.File = name
	return other
}

// put gives a tree in which a value stands at the end of some steps; a step is a name, or the place in a list as [0].
func put(tree any, steps []string, value any) any {
	if len(steps) == 0 {
		return value
	}
	if place, ok := strings.CutPrefix(steps[0], "["); ok {
		list, _ := tree.([]any)
		i, err := strconv.Atoi(strings.TrimSuffix(place, "]"))
		if err != nil || i > len(list) {
			panic(fmt.Sprintf("no place %s in %v", steps[0], tree))
		}
		if i == len(list) {
			list = append(list, nil)
		}
		list[i] = put(list[i], steps[1:], value)
		return list
	}
	fields, _ := tree.(map[string]any)
	if fields == nil {
		fields = map[string]any{}
	}
	if fields[steps[0]] = put(fields[steps[0]], steps[1:], value); fields[steps[0]] == nil {
		delete(fields, steps[0])
	}
	return fields
}

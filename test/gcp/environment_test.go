// Package gcp_test runs the environments and components of Google Cloud over the simulated GCP with the real engine, and
// lets that GCP judge them: it takes them or not, and nodes join or do not.
package gcp_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	stacks "github.com/redoubt-dev/redoubt/stacks/gcp"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simgcp "github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func TestMain(m *testing.M) {
	os.Exit(simtest.Main(m, nil, "gcp-dev", "gcp-prod", "gcp-dev-baseline", "gcp-prod-baseline"))
}

// What tests of environments have in common.
var (
	settle, settingsFile = simtest.Settle, simtest.SettingsFile
	refused              = simtest.Fails
	keysOf               = simtest.Keys
)

// environment is a stack of this repository in a simulated project of its own.
type environment struct{ *simtest.Engine }

func open(t testing.TB) *simcloud.Cloud {
	t.Helper()
	cloud, err := simgcp.Open(simcloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cloud
}

// prepare opens a cloud in which there is what the settings take for granted.
func prepare(t testing.TB, name string) environment {
	t.Helper()
	cloud := open(t)
	e := environment{simtest.New(t, cloud, nil)}
	e.Stack, e.File = name, settingsFile(name)
	text, err := os.ReadFile(e.File)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := simgcp.Existing(cloud, string(text)); err != nil {
		t.Fatal(err)
	}
	return e
}

// set overrides settings, such as "unprotected".
func (e environment) set(settings map[string]string) environment {
	named := map[string]string{}
	for name, value := range settings {
		named["redoubt:"+name] = value
	}
	return environment{e.With(named)}
}

func (e environment) up() (rehearse.Result, error)      { return e.Up(stacks.Program) }
func (e environment) preview() (rehearse.Result, error) { return e.Preview(stacks.Program) }

func (e environment) mustUp() rehearse.Result {
	e.T.Helper()
	return e.MustUp(stacks.Program)
}

// must unwraps what only a wrong program makes fail; the engine reports the panic as the program's error.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// only is the one object of a type whose id holds some words.
func only(t testing.TB, cloud *simcloud.Cloud, token string, words ...string) simcloud.Object {
	t.Helper()
	found := slices.DeleteFunc(cloud.Objects(token), func(o simcloud.Object) bool {
		return slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(o.ID, word) })
	})
	if len(found) != 1 {
		t.Fatalf("%d of %s %v", len(found), token, words)
	}
	return found[0]
}

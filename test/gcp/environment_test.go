// Package gcp_test runs the environments and components of Google Cloud over the simulated GCP with the real engine, and
// lets that GCP judge them: it takes them or not, and nodes join or do not.
package gcp_test

import (
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	stacks "github.com/redoubt-dev/redoubt/stacks/gcp"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simgcp "github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// settingsDirectory is where the program looks for the settings of a stack, to tell which of them nobody reads. Tests
// share the environment of their process, so a stack whose settings are a test's own has a name of its own there.
var settingsDirectory string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		directory, err := os.MkdirTemp("", "redoubt-settings-")
		if err == nil {
			defer os.RemoveAll(directory)
			settingsDirectory = directory
			err = os.Setenv("REDOUBT_SETTINGS_DIR", directory)
		}
		for _, name := range []string{"gcp-dev", "gcp-prod", "gcp-dev-baseline", "gcp-prod-baseline"} {
			if err == nil {
				err = settle(name, settingsFile(name))
			}
		}
		if err != nil {
			log.Print(err)
			return 1
		}
		return m.Run()
	}())
}

// settle says where the settings of a stack are.
func settle(stack, file string) error {
	if err := os.Mkdir(filepath.Join(settingsDirectory, stack), 0o700); err != nil {
		return err
	}
	return os.Symlink(file, filepath.Join(settingsDirectory, stack, "Pulumi."+stack+".yaml"))
}

// settingsFile is that of an environment of this repository.
func settingsFile(name string) string {
	path, _ := filepath.Abs(filepath.Join("..", "..", "stacks", "Pulumi."+name+".yaml")) // fails without a working directory only
	return path
}

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

// refused wants an operation not to have worked, with certain words.
func refused(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("not refused with %q", words)
	}
	for _, each := range words {
		if !strings.Contains(err.Error(), each) {
			t.Errorf("%q is not said: %v", each, err)
		}
	}
}

// must unwraps what only a wrong program makes fail; the engine reports the panic as the program's error.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func keysOf(cloud *simcloud.Cloud) []string {
	var keys []string
	for _, o := range cloud.Objects() {
		keys = append(keys, o.Key())
	}
	slices.Sort(keys)
	return keys
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

// Package gcpflatcar_test runs the environment gcp-flatcar over the simulated GCP with the real engine, and lets that GCP
// judge it: it takes what it is given or not, and machines get through their first boot or do not.
package gcpflatcar_test

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
	"github.com/redoubt-dev/redoubt/test/simcloud/utilities"
)

const name = "gcp-flatcar"

// nodeProgram stands for redoubt-node, of which these tests need the bytes alone.
var nodeProgram string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		directory, err := os.MkdirTemp("", "redoubt-flatcar-")
		if err == nil {
			defer os.RemoveAll(directory)
			nodeProgram = filepath.Join(directory, "redoubt-node")
			err = os.WriteFile(nodeProgram, []byte("a program"), 0o600)
		}
		if err == nil {
			err = os.Setenv("REDOUBT_SETTINGS_DIR", directory)
		}
		for _, stack := range []string{name, name + "-baseline"} {
			if err == nil {
				err = os.Mkdir(filepath.Join(directory, stack), 0o700)
			}
			if err == nil {
				err = os.Symlink(settingsFile(stack), filepath.Join(directory, stack, "Pulumi."+stack+".yaml"))
			}
		}
		if err != nil {
			log.Print(err)
			return 1
		}
		return m.Run()
	}())
}

func settingsFile(stack string) string {
	path, _ := filepath.Abs(filepath.Join("..", "..", "stacks", "Pulumi."+stack+".yaml")) // fails without a working directory only
	return path
}

// environment is the stack on a simulated project of its own.
type environment struct{ *simtest.Engine }

func prepare(t testing.TB, options simcloud.Options) environment {
	t.Helper()
	cloud, err := simgcp.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(settingsFile(name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := simgcp.Existing(cloud, string(text)); err != nil {
		t.Fatal(err)
	}
	beside, err := utilities.Open()
	if err != nil {
		t.Fatal(err)
	}
	e := environment{simtest.New(t, cloud, map[string]string{"redoubt:nodeProgram": nodeProgram})}
	e.Stack, e.File, e.Beside = name, settingsFile(name), beside.Providers()
	return e
}

// edited is the environment with other settings.
func (e environment) edited(changes ...simtest.Edit) environment {
	e.T.Helper()
	return environment{e.Edited(e.T, changes...)}
}

func (e environment) up() (rehearse.Result, error)      { return e.Up(stacks.Program) }
func (e environment) preview() (rehearse.Result, error) { return e.Preview(stacks.Program) }

func (e environment) mustUp() rehearse.Result {
	e.T.Helper()
	return e.MustUp(stacks.Program)
}

// refused wants an error with some words.
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

func keysOf(cloud *simcloud.Cloud) []string {
	var keys []string
	for _, o := range cloud.Objects() {
		keys = append(keys, o.Key())
	}
	slices.Sort(keys)
	return keys
}

// Package gcpflatcar_test runs the environment gcp-flatcar over the simulated GCP with the real engine, and lets that GCP
// judge it: it takes what it is given or not, and machines get through their first boot or do not.
package gcpflatcar_test

import (
	"os"
	"path/filepath"
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
	os.Exit(simtest.Main(m, func(directory string) error {
		nodeProgram = filepath.Join(directory, "redoubt-node")
		return os.WriteFile(nodeProgram, []byte("a program"), 0o600)
	}, name, name+"-baseline"))
}

// What tests of environments have in common.
var refused, keysOf, settingsFile = simtest.Fails, simtest.Keys, simtest.SettingsFile

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

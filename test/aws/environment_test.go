package aws_test

import (
	"os"
	"testing"

	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"

	stacks "github.com/redoubt-dev/redoubt/stacks/aws"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func TestMain(m *testing.M) {
	os.Exit(simtest.Main(m, nil, "aws-dev", "aws-prod", "aws-dev-baseline", "aws-prod-baseline"))
}

// What tests of environments have in common.
var (
	settle, settingsFile = simtest.Settle, simtest.SettingsFile
	refused, keysOf      = simtest.Fails, simtest.Keys
)

// environment is a stack of this repository on a simulated account of its own.
type environment struct{ *simtest.Engine }

// prepare opens an account in which the people are that the settings name.
func prepare(t testing.TB, name string) environment {
	t.Helper()
	cloud := open(t)
	e := environment{simtest.New(t, cloud, nil)}
	e.Stack, e.File = name, settingsFile(name)
	text, err := os.ReadFile(e.File)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := simaws.Existing(cloud, string(text)); err != nil {
		t.Fatal(err)
	}
	return e
}

// set overrides settings, such as "network.cidr".
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

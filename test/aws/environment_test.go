package aws_test

import (
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"

	stacks "github.com/redoubt-dev/redoubt/stacks/aws"
	"github.com/redoubt-dev/redoubt/test/rehearse"
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
		for _, name := range []string{"aws-dev", "aws-prod", "aws-dev-baseline", "aws-prod-baseline"} {
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

// refused runs an operation that must not work, and gives what was said.
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

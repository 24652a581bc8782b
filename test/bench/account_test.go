package bench

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/redoubt-dev/redoubt/stacks/aws"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/rehearse/redoubt"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

// environment is what is measured: the program of a stack, and the file of its settings in stacks.
type environment struct {
	name    string
	program pulumi.RunFunc
	config  string
}

// production is the environment that this repository offers for production on AWS.
var production = environment{name: "aws-prod", program: aws.Program, config: "Pulumi.aws-prod.yaml"}

// development is the smaller one.
var development = environment{name: "aws-dev", program: aws.Program, config: "Pulumi.aws-dev.yaml"}

// account is an empty simulated account, with the stack of an environment.
type account struct {
	environment
	b         *testing.B
	directory string
	cloud     *simcloud.Cloud
	// parallel is how many resources the engine works on at a time; 0: its default.
	parallel int
}

// newAccount opens an account. The benchmark is skipped where the engine has not been built.
func newAccount(b *testing.B, of environment, options simcloud.Options) *account {
	b.Helper()
	root, err := redoubt.Root()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "bin", "pulumi")); err != nil {
		b.Skipf("%v: run `make tools` first", err)
	}
	a := &account{environment: of, b: b, directory: b.TempDir()}
	a.config = filepath.Join(root, "stacks", of.config)
	if a.cloud, err = simaws.Open(options); err != nil {
		b.Fatal(err)
	}
	settings, err := os.ReadFile(a.config)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := simaws.Existing(a.cloud, string(settings)); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.directory, "Pulumi.yaml"), []byte("name: bench\nruntime: go\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	b.Setenv("REDOUBT_BIN_DIR", filepath.Join(root, "bin"))
	return a
}

// driver drives the stack with a program of its own or, if that is nil, that of the environment.
func (a *account) driver(program pulumi.RunFunc) *rehearse.Driver {
	if program == nil {
		program = a.program
	}
	a.b.Setenv("REDOUBT_SETTINGS_DIR", rehearse.SettingsDirectory(a.directory)) // there may be other accounts
	return rehearse.New(rehearse.Options{
		Environment: a.name, Repository: a.directory, ConfigFile: a.config, Program: program, StandIns: true, Simulated: true, Parallel: a.parallel,
		Providers: []rehearse.Provider{{Name: a.cloud.Package, Serve: func(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) {
			return a.cloud.Serve(), nil
		}}},
	})
}

// up makes the environment.
func (a *account) up() rehearse.Result { return a.must(a.driver(nil).Up(context.Background())) }

// preview tells what a program would do; see driver.
func (a *account) preview(program pulumi.RunFunc) rehearse.Result {
	return a.must(a.driver(program).Preview(context.Background()))
}

// export reads the deployment.
func (a *account) export() []byte {
	a.b.Helper()
	deployment, err := a.driver(nil).Export(context.Background())
	if err != nil {
		a.b.Fatal(err)
	}
	return deployment
}

func (a *account) must(result rehearse.Result, err error) rehearse.Result {
	a.b.Helper()
	if err != nil {
		a.b.Fatal(err)
	}
	return result
}

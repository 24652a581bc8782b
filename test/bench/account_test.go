package bench

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/redoubt-dev/redoubt/stacks/aws"
	"github.com/redoubt-dev/redoubt/stacks/gcp"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/rehearse/redoubt"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	simgcp "github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/utilities"
)

// environment is what is measured: the program of a stack, the file of its settings in stacks, and its cloud.
type environment struct {
	name     string
	program  pulumi.RunFunc
	config   string
	open     func(simcloud.Options) (*simcloud.Cloud, error)
	existing func(*simcloud.Cloud, string) ([]string, error)
	// region is the setting of the provider.
	region string
	// settings are written for the measurement, by their names; utilities makes keys beside the cloud.
	settings  func(directory string) map[string]string
	utilities bool
}

// selfManaged is the environment of a cluster that runs itself. Its machines run a program of which the bytes alone count.
func selfManaged(e environment) environment {
	e.utilities, e.settings = true, func(directory string) map[string]string {
		file := filepath.Join(directory, "redoubt-node")
		_ = os.WriteFile(file, []byte("a program"), 0o600) // whose absence the environment reports
		return map[string]string{"redoubt:nodeProgram": file}
	}
	return e
}

func onAWS(name string) environment {
	return environment{name: name, program: aws.Program, config: "Pulumi." + name + ".yaml", open: simaws.Open, existing: simaws.Existing, region: "eu-central-1"}
}

func onGCP(name string) environment {
	return environment{name: name, program: gcp.Program, config: "Pulumi." + name + ".yaml", open: simgcp.Open, existing: simgcp.Existing, region: "europe-west3"}
}

// account is an empty simulated account, with the stack of an environment.
type account struct {
	environment
	b         *testing.B
	directory string
	cloud     *simcloud.Cloud
	// parallel is how many resources the engine works on at a time; 0: its default.
	parallel int
	set      map[string]string
	beside   []rehearse.Provider
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
	if a.cloud, err = of.open(options); err != nil {
		b.Fatal(err)
	}
	settings, err := os.ReadFile(a.config)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := of.existing(a.cloud, string(settings)); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.directory, "Pulumi.yaml"), []byte("name: bench\nruntime: go\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	if of.settings != nil {
		a.set = of.settings(a.directory)
	}
	if of.utilities {
		beside, err := utilities.Open()
		if err != nil {
			b.Fatal(err)
		}
		a.beside = beside.Providers()
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
		Environment: a.name, Repository: a.directory, ConfigFile: a.config, Program: program, StandIns: true, Simulated: true, Parallel: a.parallel, Set: a.set,
		Providers: append([]rehearse.Provider{{Name: a.cloud.Package, Serve: func(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) {
			return a.cloud.Serve(), nil
		}}}, a.beside...),
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

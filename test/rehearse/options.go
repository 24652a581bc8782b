package rehearse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Options say what to drive. Environment, Repository and Program are required.
type Options struct {
	// Environment names the stack. Letters, digits and dashes, at most 32.
	Environment string
	// Repository is the directory of Pulumi.yaml.
	Repository string
	// ConfigFile holds the settings; stacks/Pulumi.<environment>.yaml when empty. Another environment's file may be
	// used, which is how tests run an environment under a name of their own.
	ConfigFile string
	// Set overrides settings: "redoubt:workers" or, inside a structured value, "redoubt:encryption.keyName".
	Set map[string]string
	// Program is the Pulumi program.
	Program pulumi.RunFunc
	// Providers are attached to the engine.
	Providers []Provider
	// Phases group resources for the report of durations.
	Phases []Phase

	// StateDirectory is <Repository>/.state when empty. Programs find it under the name of the environment.
	StateDirectory string
	// BinDirectory holds the pulumi program: $REDOUBT_BIN_DIR or else <Repository>/bin when empty.
	BinDirectory string
	// Output takes the engine's progress and our own lines; nothing is shown when nil.
	Output io.Writer
	// Color shows the engine's colours.
	Color bool
	// StandIns attaches stand-ins even where the official plugin is installed.
	StandIns bool
	// Refresh makes Up look at what really exists before it compares.
	Refresh bool
	// Parallel is how many resources the engine works on at a time; 0: its default of four for each processor. That is
	// right for resources that need processors. Most resources of a cloud only wait: with eight at a time an EKS cluster
	// waits behind endpoints for minutes, with 32 for nothing.
	Parallel int
	// ContinueOnError goes on with what does not depend on a resource that failed.
	ContinueOnError bool
	// Simulated says that nothing of the environment is real: the state is written once, at the end of an operation, so
	// that a thousand resources take seconds and not a minute. A run that is killed loses it.
	Simulated bool
	// PolicyPacks judge every resource.
	PolicyPacks []string

	// Verify is called after a successful Up; the lines it returns are shown under "verified".
	Verify func(ctx context.Context, result Result) ([]string, error)
	// Sweep is called by Destroy with <StateDirectory>/<Environment>, after the stack is gone and before the
	// directory is, to end what an interrupted run left outside the state.
	Sweep func(ctx context.Context, directory string) error
}

// Provider is a resource provider that runs in this process.
type Provider struct {
	// Name is the Pulumi package, such as "kubernetes".
	Name string
	// StandIn gives way to the official plugin where that is installed.
	StandIn bool
	// Serve makes a fresh server for one operation.
	Serve func(Operation) (pulumirpc.ResourceProviderServer, error)
}

// Operation is what the engine is asked to do.
type Operation string

// The operations.
const (
	Up      Operation = "up"
	Preview Operation = "preview"
	Refresh Operation = "refresh"
	Destroy Operation = "destroy"
)

// Phase is a part of an Up whose duration is reported: the resources whose type begins with one of Types.
type Phase struct {
	Name  string
	Types []string
}

// Driver runs operations on one environment.
type Driver struct {
	options Options
	problem error
}

// environmentName keeps names usable in paths, host names and namespaces.
var environmentName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

// reserved are names the state directory uses itself.
var reserved = map[string]bool{"pulumi": true, "passphrase": true}

// New prepares a driver. What is wrong with the options is the error of every operation.
func New(options Options) *Driver {
	var problems []error
	if !environmentName.MatchString(options.Environment) || reserved[options.Environment] {
		problems = append(problems, fmt.Errorf("environment %q: use at most 32 lower-case letters, digits and dashes, beginning with a letter; not pulumi or passphrase", options.Environment))
	}
	if options.Parallel < 0 {
		problems = append(problems, fmt.Errorf("parallel %d: write how many resources are worked on at a time, or 0 for the engine's default", options.Parallel))
	}
	if options.Program == nil {
		problems = append(problems, errors.New("no program is given"))
	}
	absolute := func(path, otherwise string) string {
		if path == "" {
			path = otherwise
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(options.Repository, path)
		}
		return path
	}
	if repository, err := filepath.Abs(options.Repository); err != nil {
		problems = append(problems, err)
	} else {
		options.Repository = repository
	}
	options.StateDirectory = absolute(options.StateDirectory, ".state")
	options.BinDirectory = absolute(options.BinDirectory, envOr("REDOUBT_BIN_DIR", "bin"))
	options.ConfigFile = absolute(options.ConfigFile, filepath.Join("stacks", "Pulumi."+options.Environment+".yaml"))
	if options.Output == nil {
		options.Output = io.Discard
	}
	return &Driver{options: options, problem: errors.Join(problems...)}
}

// Directory is where the environment keeps its data: <StateDirectory>/<Environment>.
func (d *Driver) Directory() string {
	return filepath.Join(d.options.StateDirectory, d.options.Environment)
}

// Programs is where the programs of the environment are.
func (d *Driver) Programs() string { return d.options.BinDirectory }

func (d *Driver) backend() string { return filepath.Join(d.options.StateDirectory, "pulumi") }
func (d *Driver) home() string    { return filepath.Join(d.backend(), "home") }
func (d *Driver) work() string    { return filepath.Join(d.backend(), "work", d.options.Environment) }

// SettingsDirectory is where the drivers of a repository keep, in a folder for each environment, the settings that the
// engine reads: the file of the environment with its overrides.
func SettingsDirectory(repository string) string {
	return filepath.Join(repository, ".state", "pulumi", "work")
}

func (d *Driver) settings() string {
	return filepath.Join(d.work(), "Pulumi."+d.options.Environment+".yaml")
}

// say prints a line of ours between the engine's.
func (d *Driver) say(format string, a ...any) { fmt.Fprintf(d.options.Output, format+"\n", a...) }

func envOr(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

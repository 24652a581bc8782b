// Package simtest runs programs against a simulated cloud with the real Pulumi engine, for tests: a stack of its own in
// a directory of the test, the cloud attached from this process.
package simtest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/schedule"
)

// Engine drives one stack.
type Engine struct {
	T     testing.TB
	Cloud *simcloud.Cloud
	// Continue goes on after a failure with what does not depend on it.
	Continue bool
	// Parallel is how many resources are worked on at a time; 0: the engine's default.
	Parallel int
	// Settings are the stack's, such as "aws:region".
	Settings map[string]string
	// Stack is its name, and File where its settings are that Settings override.
	Stack, File string
	// Beside are further providers.
	Beside []rehearse.Provider

	directory string
}

// New prepares a stack on a cloud. The test is skipped where the engine has not been built.
func New(t testing.TB, cloud *simcloud.Cloud, settings map[string]string) *Engine {
	t.Helper()
	if _, err := os.Stat(filepath.Join(binaries(), "pulumi")); err != nil {
		t.Skipf("%v: run `make tools` first", err)
	}
	directory := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Pulumi.yaml", "name: simulation\nruntime: go\n")
	write("settings.yaml", "config: {}\n")
	return &Engine{T: t, Cloud: cloud, Settings: settings, Stack: "sim", File: "settings.yaml", directory: directory}
}

// With is the same engine with other settings on top of its own, or another stack of the same backend once Stack and
// File are changed.
func (e *Engine) With(settings map[string]string) *Engine {
	other := *e
	other.Settings = maps.Clone(e.Settings)
	if other.Settings == nil {
		other.Settings = map[string]string{}
	}
	maps.Copy(other.Settings, settings)
	return &other
}

// binaries is where the engine is: bin of the repository, found from wherever the test runs.
func binaries() string {
	if directory := os.Getenv("REDOUBT_BIN_DIR"); directory != "" {
		return directory
	}
	at, _ := os.Getwd()
	for at != "/" {
		if _, err := os.Stat(filepath.Join(at, "bin", "pulumi")); err == nil {
			return filepath.Join(at, "bin")
		}
		at = filepath.Dir(at)
	}
	return "bin"
}

func (e *Engine) driver(program pulumi.RunFunc) *rehearse.Driver {
	return rehearse.New(rehearse.Options{
		Environment: e.Stack, Repository: e.directory, ConfigFile: e.File, BinDirectory: binaries(), Program: program,
		Set: e.Settings, ContinueOnError: e.Continue, Parallel: e.Parallel, StandIns: true, Simulated: true,
		Providers: append([]rehearse.Provider{{Name: e.Cloud.Package, Serve: func(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) {
			return e.Cloud.Serve(), nil
		}}}, e.Beside...),
	})
}

// Up runs a program.
func (e *Engine) Up(program pulumi.RunFunc) (rehearse.Result, error) {
	return e.driver(program).Up(context.Background())
}

// MustUp runs a program that works.
func (e *Engine) MustUp(program pulumi.RunFunc) rehearse.Result {
	e.T.Helper()
	result, err := e.Up(program)
	if err != nil {
		e.T.Fatal(err)
	}
	return result
}

// Preview tells what a program would do.
func (e *Engine) Preview(program pulumi.RunFunc) (rehearse.Result, error) {
	return e.driver(program).Preview(context.Background())
}

// Refresh looks at what exists.
func (e *Engine) Refresh() (rehearse.Result, error) {
	return e.driver(func(*pulumi.Context) error { return nil }).Refresh(context.Background())
}

// Export reads the engine's state of the stack.
func (e *Engine) Export() (json.RawMessage, error) {
	return e.driver(func(*pulumi.Context) error { return nil }).Export(context.Background())
}

// Schedule compares the time that operations of the cloud took, those of one run, with what they had to wait for.
func (e *Engine) Schedule(spans []simcloud.Span) *schedule.Report {
	e.T.Helper()
	deployment, err := e.Export()
	if err != nil {
		e.T.Fatal(err)
	}
	graph, err := schedule.Read(deployment)
	if err != nil {
		e.T.Fatal(err)
	}
	report, err := graph.Measure(schedule.Operations(spans))
	if err != nil {
		e.T.Fatal(err)
	}
	return report
}

// Destroy removes everything.
func (e *Engine) Destroy() error {
	_, err := e.driver(func(*pulumi.Context) error { return nil }).Destroy(context.Background())
	return err
}

// Refusals are what a cloud must say of resources, by their names. Every one of them must be refused in those words,
// and no other resource may fail.
type Refusals map[string]string

// Refused runs a program that makes some things that work and some that must not.
func Refused(t testing.TB, cloud *simcloud.Cloud, settings map[string]string, program pulumi.RunFunc, want Refusals) {
	t.Helper()
	e := New(t, cloud, settings)
	e.Continue = true
	_, err := e.Up(program)
	var failure *rehearse.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("nothing was refused: %v", err)
	}
	said := map[string][]string{}
	for _, problem := range failure.Problems {
		if problem.URN != "" {
			name := resource.URN(problem.URN).Name()
			said[name] = append(said[name], problem.Message)
		}
	}
	compare(t, said, want)
}

// compare holds what was said of resources, by their names, against what was to be said.
func compare(t testing.TB, said map[string][]string, want Refusals) {
	t.Helper()
	for name, words := range want {
		if !slices.ContainsFunc(said[name], func(message string) bool { return strings.Contains(message, words) }) {
			t.Errorf("%s: want it refused with %q, got %q", name, words, said[name])
		}
	}
	for name, messages := range said {
		if _, expected := want[name]; !expected && name != "simulation-sim" {
			t.Errorf("%s must work: %q", name, messages)
		}
	}
}

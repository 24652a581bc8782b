package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// session is the environment while one operation has it.
type session struct {
	stack    auto.Stack
	project  string
	observer *observer
	close    func()
}

// open prepares the engine for an operation: the lock, what an interrupted run left, the settings, the providers.
func (d *Driver) open(ctx context.Context, operation Operation) (s *session, err error) {
	if d.problem != nil {
		return nil, d.problem
	}
	if err := os.MkdirAll(d.work(), 0o700); err != nil {
		return nil, err
	}
	var closers []func()
	undo := func() {
		for _, f := range slices.Backward(closers) {
			f()
		}
	}
	defer func() {
		if err != nil {
			undo()
		}
	}()
	release, err := d.take()
	if err != nil {
		return nil, err
	}
	closers = append(closers, release)
	if err := d.prepareHome(); err != nil {
		return nil, err
	}
	s = &session{observer: observe(), close: undo}
	if s.project, err = d.writeProject(); err != nil {
		return nil, err
	}
	if err := d.breakStaleLocks(ctx, s.project); err != nil {
		return nil, err
	}
	if err := d.writeSettings(operation); err != nil {
		return nil, err
	}
	passphrase, err := d.passphrase()
	if err != nil {
		return nil, err
	}
	attach, detach, err := d.attach(operation)
	if err != nil {
		return nil, err
	}
	closers = append(closers, detach)
	cli, err := newCommand(d.options.BinDirectory, d.environment(attach, passphrase, operation))
	if err != nil {
		return nil, err
	}
	cli.known = d.knownAnswers(s)
	workspace, err := auto.NewLocalWorkspace(ctx, auto.WorkDir(d.work()), auto.PulumiHome(d.home()), auto.Pulumi(cli),
		auto.SecretsProvider("passphrase"), auto.Program(d.guarded()))
	if err != nil {
		return nil, err
	}
	if s.stack, err = auto.UpsertStack(ctx, d.options.Environment, workspace); err != nil {
		return nil, errors.New(explain(lastWords(err), d.options.StateDirectory))
	}
	return s, d.clearPending(ctx, s.stack, s.project)
}

// knownAnswers saves starting the CLI for what is known: a stack whose state exists need not be selected, and after an
// operation the outputs came with its events. The history is not read at all.
func (d *Driver) knownAnswers(s *session) func([]string) (string, bool) {
	return func(args []string) (string, bool) {
		if len(args) < 2 || args[0] != "stack" {
			return "", false
		}
		switch args[1] {
		case "select":
			return "", d.exists(s.project)
		case "history":
			return "[]", true
		case "output":
			return "{}", s.observer != nil
		}
		return "", false
	}
}

// guarded is the program with its panics turned into an error and a file: a Go stack tells a person nothing.
func (d *Driver) guarded() pulumi.RunFunc {
	return func(ctx *pulumi.Context) (err error) {
		defer func() {
			if r := recover(); r != nil {
				file := filepath.Join(d.work(), "panic.txt")
				_ = os.WriteFile(file, fmt.Appendf(nil, "%v\n\n%s", r, debug.Stack()), 0o600)
				err = fmt.Errorf("the program stopped at a programming error: %v. Please report it with %s", r, file)
			}
		}()
		return d.options.Program(ctx)
	}
}

// run does one operation and gathers its result.
func (d *Driver) run(ctx context.Context, operation Operation, do func(*session, io.Writer) error) (Result, error) {
	started := time.Now()
	result := Result{Operation: operation, Environment: d.options.Environment}
	s, err := d.open(ctx, operation)
	if err != nil {
		return result, err
	}
	defer s.close()
	progress := &progressWriter{to: d.options.Output}
	err = do(s, progress)
	progress.flush()
	s.observer.finish()
	o := s.observer
	result.Changes, result.Steps, result.Warnings, result.Events = o.changes, o.steps, o.warnings, o.events
	result.Phases = phases(o.steps, d.options.Phases)
	result.Duration = time.Since(started)
	if err != nil {
		return result, d.failure(ctx, operation, o, err)
	}
	if operation == Up || operation == Refresh {
		if result.Outputs, err = s.outputs(ctx); err != nil {
			return result, err
		}
	}
	return result, nil
}

// outputs are the stack's with secrets readable.
func (s *session) outputs(ctx context.Context) (auto.OutputMap, error) {
	if s.observer != nil {
		if known, ok := s.observer.known(); ok {
			return known, nil
		}
		s.observer = nil // ask the CLI
	}
	return s.stack.Outputs(ctx)
}

func (d *Driver) color() string {
	if d.options.Color {
		return "always"
	}
	return "never"
}

// Up makes the environment what its settings say.
func (d *Driver) Up(ctx context.Context) (Result, error) {
	started := time.Now()
	result, err := d.run(ctx, Up, func(s *session, progress io.Writer) error {
		options := []optup.Option{optup.ProgressStreams(progress), optup.EventStreams(s.observer.channel), optup.Color(d.color()),
			optup.SuppressOutputs(), optup.PolicyPacks(d.options.PolicyPacks...), optup.Parallel(d.options.Parallel)}
		if d.options.Refresh {
			options = append(options, optup.Refresh())
		}
		if d.options.ContinueOnError {
			options = append(options, optup.ContinueOnError())
		}
		_, err := s.stack.Up(ctx, options...)
		return err
	})
	if err == nil {
		err = d.record(result)
	}
	if err != nil || d.options.Verify == nil {
		return result, err
	}
	result.Verified, err = d.options.Verify(ctx, result)
	result.Duration = time.Since(started)
	return result, err
}

// record leaves the outputs in <directory>/outputs.json, for tests and scripts: reading them needs no engine then.
// Secrets are left out.
func (d *Driver) record(result Result) error {
	values := map[string]any{}
	for name, output := range result.Outputs {
		if !output.Secret {
			values[name] = output.Value
		}
	}
	data, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.Directory(), 0o700); err != nil {
		return err
	}
	return replaceFile(filepath.Join(d.Directory(), "outputs.json"), data)
}

// Preview tells what Up would do.
func (d *Driver) Preview(ctx context.Context) (Result, error) {
	return d.run(ctx, Preview, func(s *session, progress io.Writer) error {
		options := []optpreview.Option{optpreview.ProgressStreams(progress), optpreview.EventStreams(s.observer.channel),
			optpreview.Color(d.color()), optpreview.Diff(), optpreview.SuppressOutputs(), optpreview.PolicyPacks(d.options.PolicyPacks...),
			optpreview.Parallel(d.options.Parallel)}
		if d.options.Refresh {
			options = append(options, optpreview.Refresh())
		}
		_, err := s.stack.Preview(ctx, options...)
		return err
	})
}

// Refresh records what really exists. The updates of its result are drift, which the next Up repairs.
func (d *Driver) Refresh(ctx context.Context) (Result, error) {
	return d.run(ctx, Refresh, func(s *session, progress io.Writer) error {
		_, err := s.stack.Refresh(ctx, optrefresh.ProgressStreams(progress), optrefresh.EventStreams(s.observer.channel),
			optrefresh.Color(d.color()), optrefresh.Diff(), optrefresh.SuppressOutputs(), optrefresh.Parallel(d.options.Parallel))
		return err
	})
}

package rehearse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
)

// Destroy removes the environment: its resources, its stack, its directory. Other environments stay. An environment
// that does not exist, or half, is removed as far as it does.
func (d *Driver) Destroy(ctx context.Context) (Result, error) {
	if d.problem != nil {
		return Result{}, d.problem
	}
	result := Result{Operation: Destroy, Environment: d.options.Environment}
	project, err := d.projectName()
	if err != nil {
		return result, err
	}
	if d.exists(project) {
		result, err = d.run(ctx, Destroy, func(s *session, progress io.Writer) error {
			if _, err := s.stack.Destroy(ctx, optdestroy.ProgressStreams(progress), optdestroy.EventStreams(s.observer.channel),
				optdestroy.Color(d.color()), optdestroy.SuppressOutputs(), optdestroy.Parallel(d.options.Parallel)); err != nil {
				return err
			}
			return s.stack.Workspace().RemoveStack(ctx, d.options.Environment)
		})
		if err != nil {
			return result, err
		}
	}
	if d.options.Sweep != nil {
		if err := d.options.Sweep(ctx, d.Directory()); err != nil {
			return result, err
		}
	}
	return result, d.forget(project)
}

// Forget removes all that is known of a simulated environment whose cloud is gone, without asking the engine. One that
// still works on it is waited for.
func (d *Driver) Forget(ctx context.Context) error {
	if d.problem != nil {
		return d.problem
	}
	if !d.options.Simulated {
		return fmt.Errorf("environment %s is real: destroy it", d.options.Environment)
	}
	project, err := d.projectName()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.work(), 0o700); err != nil {
		return err
	}
	release, err := d.take()
	if err != nil {
		return err
	}
	defer release()
	if err := d.breakStaleLocks(ctx, project); err != nil {
		return err
	}
	return d.forget(project)
}

// forget removes what the file backend and the CLI keep of a stack that is gone.
func (d *Driver) forget(project string) error {
	bookkeeping, name := filepath.Join(d.backend(), ".pulumi"), d.options.Environment
	problems := []error{os.RemoveAll(d.Directory()), os.RemoveAll(d.work())}
	for _, pattern := range []string{
		filepath.Join(bookkeeping, "locks", "organization", project, name),
		filepath.Join(bookkeeping, "history", project, name),
		filepath.Join(bookkeeping, "stacks", project, name+".json*"),
		filepath.Join(d.home(), "logs", "organization+"+project+"+"+name+"-*"),
	} {
		found, err := filepath.Glob(pattern)
		problems = append(problems, err)
		for _, path := range found {
			problems = append(problems, os.RemoveAll(path))
		}
	}
	return errors.Join(problems...)
}

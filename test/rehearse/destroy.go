package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

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
		if err := d.refuseProtected(project); err != nil {
			return result, err
		}
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

// refuseProtected reports what the state says is protected before anything is removed: the engine, asked through its
// API, would remove first what stands on it, such as every node of a cluster that stays.
func (d *Driver) refuseProtected(project string) error {
	data, err := os.ReadFile(d.checkpoint(project))
	if err != nil {
		return err
	}
	var state struct {
		Checkpoint struct {
			Latest struct {
				Resources []struct {
					URN     string `json:"urn"`
					Custom  bool   `json:"custom"`
					Protect bool   `json:"protect"`
				} `json:"resources"`
			} `json:"latest"`
		} `json:"checkpoint"`
	}
	if err := json.Unmarshal(data, &state); err != nil {
		return fmt.Errorf("the state of environment %s: %w", d.options.Environment, err)
	}
	var protected []string
	for _, r := range state.Checkpoint.Latest.Resources {
		if r.Protect && r.Custom {
			protected = append(protected, "  "+resourceName(r.URN))
		}
	}
	if len(protected) == 0 {
		return nil
	}
	return fmt.Errorf("environment %s holds what its settings protect, and nothing of it was removed:\n%s\nTo remove it with all data in it, write unprotected: true in %s, run up, and destroy again",
		d.options.Environment, strings.Join(protected, "\n"), d.options.ConfigFile)
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

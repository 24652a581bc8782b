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
		if err := d.refuseProtected(); err != nil {
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

// Protected gives the URNs of what the state says is protected, components among it; none where there is no state.
func (d *Driver) Protected() ([]string, error) {
	components, resources, err := d.protected()
	return append(components, resources...), err
}

func (d *Driver) protected() (components, resources []string, err error) {
	if d.problem != nil {
		return nil, nil, d.problem
	}
	project, err := d.projectName()
	if err != nil || !d.exists(project) {
		return nil, nil, err
	}
	data, err := os.ReadFile(d.checkpoint(project))
	if err != nil {
		return nil, nil, err
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
		return nil, nil, fmt.Errorf("the state of environment %s: %w", d.options.Environment, err)
	}
	for _, r := range state.Checkpoint.Latest.Resources {
		switch {
		case r.Protect && r.Custom:
			resources = append(resources, r.URN)
		case r.Protect:
			components = append(components, r.URN)
		}
	}
	return components, resources, nil
}

// refuseProtected reports what is protected before anything is removed: the engine, asked through its API, would remove
// first what stands on it, such as every node of a cluster that stays.
func (d *Driver) refuseProtected() error {
	_, protected, err := d.protected()
	if err != nil || len(protected) == 0 {
		return err
	}
	for i, urn := range protected {
		protected[i] = "  " + resourceName(urn)
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

package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// answerLimit is how long a supervisor may take to answer. It only mounts and
// writes a file; a machine that takes longer is not coming.
const answerLimit = 20 * time.Second

// Start makes the machine run and returns when its supervisor answers; the
// services may still be starting then: see Wait. binary is the absolute path
// of redoubt-machine. A machine that runs already gets the Spec as by Apply.
// On failure nothing of the machine is left running, and the error says what
// is missing.
func Start(ctx context.Context, binary string, spec Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	if _, err := os.Stat(binary); err != nil || !filepath.IsAbs(binary) {
		return fmt.Errorf("the program redoubt-machine must be given by an absolute path and exist, not %q: build it with `make`", binary)
	}
	status, err := Inspect(spec.Dir)
	if err != nil {
		return err
	}
	if !status.Running {
		if err := Preflight(spec); err != nil {
			return err
		}
	}
	unlock, err := control(ctx, spec.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	err = start(ctx, binary, spec)
	if err != nil && !status.Running {
		// The caller's patience may be why it failed; tidying needs its own.
		err = errors.Join(err, stop(context.WithoutCancel(ctx), spec.Dir))
	}
	return err
}

func start(ctx context.Context, binary string, spec Spec) error {
	l := layout(spec.Dir)
	if err := install(ctx, spec); err != nil {
		return err
	}
	if err := removeIfThere(l.stop()); err != nil {
		return err
	}
	if !readProcess(l.guard()).alive() {
		if err := launch(ctx, binary, spec); err != nil {
			return fmt.Errorf("starting the guard of %s: %w", spec.Name, err)
		}
	}
	return answered(ctx, spec)
}

// Apply gives a running machine another Spec. Services that changed restart,
// new ones start, gone ones stop, and the rest is not touched; the whole
// machine restarts when what is fixed at its boot changes (its name, log
// directory, network namespace, cgroup, binds). It returns when the supervisor
// has taken the Spec up: see Wait for the services.
func Apply(ctx context.Context, spec Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	unlock, err := control(ctx, spec.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	l := layout(spec.Dir)
	if l.stopping() || !exists(l.spec()) || !readProcess(l.guard()).alive() && !l.readInit().alive() {
		return fmt.Errorf("machine %s does not run: start it first", spec.Name)
	}
	if err := install(ctx, spec); err != nil {
		return err
	}
	return answered(ctx, spec)
}

// install writes the Spec and what follows from it.
func install(ctx context.Context, spec Spec) error {
	if err := prepare(spec); err != nil {
		return fmt.Errorf("the state of machine %s: %w", spec.Name, err)
	}
	if err := ClaimKernelSettings(ctx, spec.Dir, spec.KernelSettings); err != nil {
		return err
	}
	// An earlier failure says nothing about this Spec.
	if err := removeIfThere(layout(spec.Dir).failure()); err != nil {
		return err
	}
	return writeJSON(layout(spec.Dir).spec(), spec)
}

// answered waits until the supervisor has taken up the Spec.
func answered(ctx context.Context, spec Spec) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	l := layout(spec.Dir)
	revision, shape := spec.Revision(), spec.shape()
	for attempt := 0; ; attempt++ {
		status, err := Inspect(spec.Dir)
		if err != nil {
			return err
		}
		current := l.readInit().Shape == shape
		if status.Running && current && status.Revision == revision {
			return nil
		}
		if status.Failure != "" {
			return fmt.Errorf("machine %s does not start: %s", spec.Name, status.Failure)
		}
		// The guard, or the machine, may just be starting and have read the
		// old Spec: it is told until it is heard.
		if attempt%10 == 0 && (status.Boot != "" || !current) {
			_ = readProcess(l.guard()).signal(syscall.SIGHUP)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("machine %s does not answer: %w; the end of its logs:\n%s\n%s", spec.Name, ctx.Err(),
				tail(filepath.Join(spec.LogDir, "guard.log"), 10), tail(filepath.Join(spec.LogDir, "machine.log"), 10))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Wait returns when every service of the machine is ready. When ctx ends
// first, or after two minutes when it has no deadline, the error names the
// services that are not, why, and the end of their logs.
func Wait(ctx context.Context, dir string) error {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
	}
	for {
		status, err := Inspect(dir)
		if err != nil {
			return err
		}
		if status.Ready() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", unready(layout(dir), status), ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// unready says what is not ready, and why.
func unready(l layout, status Status) error {
	spec, err := l.readSpec()
	if err != nil {
		return err
	}
	if !status.Running {
		return fmt.Errorf("machine %s does not run: %s\n%s", spec.Name, status.Failure, tail(filepath.Join(spec.LogDir, "guard.log"), 10))
	}
	var said []string
	for _, service := range status.Services {
		if service.Ready {
			continue
		}
		line := fmt.Sprintf("  %s: %s, %d restarts", service.Name, service.State, service.Restarts)
		for _, detail := range []string{service.Detail, service.LastExit} {
			if detail != "" {
				line += ", " + detail
			}
		}
		if service.State != "waiting" {
			line += "\n" + tail(filepath.Join(spec.LogDir, service.Name+".log"), 10)
		}
		said = append(said, line)
	}
	return fmt.Errorf("not ready on machine %s (logs in %s):\n%s", spec.Name, spec.LogDir, strings.Join(said, "\n"))
}

// Inspect reads what the machine in dir does now. A machine that never was, or
// was stopped, does not run, which is no error.
func Inspect(dir string) (Status, error) {
	l := layout(dir)
	var status Status
	if err := readJSON(l.status(), &status); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Status{}, err
	}
	if record := l.readInit(); record.alive() && status.Boot == record.Boot {
		status.Running, status.InitPID = true, record.PID
	} else {
		status = Status{}
	}
	status.Guarded = readProcess(l.guard()).alive()
	if failure, err := os.ReadFile(l.failure()); err == nil && !status.Running {
		status.Failure = strings.TrimSpace(string(failure))
	}
	return status, nil
}

// ExecCommand prepares a command that runs in all namespaces of the machine
// with root's rights there; in plain mode, a command of the machine's user.
// When the machine does not run, the command's Err says so. When ctx ends,
// nsenter ends, and what it started in the machine goes on until it ends by
// itself or the machine does.
func ExecCommand(ctx context.Context, dir string, argv ...string) *exec.Cmd {
	l := layout(dir)
	spec, err := l.readSpec()
	record := l.readInit()
	if err == nil && !record.alive() {
		err = fmt.Errorf("machine %s does not run", spec.Name)
	}
	if len(argv) == 0 {
		err = errors.Join(err, errors.New("no command to run"))
		argv = []string{""}
	}
	if !spec.Isolated {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Err = errors.Join(err, cmd.Err)
		return cmd
	}
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{
		"--target", strconv.Itoa(record.PID), "--mount", "--uts", "--ipc", "--net", "--pid", "--",
	}, argv...)...)
	cmd.Env = []string{"PATH=" + machinePath, "HOME=/root", "TERM=" + os.Getenv("TERM")}
	cmd.Err = errors.Join(err, cmd.Err)
	return cmd
}

// control keeps other callers of Start, Apply and Stop for a machine out.
func control(ctx context.Context, dir string) (func(), error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := waitLock(ctx, layout(dir).control())
	if err != nil {
		return nil, err
	}
	return func() { lock.Close() }, nil
}

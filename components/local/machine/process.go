package machine

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// process is one process for good: its number, and when it started. The kernel
// gives numbers again, so a number alone may come to mean a stranger.
type process struct {
	PID   int    `json:"pid"`
	Start string `json:"start"`
}

// errGone is the answer about a process that has ended.
var errGone = errors.New("the process has ended")

// identify gives the process that now has a number; errGone when none has, or
// when it has ended and only waits to be collected.
func identify(pid int) (process, error) {
	if pid <= 0 {
		return process{}, errGone
	}
	start, err := startOf(pid)
	if err != nil {
		return process{}, err
	}
	return process{PID: pid, Start: start}, nil
}

// self is the calling process.
func self() (process, error) { return identify(os.Getpid()) }

// alive tells whether this very process still runs.
func (p process) alive() bool {
	now, err := identify(p.PID)
	return err == nil && now == p
}

// readProcess reads a recorded process; the zero process, which is never
// alive, when there is no record.
func readProcess(path string) process {
	var p process
	if err := readJSON(path, &p); err != nil {
		return process{}
	}
	return p
}

// end sends a signal, waits, and kills what is left. It returns when the
// process is gone, or with an error when even SIGKILL did not end it in 5 s.
func (p process) end(ctx context.Context, sig syscall.Signal, grace time.Duration) error {
	if !p.alive() {
		return nil
	}
	if grace > 0 {
		_ = p.signal(sig)
		if p.waitFor(ctx, grace) {
			return nil
		}
	}
	_ = p.signal(syscall.SIGKILL)
	// A caller in a hurry must not leave a killed process half collected.
	if p.waitFor(context.WithoutCancel(ctx), 5*time.Second) {
		return nil
	}
	return errors.New("a process does not end after SIGKILL; it hangs in the kernel, which only a restart of the host cures")
}

// waitFor waits until the process is gone and tells whether it is.
func (p process) waitFor(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return p.wait(ctx) == nil
}

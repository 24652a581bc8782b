package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// orphanGrace is how long an engine whose driver was killed gets to end by itself: it is interrupted by the kernel and
// has lost its program and its providers, so that it stops within seconds.
const orphanGrace = 20 * time.Second

// take makes this process the only driver of the environment until release is called.
func (d *Driver) take() (release func(), err error) {
	path := filepath.Join(d.work(), "lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		_ = file.Close()
		return nil, fmt.Errorf("environment %s is being worked on by another run (process %s): wait until it ends, or stop it",
			d.options.Environment, strings.TrimSpace(string(holder)))
	}
	_ = file.Truncate(0)
	_, _ = fmt.Fprintln(file, os.Getpid())
	return func() {
		// Unlocked and not only closed: a child that was forked for another driver of this process a moment ago still has
		// the file open until it runs its program, and would keep the lock for that long.
		_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
		_ = file.Close()
	}, nil
}

// stackLock is what the engine's file backend writes while it works on a stack.
type stackLock struct {
	Pid       int       `json:"pid"`
	Username  string    `json:"username"`
	Hostname  string    `json:"hostname"`
	Timestamp time.Time `json:"timestamp"`
}

// breakStaleLocks removes the engine's locks that no process holds any more, and mends what the last engine left. It is called with the driver's own lock
// held: a lock of a living engine is an ordinary `pulumi`, or an engine that is about to notice its driver's death.
func (d *Driver) breakStaleLocks(ctx context.Context, project string) error {
	pattern := filepath.Join(d.backend(), ".pulumi", "locks", "organization", project, d.options.Environment, "*.json")
	files, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	hostname, _ := os.Hostname()
	for _, file := range files {
		var lock stackLock
		data, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		broken := json.Unmarshal(data, &lock) != nil // half-written: its writer is dead
		if !broken && lock.Hostname != hostname {
			return fmt.Errorf("environment %s is locked by %s on %s (process %d) since %s: end that run, or remove %s when it is dead",
				d.options.Environment, lock.Username, lock.Hostname, lock.Pid, lock.Timestamp.Format(time.RFC3339), file)
		}
		deadline := time.Now().Add(orphanGrace)
		for !broken && holds(lock, file) {
			if time.Now().After(deadline) {
				return fmt.Errorf("environment %s is being worked on by pulumi (process %d) since %s: wait until it ends, or stop it with: kill -INT %d",
					d.options.Environment, lock.Pid, lock.Timestamp.Format(time.RFC3339), lock.Pid)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
		}
		if err := os.Remove(file); err == nil {
			d.say("The last run was interrupted: its lock is removed.")
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return d.mend(project)
}

// holds tells whether the lock's writer lives: the process exists, is no zombie, is a pulumi where that can be seen,
// and the lock is still there.
func holds(lock stackLock, file string) bool {
	if _, err := os.Stat(file); err != nil {
		return false
	}
	if lock.Pid <= 0 || syscall.Kill(lock.Pid, 0) == syscall.ESRCH {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", lock.Pid))
	if err != nil {
		return true // no /proc: the process exists, that is all one knows
	}
	text := string(status)
	return !strings.Contains(text, "\nState:\tZ") && strings.HasPrefix(text, "Name:\tpulumi")
}

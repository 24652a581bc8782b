package machine

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// zombie is SZOMB of sys/proc.h: ended, and not yet collected by its parent.
const zombie = 5

func startOf(pid int) (string, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid || info.Proc.P_stat == zombie {
		return "", errGone
	}
	return fmt.Sprintf("%d.%06d", info.Proc.P_starttime.Sec, info.Proc.P_starttime.Usec), nil
}

func (p process) signal(sig syscall.Signal) error {
	if !p.alive() {
		return errGone
	}
	err := syscall.Kill(p.PID, sig)
	if errors.Is(err, syscall.ESRCH) {
		err = errGone
	}
	return err
}

// wait returns when the process is gone, or with the context's error.
func (p process) wait(ctx context.Context) error {
	for p.alive() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
	return nil
}

// descendants are not to be found without /proc: the recorded services and
// their process groups stand for them.
func descendants(string) []process { return nil }

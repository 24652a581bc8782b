package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bootID tells this run of the kernel from others: a start time counts from it.
var bootID = sync.OnceValue(func() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(data) < 8 {
		return "unknown"
	}
	return string(data[:8])
})

// startOf reads field 22, starttime, of /proc/<pid>/stat (proc_pid_stat(5)).
func startOf(pid int) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", errGone
	}
	// The second field, the program's name, may hold spaces and parentheses.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 20 {
		return "", fmt.Errorf("/proc/%d/stat has %d fields after the name, not at least 20", pid, len(fields))
	}
	if state := fields[0][0]; state == 'Z' || state == 'X' {
		return "", errGone
	}
	return bootID() + ":" + string(fields[19]), nil
}

// open gives a descriptor that stays with the process whatever becomes of its
// number (pidfd_open(2), Linux 5.3).
func (p process) open() (int, error) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		if errors.Is(err, unix.ESRCH) {
			err = errGone
		}
		return -1, err
	}
	if !p.alive() {
		unix.Close(fd)
		return -1, errGone
	}
	return fd, nil
}

func (p process) signal(sig syscall.Signal) error {
	fd, err := p.open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

// wait returns when the process is gone, or with the context's error.
func (p process) wait(ctx context.Context) error {
	fd, err := p.open()
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for ctx.Err() == nil {
		// The poll is short so that the context is seen; the descriptor ends it
		// at once when the process ends.
		limit := 500 * time.Millisecond
		if deadline, ok := ctx.Deadline(); ok {
			limit = max(min(limit, time.Until(deadline)), time.Millisecond)
		}
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(polled, int(limit.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n > 0 {
			return nil
		}
	}
	return ctx.Err()
}

// descendants are the processes that carry the mark of a plain machine in
// their environment: its services and whatever those started.
func descendants(mark string) []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []process
	for _, entry := range entries {
		var pid int
		if _, err := fmt.Sscan(entry.Name(), &pid); err != nil || pid == os.Getpid() {
			continue
		}
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || !hasVariable(environment, mark) {
			continue
		}
		if p, err := identify(pid); err == nil {
			found = append(found, p)
		}
	}
	return found
}

func hasVariable(environment []byte, variable string) bool {
	for _, entry := range bytes.Split(environment, []byte{0}) {
		if string(entry) == variable {
			return true
		}
	}
	return false
}

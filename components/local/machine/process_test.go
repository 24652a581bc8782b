package machine

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestProcessIsMoreThanItsNumber(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := identify(cmd.Process.Pid)
	if err != nil || !p.alive() {
		t.Fatalf("identify: %v", err)
	}
	other := process{p.PID, p.Start + "1"}
	if other.alive() {
		t.Error("another process of the same number counts as alive")
	}
	if err := other.signal(syscall.SIGKILL); !errors.Is(err, errGone) {
		t.Errorf("signal to a process that is gone: %v", err)
	}
	time.Sleep(50 * time.Millisecond)
	if !p.alive() {
		t.Fatal("the signal reached a stranger")
	}
	if p.waitFor(t.Context(), 100*time.Millisecond) {
		t.Error("a living process counts as gone")
	}
	if err := p.end(t.Context(), syscall.SIGTERM, time.Second); err != nil {
		t.Error(err)
	}
	// It has ended, and is not collected yet: that is gone too.
	if p.alive() {
		t.Error("a zombie counts as alive")
	}
	_ = cmd.Wait()
	if (process{}).alive() {
		t.Error("the zero process is alive")
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(path); !errors.Is(err, errLocked) {
		t.Errorf("a second lock: %v", err)
	}
	go func() {
		time.Sleep(100 * time.Millisecond)
		first.Close()
	}()
	second, err := waitLock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	// A lock on a file that is no longer the one of that name is no lock.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	third, err := tryLock(path)
	if err != nil {
		t.Errorf("the name is free, but: %v", err)
	}
	second.Close()
	third.Close()
}

// TestCaptureOutlivesAFullDisk writes more than a pipe holds to a log that
// takes nothing.
func TestCaptureOutlivesAFullDisk(t *testing.T) {
	write, err := capture(refuser{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(write, io.LimitReader(zeros{}, 1<<20))
		done <- errors.Join(err, write.Close())
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("a service that speaks hangs because its log cannot be written")
	}
}

type refuser struct{}

func (refuser) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(strings.Repeat("long ago\n", 10000)+"one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tail(path, 2); got != "    two\n    three" {
		t.Errorf("tail: %q", got)
	}
}

func TestUnit(t *testing.T) {
	arguments := unitArguments("/r/bin/redoubt-machine", complete())
	for _, want := range []string{
		"--unit=redoubt-local-worker-1.service", "--property=Restart=always", "--property=KillMode=process", "--property=StartLimitIntervalSec=0",
	} {
		if !slices.Contains(arguments, want) {
			t.Errorf("%s is missing in %q", want, arguments)
		}
	}
	if command := arguments[slices.Index(arguments, "--")+1:]; !slices.Equal(command, []string{"/r/bin/redoubt-machine", "run", "/s/machines/worker-1"}) {
		t.Errorf("the unit runs %q", command)
	}
}

//go:build linux

package machine

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func itoa(n int) string { return fmt.Sprint(n) }

func kill(t *testing.T, pid int) {
	t.Helper()
	if pid <= 0 {
		t.Fatalf("there is no process to kill: %d", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// TestWhateverDiesComesBack kills each process of a machine in turn.
func TestWhateverDiesComesBack(t *testing.T) {
	for mode, make := range map[string]func(*testing.T, ...Service) Spec{"isolated": isolated, "plain": plain} {
		t.Run(mode, func(t *testing.T) {
			one, two := sleeper("one"), sleeper("two")
			spec := make(t, one, two)
			launched(t, spec)
			l := layout(spec.Dir)
			boot := ""
			// complete is true of another boot than the one named before.
			complete := func() bool {
				status, err := Inspect(spec.Dir)
				return err == nil && status.Ready() && status.Boot != boot && status.Guarded && readProcess(l.watcher()).alive() &&
					len(running(t, strings.Join(one.Command, " "))) == 1 && len(running(t, strings.Join(two.Command, " "))) == 1
			}
			eventually(t, "complete at first", complete)

			before := inspect(t, spec)
			kill(t, running(t, strings.Join(one.Command, " "))[0])
			eventually(t, "a service", func() bool { return complete() && service(t, inspect(t, spec), "one").Restarts == 1 })
			after := inspect(t, spec)
			if service(t, after, "two") != service(t, before, "two") {
				t.Error("the death of one service touched the other")
			}
			if got := service(t, after, "one").LastExit; got != "ended by signal: killed" {
				t.Errorf("last exit: %q", got)
			}

			boot = after.Boot
			kill(t, after.InitPID)
			eventually(t, "the first process", complete)

			before = inspect(t, spec)
			guard := readProcess(l.guard())
			kill(t, guard.PID)
			eventually(t, "the guard", func() bool { return complete() && readProcess(l.guard()) != guard })
			if after := inspect(t, spec); after.InitPID != before.InitPID || service(t, after, "two") != service(t, before, "two") {
				t.Error("the new guard did not adopt the machine but started another")
			}

			watcher := readProcess(l.watcher())
			kill(t, watcher.PID)
			eventually(t, "the watcher", func() bool { return complete() && readProcess(l.watcher()) != watcher })

			// Twice in a row: who was adopted is watched too.
			adopted := inspect(t, spec)
			boot = adopted.Boot
			kill(t, adopted.InitPID)
			eventually(t, "an adopted first process", complete)
			// With both gone, Start puts the guard back and leaves the machine alone.
			before = inspect(t, spec)
			watcher, guard = readProcess(l.watcher()), readProcess(l.guard())
			for _, p := range []process{watcher, guard} {
				// Or the one would restart the other before it dies itself.
				_ = p.signal(syscall.SIGSTOP)
			}
			kill(t, watcher.PID)
			kill(t, guard.PID)
			eventually(t, "death of the guard", func() bool { return !readProcess(l.guard()).alive() && !readProcess(l.watcher()).alive() })
			if after := launched(t, spec); after.Boot != before.Boot {
				t.Error("Start restarted a machine that ran")
			}
			eventually(t, "guard and watcher after Start", complete)
		})
	}
}

func TestThereIsOneGuard(t *testing.T) {
	spec := plain(t, sleeper("s"))
	launched(t, spec)
	guard := readProcess(layout(spec.Dir).guard())
	out, err := exec.Command(program, "run", spec.Dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another guard runs") {
		t.Errorf("a second guard: %v: %s", err, out)
	}
	if readProcess(layout(spec.Dir).guard()) != guard || !guard.alive() {
		t.Error("the second guard disturbed the first")
	}
	if out, err := exec.Command(program, "watch", spec.Dir).CombinedOutput(); err == nil || !strings.Contains(string(out), "another watcher runs") {
		t.Errorf("a second watcher: %v: %s", err, out)
	}
}

// TestFirstProcessWaitsToBeRecorded plays a guard that is killed after it has
// started the first process and before it has recorded it.
func TestFirstProcessWaitsToBeRecorded(t *testing.T) {
	spec := plain(t, sleeper("s"))
	if err := prepare(spec); err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(layout(spec.Dir).spec(), spec); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", program+" init "+spec.Dir+" boot 3</dev/null 4>/dev/null")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "the guard ended before") {
		t.Errorf("init without a guard: %v: %s", err, out)
	}
	if pids := running(t, strings.Join(spec.Services[0].Command, " ")); len(pids) > 0 {
		t.Errorf("it started services: %v", pids)
	}
}

// TestABrokenServiceDoesNotSpin counts the starts of a service that ends at once.
func TestABrokenServiceDoesNotSpin(t *testing.T) {
	spec := plain(t, Service{Name: "broken", Command: []string{"/bin/sh", "-c", "echo the reason; exit 3"}})
	if err := Start(t.Context(), program, spec); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	err := Wait(ctx, spec.Dir)
	if err == nil {
		t.Fatal("a service that ends at once is ready")
	}
	for _, want := range []string{"broken", "ended with code 3", "the reason", spec.LogDir} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q: %v", want, err)
		}
	}
	// 0.5 + 1 + 2 + 4 s of pauses: the fifth start comes after 7.5 s.
	if n := service(t, inspect(t, spec), "broken").Restarts; n < 1 || n > 5 {
		t.Errorf("%d restarts in 8 s", n)
	}
}

func TestServicesWaitForEachOther(t *testing.T) {
	dir := t.TempDir()
	flag := filepath.Join(dir, "flag")
	first := Service{Name: "first", Command: []string{"/bin/sh", "-c", "sleep 1; touch " + flag + "; exec sleep 1000"}, Ready: &Probe{File: flag}}
	second := Service{Name: "second", After: []string{"first"}, Command: []string{"/bin/sh", "-c", "test -e " + flag + " && exec sleep 1000; echo too early"}}
	spec := plain(t, second, first)
	if err := Start(t.Context(), program, spec); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reason for waiting", func() bool {
		s := service(t, inspect(t, spec), "second")
		return s.State == "waiting" && s.Detail == "waits for first"
	})
	if s := service(t, wait(t, spec), "second"); s.Restarts != 0 {
		t.Errorf("the second started too early: %+v", s)
	}
}

func TestServiceThatDoesNotBecomeReadyIsRestarted(t *testing.T) {
	slow := sleeper("slow")
	slow.Ready = &Probe{File: "/does/not/exist", Timeout: Duration(time.Second)}
	spec := plain(t, slow)
	if err := Start(t.Context(), program, spec); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a restart", func() bool {
		s := service(t, inspect(t, spec), "slow")
		return s.Restarts > 0 && strings.Contains(s.LastExit, "not ready after 1s")
	})
	if n := len(running(t, strings.Join(slow.Command, " "))); n > 1 {
		t.Errorf("%d of it run", n)
	}
}

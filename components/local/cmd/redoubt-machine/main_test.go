package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/machine"
)

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"status"}, {"exec", "dir"}, {"exec", "dir", "true"}, {"run"}, {"run", "--unwatched", "dir"}, {"init", "dir"}, {"help"}} {
		if err := run(args); err == nil || !strings.Contains(err.Error(), "redoubt-machine exec DIR -- COMMAND") {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestMachineThatIsNotThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "no-such-machine")
	for _, args := range [][]string{{"status", dir}, {"exec", dir, "--", "true"}, {"run", dir}, {"watch", dir}} {
		if err := run(args); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// TestProgramRunsAMachine goes through the built program: the machine starts,
// answers, gives a command's own exit code, and ends.
func TestProgramRunsAMachine(t *testing.T) {
	root := t.TempDir()
	program := filepath.Join(root, "redoubt-machine")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	spec := machine.Spec{
		Environment: "cmd", Name: "plain", Dir: filepath.Join(root, "plain"), LogDir: filepath.Join(root, "log"),
		Services: []machine.Service{{Name: "sleeper", Command: []string{"/bin/sleep", "1000"}}},
	}
	t.Cleanup(func() {
		if err := machine.Stop(context.Background(), spec.Dir); err != nil {
			t.Error(err)
		}
	})
	if err := machine.Start(t.Context(), program, spec); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := machine.Wait(ctx, spec.Dir); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "status", spec.Dir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"running": true`) || !strings.Contains(string(out), `"name": "sleeper"`) {
		t.Errorf("status: %v: %s", err, out)
	}
	err = exec.Command(program, "exec", spec.Dir, "--", "/bin/sh", "-c", "exit 7").Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("exec: %v", err)
	}
}

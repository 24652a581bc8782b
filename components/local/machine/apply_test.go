//go:build linux

package machine

import (
	"os"
	"strings"
	"testing"
)

func TestApplyRestartsOnlyWhatChanged(t *testing.T) {
	for mode, make := range map[string]func(*testing.T, ...Service) Spec{"isolated": isolated, "plain": plain} {
		t.Run(mode, func(t *testing.T) {
			same, command, hash, gone := sleeper("same"), sleeper("command"), sleeper("hash"), sleeper("gone")
			spec := make(t, same, command, hash, gone)
			before := launched(t, spec)
			goneCommand := strings.Join(gone.Command, " ")

			command.Command = sleeper("").Command
			hash.Hash = "other contents of a file"
			next := spec
			next.Services = []Service{same, command, hash, sleeper("new")}
			if err := Apply(t.Context(), next); err != nil {
				t.Fatal(err)
			}
			after := wait(t, spec)
			if after.Boot != before.Boot {
				t.Error("the whole machine restarted")
			}
			if service(t, before, "same") != service(t, after, "same") {
				t.Error("a service that did not change was touched")
			}
			for _, name := range []string{"command", "hash"} {
				if service(t, before, name).PID == service(t, after, name).PID {
					t.Errorf("%s was not restarted", name)
				}
			}
			if len(after.Services) != 4 || service(t, after, "new").PID == 0 {
				t.Errorf("services: %+v", after.Services)
			}
			if pids := running(t, goneCommand); len(pids) > 0 {
				t.Errorf("a service that is gone still runs: %v", pids)
			}
			if after.Revision != next.Revision() {
				t.Errorf("revision %s, not %s", after.Revision, next.Revision())
			}

			// Nothing changed: nothing happens.
			if err := Apply(t.Context(), next); err != nil {
				t.Fatal(err)
			}
			if again := wait(t, spec); service(t, again, "command") != service(t, after, "command") {
				t.Error("an Apply without a change restarted a service")
			}
			// What Apply changed also holds for the next boot.
			kill(t, after.InitPID)
			eventually(t, "the machine", func() bool { s := inspect(t, spec); return s.Ready() && s.Boot != after.Boot })
			if s := inspect(t, spec); s.Revision != next.Revision() {
				t.Error("a restarted machine has forgotten what was applied")
			}
		})
	}
}

func TestApplyOfAnotherShapeRestartsTheMachine(t *testing.T) {
	spec := isolated(t, sleeper("s"))
	before := launched(t, spec)
	spec.Binds = []Bind{{t.TempDir(), "/opt/data", false}}
	if err := Apply(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if after := wait(t, spec); after.Boot == before.Boot {
		t.Error("the machine did not restart")
	}
	mustIn(t, spec, "touch /opt/data/x")
	// Names need no restart.
	before = inspect(t, spec)
	spec.Hosts = map[string]string{"later": "10.80.0.77"}
	if err := Apply(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if out := mustIn(t, spec, "getent hosts later"); !strings.Contains(out, "10.80.0.77") || inspect(t, spec).Boot != before.Boot {
		t.Errorf("hosts: %q", out)
	}
}

func TestApplyNeedsARunningMachine(t *testing.T) {
	spec := plain(t, sleeper("s"))
	if err := Apply(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "start it first") {
		t.Errorf("Apply: %v", err)
	}
}

func TestExecOfAMachineThatDoesNotRun(t *testing.T) {
	spec := plain(t, sleeper("s"))
	launched(t, spec)
	if err := Stop(t.Context(), spec.Dir); err != nil {
		t.Fatal(err)
	}
	if err := ExecCommand(t.Context(), spec.Dir, "/bin/true").Run(); err == nil {
		t.Error("a command ran in a machine that does not")
	}
}

// TestPlainSupervisorLeavesNoDoubles kills the supervisor of a plain machine,
// which cannot take its services with it.
func TestPlainSupervisorLeavesNoDoubles(t *testing.T) {
	child := sleeper("child")
	parent := Service{Name: "parent", Command: []string{"/bin/sh", "-c", "setsid " + strings.Join(child.Command, " ") + " & exec sleep 999"}}
	spec := plain(t, parent)
	for range 3 {
		before := launched(t, spec)
		kill(t, before.InitPID)
		eventually(t, "the machine", func() bool { s := inspect(t, spec); return s.Ready() && s.Boot != before.Boot })
		eventually(t, "one child", func() bool { return len(running(t, strings.Join(child.Command, " ")+"\x00")) <= 1 })
		// The shell's own command line holds the child's too.
		if pids := running(t, "/bin/sleep "+child.Command[1]); len(pids) > 2 {
			t.Fatalf("a killed supervisor left doubles: %v", pids)
		}
	}
	if environ := os.Getenv("REDOUBT_MACHINE"); environ != "" {
		t.Fatalf("the test itself carries the mark %s", environ)
	}
}

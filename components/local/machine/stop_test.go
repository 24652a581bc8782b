//go:build linux

package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// remains are what the host still has of a machine.
func remains(t *testing.T, spec Spec) []string {
	t.Helper()
	var left []string
	for _, pid := range running(t, spec.Dir) {
		left = append(left, "process "+itoa(pid))
	}
	if mounts := shell(t, "cat /proc/self/mountinfo"); strings.Contains(mounts, spec.Dir) {
		left = append(left, "a mount of "+spec.Dir)
	}
	groups, _ := filepath.Glob("/sys/fs/cgroup/*" + spec.CgroupRoot)
	more, _ := filepath.Glob("/sys/fs/cgroup" + spec.CgroupRoot)
	if spec.CgroupRoot != "" {
		left = append(left, append(groups, more...)...)
	}
	for _, name := range []string{"run", "lock", "status.json", "machine.json"} {
		if path := filepath.Join(spec.Dir, name); exists(path) {
			left = append(left, path)
		}
	}
	return left
}

func TestStopLeavesNothing(t *testing.T) {
	for mode, make := range map[string]func(*testing.T, ...Service) Spec{"isolated": isolated, "plain": plain} {
		t.Run(mode, func(t *testing.T) {
			stubborn, parent := sleeper("stubborn"), sleeper("parent")
			// One that will not listen, one with a child of another session.
			orphan := parent.Command[1] + "7"
			stubborn.Command = []string{"/bin/sh", "-c", "trap '' TERM INT; while :; do sleep 0." + stubborn.Command[1] + "; done"}
			parent.Command = []string{"/bin/sh", "-c", "setsid sleep " + orphan + " & exec sleep " + parent.Command[1]}
			spec := make(t, stubborn, parent)
			launched(t, spec)
			if spec.Isolated {
				// As the kubelet does for pods, in every hierarchy.
				mustIn(t, spec, `for d in $(find /sys/fs/cgroup -path "*`+spec.CgroupRoot+`" -type d); do mkdir -p $d/kubepods/pod1; done`)
				mustIn(t, spec, `d=$(find /sys/fs/cgroup -path "*`+spec.CgroupRoot+`/kubepods/pod1" -type d | grep -E "pids|unified" | head -1); sh -c "echo 0 >$d/cgroup.procs; exec setsid sleep `+orphan+`1" >/dev/null 2>&1 &`)
			}
			began := time.Now()
			if err := Stop(t.Context(), spec.Dir); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("Stop took %v", took)
			}
			if left := remains(t, spec); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
			for _, text := range []string{orphan, parent.Command[2], strings.Join(stubborn.Command[1:], " ")} {
				if pids := running(t, text); len(pids) > 0 {
					t.Errorf("%s still runs: %v", text, pids)
				}
			}
			for _, kept := range []string{"etc", "var"} {
				if !exists(filepath.Join(spec.Dir, kept)) {
					t.Errorf("%s was not kept", kept)
				}
			}
			if err := Stop(t.Context(), spec.Dir); err != nil {
				t.Errorf("a second Stop: %v", err)
			}
			if status := inspect(t, spec); status.Running || status.Guarded {
				t.Errorf("status: %+v", status)
			}
			// And it can be started again, with its data.
			spec.Services = []Service{sleeper("after")}
			launched(t, spec)
		})
	}
}

func TestStopOfAMachineThatNeverWas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "never")
	if err := Stop(t.Context(), dir); err != nil || exists(dir) {
		t.Errorf("Stop: %v, directory made: %v", err, exists(dir))
	}
}

// TestStopSparesStrangers gives a machine's recorded numbers to processes that
// have nothing to do with it.
func TestStopSparesStrangers(t *testing.T) {
	spec := plain(t, sleeper("s"))
	if err := prepare(spec); err != nil {
		t.Fatal(err)
	}
	stranger := exec.Command("/bin/sleep", "1000")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stranger.Process.Kill(); _ = stranger.Wait() })
	p, err := identify(stranger.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	earlier := process{p.PID, p.Start + "0"}
	l := layout(spec.Dir)
	for path, value := range map[string]any{l.guard(): earlier, l.watcher(): earlier, l.init(): initRecord{process: earlier}, l.run("services.json"): map[string]process{"s": earlier}, l.spec(): spec} {
		if err := writeJSON(path, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := Stop(t.Context(), spec.Dir); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if !p.alive() {
		t.Error("Stop killed a process that only has the number of one of its own")
	}
}

func TestStopInTheMiddleOfAFailingStart(t *testing.T) {
	spec := isolated(t, sleeper("s"))
	shell(t, "ip netns delete "+spec.NetworkNamespace)
	err := Start(t.Context(), program, spec)
	if err == nil || !strings.Contains(err.Error(), spec.NetworkNamespace) || !strings.Contains(err.Error(), "the network must be made before") {
		t.Errorf("Start without a network: %v", err)
	}
	if left := remains(t, spec); len(left) > 0 {
		t.Errorf("a failed Start left: %q", left)
	}
}

// TestDeletedStateEndsTheMachine deletes the directory of a running machine,
// after which nobody could stop it any more.
func TestDeletedStateEndsTheMachine(t *testing.T) {
	spec := isolated(t, sleeper("s"))
	launched(t, spec)
	if err := os.RemoveAll(spec.Dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end", func() bool {
		return len(remains(t, spec)) == 0 && len(running(t, strings.Join(spec.Services[0].Command, " "))) == 0
	})
}

func TestTwoMachinesDoNotMeet(t *testing.T) {
	one, two := isolated(t, sleeper("s")), isolated(t, sleeper("s"))
	launched(t, one)
	launched(t, two)
	if a, b := mustIn(t, one, "hostname"), mustIn(t, two, "hostname"); a != one.Name || b != two.Name {
		t.Errorf("names: %s, %s", a, b)
	}
	if out, err := in(t, two, "pgrep -x -f '"+strings.Join(one.Services[0].Command, " ")+"'"); err == nil {
		t.Errorf("one machine sees the processes of the other: %s", out)
	}
	mustIn(t, one, "touch /var/lib/mine /run/mine")
	if out, err := in(t, two, "ls /var/lib/mine || ls /run/mine"); err == nil {
		t.Errorf("one machine sees the files of the other: %s", out)
	}
	if err := Stop(t.Context(), one.Dir); err != nil {
		t.Fatal(err)
	}
	if status := inspect(t, two); !status.Ready() {
		t.Errorf("stopping one machine disturbed the other: %+v", status)
	}
	if err := Stop(t.Context(), two.Dir); err != nil {
		t.Fatal(err)
	}
	if left := append(remains(t, one), remains(t, two)...); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	parents, _ := filepath.Glob("/sys/fs/cgroup/*" + filepath.Dir(one.CgroupRoot))
	if len(parents) > 0 {
		t.Errorf("empty parents were left: %q", parents)
	}
}

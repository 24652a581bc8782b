//go:build linux

package machine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestWithoutRoot runs TestAsNobody as another user.
func TestWithoutRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this test gives up root, so it needs root")
	}
	// Root's claims must be in nobody's way.
	claimant := t.TempDir()
	if err := ClaimKernelSettings(t.Context(), claimant, map[string]string{"kernel.printk_ratelimit_burst": ">=0"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ReleaseKernelSettings(context.Background(), claimant); err != nil {
			t.Error(err)
		}
	})
	// Where nobody can reach, t.TempDir being root's.
	root, err := os.MkdirTemp("", "redoubt-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	binary := filepath.Join(root, "redoubt-machine")
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shell(t, "cp "+program+" "+binary+" && cp "+own+" "+root+"/tests && chown -R 65534 "+root+" && chmod 0755 "+root)
	cmd := exec.CommandContext(t.Context(), root+"/tests", "-test.run=^TestAsNobody$", "-test.v")
	cmd.Dir = root
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + root, "REDOUBT_TEST_PROGRAM=" + binary}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestAsNobody") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestAsNobody is run by TestWithoutRoot.
func TestAsNobody(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("run by TestWithoutRoot as another user")
	}
	spec := plain(t, sleeper("s"))
	boxed := spec
	boxed.Isolated, boxed.NetworkNamespace, boxed.CgroupRoot = true, "x", "/redoubt-test/x"
	if err := Start(t.Context(), program, boxed); err == nil || !strings.Contains(err.Error(), "root is needed") || strings.Contains(err.Error(), "cgroup") {
		t.Errorf("an isolated machine: %v", err)
	}
	before := launched(t, spec)
	kill(t, before.InitPID)
	eventually(t, "the machine", func() bool { s := inspect(t, spec); return s.Ready() && s.Boot != before.Boot })
	if err := Stop(t.Context(), spec.Dir); err != nil {
		t.Fatal(err)
	}
	if left := remains(t, spec); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	stranger := process{PID: 1, Start: "x"}
	if err := stranger.signal(syscall.SIGKILL); !errors.Is(err, errGone) {
		t.Errorf("signal: %v", err)
	}
}

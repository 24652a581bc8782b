package hostconfig

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSysctls(t *testing.T) {
	// What the kubelet compares when protectKernelDefaults is set.
	for name, want := range map[string]string{
		"vm.overcommit_memory": "1", "vm.panic_on_oom": "0", "kernel.panic": "10", "kernel.panic_on_oops": "1",
		"kernel.keys.root_maxkeys": "1000000", "kernel.keys.root_maxbytes": "25000000",
	} {
		if got := KubeletSysctls()[name]; got != want {
			t.Errorf("%s = %q, want %s", name, got, want)
		}
	}
	if len(KubeletSysctls()) != 6 {
		t.Error("the kubelet demands six settings")
	}
	if NetworkSysctls(RoleWorker)["net.ipv4.ip_forward"] != "1" || NetworkSysctls(RoleControlPlane)["net.ipv4.ip_forward"] != "0" {
		t.Error("workers forward for their pods, control planes do not")
	}
	for name := range NetworkSysctls(RoleWorker) {
		if !strings.HasPrefix(name, "net.") {
			t.Errorf("%s belongs to the whole kernel", name)
		}
	}
}

// TestSysctlAccepts lets the real program read the file, in a network of its own
// and without changing anything.
func TestSysctlAccepts(t *testing.T) {
	for _, name := range []string{"unshare", "sysctl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: install util-linux and procps", name)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	for _, role := range []Role{RoleWorker, RoleControlPlane} {
		contents := sysctlFile(Paths{}, role).Contents
		file := filepath.Join(t.TempDir(), "90-redoubt.conf")
		if err := os.WriteFile(file, []byte(contents), 0o644); err != nil {
			t.Fatal(err)
		}
		output, err := exec.Command("unshare", "--net", "sysctl", "--dry-run", "--load="+file).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", role, err, output)
		}
		// Every line that has no dash must be there.
		if got, want := strings.Count(string(output), " = "), strings.Count(contents, "\n")-strings.Count("\n"+contents, "\n-"); got < want {
			t.Errorf("%s: sysctl took %d of %d settings: %s", role, got, want, output)
		}
	}
}

package flatcar

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// tool finds a program, or skips with the package that has it.
func tool(t testing.TB, name, from string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/lib/dracut/modules.d/30ignition/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed: install %s", name, from)
	return ""
}

func root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for owners and namespaces")
	}
}

func write(t testing.TB, path, contents string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(contents), mode); err != nil {
		t.Fatal(err)
	}
}

// files gives every file of a machine.
func (s Spec) files(now time.Time) ([]hostconfig.File, error) {
	own, err := s.ownFiles(now)
	return s.withAdditions(own), err
}

// contents gives a file of a machine.
func contents(t testing.TB, s Spec, path string) string {
	t.Helper()
	for _, file := range must[[]hostconfig.File](t)(s.WithDefaults().files(now)) {
		if file.Path == path {
			return file.Contents
		}
	}
	t.Fatalf("no file %s", path)
	return ""
}

// unitRoot is a root folder with the machine's units, the programs that they
// start and stand-ins for Flatcar's own units.
func unitRoot(t *testing.T, s Spec) (string, []string) {
	t.Helper()
	r := t.TempDir()
	var names []string
	write(t, r+"/etc/os-release", "ID=flatcar\n", 0o644)
	for _, name := range []string{"/usr/bin/kubelet", "/usr/bin/kubeadm", "/usr/bin/containerd", "/usr/bin/touch", "/usr/bin/rm",
		"/usr/bin/echo", "/usr/sbin/nft", enrolPath, renewPath, joinPath, "/usr/bin/true"} {
		write(t, r+name, "#!/bin/sh\n", 0o755)
	}
	for _, name := range []string{"sysinit", "basic", "shutdown", "multi-user", "network-online", "network-pre", "local-fs", "time-sync", "timers"} {
		write(t, r+"/usr/lib/systemd/system/"+name+".target", "[Unit]\nDescription="+name+"\nDefaultDependencies=no\n", 0o644)
	}
	for _, name := range []string{unitContainerd, unitMetadata, "systemd-sysext.service", "systemd-sysctl.service", "systemd-modules-load.service"} {
		write(t, r+"/usr/lib/systemd/system/"+name, "[Unit]\nDescription="+name+"\nDefaultDependencies=no\n[Service]\nExecStart=/usr/bin/true\n", 0o644)
	}
	write(t, r+"/usr/lib/systemd/system/-.slice", "[Unit]\nDefaultDependencies=no\n", 0o644)
	write(t, r+"/usr/lib/systemd/system/system.slice", "[Unit]\nDefaultDependencies=no\n", 0o644)
	write(t, r+"/etc/systemd/system/containerd.service.d/10-redoubt.conf", s.WithDefaults().containerdDropIn(), 0o644)
	write(t, r+"/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", emptyDropIn, 0o644)
	for _, service := range append(s.Services(), s.Node.Units...) {
		write(t, r+"/etc/systemd/system/"+service.Name, must[string](t)(service.Render()), 0o644)
		names = append(names, service.Name)
	}
	for _, timer := range s.Timers() {
		write(t, r+"/etc/systemd/system/"+timer.Name, must[string](t)(timer.Render()), 0o644)
		names = append(names, timer.Name)
	}
	return r, append(names, unitContainerd)
}

// TestUnitsVerify: systemd-analyze prints what it does not know and still exits
// with 0, so any output is a failure.
func TestUnitsVerify(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	for name, s := range specs() {
		r, units := unitRoot(t, s)
		for _, unit := range units {
			output, err := exec.Command(analyze, "verify", "--man=no", "--root="+r, unit).CombinedOutput()
			if err != nil || len(output) > 0 {
				t.Errorf("%s: %s: %v: %s", name, unit, err, output)
			}
		}
	}
}

// exposure is the highest score, of 100, that each unit may have.
var exposure = map[string]string{
	unitFirewall: "16", unitRenew: "8",
	unitEnrol: "20",
	// No mount namespace is possible: their mounts must be seen by the host, and
	// they start programs that need all that root has.
	unitKubelet: "93", unitKubeadmInit: "93", unitKubeadmJoin: "93",
	"hello.service": "7",
}

// TestKubeletOutlivesASlowMetadataServer: systemd tries nothing again that failed with a
// unit that it requires, and the kubelet must not start without its address.
func TestKubeletOutlivesASlowMetadataServer(t *testing.T) {
	for _, service := range spec(hostconfig.RoleWorker, hostconfig.PlatformAWS).Services() {
		if service.Name != unitKubelet {
			continue
		}
		if slices.Contains(service.Requires, unitMetadata) || !slices.Contains(service.Wants, unitMetadata) || !slices.Contains(service.After, unitMetadata) ||
			service.EnvironmentFile != metadataPath || service.Restart != "always" {
			t.Errorf("%+v", service)
		}
		return
	}
	t.Error("there is no kubelet")
}

func TestUnitsExposure(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	for name, s := range specs() {
		r, _ := unitRoot(t, s)
		for _, service := range append(s.Services(), s.Node.Units...) {
			unit := service.Name
			output, err := exec.Command(analyze, "security", "--no-pager", "--offline=yes", "--threshold="+exposure[unit],
				"--root="+r, unit).CombinedOutput()
			if err != nil {
				lines := strings.Split(strings.TrimSpace(string(output)), "\n")
				t.Errorf("%s: %s: over %q: %v: %s", name, unit, exposure[unit], err, lines[len(lines)-1])
			}
		}
	}
}

func TestNftAccepts(t *testing.T) {
	nft, unshare := tool(t, "nft", "nftables"), tool(t, "unshare", "util-linux")
	root(t)
	for name, s := range specs() {
		file := filepath.Join(t.TempDir(), "redoubt.nft")
		write(t, file, contents(t, s, nftablesPath), 0o600)
		if output, err := exec.Command(unshare, "--net", nft, "-c", "-f", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, output)
		}
	}
}

// TestSysctlAccepts lets the real program read both files in a network of its
// own, without changing anything.
func TestSysctlAccepts(t *testing.T) {
	sysctl, unshare := tool(t, "sysctl", "procps"), tool(t, "unshare", "util-linux")
	root(t)
	for name, s := range specs() {
		for _, path := range []string{sysctlPath, hostconfig.Paths{}.Sysctl()} {
			file := filepath.Join(t.TempDir(), "sysctl.conf")
			write(t, file, contents(t, s, path), 0o600)
			// A setting with a dash may be absent from this machine's kernel: sysctl
			// says so and fails. Any other complaint is about the file.
			output, err := exec.Command(unshare, "--net", sysctl, "--dry-run", "--load="+file).CombinedOutput()
			complaints := 0
			for _, line := range strings.Split(string(output), "\n") {
				if !strings.HasPrefix(line, "sysctl:") {
					continue
				}
				complaints++
				absent, _, _ := strings.Cut(strings.TrimPrefix(line, "sysctl: cannot stat /proc/sys/"), ":")
				if !strings.Contains(contents(t, s, path), "-"+strings.ReplaceAll(absent, "/", ".")+" = ") {
					t.Errorf("%s: %s: %s", name, path, line)
				}
			}
			if err != nil && complaints == 0 {
				t.Errorf("%s: %s: %v: %s", name, path, err, output)
			}
		}
	}
}

func TestEnrolScriptParses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "enrol")
	write(t, file, contents(t, spec(hostconfig.RoleWorker, hostconfig.PlatformMetal), enrolPath), 0o700)
	if output, err := exec.Command(tool(t, "sh", "dash"), "-n", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}

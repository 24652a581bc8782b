package selfmanaged

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// tool finds a program, or skips with the package that has it.
func tool(t testing.TB, name, from string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
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

func read(t testing.TB, path string) string {
	t.Helper()
	contents, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(contents)
}

// machines gives every machine of every cluster by name.
func machines(t testing.TB) map[string]Machine {
	t.Helper()
	all := map[string]Machine{}
	for name, s := range specs() {
		r := must[Rendering](t)(s.Render(now))
		for _, machine := range append(r.ControlPlanes, r.Pools...) {
			all[name+"/"+machine.Name] = machine
		}
	}
	return all
}

// unitRoot is a root folder with the machine's units, the programs that they start
// and stand-ins for Flatcar's own units.
func unitRoot(t *testing.T, m Machine) (string, []string) {
	t.Helper()
	r := t.TempDir()
	var names []string
	write(t, r+"/etc/os-release", "ID=flatcar\n", 0o644)
	for _, name := range []string{"/usr/bin/kubelet", "/usr/bin/containerd", "/usr/bin/true", "/usr/sbin/nft", nodeconfig.Program,
		"/opt/redoubt/bin/renew-certificates", "/opt/redoubt/bin/join-cluster"} {
		write(t, r+name, "#!/bin/sh\n", 0o755)
	}
	for _, file := range m.Spec.Parts.Files {
		write(t, r+file.Path, file.Contents, os.FileMode(file.Mode))
	}
	for _, name := range []string{"sysinit", "basic", "shutdown", "multi-user", "network-online", "network-pre", "network", "nss-lookup", "local-fs", "time-sync", "timers", "umount"} {
		write(t, r+"/usr/lib/systemd/system/"+name+".target", "[Unit]\nDescription="+name+"\nDefaultDependencies=no\n", 0o644)
	}
	// What is before what, as on a machine: a cycle is found by it.
	for name, wants := range map[string]string{"sysinit": "local-fs.target", "basic": "sysinit.target", "multi-user": "basic.target"} {
		write(t, r+"/usr/lib/systemd/system/"+name+".target", "[Unit]\nDescription="+name+"\nDefaultDependencies=no\nRequires="+wants+"\nAfter="+wants+"\n", 0o644)
	}
	for _, name := range []string{unitContainerd, "coreos-metadata.service", "systemd-sysext.service", "systemd-sysctl.service",
		"systemd-modules-load.service", "systemd-tmpfiles-setup.service", "systemd-udevd.service"} {
		write(t, r+"/usr/lib/systemd/system/"+name, "[Unit]\nDescription="+name+"\nDefaultDependencies=no\n[Service]\nExecStart=/usr/bin/true\n", 0o644)
	}
	write(t, r+"/usr/lib/systemd/system/-.slice", "[Unit]\nDefaultDependencies=no\n", 0o644)
	write(t, r+"/usr/lib/systemd/system/system.slice", "[Unit]\nDefaultDependencies=no\n", 0o644)
	unit := func(name string) func(string, error) {
		return func(contents string, err error) {
			t.Helper()
			write(t, r+"/etc/systemd/system/"+name, must[string](t)(contents, err), 0o644)
			names = append(names, name)
		}
	}
	for _, each := range m.Spec.Services() {
		unit(each.Name)(each.Render())
	}
	for _, each := range m.Spec.Timers() {
		unit(each.Name)(each.Render())
	}
	for _, each := range m.Spec.Parts.Mounts {
		unit(each.Name())(each.Render())
	}
	return r, names
}

// TestUnitsVerify: systemd-analyze prints what it does not know and still exits
// with 0, so any output is a failure.
func TestUnitsVerify(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	for name, m := range machines(t) {
		if strings.HasSuffix(name, "-2") || strings.HasSuffix(name, "-3") || strings.HasSuffix(name, "isolated") {
			continue // their units are those of the first
		}
		r, units := unitRoot(t, m)
		output, err := exec.Command(analyze, append([]string{"verify", "--man=no", "--root=" + r}, units...)...).CombinedOutput()
		if err != nil || len(output) > 0 {
			t.Errorf("%s: %v: %s", name, err, output)
		}
	}
}

// exposure is the highest score, of 100, that each unit may have.
var exposure = map[string]string{
	unitVolume: "18", unitFolders: "14", unitHostname: "12", unitAPIAddress: "16",
	unitKMS: "16", unitApprove: "16", unitJoinConfig: "16", unitSnapshot: "16", unitFetchJoin: "16", unitYield: "16", unitAuditShip: "16", unitReencrypt: "16",
	// No mount namespace is possible: their mounts must be seen by the host, and
	// they start programs that need all that root has.
	unitControlPlane: "93",
}

func TestUnitsExposure(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	judged := map[string]bool{}
	for name, m := range machines(t) {
		var r string
		for _, service := range m.Spec.Parts.Services {
			text := must[string](t)(service.Render())
			if judged[text] {
				continue
			}
			judged[text] = true
			if r == "" {
				r, _ = unitRoot(t, m)
			}
			threshold, known := exposure[service.Name]
			if !known {
				t.Errorf("%s has no limit", service.Name)
			}
			output, err := exec.Command(analyze, "security", "--no-pager", "--offline=yes", "--threshold="+threshold, "--root="+r, service.Name).CombinedOutput()
			if err != nil {
				lines := strings.Split(strings.TrimSpace(string(output)), "\n")
				t.Errorf("%s: %s: over %q: %v: %s", name, service.Name, threshold, err, lines[len(lines)-1])
			}
		}
	}
}

// TestMountNames: systemd knows a mount by its directory, and has its own program
// for that.
func TestMountNames(t *testing.T) {
	escape := tool(t, "systemd-escape", "systemd")
	for _, where := range []string{volumePath, etcdPath, "/srv/a-b", "/srv/.hidden", "/.a/b.c", "/srv/é"} {
		output, err := exec.Command(escape, "--path", "--suffix=mount", where).Output()
		if err != nil || strings.TrimSpace(string(output)) != (systemd.Mount{Where: where}).Name() {
			t.Errorf("%s: %q, want %s: %v", where, (systemd.Mount{Where: where}).Name(), output, err)
		}
	}
}

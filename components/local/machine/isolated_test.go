//go:build linux

package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIsolatedMachineIsAHostOfItsOwn(t *testing.T) {
	speaker := Service{Name: "speaker", Command: []string{"/bin/sh", "-c", "echo said; echo complained >&2; exec sleep 1000"}, Environment: []string{"COLOUR=blue"}}
	least := sleeper("least")
	least.User, least.DropCapabilities = "etcd", true
	spec := isolated(t, speaker, least)
	spec.Users = []User{{"etcd", 61000}}
	spec.Hosts = map[string]string{"control-plane": "10.80.0.10"}
	data, secret := t.TempDir(), t.TempDir()
	spec.Binds = []Bind{{data, "/etc/kubernetes/pki", false}, {secret, "/opt/secret", true}, {"/bin/true", "/opt/one/file", true}}
	if err := os.MkdirAll(filepath.Join(spec.Dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(spec.Dir, "etc", "mine"), []byte("from the caller"), 0o644); err != nil {
		t.Fatal(err)
	}
	status := launched(t, spec)

	for command, want := range map[string]string{
		"hostname":                                   spec.Name,
		"cat /etc/hostname /etc/mine":                spec.Name + "\nfrom the caller",
		"tr '\\0' ' ' </proc/1/cmdline":              "init " + spec.Dir,
		"getent hosts control-plane":                 "10.80.0.10",
		"id etcd":                                    "uid=61000(etcd) gid=61000(etcd)",
		"ls -d /sys/class/net/*":                     "/sys/class/net/lo",
		"cat /proc/self/mounts | head -1":            "ro,",
		"readlink /var/run":                          "/run",
		"cat /var/log/speaker.log":                   "said\ncomplained",
		"test -c /dev/kmsg && echo yes":              "yes",
		"ls -A /run /tmp /dev/shm | wc -l":           "6", // three headings, two blank lines, and /run/lock
		"findmnt -no PROPAGATION /":                  "shared",
		"cat /proc/1/cgroup | cut -d: -f3 | sort -u": spec.CgroupRoot + "/system",
		"sysctl -n kernel.hostname 2>/dev/null || cat /proc/sys/kernel/hostname": spec.Name,
	} {
		if got := mustIn(t, spec, command); !strings.Contains(got, want) {
			t.Errorf("%s: %q, not %q", command, got, want)
		}
	}
	for _, path := range []string{"/x", "/etc/x", "/usr/x", "/bin/x", "/opt/x", "/opt/secret/x", "/dev/x", "/sys/fs/x", "/root/x"} {
		if out, err := in(t, spec, "touch "+path); err == nil || !strings.Contains(out, "Read-only") && !strings.Contains(out, "ermission denied") {
			t.Errorf("%s is writable: %s", path, out)
		}
	}
	for _, path := range []string{"/var/x", "/var/log/x", "/var/tmp/x", "/run/x", "/tmp/x", "/etc/kubernetes/pki/x", "/dev/shm/x"} {
		mustIn(t, spec, "touch "+path)
	}
	for path, there := range map[string]bool{filepath.Join(data, "x"): true, filepath.Join(spec.Dir, "var/x"): true, "/run/x": false, "/tmp/x": false, "/var/x": false} {
		if exists(path) != there {
			t.Errorf("on the host %s exists: %v", path, !there)
		}
	}
	for _, path := range []string{"/etc/shadow", "/etc/ssl/private", "/home/*", "/root/.*rc", spec.Dir, "/boot", "/proc/1/root" + spec.Dir} {
		if out, err := in(t, spec, "ls -d "+path); err == nil {
			t.Errorf("the machine sees the host's %s", out)
		}
	}
	if mounts := mustIn(t, spec, "cut -d' ' -f5 /proc/self/mountinfo"); strings.Contains(mounts, "netns") || strings.Contains(mounts, spec.Dir) {
		t.Errorf("mounts of the host are left in the machine:\n%s", mounts)
	}

	// Rights that were taken are gone, for good.
	own := mustIn(t, spec, "cat /proc/$(pgrep -x sleep -u etcd)/status")
	for _, want := range []string{"Uid:\t61000", "Groups:\t \n", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(own, want) {
			t.Errorf("service least lacks %q:\n%s", want, own)
		}
	}
	if got := mustIn(t, spec, "tr '\\0' ' ' </proc/$(pgrep -x sleep -u etcd)/cmdline"); got != strings.Join(least.Command, " ") {
		t.Errorf("the process shows %q, not the program's own command line", got)
	}
	environment := mustIn(t, spec, "tr '\\0' '\\n' </proc/$(pgrep -x sleep -u root)/environ")
	if !strings.Contains(environment, "COLOUR=blue") || strings.Count(environment, "\n") > 3 {
		t.Errorf("a service gets more than PATH, HOME and what it asks for:\n%s", environment)
	}
	if pid := service(t, status, "least").PID; mustIn(t, spec, "pgrep -x sleep -u etcd") != strings.TrimSpace(itoa(pid)) {
		t.Errorf("the status says process %d", pid)
	}
}

// TestFirstProcessCollectsOrphans makes processes whose parents have ended.
func TestFirstProcessCollectsOrphans(t *testing.T) {
	spec := isolated(t, sleeper("s"))
	launched(t, spec)
	mustIn(t, spec, "for i in 1 2 3 4 5 6 7 8; do (sleep 0.1 &) ; done; sleep 0.5")
	if out, _ := in(t, spec, "ps -eo stat,comm | grep '^Z'"); out != "" {
		t.Errorf("nobody collects:\n%s", out)
	}
}

// TestMountsOfTheMachineStayInside makes a mount in the machine and looks for
// it on the host, and the other way round.
func TestMountsOfTheMachineStayInside(t *testing.T) {
	spec := isolated(t, sleeper("s"))
	launched(t, spec)
	mustIn(t, spec, "mkdir /var/lib/m && mount -t tmpfs inside-"+spec.Name+" /var/lib/m && touch /var/lib/m/f")
	if mounts := shell(t, "cat /proc/self/mountinfo"); strings.Contains(mounts, "inside-"+spec.Name) {
		t.Error("a mount of the machine shows on the host")
	}
	if exists(filepath.Join(spec.Dir, "var/lib/m/f")) {
		t.Error("a file on a mount of the machine shows on the host")
	}
	// A later process of the machine sees it, as a pod must.
	mustIn(t, spec, "test -e /var/lib/m/f && unshare --mount --propagation slave test -e /var/lib/m/f")
}

func TestBindThroughALinkIsRefused(t *testing.T) {
	spec := isolated(t, sleeper("s"))
	outside := t.TempDir()
	if err := os.MkdirAll(filepath.Join(spec.Dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(spec.Dir, "etc", "link")); err != nil {
		t.Fatal(err)
	}
	spec.Binds = []Bind{{"/usr/bin", "/etc/link/made", true}}
	err := Start(t.Context(), program, spec)
	if err == nil || !strings.Contains(err.Error(), "binds[0]") || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("Start: %v", err)
	}
	if exists(filepath.Join(outside, "made")) {
		t.Error("a directory was made on the host, through the link")
	}
}

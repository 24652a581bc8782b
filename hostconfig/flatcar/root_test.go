package flatcar

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// seed makes a root folder with what a Flatcar image ships, so that a missing
// "overwrite" shows.
func seed(t *testing.T) string {
	t.Helper()
	r := t.TempDir()
	write(t, r+"/etc/passwd", "root:x:0:0:root:/root:/bin/bash\ncore:x:500:500:Admin:/home/core:/bin/bash\n", 0o644)
	write(t, r+"/etc/group", "root:x:0:\ncore:x:500:\n", 0o644)
	write(t, r+"/etc/shadow", "root:*:15887:0:::::\ncore:*:15887:0:::::\n", 0o640)
	write(t, r+"/etc/gshadow", "root:*::\ncore:!::\n", 0o640)
	write(t, r+"/usr/share/selinux/config", "SELINUX=disabled\nSELINUXTYPE=mcs\n", 0o644)
	write(t, r+"/home/core/.bashrc", "", 0o644)
	for _, path := range []string{updatePath, "/etc/containerd/config.toml", "/etc/hostname", "/usr/share/audit/rules.d/99-default.rules", "/usr/share/flatcar/motd"} {
		write(t, r+path, "what the image ships\n", 0o640)
	}
	write(t, r+"/usr/lib/systemd/system/multi-user.target", "[Unit]\nDescription=shipped\n", 0o644)
	write(t, r+"/usr/lib/os-release", "ID=flatcar\n", 0o644)
	for link, target := range map[string]string{
		auditRulesPath:                        "../../../usr/share/audit/rules.d/99-default.rules",
		"/etc/motd":                           "../usr/share/flatcar/motd",
		"/etc/os-release":                     "../usr/lib/os-release",
		"/etc/resolv.conf":                    "../run/systemd/resolve/stub-resolv.conf",
		"/etc/selinux/config":                 "../../usr/share/selinux/config",
		"/etc/extensions/docker-flatcar.raw":  "/usr/share/flatcar/sysext/docker-flatcar.raw",
		"/etc/systemd/system/default.target":  "/usr/lib/systemd/system/multi-user.target",
		"/etc/extensions/containerd-flat.raw": "/usr/share/flatcar/sysext/containerd-flatcar.raw",
	} {
		write(t, r+link, "", 0o644)
		if err := os.Remove(r + link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, r+link); err != nil {
			t.Fatal(err)
		}
	}
	for _, unit := range []string{"sshd.socket", "sshd.service", "containerd.service", "auditd.service", "locksmithd.service"} {
		write(t, r+"/usr/lib/systemd/system/"+unit, "[Unit]\nDescription=shipped\n[Install]\nWantedBy=multi-user.target\n", 0o644)
	}
	return r
}

// diskKey is the key that stands in for the random one of Ignition's disks stage.
const diskKey = "0123456789abcdef0123456789abcdef"

// formatted does to a file what Ignition's disks stage does to the data disk,
// with the same program, and gives the state that the stage hands on. The stage
// itself opens the volume with the device mapper, which not every kernel has.
func formatted(t *testing.T, work string) string {
	t.Helper()
	write(t, work+"/disk", "", 0o600)
	write(t, work+"/disk.key", diskKey, 0o400)
	if err := os.Truncate(work+"/disk", 64<<20); err != nil {
		t.Fatal(err)
	}
	// The key is as random as one can be, so that a slow hash adds nothing but time.
	command := exec.Command(tool(t, "cryptsetup", "cryptsetup-bin"), "luksFormat", "--type", "luks2", "--batch-mode", "--key-file", work+"/disk.key",
		"--label", volumeName, "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", work+"/disk")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("cryptsetup: %v: %s", err, output)
	}
	state := must[[]byte](t)(json.Marshal(map[string]any{
		"luksPersistKeyFiles": map[string]string{volumeName: "data:;base64," + base64.StdEncoding.EncodeToString([]byte(diskKey))},
	}))
	return string(state)
}

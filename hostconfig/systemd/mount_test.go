package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func mount() Mount {
	return Mount{Description: "Volume of 100% data", What: "/dev/disk/by-id/a-b", Where: "/var/lib/a-b/data", Type: "ext4",
		Options: []string{"nodev", "x-systemd.device-timeout=5min"}, Requires: []string{"prepare.service"}, After: []string{"prepare.service"}}
}

// TestMountVerify: systemd itself reads the unit under the name that it must have.
func TestMountVerify(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: install systemd")
	}
	text, err := mount().Render()
	if err != nil {
		t.Fatal(err)
	}
	verify := func(name string) string {
		r := t.TempDir()
		for path, contents := range map[string]string{
			"/etc/systemd/system/" + name:         text,
			"/etc/systemd/system/prepare.service": "[Unit]\nDescription=prepare\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
			"/usr/bin/true":                       "#!/bin/sh\n",
			"/usr/lib/systemd/system/-.slice":     "[Unit]\nDefaultDependencies=no\n", "/usr/lib/systemd/system/system.slice": "[Unit]\nDefaultDependencies=no\n",
			"/usr/lib/systemd/system/local-fs.target": "[Unit]\nDefaultDependencies=no\n", "/usr/lib/systemd/system/local-fs-pre.target": "[Unit]\nDefaultDependencies=no\n",
			"/usr/lib/systemd/system/umount.target": "[Unit]\nDefaultDependencies=no\n",
		} {
			mode := os.FileMode(0o644)
			if path == "/usr/bin/true" {
				mode = 0o755
			}
			if err := os.MkdirAll(filepath.Dir(r+path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(r+path, []byte(contents), mode); err != nil {
				t.Fatal(err)
			}
		}
		output, _ := exec.Command(analyze, "verify", "--man=no", "--root="+r, name).CombinedOutput()
		return string(output)
	}
	if output := verify(mount().Name()); output != "" {
		t.Errorf("%s: %s", mount().Name(), output)
	}
	if output := verify("other.mount"); !strings.Contains(output, "Where=") {
		t.Errorf("the judge accepts any name: %q", output)
	}
}

// TestMountRefuses: each field by itself.
func TestMountRefuses(t *testing.T) {
	for field, change := range map[string]func(*Mount){
		"description": func(m *Mount) { m.Description = "a\nb" },
		"what":        func(m *Mount) { m.What = "/dev/a b" },
		"where":       func(m *Mount) { m.Where = "/var/../etc" },
		"type":        func(m *Mount) { m.Type = "" },
		"options[1]":  func(m *Mount) { m.Options[1] = "exec,suid" },
		"requires[0]": func(m *Mount) { m.Requires = []string{"x y"} },
	} {
		m := mount()
		change(&m)
		if _, err := m.Render(); err == nil || !strings.Contains(err.Error(), field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

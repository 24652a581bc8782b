package flatcar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// older is a machine of the specification that Debian's Ignition reads, without
// the disk, which is a stage of its own.
func older(s Spec) Spec {
	s.ButaneVersion, s.DataDisk = Butane10, nil
	return s
}

// TestIgnitionValidates: the program exits with 0 on warnings, so any output is
// a failure.
func TestIgnitionValidates(t *testing.T) {
	validate := tool(t, "ignition-validate", "ignition")
	for name, s := range specs() {
		s.ButaneVersion = Butane10
		for kind, document := range map[string][]byte{
			"machine": must[[]byte](t)(s.Ignition(now)),
			"pointer": must[[]byte](t)(Pointer(Butane10, "gs://bucket/key", []byte("x"))),
		} {
			command := exec.Command(validate, "-")
			command.Stdin = bytes.NewReader(document)
			if output, err := command.CombinedOutput(); err != nil || len(output) > 0 {
				t.Errorf("%s: %s: %v: %s", name, kind, err, output)
			}
		}
	}
}

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
	for _, path := range []string{auditRulesPath, updatePath, "/etc/containerd/config.toml", "/etc/hostname", "/etc/motd"} {
		write(t, r+path, "what the image ships\n", 0o640)
	}
	for link, target := range map[string]string{
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
		write(t, r+"/usr/lib/systemd/system/"+unit, "[Unit]\nDescription=shipped\n", 0o644)
	}
	return r
}

// apply runs the real Ignition's two stages that write files, in a mount and a
// network namespace of its own. The image's bytes take the place of its address.
func apply(t *testing.T, s Spec, bytesOfImage string) (string, string, error) {
	t.Helper()
	ignition, unshare := tool(t, "ignition", "ignition"), tool(t, "unshare", "util-linux")
	root(t)
	r, work := seed(t), t.TempDir()
	document := must[[]byte](t)(s.Ignition(now))
	document = bytes.ReplaceAll(document, []byte(imageURL), []byte("data:,"+url.PathEscape(bytesOfImage)))
	write(t, work+"/c.ign", string(document), 0o600)
	// The image has no SELinux policy here; the labels are not under test.
	write(t, work+"/bin/setfiles", "#!/bin/sh\nexit 0\n", 0o755)
	var log strings.Builder
	for _, stage := range []string{"fetch", "files"} {
		command := exec.Command(unshare, "--mount", "--net", ignition, "--root="+r, "--platform=file", "--stage="+stage,
			"--config-cache="+work+"/c.json", "--state-file="+work+"/state", "--neednet="+work+"/nn", "--log-to-stdout")
		command.Env = append(os.Environ(), "IGNITION_CONFIG_FILE="+work+"/c.ign", "PATH="+work+"/bin:"+os.Getenv("PATH"))
		command.Dir = work
		output, err := command.CombinedOutput()
		log.Write(output)
		if err != nil {
			return r, log.String(), err
		}
	}
	return r, log.String(), nil
}

func TestIgnitionWrites(t *testing.T) {
	for name, s := range specs() {
		t.Run(name, func(t *testing.T) {
			s := older(s)
			r, log, err := apply(t, s, image)
			if err != nil {
				t.Fatalf("%v: %s", err, log)
			}
			s = s.WithDefaults()
			files := must[[]hostconfig.File](t)(s.files())
			for _, file := range files {
				checkFile(t, r, file)
			}
			checkFile(t, r, hostconfig.File{Path: "/opt/extensions/kubernetes/" + s.imageName(), Mode: 0o644, Contents: image})
			checkLink(t, r, "/etc/extensions/docker-flatcar.raw", "/dev/null")
			checkLink(t, r, "/etc/extensions/kubernetes.raw", "/opt/extensions/kubernetes/"+s.imageName())
			for _, unit := range s.maskedUnits() {
				checkLink(t, r, "/etc/systemd/system/"+unit, "/dev/null")
			}
			presets := read(t, r+"/etc/systemd/system-preset/20-ignition.preset")
			for _, unit := range []string{"auditd.service", unitContainerd, unitKubelet, unitFirewall} {
				if !strings.Contains(presets, "enable "+unit+"\n") {
					t.Errorf("%s is not enabled", unit)
				}
			}
			for _, service := range append(s.Services(), s.Units...) {
				if got, want := read(t, r+"/etc/systemd/system/"+service.Name), must[string](t)(service.Render()); got != want {
					t.Errorf("%s differs: %s", service.Name, got)
				}
			}
			if got := read(t, r+"/etc/passwd"); !strings.Contains(got, "core:x:500:500:Admin:/home/core:/sbin/nologin\n") {
				t.Errorf("core has a shell: %s", got)
			}
			if _, err := os.Stat(r + "/home/core/.ssh"); err == nil {
				t.Error("core has keys")
			}
			if got := read(t, r+"/etc/selinux/config"); !strings.Contains(got, "SELINUX=") {
				t.Error("the SELinux configuration is gone")
			}
			if got := read(t, r+"/etc/systemd/system/containerd.service.d/10-redoubt.conf"); got != s.containerdDropIn() {
				t.Errorf("containerd's drop-in differs: %s", got)
			}
		})
	}
}

// TestIgnitionRefusesAnotherImage: the hash is what makes the image trusted.
func TestIgnitionRefusesAnotherImage(t *testing.T) {
	_, log, err := apply(t, older(spec(hostconfig.RoleWorker, PlatformAWS)), "another one")
	if err == nil || !strings.Contains(log, "hash verification failed") {
		t.Errorf("it was taken: %v: %s", err, log)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	found, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(found)
}

func checkLink(t *testing.T, r, path, want string) {
	t.Helper()
	if got, err := os.Readlink(filepath.Join(r, path)); err != nil || got != want {
		t.Errorf("%s links to %q, want %q: %v", path, got, want, err)
	}
}

func checkFile(t *testing.T, r string, want hostconfig.File) {
	t.Helper()
	info, err := os.Lstat(r + want.Path)
	if err != nil {
		t.Error(err)
		return
	}
	owner := info.Sys().(*syscall.Stat_t)
	if info.Mode() != os.FileMode(want.Mode) || owner.Uid != 0 || owner.Gid != 0 {
		t.Errorf("%s has mode %v and owner %d:%d", want.Path, info.Mode(), owner.Uid, owner.Gid)
	}
	if got := read(t, r+want.Path); got != want.Contents {
		t.Errorf("%s differs: %s", want.Path, got)
	}
}

// TestVersions: each version of Butane becomes its version of Ignition.
func TestVersions(t *testing.T) {
	for version, want := range map[ButaneVersion]string{Butane11: "3.4.0", Butane10: "3.3.0"} {
		s := spec(hostconfig.RoleWorker, PlatformMetal)
		s.ButaneVersion = version
		var document struct{ Ignition struct{ Version string } }
		if err := json.Unmarshal(must[[]byte](t)(s.Ignition(now)), &document); err != nil || document.Ignition.Version != want {
			t.Errorf("%s: %q, %v", version, document.Ignition.Version, err)
		}
	}
}

// TestStrict: what Butane only warns about is an error.
func TestStrict(t *testing.T) {
	for _, version := range []ButaneVersion{Butane10, Butane11} {
		document := fmt.Sprintf("variant: flatcar\nversion: %s\nstorage:\n  unknown: 1\n", version)
		if _, err := Translate([]byte(document)); err == nil || !strings.Contains(err.Error(), "unused key") {
			t.Errorf("%s: %v", version, err)
		}
	}
}

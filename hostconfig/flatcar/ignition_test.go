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

// judge is one real Ignition.
type judge struct {
	name, ignition, validate string
	versions                 []ButaneVersion
}

// judges are the Ignitions of this machine: the pinned one, and Debian's, which
// reads no specification after 3.3.0.
func judges(t *testing.T) []judge {
	t.Helper()
	var found []judge
	directory, chosen := os.LookupEnv("REDOUBT_BIN_DIR")
	if !chosen {
		directory = filepath.Join("..", "..", "bin")
	}
	pinned := must[string](t)(filepath.Abs(filepath.Join(directory, "ignition")))
	if _, err := os.Stat(pinned); err == nil {
		found = append(found, judge{"pinned", pinned, pinned + "-validate", []ButaneVersion{Butane11, Butane10}})
	} else {
		t.Logf("the pinned Ignition is not built, so that nothing judges specification 3.4.0: run test/tools/build ignition: %v", err)
	}
	debian := "/usr/lib/dracut/modules.d/30ignition/ignition"
	if _, err := os.Stat(debian); err == nil {
		found = append(found, judge{"debian", debian, tool(t, "ignition-validate", "ignition"), []ButaneVersion{Butane10}})
	}
	if len(found) == 0 {
		t.Skip("there is no Ignition: run test/tools/build ignition, or install the package ignition")
	}
	return found
}

// eachMachine runs a test for every machine, Ignition and version that it reads.
func eachMachine(t *testing.T, test func(*testing.T, judge, Spec)) {
	for _, by := range judges(t) {
		for _, version := range by.versions {
			for name, s := range specs() {
				s.ButaneVersion = version
				t.Run(fmt.Sprintf("%s/%s/%s", by.name, version, name), func(t *testing.T) { test(t, by, s) })
			}
		}
	}
}

// TestIgnitionValidates: the program exits with 0 on warnings, so any output is
// a failure.
func TestIgnitionValidates(t *testing.T) {
	eachMachine(t, func(t *testing.T, by judge, s Spec) {
		for kind, document := range map[string][]byte{
			"machine": must[[]byte](t)(s.Ignition(now)),
			"pointer": must[[]byte](t)(Pointer(s.ButaneVersion, "gs://bucket/key", []byte("x"))),
		} {
			command := exec.Command(by.validate, "-")
			command.Stdin = bytes.NewReader(document)
			if output, err := command.CombinedOutput(); err != nil || len(output) > 0 {
				t.Errorf("%s: %v: %s", kind, err, output)
			}
		}
	})
}

// applied is what the real Ignition left behind.
type applied struct {
	root string // of the machine
	work string // the recorder's "kargs" lies here
	log  string
}

// apply runs the real Ignition's stages that need no disk, in a mount and a
// network namespace of its own. The image's bytes take the place of its address.
func apply(t *testing.T, by judge, s Spec, bytesOfImage string) (applied, error) {
	t.Helper()
	unshare := tool(t, "unshare", "util-linux")
	root(t)
	a := applied{root: seed(t), work: t.TempDir()}
	document := must[[]byte](t)(s.Ignition(now))
	document = bytes.ReplaceAll(document, []byte(imageURL), []byte("data:,"+url.PathEscape(bytesOfImage)))
	write(t, a.work+"/c.ign", string(document), 0o600)
	state := "{}"
	// The private /run holds the name under which Ignition knows the disk.
	prepare := "mount -t tmpfs none /run"
	if s.Node.DataDisk != nil {
		state = formatted(t, a.work)
		alias := "/run/ignition/dev_aliases" + s.Node.DataDisk.Device
		prepare += " && mkdir -p " + filepath.Dir(alias) + " && ln -s " + a.work + "/disk " + alias
	}
	write(t, a.work+"/state", state, 0o600)
	// The image has no SELinux policy here; the labels are not under test.
	write(t, a.work+"/bin/setfiles", "#!/bin/sh\nexit 0\n", 0o755)
	// The kernel's command line is in a boot loader's file, which no root has.
	write(t, a.work+"/bin/ignition-kargs-helper", "#!/bin/sh\necho \"$@\" >"+a.work+"/kargs\n", 0o755)
	for _, stage := range []string{"fetch", "kargs", "files"} {
		command := exec.Command(unshare, "--mount", "--net", "sh", "-c", prepare+` && exec "$@"`, "sh",
			by.ignition, "--root="+a.root, "--platform=file", "--stage="+stage,
			"--config-cache="+a.work+"/c.json", "--state-file="+a.work+"/state", "--neednet="+a.work+"/nn", "--log-to-stdout")
		command.Env = append(os.Environ(), "IGNITION_CONFIG_FILE="+a.work+"/c.ign", "PATH="+a.work+"/bin:"+os.Getenv("PATH"))
		command.Dir = a.work
		output, err := command.CombinedOutput()
		a.log += string(output)
		if err != nil {
			return a, fmt.Errorf("%s: %w: %s", stage, err, a.log)
		}
	}
	return a, nil
}

func TestIgnitionWrites(t *testing.T) {
	eachMachine(t, func(t *testing.T, by judge, s Spec) {
		a, err := apply(t, by, s, image)
		if err != nil {
			t.Fatal(err)
		}
		s = s.WithDefaults()
		r := a.root
		for _, file := range must[[]hostconfig.File](t)(s.files(now)) {
			checkFile(t, r, file)
		}
		checkFile(t, r, hostconfig.File{Path: "/opt/extensions/kubernetes/" + s.imageName(), Mode: 0o644, Contents: image})
		checkLink(t, r, "/etc/extensions/docker-flatcar.raw", "/dev/null")
		checkLink(t, r, "/etc/extensions/kubernetes.raw", "/opt/extensions/kubernetes/"+s.imageName())
		checkUnits(t, r, s)
		if got := read(t, r+"/etc/passwd"); !strings.Contains(got, "core:x:500:500:Admin:/home/core:/sbin/nologin\n") {
			t.Errorf("core has a shell: %s", got)
		}
		if _, err := os.Stat(r + "/home/core/.ssh"); err == nil {
			t.Error("core has keys")
		}
		if got := read(t, r+"/etc/selinux/config"); !strings.Contains(got, "SELINUX=") {
			t.Error("the SELinux configuration is gone")
		}
		kargs := " " + strings.TrimSpace(read(t, a.work+"/kargs")) + " "
		for _, argument := range s.kernelArguments() {
			if !strings.Contains(kargs, " --should-exist "+argument+" ") {
				t.Errorf("the kernel is started without %s: %s", argument, kargs)
			}
		}
		for _, argument := range removedArguments {
			if !strings.Contains(kargs, " --should-not-exist "+argument+" ") {
				t.Errorf("the kernel keeps %s: %s", argument, kargs)
			}
		}
	})
}

// checkUnits lets the real systemctl follow the presets that Ignition wrote, as
// the first boot does, and asks it what it makes of each unit.
func checkUnits(t *testing.T, r string, s Spec) {
	t.Helper()
	for _, service := range append(s.Services(), s.Node.Units...) {
		if got, want := read(t, r+"/etc/systemd/system/"+service.Name), must[string](t)(service.Render()); got != want {
			t.Errorf("%s differs: %s", service.Name, got)
		}
	}
	if got := read(t, r+"/etc/systemd/system/containerd.service.d/10-redoubt.conf"); got != s.containerdDropIn() {
		t.Errorf("containerd's drop-in differs: %s", got)
	}
	checkFile(t, r, hostconfig.File{Path: "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", Mode: 0o644, Contents: emptyDropIn})
	systemctl := tool(t, "systemctl", "systemd")
	if output, err := exec.Command(systemctl, "--root="+r, "preset-all").CombinedOutput(); err != nil {
		t.Errorf("preset-all: %v: %s", err, output)
	}
	state := func(unit string) string {
		output, _ := exec.Command(systemctl, "--root="+r, "is-enabled", unit).Output() // fails for what is not enabled
		return strings.TrimSpace(string(output))
	}
	for _, unit := range s.maskedUnits() {
		if got := state(unit); got != "masked" {
			t.Errorf("%s is %q, not masked", unit, got)
		}
	}
	enabled := []string{"auditd.service", unitContainerd}
	for _, service := range append(s.Services(), s.Node.Units...) {
		if len(service.WantedBy)+len(service.RequiredBy) > 0 {
			enabled = append(enabled, service.Name)
		}
	}
	for _, timer := range s.Timers() {
		enabled = append(enabled, timer.Name)
		checkFile(t, r, hostconfig.File{Path: "/etc/systemd/system/" + timer.Name, Mode: 0o644, Contents: must[string](t)(timer.Render())})
	}
	for _, unit := range enabled {
		if got := state(unit); got != "enabled" {
			t.Errorf("%s is %q, not enabled", unit, got)
		}
	}
}

// TestIgnitionRefusesAnotherImage: the hash is what makes the image trusted.
func TestIgnitionRefusesAnotherImage(t *testing.T) {
	for _, by := range judges(t) {
		for _, version := range by.versions {
			s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
			s.ButaneVersion = version
			if _, err := apply(t, by, s, "another one"); err == nil || !strings.Contains(err.Error(), "hash verification failed") {
				t.Errorf("%s: it was taken: %v", by.name, err)
			}
		}
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
		s := spec(hostconfig.RoleWorker, hostconfig.PlatformMetal)
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

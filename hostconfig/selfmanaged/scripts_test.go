package selfmanaged

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVolumeIsFormattedOnce: with the real programs, on a file in place of a disk.
// What has anything on it stays as it is, whether it can be read or not.
func TestVolumeIsFormattedOnce(t *testing.T) {
	tool(t, "mkfs.ext4", "e2fsprogs")
	blkid := tool(t, "blkid", "util-linux")
	disk := filepath.Join(t.TempDir(), "disk")
	prepare := func() error {
		command := exec.Command("sh", "-s")
		command.Stdin = strings.NewReader(prepareVolume(disk).Contents)
		command.Env = append(os.Environ(), "PATH=/usr/sbin:/sbin:"+os.Getenv("PATH"))
		return command.Run()
	}
	kind := func() string {
		output, _ := exec.Command(blkid, "-p", "-o", "value", "-s", "LABEL", disk).Output()
		return strings.TrimSpace(string(output))
	}
	empty := func() {
		write(t, disk, "", 0o600)
		must[any](t)(nil, os.Truncate(disk, 16<<20))
	}

	empty()
	if err := prepare(); err != nil || kind() != "redoubt-etcd" {
		t.Fatalf("a new volume: %v, %q", err, kind())
	}
	before := read(t, disk)
	if err := prepare(); err != nil || read(t, disk) != before {
		t.Errorf("the volume is formatted again: %v", err)
	}
	// A file system of somebody else is kept; mounting decides whether it is ours.
	empty()
	if output, err := exec.Command(tool(t, "mkfs.ext4", "e2fsprogs"), "-q", "-L", "other", disk).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if err := prepare(); err != nil || kind() != "other" {
		t.Errorf("another file system: %v, %q", err, kind())
	}
	// Neither is one that has no signature: what is damaged may be repaired.
	empty()
	file := must[*os.File](t)(os.OpenFile(disk, os.O_RDWR, 0))
	must[int](t)(file.WriteAt([]byte("x"), 70000))
	file.Close()
	before = read(t, disk)
	if err := prepare(); err == nil || read(t, disk) != before {
		t.Errorf("what is unknown is formatted: %v", err)
	}
}

// TestShortHostname runs the script with a kernel whose name is a file.
func TestShortHostname(t *testing.T) {
	for name, want := range map[string]string{
		"ip-10-0-1-5.eu-central-1.compute.internal": "ip-10-0-1-5", "ip-10-0-1-5": "ip-10-0-1-5",
		"prod-general-x1y2.c.example-project.internal": "prod-general-x1y2",
	} {
		d := t.TempDir()
		write(t, d+"/bin/uname", "#!/bin/sh\necho "+name+"\n", 0o755)
		text := strings.NewReplacer("/etc/", d+"/", "/proc/sys/kernel/", d+"/kernel-").Replace(hostnameScript().Contents)
		command := exec.Command("sh", "-c", text)
		command.Env = append(os.Environ(), "PATH="+d+"/bin:"+os.Getenv("PATH"))
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		if got := read(t, d+"/hostname"); got != want+"\n" {
			t.Errorf("%s becomes %q", name, got)
		}
		_, err := os.Stat(d + "/kernel-hostname")
		if changed := err == nil; changed != (name != want) {
			t.Errorf("%s: the kernel's name is changed: %v", name, changed)
		}
	}
}

// TestPointToAnAddress loads the rules that lead this machine's own connections to
// one control plane with the real nft, and asks the kernel what it made of them.
func TestPointToAnAddress(t *testing.T) {
	nft, unshare := tool(t, "nft", "nftables"), tool(t, "unshare", "util-linux")
	root(t)
	script := gcp().WithDefaults().point() + "\npoint 10.80.2.10\npoint 10.80.1.10\n" + nft + " list ruleset\n"
	output, err := exec.Command(unshare, "--net", "sh", "-euc", script).CombinedOutput()
	if err != nil || strings.Count(string(output), "dnat to") != 1 || !strings.Contains(string(output), "ip daddr 10.80.1.100 tcp dport 6443 dnat to 10.80.1.10\n") {
		t.Errorf("%v: %s", err, output)
	}
}

// TestAPIAddress takes the address with the real ip, twice: it is the machine's.
func TestAPIAddress(t *testing.T) {
	ip, unshare := tool(t, "ip", "iproute2"), tool(t, "unshare", "util-linux")
	root(t)
	text := gcp().apiAddress().Contents
	output, err := exec.Command(unshare, "--net", "sh", "-euc", ip+" link set lo up\n"+text+text+ip+" -4 route get 10.80.1.100").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(output), "local 10.80.1.100 dev lo") {
		t.Errorf("%v: %s", err, output)
	}
}

package boot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// providers are Ignition's names of platforms. A machine of no cloud reads a file.
var providers = map[hostconfig.Platform]string{hostconfig.PlatformAWS: "aws", hostconfig.PlatformGCP: "gcp"}

// helpers stand for programs of the initial RAM disk that act on what a machine
// here has not: a boot loader, labels of SELinux, udev.
var helpers = map[string]string{
	"setfiles":              "#!/bin/sh\nexit 0\n",
	"ignition-kargs-helper": "#!/bin/sh\necho \"$@\" >>kargs\n",
	"udevadm":               "#!/bin/sh\nexit 0\n",
}

// initrd gives a path of what stands for the machine's initial RAM disk.
func (m *running) initrd(elements ...string) string {
	return m.dir(append([]string{"initrd"}, elements...)...)
}

// ignite runs the real Ignition on the machine's root, in the machine's network:
// it asks the metadata server for user data, and fetches what that names.
func (m *running) ignite(ctx context.Context) error {
	if err := os.RemoveAll(m.initrd()); err != nil {
		return err
	}
	for name, contents := range map[string]string{"state": "{}", "hosts": m.r.hosts(), "ca.pem": string(m.r.authorities()), "c.ign": string(m.UserData)} {
		if err := writeFile(m.initrd(name), contents, 0o600); err != nil {
			return err
		}
	}
	for name, contents := range helpers {
		if err := writeFile(m.initrd("bin", name), contents, 0o755); err != nil {
			return err
		}
	}
	if err := m.stage(ctx, "fetch"); err != nil {
		return err
	}
	if err := m.format(ctx); err != nil {
		return err
	}
	for _, stage := range []string{"kargs", "files"} {
		if err := m.stage(ctx, stage); err != nil {
			return err
		}
	}
	return m.adapt()
}

// stage runs one of Ignition's stages.
func (m *running) stage(ctx context.Context, stage string) error {
	provider, found := providers[m.Platform]
	if !found {
		provider = "file"
	}
	// Ignition mounts the volume where the configuration has a file on it.
	script := `mount --make-rprivate /; mount -t tmpfs none /run; mount --bind hosts /etc/hosts
mount -t overlay -o "ro,lowerdir=$4:/usr" overlay "$1/usr"
if [ -n "$2" ] && [ -n "$3" ]; then mkdir -p "$1$3"; mount -t ext4 "$2" "$1$3"; fi
shift 4; exec "$@"`
	device, mount := "", m.volumePath()
	if m.disk != nil {
		device = m.disk.path()
	}
	if stage != "files" {
		mount = ""
	}
	command := exec.CommandContext(ctx, "nsenter", "--net=/run/netns/"+m.namespace(), "unshare", "--mount", "--uts", "sh", "-euc", script, "sh",
		m.root(), device, mount, m.r.path("usr"),
		filepath.Join(m.r.Bin, "ignition"), "--root="+m.root(), "--platform="+provider, "--stage="+stage,
		"--config-cache="+m.initrd("config.json"), "--state-file="+m.initrd("state"), "--neednet="+m.initrd("neednet"), "--log-to-stdout")
	command.Dir = m.initrd()
	command.Env = []string{"PATH=" + m.initrd("bin") + ":/usr/sbin:/usr/bin", "SSL_CERT_FILE=" + m.initrd("ca.pem"), "IGNITION_CONFIG_FILE=" + m.initrd("c.ign")}
	output, err := command.CombinedOutput()
	if err := appendFile(m.dir("ignition.log"), output); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("Ignition's stage %s: %w: %s", stage, err, last(string(output), 2000))
	}
	return nil
}

// filesystem is what a configuration says of a file system.
type filesystem struct {
	Device, Path, Format, Label string
	WipeFilesystem              bool
}

// filesystems gives those of the configuration that Ignition fetched.
func (m *running) filesystems() ([]filesystem, error) {
	data, err := os.ReadFile(m.initrd("config.json"))
	if err != nil {
		return nil, err
	}
	var configuration struct {
		Storage struct{ Filesystems []filesystem }
	}
	return configuration.Storage.Filesystems, json.Unmarshal(data, &configuration)
}

// volumePath is where the data volume is mounted, "" where there is none yet.
func (m *running) volumePath() string {
	all, err := m.filesystems()
	if err != nil || m.disk == nil || len(all) == 0 {
		return ""
	}
	return all[0].Path
}

// format does what Ignition's disks stage does, which waits for devices through
// systemd and udev: a volume that has the file system asked for is left alone,
// unless it is to be wiped.
func (m *running) format(ctx context.Context) error {
	all, err := m.filesystems()
	if err != nil || m.disk == nil {
		return err
	}
	if len(all) != 1 || all[0].Device != m.Device || all[0].Format != "ext4" {
		return fmt.Errorf("the configuration has the file systems %v, and the machine one volume, %s", all, m.Device)
	}
	probe, _ := exec.CommandContext(ctx, "blkid", "-p", "-o", "export", m.disk.path()).Output()
	values := "\n" + string(probe)
	matches := strings.Contains(values, "\nTYPE=ext4\n") && (all[0].Label == "" || strings.Contains(values, "\nLABEL="+all[0].Label+"\n"))
	switch {
	case matches && !all[0].WipeFilesystem:
		return nil
	case !all[0].WipeFilesystem && strings.Contains(values, "\nTYPE="):
		return errors.New("the volume holds another file system, and the configuration does not wipe it")
	}
	output, err := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", "-L", all[0].Label, m.disk.path()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, output)
	}
	return nil
}

func appendFile(name string, contents []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(contents)
	return errors.Join(err, file.Close())
}

func last(text string, size int) string { return text[max(0, len(text)-size):] }

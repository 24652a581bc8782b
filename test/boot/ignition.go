package boot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// providers are Ignition's names of platforms.
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
	for name, contents := range map[string]string{"state": "{}", "hosts": "127.0.0.1 localhost\n", "resolv.conf": "nameserver " + m.resolver() + "\n", "ca.pem": string(m.r.authorities())} {
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
	if err := m.noDisks(); err != nil {
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
		return fmt.Errorf("Ignition has no provider for the platform %q", m.Platform)
	}
	script := `mount --make-rprivate /; mount -t tmpfs none /run; mount --bind hosts /etc/hosts; mount --bind resolv.conf /etc/resolv.conf
mount -t overlay -o "ro,lowerdir=$2:/usr" overlay "$1/usr"
shift 2; exec "$@"`
	command := exec.CommandContext(ctx, "nsenter", "--net=/run/netns/"+m.namespace(), "unshare", "--mount", "--uts", "sh", "-euc", script, "sh",
		m.root(), m.r.path("usr"),
		filepath.Join(m.r.Bin, "ignition"), "--root="+m.root(), "--platform="+provider, "--stage="+stage,
		"--config-cache="+m.initrd("config.json"), "--state-file="+m.initrd("state"), "--neednet="+m.initrd("neednet"), "--log-to-stdout")
	command.Dir = m.initrd()
	command.Env = []string{"PATH=" + m.initrd("bin") + ":/usr/sbin:/usr/bin", "SSL_CERT_FILE=" + m.initrd("ca.pem")}
	output, err := command.CombinedOutput()
	if err := appendFile(m.dir("ignition.log"), output); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("Ignition's stage %s: %w: %s", stage, err, last(string(output), 2000))
	}
	return nil
}

// noDisks refuses what only Ignition's disks stage could do, which waits for devices
// through systemd and udev: the data volumes of control planes need none of it.
func (m *running) noDisks() error {
	data, err := os.ReadFile(m.initrd("config.json"))
	if err != nil {
		return err
	}
	var configuration struct {
		Storage struct{ Disks, Filesystems, Luks, Raid []any }
	}
	if err := json.Unmarshal(data, &configuration); err != nil {
		return err
	}
	s := configuration.Storage
	if len(s.Disks)+len(s.Filesystems)+len(s.Luks)+len(s.Raid) > 0 {
		return errors.New("the configuration partitions or formats disks, which is not rehearsed: see hostconfig/flatcar's tests")
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

package boot

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// units are those that this package gives a machine because Flatcar ships them
// and Debian does not, or in another form.
//
//go:embed units
var units embed.FS

// debianUnits are units of the host's systemd that Flatcar has as well. All others
// are left out: what a machine runs is what its image and its configuration say.
var debianUnits = []string{
	"*.target", "*.slice", "systemd-journald*", "systemd-journal-flush.service", "systemd-tmpfiles-setup.service",
	"systemd-tmpfiles-clean.*", "systemd-sysctl.service", "systemd-modules-load.service", "systemd-random-seed.service",
	"dbus.service", "dbus.socket", "systemd-poweroff.service", "systemd-reboot.service",
}

// wants are the units that an image starts in every boot.
var wants = map[string][]string{
	"sysinit.target.wants": {"systemd-journald.service", "systemd-journal-flush.service", "systemd-modules-load.service",
		"systemd-sysctl.service", "systemd-tmpfiles-setup.service", "systemd-sysext.service", "ensure-sysext.service"},
	"sockets.target.wants":    {"systemd-journald.socket", "systemd-journald-dev-log.socket", "dbus.socket"},
	"timers.target.wants":     {"systemd-tmpfiles-clean.timer"},
	"multi-user.target.wants": {"dbus.service"},
}

// hostUnits is where the host's systemd keeps its units.
const hostUnits = "/usr/lib/systemd/system"

// makeUsr makes the directory that lies over the host's /usr in every machine:
// Flatcar's units, presets and container runtime. Programs maps paths below /usr
// to the host's files.
func makeUsr(dir string, programs map[string]string) error {
	system := filepath.Join(dir, "lib/systemd/system")
	presets := filepath.Join(dir, "lib/systemd/system-preset")
	for _, opaque := range []string{system, presets} {
		if err := os.MkdirAll(opaque, 0o755); err != nil {
			return err
		}
		// The host's own units and presets do not show through.
		if err := unix.Setxattr(opaque, "trusted.overlay.opaque", []byte("y"), 0); err != nil {
			return fmt.Errorf("%s: the file system takes no trusted attributes: %w", opaque, err)
		}
	}
	for _, pattern := range debianUnits {
		found, err := filepath.Glob(filepath.Join(hostUnits, pattern))
		if err != nil {
			return err
		}
		for _, unit := range found {
			if err := copyUnit(unit, filepath.Join(system, filepath.Base(unit))); err != nil {
				return err
			}
		}
	}
	if err := copyEmbedded(dir); err != nil {
		return err
	}
	for target, names := range wants {
		for _, name := range names {
			if err := link("../"+name, filepath.Join(system, target, name)); err != nil {
				return err
			}
		}
	}
	// Flatcar starts what a preset names and nothing else.
	if err := writeFile(filepath.Join(presets, "99-default.preset"), "disable *\n", 0o644); err != nil {
		return err
	}
	for name, source := range programs {
		if err := place(source, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// copyEmbedded writes the embedded units, and the programs that they start.
func copyEmbedded(dir string) error {
	return fs.WalkDir(units, "units", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		contents, err := units.ReadFile(name)
		if err != nil {
			return err
		}
		if path.Ext(name) == ".sh" {
			return writeFile(filepath.Join(dir, "libexec/rehearsal", strings.TrimSuffix(path.Base(name), ".sh")), string(contents), 0o755)
		}
		return writeFile(filepath.Join(dir, "lib/systemd/system", path.Base(name)), string(contents), 0o644)
	})
}

func copyUnit(source, target string) error {
	info, err := os.Lstat(source)
	if err != nil || info.IsDir() {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		to, err := os.Readlink(source)
		if err != nil {
			return err
		}
		return link(to, target)
	}
	contents, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return writeFile(target, string(contents), 0o644)
}

func link(to, name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(to, name)
}

func writeFile(name, contents string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name, []byte(contents), mode); err != nil {
		return err
	}
	return os.Chmod(name, mode)
}

// place puts a program somewhere by a hard link, or a copy where that is not possible.
func place(source, target string) error {
	source, err := filepath.EvalSymlinks(source)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	// A link of an earlier time is removed: writing to it would write to its source.
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(source, target) == nil {
		return nil
	}
	from, err := os.Open(source)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

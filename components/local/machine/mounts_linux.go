package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// system are the directories that an isolated machine shares with the host,
// read-only. Where the host has a symbolic link, as on a merged /usr, the
// machine has the same one.
var system = []string{"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// hostEtc are the parts of the host's /etc that belong to /usr in spirit:
// which program an alternative means, where libraries are, and whom to trust.
// /etc/ssl/private, with the host's keys, is not among them.
var hostEtc = []string{"/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/ca-trust", "/etc/pki/tls/certs"}

// isolate turns the mount, UTS and PID namespaces into which the calling
// process was cloned into the machine. At the end its root is the machine's.
func isolate(spec Spec) error {
	if err := joinCgroup(filepath.Join(spec.CgroupRoot, systemLeaf)); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(spec.Name)); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	// Nothing of what follows may reach the host.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	root := layout(spec.Dir).run("root")
	if err := mount("tmpfs", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=1m"); err != nil {
		return err
	}
	for _, build := range []func(string, Spec) error{mountSystem, mountState, mountKernel, mountBinds} {
		if err := build(root, spec); err != nil {
			return err
		}
	}
	// Read-only last, for until now mount points were made in them.
	for _, dir := range []string{"etc", "dev", "sys", "."} {
		if err := setReadOnly(filepath.Join(root, dir), false); err != nil {
			return err
		}
	}
	return changeRoot(root)
}

// mountSystem gives the machine the host's programs and libraries.
func mountSystem(root string, _ Spec) error {
	for _, name := range system {
		host := "/" + name
		info, err := os.Lstat(host)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.Mode()&os.ModeSymlink == 0 {
			if err := bind(root, host, host, true); err != nil {
				return err
			}
			continue
		}
		target, err := os.Readlink(host)
		if err == nil {
			err = os.Symlink(target, filepath.Join(root, name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mountState gives the machine its own /etc, /var, /run and /tmp.
func mountState(root string, spec Spec) error {
	l := layout(spec.Dir)
	for _, b := range []Bind{{l.etc(), "/etc", false}, {l.varDir(), "/var", false}, {spec.LogDir, "/var/log", false}} {
		if err := bind(root, b.Source, b.Target, b.ReadOnly); err != nil {
			return err
		}
	}
	for _, path := range hostEtc {
		if _, err := os.Stat(path); err == nil {
			if err := bind(root, path, path, true); err != nil {
				return err
			}
		}
	}
	for _, dir := range []string{"root", "home", "mnt", "opt", "srv", "run", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	// A tenth of the memory each: a service that fills one cannot starve the host.
	if err := mount("tmpfs", filepath.Join(root, "run"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=10%"); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(root, "run/lock"), 0o755); err != nil {
		return err
	}
	return mount("tmpfs", filepath.Join(root, "tmp"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=10%")
}

// mountKernel gives the machine /proc of its PID namespace, /sys of its
// network namespace with the host's cgroups, and /dev with its own terminals,
// shared memory and message queues.
func mountKernel(root string, _ Spec) error {
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, dir := range []string{"proc", "sys", "dev"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	if err := mount("proc", filepath.Join(root, "proc"), "proc", quiet, ""); err != nil {
		return err
	}
	if err := mount("sysfs", filepath.Join(root, "sys"), "sysfs", quiet, ""); err != nil {
		return err
	}
	for _, dir := range []string{"/sys/fs/cgroup", "/dev"} {
		if err := unix.Mount(dir, filepath.Join(root, dir), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("binding %s: %w", dir, err)
		}
	}
	if err := mount("devpts", filepath.Join(root, "dev/pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return err
	}
	if err := mount("tmpfs", filepath.Join(root, "dev/shm"), "tmpfs", quiet, "mode=1777,size=10%"); err != nil {
		return err
	}
	if queue := filepath.Join(root, "dev/mqueue"); exists(queue) {
		return mount("mqueue", queue, "mqueue", quiet, "")
	}
	return nil
}

func mountBinds(root string, spec Spec) error {
	for i, b := range spec.Binds {
		if err := bind(root, b.Source, b.Target, b.ReadOnly); err != nil {
			return fmt.Errorf("binds[%d]: %w", i, err)
		}
	}
	return nil
}

// bind makes source, with the mounts below it, visible at target in root.
func bind(root, source, target string, readOnly bool) error {
	// A link is followed here, where it means what it means on the host.
	source, err := filepath.EvalSymlinks(source)
	if err != nil {
		return err
	}
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	point, err := mountPoint(root, target, info.IsDir())
	if err != nil {
		return err
	}
	if err := unix.Mount(source, point, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("binding %s on %s: %w", source, target, err)
	}
	if readOnly {
		return setReadOnly(point, true)
	}
	return nil
}

// mountPoint makes a directory or an empty file to mount on. It refuses a path
// through a symbolic link, which would lead out of the machine into the host.
func mountPoint(root, target string, dir bool) (string, error) {
	point := root
	parts := strings.Split(strings.Trim(target, "/"), "/")
	for i, part := range parts {
		point = filepath.Join(point, part)
		info, err := os.Lstat(point)
		switch {
		case err == nil && info.Mode()&os.ModeSymlink != 0:
			return "", fmt.Errorf("%s: /%s is a symbolic link in the machine: name the directory it leads to", target, filepath.Join(parts[:i+1]...))
		case err == nil:
			continue
		case !errors.Is(err, os.ErrNotExist):
			return "", err
		case dir || i < len(parts)-1:
			err = os.Mkdir(point, 0o755)
		default:
			err = os.WriteFile(point, nil, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	return point, nil
}

func mount(source, target, kind string, flags uintptr, options string) error {
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", kind, target, err)
	}
	return nil
}

// setReadOnly makes one mount read-only, with those below it when asked.
func setReadOnly(path string, below bool) error {
	flags := uint(0)
	if below {
		flags = unix.AT_RECURSIVE
	}
	err := unix.MountSetattr(unix.AT_FDCWD, path, flags, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if !errors.Is(err, unix.ENOSYS) {
		return wrap(err, path)
	}
	// Before Linux 5.12 there is no way to include the mounts below. The flags
	// that are there already must be said again.
	var now unix.Statfs_t
	if err := unix.Statfs(path, &now); err != nil {
		return wrap(err, path)
	}
	kept := uintptr(now.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	return wrap(unix.Mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|kept, ""), path)
}

func wrap(err error, path string) error {
	if err != nil {
		return fmt.Errorf("making %s read-only: %w", path, err)
	}
	return nil
}

// changeRoot makes root the machine's root and lets go of the host's tree.
func changeRoot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return err
	}
	// pivot_root(2): with the same place twice the old root lies on top of the
	// new one, from where it is taken off.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root (the host's root must not be an initramfs): %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("letting go of the host's tree: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	// Containers of pods must see mounts that the kubelet makes later.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts with pods: %w", err)
	}
	return nil
}

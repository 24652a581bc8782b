package machine

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// Bits of the capability sets (linux/capability.h) without which the kernel
// gives root no namespaces, mounts and interfaces.
var capabilities = map[string]uint{"CAP_SYS_ADMIN": 21, "CAP_NET_ADMIN": 12, "CAP_SYS_CHROOT": 18, "CAP_SETPCAP": 8}

// preflightIsolated looks for what namespaces, cgroups and pods need.
func preflightIsolated(v *validation, spec Spec) {
	if os.Geteuid() != 0 {
		v.check(false, "isolated", "root is needed: run with sudo, or run the control plane alone (redoubt:workers: 0)")
	} else {
		v.err("isolated", checkCapabilities())
	}
	for _, name := range []string{"pid", "mnt", "uts", "ipc", "net"} {
		v.check(exists("/proc/self/ns/"+name), "isolated", "this kernel has no %s namespaces", name)
	}
	if overlay, err := os.ReadFile("/proc/filesystems"); err == nil && !strings.Contains(string(overlay), "\toverlay\n") {
		// It may be a module that nobody has loaded yet.
		v.check(exec.Command("modprobe", "overlay").Run() == nil, "isolated", "this kernel has no overlayfs, which containerd needs: load it with `modprobe overlay`")
	}
	v.err("isolated", missingPrograms(map[string]string{
		"nsenter": "util-linux", "setpriv": "util-linux", "mount": "mount", "ip": "iproute2", "nft": "nftables",
	}))
	if os.Geteuid() != 0 {
		return // What follows would only say again that root is needed.
	}
	v.err("cgroupRoot", checkControllers())
	for name, value := range spec.KernelSettings {
		now, err := hostKernel.read(name)
		v.err("kernelSettings."+name, err)
		if err == nil && wanted(value, now) != now {
			file, err := os.OpenFile(hostKernel.path(name), os.O_WRONLY, 0)
			if err == nil {
				file.Close()
				continue
			}
			v.check(false, "kernelSettings."+name, "is %s, must be %s, and cannot be set here (%v): run `sysctl -w %s=%s` as root on the host", now, value, err, name, strings.TrimPrefix(value, ">="))
		}
	}
}

func checkCapabilities() error {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(data), "CapEff:")
	line, _, _ := strings.Cut(rest, "\n")
	set, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	if err != nil {
		return fmt.Errorf("/proc/self/status: CapEff: %w", err)
	}
	var missing []string
	for name, bit := range capabilities {
		if set&(1<<bit) == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("root here lacks %s: in a container, start it with --privileged", strings.Join(missing, ", "))
}

func checkControllers() error {
	all, err := hierarchies()
	if err != nil {
		return fmt.Errorf("%w: mount cgroups (systemd does; without it, the package cgroupfs-mount)", err)
	}
	var have, missing []string
	for _, h := range all {
		have = append(have, h.controllers...)
	}
	for _, controller := range kubeletControllers {
		if !slices.Contains(have, controller) {
			missing = append(missing, controller)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("this kernel offers no cgroup controller %s: enable it, for memory with the kernel parameter cgroup_enable=memory", strings.Join(missing, ", "))
	}
	for _, h := range all {
		if err := checkWritable(h.mount); err != nil {
			return err
		}
	}
	return nil
}

// checkWritable finds a hierarchy that a container shows read-only.
func checkWritable(dir string) error {
	probe, err := os.MkdirTemp(dir, "redoubt-preflight-")
	if err != nil {
		return fmt.Errorf("%s does not take new groups (%w): in a container, start it with --privileged", dir, err)
	}
	return os.Remove(probe)
}

package flatcar

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// controlAudit: what happens is recorded.
const controlAudit = "M17"

var notInID = regexp.MustCompile(`[^a-z0-9]+`)

// partOf names the part of M03 (no shell, no needless process, hardened kernel)
// that one lock upholds, as an exception does: M03/file-etc-shadow,
// M03/unit-sshd, M03/kernel-argument-lockdown. One exception opens one lock.
func partOf(kind, lock string) string {
	return "M03/" + kind + "-" + strings.Trim(notInID.ReplaceAllString(strings.ToLower(lock), "-"), "-")
}

// maskedUnits can not be started by anything: remote and local shells, a reboot
// by three keys, and updates outside of the chosen strategy.
func (s Spec) maskedUnits() []string {
	masked := []string{"ctrl-alt-del.target", "debug-shell.service", "sshd.service", "sshd.socket", "locksmithd.service"}
	if s.Node.Updates.Strategy == hostconfig.UpdateReplace {
		masked = append(masked, "update-engine.service", "update-engine-stub.service", "update-engine-stub.timer")
	}
	masked = append(masked, s.Parts.Masked...)
	slices.Sort(masked)
	return masked
}

// protectedUnits are names, or beginnings of names, of units that a control
// depends on.
var protectedUnits = []string{
	"audit", "chronyd.", "console-getty.", "container-getty@", "containerd.", "coreos-", "ctrl-alt-del.", "dbus", "debug-shell.",
	"docker.", "emergency.", "ensure-sysext.", "flatcar-", "getty@", "ignition-", "ip6tables", "iptables", "kubeadm-", "kubelet.",
	"locksmithd.", "modprobe@", "nftables.", "ntp", "redoubt-", "rescue.", "serial-getty@", "sshd", "systemd-", "update-engine", "user@",
}

// protectedUnit gives the lock that a name meets, if any.
func protectedUnit(name string) (string, bool) {
	for _, prefix := range protectedUnits {
		if strings.HasPrefix(name, prefix) {
			return prefix, true
		}
	}
	return "", false
}

// protectedPaths are files and directories through which a control could be
// undone: programs and their libraries, accounts, units, the kernel's and the
// audit system's settings, system extensions, and what Kubernetes trusts.
var protectedPaths = []string{
	"/boot", "/dev", "/etc/audit", "/etc/audisp", "/etc/bash", "/etc/binfmt.d", "/etc/cni", "/etc/containerd", "/etc/credstore",
	"/etc/credstore.encrypted", "/etc/cron.d", "/etc/crontab", "/etc/crypttab", "/etc/dbus-1", "/etc/environment.d", "/etc/extensions", "/etc/flatcar", "/etc/fstab", "/etc/group", "/etc/gshadow", "/etc/hosts", "/etc/integritytab", "/etc/kernel", "/etc/kubernetes",
	"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload", "/etc/environment", "/etc/luks",
	"/etc/modprobe.d", "/etc/modules-load.d", "/etc/nftables", "/etc/nsswitch.conf", "/etc/pam.d", "/etc/passwd",
	"/etc/polkit-1", "/etc/profile", "/etc/profile.d", "/etc/repart.d", "/etc/resolv.conf", "/etc/security", "/etc/selinux", "/etc/shadow", "/etc/ssh", "/etc/sudoers",
	"/etc/sudoers.d", "/etc/sysctl.conf", "/etc/sysctl.d", "/etc/sysext", "/etc/systemd", "/etc/sysusers.d", "/etc/tmpfiles.d", "/etc/udev", "/etc/userdb", "/etc/verity.d", "/etc/veritytab",
	"/etc/etcd", "/home", "/lib", "/lib64", "/bin", "/sbin", "/oem", "/opt/bin", "/opt/cni", "/opt/extensions", "/opt/redoubt",
	"/proc", "/root", "/run", "/sys", "/usr", "/var/lib/confexts", "/var/lib/containerd", "/var/lib/etcd",
	"/var/lib/extensions", "/var/lib/kubelet", "/var/lib/redoubt", "/var/lib/systemd", "/var/lock", "/var/log/audit", "/var/run", "/var/spool",
}

// protectingPaths gives every lock that a path meets: one that lies above several
// would take the place of all of them.
func protectingPaths(file string) []string {
	var found []string
	for _, p := range protectedPaths {
		if below(file, p) || below(p, file) {
			found = append(found, p)
		}
	}
	return found
}

// below tells whether a path is a directory's own or lies in it.
func below(file, directory string) bool {
	return file == directory || strings.HasPrefix(file, strings.TrimSuffix(directory, "/")+"/")
}

func cleanPath(value string) bool {
	return path.IsAbs(value) && path.Clean(value) == value && value != "/" && oneLine(value)
}

// oneLine refuses control characters: a line break would begin another setting.
func oneLine(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\uFFFD' }) < 0
}

// excepted tells whether an exception names the control. Its form and expiry
// are judged by Validate, without which nothing is rendered.
func (s Spec) excepted(control string) bool {
	return slices.ContainsFunc(s.Node.Exceptions, func(e hostconfig.Exception) bool { return e.Control == control })
}

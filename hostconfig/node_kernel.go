package hostconfig

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Controls that a node's additions must not undo, as an exception names them.
const (
	// ControlSysctls upholds hardened kernel settings.
	ControlSysctls = "M03/sysctls"
	// ControlModules keeps needless kernel modules out.
	ControlModules = "M03/kernel-modules"
	// ControlUnits upholds the sandbox of every service.
	ControlUnits = "M03/units"
)

// HostSysctls gives the kernel settings of a machine with a kernel of its own,
// beyond those of [KubeletSysctls] and [NetworkSysctls]. Source:
// https://docs.kernel.org/admin-guide/sysctl/ and
// https://kspp.github.io/Recommended_Settings#sysctls.
func HostSysctls() map[string]string { return maps.Clone(hostSysctls) }

var hostSysctls = map[string]string{
	"dev.tty.ldisc_autoload":           "0",
	"fs.protected_fifos":               "2",
	"fs.protected_hardlinks":           "1",
	"fs.protected_regular":             "2",
	"fs.protected_symlinks":            "1",
	"fs.suid_dumpable":                 "0",
	"kernel.core_pattern":              "|/bin/false", // a core file holds what a process knew
	"kernel.dmesg_restrict":            "1",
	"kernel.kexec_load_disabled":       "1",
	"kernel.kptr_restrict":             "2",
	"kernel.perf_event_paranoid":       "2",
	"kernel.randomize_va_space":        "2",
	"kernel.sysrq":                     "0",
	"kernel.unprivileged_bpf_disabled": "1",
	"kernel.yama.ptrace_scope":         "1",
	"net.core.bpf_jit_harden":          "2",
	"vm.unprivileged_userfaultfd":      "0",
}

// LockedSysctls gives all settings that hold a control, of every source. A
// control plane of kubeadm runs pods and forwards for them, as a worker does.
func LockedSysctls() map[string]string { return maps.Clone(lockedSysctls) }

var lockedSysctls = func() map[string]string {
	locked := HostSysctls()
	maps.Copy(locked, NetworkSysctls(RoleWorker))
	maps.Copy(locked, KubeletSysctls())
	return locked
}()

// sysctlOfInterface finds the setting of one interface, which undoes that of all.
var sysctlOfInterface = regexp.MustCompile(`^(net\.ipv[46]\.conf)\.[^.]+\.([a-z_]+)$`)

// LockedSysctl gives the value that a setting must keep, if it must. That of one
// network interface must keep what all have.
func LockedSysctl(name string) (string, bool) {
	if value, found := lockedSysctls[name]; found {
		return value, true
	}
	if parts := sysctlOfInterface.FindStringSubmatch(name); parts != nil {
		value, found := lockedSysctls[parts[1]+".all."+parts[2]]
		return value, found
	}
	return "", false
}

// DeniedModules gives the kernel modules that have no use on a node of a cluster:
// removable media, foreign file systems, and protocols with a history of flaws
// (CIS Distribution Independent Linux 1.1.1 and 3.4).
func DeniedModules() []string { return slices.Clone(deniedModules) }

var deniedModules = []string{
	"af_802154", "appletalk", "atm", "ax25", "can", "cramfs", "dccp", "firewire_core", "freevxfs", "hfs", "hfsplus", "jffs2",
	"n_hdlc", "netrom", "rds", "rose", "sctp", "tipc", "uas", "udf", "usb_storage", "x25",
}

var (
	// sysctlPattern has no "/" and no "*": both would be another name for a locked setting.
	sysctlPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[A-Za-z0-9_-]+)+$`)
	modulePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,63}$`)
)

// ModuleName gives the kernel's form of a module's name: it reads "-" as "_".
func ModuleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// nodeKernel judges the settings and modules that the user adds. Bottlerocket's
// own list of locked settings, with the ids of its benchmark, is judged by its
// renderer.
func (p *problems) nodeKernel(n Node) {
	weakens := func(field, problem, control string) {
		if n.OS != OSBottlerocket && !excepted(n.Exceptions, control) {
			p.add(field, problem+" by control "+control, acceptRisk(control))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.Sysctls)) {
		at, value := fmt.Sprintf("sysctls[%q]", name), n.Sysctls[name]
		if n.OS != OSBottlerocket && !sysctlPattern.MatchString(name) || value == "" || !plainText(value) {
			p.add(at, "is not a kernel setting", "write a dotted name and a value of one line")
		}
		if want, locked := LockedSysctl(name); locked && value != want {
			weakens(at, fmt.Sprintf("is locked to %q", want), ControlSysctls)
		}
	}
	loaded := map[string]bool{}
	for i, name := range n.Modules.Load {
		at := fmt.Sprintf("modules.load[%d]", i)
		p.nodeModule(at, name)
		loaded[ModuleName(name)] = true
		if slices.Contains(deniedModules, ModuleName(name)) {
			weakens(at, name+" is denied", ControlModules)
		}
	}
	for i, name := range n.Modules.Deny {
		at := fmt.Sprintf("modules.deny[%d]", i)
		p.nodeModule(at, name)
		if loaded[ModuleName(name)] {
			p.add(at, name+" is in modules.load too", "keep one of the two")
		}
	}
}

func (p *problems) nodeModule(field, name string) {
	if !modulePattern.MatchString(ModuleName(name)) {
		p.add(field, fmt.Sprintf("%q is not the name of a module", name), "write a name such as usb_storage")
	}
}

// plainText refuses control characters: a line break would begin another setting.
func plainText(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\uFFFD' }) < 0
}

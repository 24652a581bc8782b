package flatcar

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// HostSysctls gives the kernel settings of a machine beyond those of
// [hostconfig.KubeletSysctls] and [hostconfig.NetworkSysctls]. Source:
// https://docs.kernel.org/admin-guide/sysctl/ and
// https://kspp.github.io/Recommended_Settings#sysctls.
func HostSysctls() map[string]string {
	return map[string]string{
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
		"kernel.yama.ptrace_scope":         "1", // Flatcar's kernel lacks Yama today
		"net.core.bpf_jit_harden":          "2",
		"vm.unprivileged_userfaultfd":      "0",
	}
}

// optionalSysctls may be absent from a kernel: the dash lets it pass.
var optionalSysctls = []string{"kernel.sysrq", "kernel.yama.", "net.core.bpf_jit_harden", "vm.unprivileged_userfaultfd", "kernel.kexec_load_disabled", "net.ipv6."}

// lockedSysctls are all settings that hold a control, of every source.
func lockedSysctls() map[string]string {
	locked := HostSysctls()
	// A control plane of kubeadm runs pods and forwards for them, as a worker does.
	maps.Copy(locked, hostconfig.NetworkSysctls(hostconfig.RoleWorker))
	maps.Copy(locked, hostconfig.KubeletSysctls())
	return locked
}

// perInterface finds the setting of one interface, which undoes that of all.
var perInterface = regexp.MustCompile(`^(net\.ipv[46]\.conf)\.[^.]+\.([a-z_]+)$`)

// lockedValue gives the value that a setting must keep, if it must.
func lockedValue(name string) (string, bool) {
	locked := lockedSysctls()
	if value, found := locked[name]; found {
		return value, true
	}
	if parts := perInterface.FindStringSubmatch(name); parts != nil {
		value, found := locked[parts[1]+".all."+parts[2]]
		return value, found
	}
	return "", false
}

// sysctlPattern has no "/" and no "*": both would be another name for a locked setting.
var sysctlPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[A-Za-z0-9_-]+)+$`)

// sysctlPath sorts after the file of hostconfig, so that an excepted change wins.
const sysctlPath = "/etc/sysctl.d/91-redoubt-host.conf"

func (s Spec) sysctlFile() hostconfig.File {
	settings := HostSysctls()
	maps.Copy(settings, s.Sysctls)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if slices.ContainsFunc(optionalSysctls, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			b.WriteString("-")
		}
		b.WriteString(name + " = " + settings[name] + "\n")
	}
	return publicFile(sysctlPath, b.String())
}

// deniedModules have no use on a node of a cluster: removable media, foreign
// file systems, and protocols with a history of flaws (CIS Distribution
// Independent Linux 1.1.1 and 3.4).
var deniedModules = []string{
	"af_802154", "appletalk", "atm", "ax25", "can", "cramfs", "dccp", "firewire_core", "freevxfs", "hfs", "hfsplus", "jffs2",
	"netrom", "n_hdlc", "rds", "rose", "sctp", "tipc", "uas", "udf", "usb_storage", "x25",
}

// neededModules must never be denied: system extensions are squashfs or erofs,
// /boot is vfat, and the rest carries containers, the firewall and encryption.
var neededModules = []string{
	"bridge", "br_netfilter", "dm_crypt", "dm_mod", "dm_verity", "erofs", "ext4", "loop", "nf_conntrack", "nf_tables", "nls_ascii",
	"nls_cp437", "overlay", "squashfs", "tpm", "tpm_crb", "tpm_tis", "veth", "vfat", "fat", "virtio_net", "ena", "nvme",
}

// loadedModules are there before the kubelet and the firewall need them: with
// the kernel locked down nothing loads them later.
var loadedModules = []string{"br_netfilter", "nf_tables", "overlay"}

var modulePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,63}$`)

// moduleName gives the kernel's form: it reads "-" as "_".
func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

func moduleNames(names ...[]string) []string {
	var all []string
	for _, name := range slices.Concat(names...) {
		all = append(all, moduleName(name))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// moduleFiles: "install" stops an explicit load too, which "blacklist" does not.
func (s Spec) moduleFiles() []hostconfig.File {
	loaded := moduleNames(loadedModules, s.LoadModules)
	var deny strings.Builder
	for _, name := range moduleNames(deniedModules, s.DenyModules) {
		if !slices.Contains(loaded, name) {
			deny.WriteString("blacklist " + name + "\ninstall " + name + " /bin/false\n")
		}
	}
	return []hostconfig.File{
		publicFile("/etc/modprobe.d/90-redoubt.conf", deny.String()),
		publicFile("/etc/modules-load.d/90-redoubt.conf", strings.Join(loaded, "\n")+"\n"),
	}
}

// hardenedArguments: https://docs.kernel.org/admin-guide/kernel-parameters.html
var hardenedArguments = []string{
	"audit=1", "audit_backlog_limit=8192", "init_on_alloc=1", "lockdown=integrity", "page_alloc.shuffle=1",
	"randomize_kstack_offset=on", "slab_nomerge", "vsyscall=none",
}

// removedArguments: some images log the user core in on the console.
var removedArguments = []string{"flatcar.autologin", "coreos.autologin"}

// lockedArguments are names, or beginnings of names, that could undo a control.
var lockedArguments = []string{
	"apparmor", "audit", "coreos.", "cfi", "debug", "enforcing", "flatcar.", "ignition.", "init", "ipv6.", "kaslr", "l1tf", "lockdown", "lsm",
	"mce", "mds", "mitigations", "module", "no", "page_alloc", "pti", "randomize", "rd.", "rdinit", "retbleed", "root", "security",
	"selinux", "single", "slab", "spec", "srbds", "sysctl.", "systemd.", "tsx", "usr", "verity", "vsyscall", "emergency", "rescue", "s", "1",
	"mount.", "kvm", "tpm", "trusted", "proc_mem", "iomem", "kexec", "bpf", "initcall", "initrd", "modprobe", "blacklist", "retpoline", "gather", "reg_file", "mmio", "spectre", "efi", "dm", "unprivileged", "hardened_usercopy", "kfence",
}

var argumentPattern = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9_.-]*(=[A-Za-z0-9_.,:/@+-]*)?$`)

// argumentName is the name in the kernel's form, which reads "-" as "_".
func argumentName(argument string) string {
	name, _, _ := strings.Cut(argument, "=")
	return strings.ReplaceAll(name, "-", "_")
}

func lockedArgument(argument string) bool {
	name := argumentName(argument)
	return slices.ContainsFunc(lockedArguments, func(lock string) bool {
		// Short words are whole names: "s" and "1" mean single-user mode.
		return name == lock || len(lock) > 1 && strings.HasPrefix(name, lock)
	})
}

// kernelArguments puts the user's over the hardened ones of the same name.
func (s Spec) kernelArguments() []string {
	byName := map[string]string{}
	for _, argument := range slices.Concat(hardenedArguments, s.KernelArguments) {
		byName[argumentName(argument)] = argument
	}
	return slices.Sorted(maps.Values(byName))
}

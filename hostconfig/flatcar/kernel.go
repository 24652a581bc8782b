package flatcar

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// optionalSysctls may be absent from a kernel: the dash lets it pass.
var optionalSysctls = []string{"kernel.sysrq", "kernel.yama.", "net.core.bpf_jit_harden", "vm.unprivileged_userfaultfd", "kernel.kexec_load_disabled", "net.ipv6."}

// sysctlPath sorts after the file of hostconfig, so that an excepted change wins.
const sysctlPath = "/etc/sysctl.d/91-redoubt-host.conf"

func (s Spec) sysctlFile() hostconfig.File {
	settings := hostconfig.HostSysctls()
	maps.Copy(settings, s.Node.Sysctls)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if slices.ContainsFunc(optionalSysctls, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			b.WriteString("-")
		}
		b.WriteString(name + " = " + settings[name] + "\n")
	}
	return publicFile(sysctlPath, b.String())
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

func moduleNames(names ...[]string) []string {
	var all []string
	for _, name := range slices.Concat(names...) {
		all = append(all, hostconfig.ModuleName(name))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// moduleFiles: "install" stops an explicit load too, which "blacklist" does not.
func (s Spec) moduleFiles() []hostconfig.File {
	loaded := moduleNames(loadedModules, s.Node.Modules.Load)
	var deny strings.Builder
	for _, name := range moduleNames(hostconfig.DeniedModules(), s.Node.Modules.Deny) {
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
	"amd_iommu", "arm64.", "cgroup_", "clearcpuid", "crashkernel", "evm", "fips", "ftrace", "hash_pointers", "hibernate", "ima", "indirect_target",
	"integrity", "intel_iommu", "iommu", "kprobe", "kpti", "luks.", "mem_encrypt", "random.", "resume", "setcpuid", "ssbd", "stack_guard", "sysrq",
	"swiotlb", "trace", "tsa", "vmscape",
}

var argumentPattern = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9_.-]*(=[A-Za-z0-9_.,:/@+-]*)?$`)

// argumentName is the name in the kernel's form, which reads "-" as "_".
func argumentName(argument string) string {
	name, _, _ := strings.Cut(argument, "=")
	return strings.ReplaceAll(name, "-", "_")
}

// lockedArgument gives the lock that an argument meets, if any.
func lockedArgument(argument string) (string, bool) {
	name := argumentName(argument)
	for _, lock := range lockedArguments {
		// Short words are whole names: "s" and "1" mean single-user mode.
		if name == lock || len(lock) > 1 && strings.HasPrefix(name, lock) {
			return lock, true
		}
	}
	return "", false
}

// kernelArguments puts the user's over the hardened ones of the same name.
func (s Spec) kernelArguments() []string {
	byName := map[string]string{}
	for _, argument := range slices.Concat(hardenedArguments, s.KernelArguments) {
		byName[argumentName(argument)] = argument
	}
	return slices.Sorted(maps.Values(byName))
}

package hostconfig

import (
	"maps"
	"slices"
	"strings"
)

// KubeletSysctls gives the kernel settings that the kubelet demands with
// protectKernelDefaults, with the exact values that it compares:
// https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/kubelet/cm/container_manager_linux.go
// They hold for the whole kernel, not for one machine in a namespace.
func KubeletSysctls() map[string]string {
	return map[string]string{
		"kernel.keys.root_maxbytes": "25000000",
		"kernel.keys.root_maxkeys":  "1000000",
		"kernel.panic":              "10",
		"kernel.panic_on_oops":      "1",
		"vm.overcommit_memory":      "1",
		"vm.panic_on_oom":           "0",
	}
}

// NetworkSysctls gives the settings of a machine's own network. They belong to
// its network namespace. A worker forwards between its pods and the node
// network; a control plane forwards nothing.
func NetworkSysctls(role Role) map[string]string {
	settings := map[string]string{
		"net.ipv4.icmp_echo_ignore_broadcasts":       "1",
		"net.ipv4.icmp_ignore_bogus_error_responses": "1",
		"net.ipv4.ip_forward":                        "0",
		"net.ipv4.tcp_syncookies":                    "1",
	}
	if role == RoleWorker {
		settings["net.ipv4.ip_forward"] = "1"
	}
	// Both: "all" for what exists, "default" for what is created later.
	for _, scope := range []string{"all", "default"} {
		ipv4, ipv6 := "net.ipv4.conf."+scope+".", "net.ipv6.conf."+scope+"."
		settings[ipv4+"accept_redirects"] = "0"
		settings[ipv4+"accept_source_route"] = "0"
		settings[ipv4+"secure_redirects"] = "0"
		settings[ipv4+"send_redirects"] = "0"
		// Strict: a packet whose answer would leave elsewhere is forged.
		settings[ipv4+"rp_filter"] = "1"
		settings[ipv6+"accept_ra"] = "0"
		settings[ipv6+"accept_redirects"] = "0"
		settings[ipv6+"accept_source_route"] = "0"
		settings[ipv6+"forwarding"] = "0"
	}
	return settings
}

// sysctlFile renders both sets for sysctl.d. A leading dash lets a kernel that
// lacks a setting, for example IPv6, pass: no protection is lost with a feature
// that is not there.
func sysctlFile(paths Paths, role Role) File {
	settings := NetworkSysctls(role)
	if role == RoleWorker {
		maps.Copy(settings, KubeletSysctls())
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		prefix := ""
		if strings.HasPrefix(name, "net.ipv6.") {
			prefix = "-"
		}
		b.WriteString(prefix + name + " = " + settings[name] + "\n")
	}
	return File{Path: paths.Sysctl(), Mode: modePublic, Owner: ownerRoot, Contents: b.String()}
}

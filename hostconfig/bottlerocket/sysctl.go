package bottlerocket

import (
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

const sysctlField = "node.sysctls"

type lockedSysctl struct{ control, value string }

// lockedSysctls are the sysctls of CIS Bottlerocket 1.0.0, and two that hide the
// kernel's addresses and log from pods. Some are the operating system's defaults:
// they are written nevertheless, so that a changed default changes nothing.
// Strict reverse path filtering is not among them: the VPC CNI answers on other
// interfaces than it was asked on.
var lockedSysctls = map[string]lockedSysctl{
	"fs.suid_dumpable":          {"CIS-BR-1.4.1", "0"},
	"kernel.randomize_va_space": {"CIS-BR-1.4.2", "2"},
	// 1, not 2: from 1 the kernel refuses every change until the next boot.
	"kernel.unprivileged_bpf_disabled":           {"CIS-BR-1.4.3", "1"},
	"net.ipv4.conf.all.send_redirects":           {"CIS-BR-3.1.1", "0"},
	"net.ipv4.conf.default.send_redirects":       {"CIS-BR-3.1.1", "0"},
	"net.ipv4.conf.all.accept_source_route":      {"CIS-BR-3.2.1", "0"},
	"net.ipv4.conf.default.accept_source_route":  {"CIS-BR-3.2.1", "0"},
	"net.ipv6.conf.all.accept_source_route":      {"CIS-BR-3.2.1", "0"},
	"net.ipv6.conf.default.accept_source_route":  {"CIS-BR-3.2.1", "0"},
	"net.ipv4.conf.all.accept_redirects":         {"CIS-BR-3.2.2", "0"},
	"net.ipv4.conf.default.accept_redirects":     {"CIS-BR-3.2.2", "0"},
	"net.ipv6.conf.all.accept_redirects":         {"CIS-BR-3.2.2", "0"},
	"net.ipv6.conf.default.accept_redirects":     {"CIS-BR-3.2.2", "0"},
	"net.ipv4.conf.all.secure_redirects":         {"CIS-BR-3.2.3", "0"},
	"net.ipv4.conf.default.secure_redirects":     {"CIS-BR-3.2.3", "0"},
	"net.ipv4.conf.all.log_martians":             {"CIS-BR-3.2.4", "1"},
	"net.ipv4.conf.default.log_martians":         {"CIS-BR-3.2.4", "1"},
	"net.ipv4.icmp_echo_ignore_broadcasts":       {"CIS-BR-3.2.5", "1"},
	"net.ipv4.icmp_ignore_bogus_error_responses": {"CIS-BR-3.2.6", "1"},
	"net.ipv4.tcp_syncookies":                    {"CIS-BR-3.2.7", "1"},
	// Pods with hostUsers: false need more than none: one isolation for another, so
	// it is a risk to accept explicitly.
	"user.max_user_namespaces": {userNamespaces, "0"},
	"kernel.dmesg_restrict":    {"M01/dmesg-restrict", "1"},
	"kernel.kptr_restrict":     {"M01/kptr-restrict", "1"},
}

// lockedModules may not be loaded: those of the benchmark under its ids, and
// those that no node of a cluster needs.
var lockedModules = func() map[string]string {
	locked := map[string]string{}
	for _, name := range hostconfig.DeniedModules() {
		locked[name] = hostconfig.ControlModules
	}
	locked["sctp"], locked["udf"] = "CIS-BR-3.3.1", "CIS-BR-1.1.1.1"
	return locked
}()

// canonicalSysctl gives the name with dots. The kernel takes slashes as well,
// and then dots inside a part: net/ipv4/conf/eth0.100/log_martians.
func canonicalSysctl(name string) string {
	if i := strings.IndexAny(name, "./"); i < 0 || name[i] == '.' {
		return name
	}
	return strings.NewReplacer("/", ".", ".", "/").Replace(name)
}

// everyInterface gives the name that stands for all interfaces: a redirect goes
// out when either the interface or "all" allows it.
func everyInterface(name string) string {
	for _, family := range []string{"net.ipv4.conf.", "net.ipv6.conf."} {
		if rest, found := strings.CutPrefix(name, family); found {
			if i := strings.LastIndex(rest, "."); i >= 0 {
				return family + "all" + rest[i:]
			}
		}
	}
	return name
}

package bottlerocket

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Requirement is a setting that an item needs.
type Requirement struct {
	// Path are the keys below settings; Want is the value in text, or "" for any.
	Path []string `json:"path"`
	Want string   `json:"want,omitempty"`
	// Injected tells that EKS gives it to a managed group's nodes.
	Injected bool `json:"injected,omitempty"`

	accepts func(leaf) bool
}

// Setting gives the path as TOML writes it.
func (r Requirement) Setting() string { return pathName(r.Path) }

// Item is a recommendation of a benchmark.
type Item struct {
	// ID is the number in the benchmark; those of the Kubernetes node checks are led by k.
	ID    string `json:"id"`
	Level int    `json:"level"`
	Title string `json:"title"`
	// Requirements are what meets it. Empty means that it is not settable, and
	// Reason says why and who meets it.
	Requirements []Requirement `json:"requirements,omitempty"`
	Reason       string        `json:"reason,omitempty"`
}

// Settable tells whether a setting meets the item.
func (i Item) Settable() bool { return len(i.Requirements) > 0 }

// Unmet gives what the settings lack for the item, as readable lines. An item
// that is not settable never lacks anything: read its Reason.
func (i Item) Unmet(group Group, settings Settings) []string {
	var unmet []string
	for _, r := range i.Requirements {
		if r.Injected && group == ManagedGroup {
			continue
		}
		l, found := lookup(settings, r.Path)
		switch {
		case !found:
			unmet = append(unmet, r.Setting()+" is not set")
		case r.Want != "" && l.text() != r.Want, r.accepts != nil && !r.accepts(l):
			unmet = append(unmet, fmt.Sprintf("%s is %q", r.Setting(), l.text()))
		}
	}
	return unmet
}

// CIS gives the items of CIS Bottlerocket 1.0.0, level 1 and 2, and of the
// Kubernetes node checks, in the order of their benchmarks. Ids and levels are
// those that the operating system's own reports print (apiclient report cis -l 2
// and cis-k8s), from bloodhound in
// https://github.com/bottlerocket-os/bottlerocket-core-kit.
func CIS() []Item { return append(bottlerocketItems(), kubernetesItems()...) }

func setting(path, want string) Requirement {
	return Requirement{Path: strings.Split(path, "."), Want: want}
}

func settingWithin(path string, accepts func(leaf) bool) Requirement {
	return Requirement{Path: strings.Split(path, "."), accepts: accepts}
}

// sysctls gives every sysctl that upholds the control.
func sysctls(control string) []Requirement {
	var found []Requirement
	for _, name := range slices.Sorted(maps.Keys(lockedSysctls)) {
		if locked := lockedSysctls[name]; locked.control == control {
			found = append(found, Requirement{Path: []string{"kernel", "sysctl", name}, Want: locked.value})
		}
	}
	return found
}

const (
	imageReason    = "fixed in the image: the root is read-only and verified at every block"
	manualReason   = "manual: decided by the process around the node, see the update strategy"
	firewallReason = "no setting: the kubelet sets the policy of FORWARD to ACCEPT, because Kubernetes forwards between pods; security groups and the CNI's host policy deny by default instead"
	journalReason  = "fixed in the image: journald writes to the data partition with its own permissions"
	kubeletReason  = "fixed by the operating system's template of the kubelet's configuration"
	fileReason     = "fixed in the image: the operating system writes the file with these permissions"
)

func bottlerocketItems() []Item {
	item := func(level int, id, title string, reason string, requirements ...Requirement) Item {
		return Item{ID: id, Level: level, Title: title, Reason: reason, Requirements: requirements}
	}
	return []Item{
		item(2, "1.1.1.1", "Ensure mounting of udf filesystems is disabled", "", setting("kernel.modules.udf.allowed", "false")),
		item(1, "1.2.1", "Ensure software update repositories are configured", "manual: the image carries the repositories and their root of trust, and changing them is refused"),
		item(1, "1.3.1", "Ensure dm-verity is configured", imageReason),
		item(1, "1.4.1", "Ensure setuid programs do not create core dumps", "", sysctls("CIS-BR-1.4.1")...),
		item(1, "1.4.2", "Ensure address space layout randomization (ASLR) is enabled", "", sysctls("CIS-BR-1.4.2")...),
		item(1, "1.4.3", "Ensure unprivileged eBPF is disabled", "", sysctls("CIS-BR-1.4.3")...),
		item(2, "1.4.4", "Ensure user namespaces are disabled", "", sysctls(userNamespaces)...),
		item(1, "1.5.1", "Ensure SELinux is configured", "fixed in the image: the policy is always enforced and cannot be changed"),
		// The report knows integrity only, though confidentiality withholds more.
		item(2, "1.5.2", "Ensure Lockdown is configured", "", settingWithin("kernel.lockdown", oneOf("integrity", "confidentiality"))),
		item(1, "1.6", "Ensure updates, patches, and additional security software are installed", manualReason),
		item(1, "2.1.1.1", "Ensure chrony is configured", "", setting("ntp.time-servers", "")),
		item(2, "3.1.1", "Ensure packet redirect sending is disabled", "", sysctls("CIS-BR-3.1.1")...),
		item(2, "3.2.1", "Ensure source routed packets are not accepted", "", sysctls("CIS-BR-3.2.1")...),
		item(2, "3.2.2", "Ensure ICMP redirects are not accepted", "", sysctls("CIS-BR-3.2.2")...),
		item(2, "3.2.3", "Ensure secure ICMP redirects are not accepted", "", sysctls("CIS-BR-3.2.3")...),
		item(2, "3.2.4", "Ensure suspicious packets are logged", "", sysctls("CIS-BR-3.2.4")...),
		item(1, "3.2.5", "Ensure broadcast ICMP requests are ignored", "", sysctls("CIS-BR-3.2.5")...),
		item(1, "3.2.6", "Ensure bogus ICMP responses are ignored", "", sysctls("CIS-BR-3.2.6")...),
		item(1, "3.2.7", "Ensure TCP SYN Cookies is enabled", "", sysctls("CIS-BR-3.2.7")...),
		item(2, "3.3.1", "Ensure SCTP is disabled", "", setting("kernel.modules.sctp.allowed", "false")),
		item(2, "3.4.1.1", "Ensure IPv4 default deny firewall policy", firewallReason),
		item(2, "3.4.1.2", "Ensure IPv4 loopback traffic is configured", firewallReason),
		item(1, "3.4.1.3", "Ensure IPv4 outbound and established connections are configured", firewallReason),
		item(2, "3.4.2.1", "Ensure IPv6 default deny firewall policy", firewallReason),
		item(2, "3.4.2.2", "Ensure IPv6 loopback traffic is configured", firewallReason),
		item(1, "3.4.2.3", "Ensure IPv6 outbound and established connections are configured", firewallReason),
		item(1, "4.1.1.1", "Ensure journald is configured to write logs to persistent disk", journalReason),
		item(1, "4.1.2", "Ensure permissions on journal files are configured", journalReason),
	}
}

func kubernetesItems() []Item {
	var items []Item
	for i, title := range []string{
		"kubelet service file permissions", "kubelet service file ownership", "proxy kubeconfig permissions",
		"proxy kubeconfig ownership", "kubelet kubeconfig permissions", "kubelet kubeconfig ownership",
		"certificate authorities file permissions", "client certificate authorities file ownership",
		"kubelet configuration permissions", "kubelet configuration ownership",
	} {
		items = append(items, Item{ID: fmt.Sprintf("k4.1.%d", i+1), Level: 1, Title: "Ensure " + title + " are restrictive", Reason: fileReason})
	}
	notStandalone := setting("kubernetes.standalone-mode", "false")
	authority := setting("kubernetes.cluster-certificate", "")
	authority.Injected = true
	bootstrap := setting("kubernetes.server-tls-bootstrap", "true")
	add := func(id, title, reason string, requirements ...Requirement) {
		level := 1
		if id == "k4.2.8" || id == "k4.2.15" {
			level = 2
		}
		items = append(items, Item{ID: id, Level: level, Title: title, Reason: reason, Requirements: requirements})
	}
	add("k4.2.1", "Ensure anonymous authentication is off", "", notStandalone)
	add("k4.2.2", "Ensure the authorization mode is not AlwaysAllow", "", notStandalone)
	add("k4.2.3", "Ensure the client CA file is set", "", authority)
	add("k4.2.4", "Verify that the read-only port is 0", kubeletReason)
	add("k4.2.5", "Ensure the streaming connection idle timeout is not 0", kubeletReason)
	add("k4.2.6", "Ensure iptables util chains are made", kubeletReason)
	add("k4.2.7", "Ensure the host name is not overridden", "the operating system derives the node's name from EC2, which the cloud provider demands; another name is refused")
	add("k4.2.8", "Ensure the event rate captures what matters", "", settingWithin("kubernetes.event-qps", integerBetween(1, 100)))
	add("k4.2.9", "Ensure serving certificates are set", "", bootstrap)
	add("k4.2.10", "Ensure client certificates rotate", "the node holds no client certificate: it authenticates with its instance role, whose credentials rotate")
	add("k4.2.11", "Verify that serving certificates rotate", "", bootstrap)
	add("k4.2.12", "Ensure only strong ciphers are used", kubeletReason)
	add("k4.2.13", "Ensure that a limit is set on pod PIDs", "", settingWithin("kubernetes.pod-pids-limit", integerBetween(1, 65536)))
	add("k4.2.14", "Ensure that the seccomp default is on", "", setting("kubernetes.seccomp-default", "true"))
	add("k4.2.15", "Ensure the kubelet's unit denies other addresses", "manual: no setting reaches the unit, and the kubelet serves the API server and what scrapes it; security groups say who reaches it")
	add("k4.3.1", "Ensure the metrics of kube-proxy are bound to localhost", "kube-proxy is an add-on of the cluster, and its configuration is not the node's")
	return items
}

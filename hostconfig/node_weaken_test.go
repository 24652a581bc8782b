package hostconfig

import (
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// attempt is one try to weaken a node.
type attempt struct {
	os    OS
	role  Role
	spoil func(*Node)
	text  string
	// control lifts it; empty where nothing does.
	control string
}

func attempts() map[string]attempt {
	flatcar := func(spoil func(*Node), text, control string) attempt {
		return attempt{OSFlatcar, RoleWorker, spoil, text, control}
	}
	local := func(spoil func(*Node), text string) attempt {
		return attempt{OSHost, RoleWorker, spoil, text, ""}
	}
	control := func(spoil func(*ControlPlaneSettings), text, control string) attempt {
		return attempt{OSHost, RoleControlPlane, func(n *Node) { spoil(n.ControlPlane) }, text, control}
	}
	eks := func(spoil func(*Node), text string) attempt {
		return attempt{OSBottlerocket, RoleWorker, spoil, text, ""}
	}
	unit := systemd.Service{Name: "hello.service", Description: "Say hello", Type: systemd.TypeOneshot, Start: []systemd.Command{{"/usr/bin/true"}}}
	return map[string]attempt{
		`sysctls["kernel.kptr_restrict"]`:              flatcar(func(n *Node) { n.Sysctls = map[string]string{"kernel.kptr_restrict": "0"} }, "locked", ControlSysctls),
		`sysctls["net.ipv4.conf.eth0.send_redirects"]`: flatcar(func(n *Node) { n.Sysctls = map[string]string{"net.ipv4.conf.eth0.send_redirects": "1"} }, "locked", ControlSysctls),
		`sysctls["vm.overcommit_memory"]`:              flatcar(func(n *Node) { n.Sysctls = map[string]string{"vm.overcommit_memory": "0"} }, "locked", ControlSysctls),
		`sysctls["net/ipv4/ip_forward"]`:               flatcar(func(n *Node) { n.Sysctls = map[string]string{"net/ipv4/ip_forward": "0"} }, "not a kernel setting", ""),
		"modules.load[0]":                              flatcar(func(n *Node) { n.Modules.Load = []string{"usb-storage"} }, "denied", ControlModules),
		"modules.deny[0]":                              flatcar(func(n *Node) { n.Modules = Modules{[]string{"ip_vs"}, []string{"ip-vs"}} }, "too", ""),
		"units[0].sandbox.open": flatcar(func(n *Node) {
			unit.Sandbox.Open = true
			n.Units = []systemd.Service{unit}
		}, "no sandbox", ControlUnits),
		"files[0].mode":        flatcar(func(n *Node) { n.Files = []File{{Path: "/srv/a", Mode: 0o4755}} }, "not a mode", ""),
		"files[0].path":        flatcar(func(n *Node) { n.Files = []File{{Path: "/srv/../etc/passwd", Mode: 0o644}} }, "clean", ""),
		"dataDisk.pcrs[0]":     flatcar(func(n *Node) { n.DataDisk = &DataDisk{Device: "/dev/sdb", PCRs: []int{24}} }, "register", ""),
		"dataDisk.device":      flatcar(func(n *Node) { n.DataDisk = &DataDisk{Device: "/dev/../etc"} }, "device", ""),
		"kubelet.cgroupDriver": flatcar(func(n *Node) { n.Kubelet.CgroupDriver = "cgroupfs" }, "decided by os", ""),
		"timeServers[0]":       flatcar(func(n *Node) { n.TimeServers = []string{"a b"} }, "neither", ""),
		"updates.strategy":     flatcar(func(n *Node) { n.Updates.Strategy = UpdateLocked }, "no strategy of flatcar", ""),
		"kubernetesVersion":    local(func(n *Node) { n.KubernetesVersion = "v1.20.0" }, "v1.20"),
		"address":              local(func(n *Node) { n.Address = "0.0.0.0" }, "no address at which"),
		"podCIDR":              local(func(n *Node) { n.PodCIDR = "10.90.0.0/24" }, "cluster.podCIDRs"),
		"labels[\"node-role.kubernetes.io/control-plane\"]": local(func(n *Node) { n.Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""} }, "NodeRestriction"),
		"taints[0]":            local(func(n *Node) { n.Taints = []string{"a"} }, "taint"),
		"registries.endpoint":  local(func(n *Node) { n.Registries.Endpoint = "http://registry.example.org" }, "plaintext"),
		"sandboxImage":         local(func(n *Node) { n.SandboxImage = "registry.k8s.io/pause:latest" }, "one image"),
		"paths.root":           local(func(n *Node) { n.Paths.Root = "relative" }, "absolute"),
		"interfaces.node":      local(func(n *Node) { n.Interfaces.Node = "lo" }, "loopback"),
		"cluster.endpoint":     local(func(n *Node) { n.Cluster.Endpoint = "http://10.80.0.10" }, "https"),
		"cluster.operators[0]": local(func(n *Node) { n.Cluster.Operators = []string{"0.0.0.0/0"} }, "open to the world"),
		`kubelet.extra["authorization"]`: {OSHost, RoleWorker, func(n *Node) {
			n.Kubelet.Extra = map[string]any{"authorization": map[string]any{"mode": "AlwaysAllow"}}
		}, "CIS-4.2.2", "CIS-4.2.2"},
		`kubelet.extra["readOnlyPort"]`: {OSHost, RoleWorker, func(n *Node) { n.Kubelet.Extra = map[string]any{"readOnlyPort": 10255} }, "CIS-4.2.4", "CIS-4.2.4"},
		`kubelet.extra["address"]`:      local(func(n *Node) { n.Kubelet.Extra = map[string]any{"address": "0.0.0.0"} }, "set address instead"),
		`kubelet.extra["port"]`:         local(func(n *Node) { n.Kubelet.Extra = map[string]any{"port": 1} }, "set cluster.ports.kubelet instead"),
		`kubelet.extra["maxPods"]`: local(func(n *Node) {
			n.Kubelet.MaxPods, n.Kubelet.Extra = 20, map[string]any{"maxPods": 500}
		}, "kubelet.maxPods"),
		`kubelet.evictionHard["memory.available"]`:     local(func(n *Node) { n.Kubelet.EvictionHard = map[string]string{"memory.available": "0%"} }, "share"),
		`kubelet.kubeReserved["gpu"]`:                  local(func(n *Node) { n.Kubelet.KubeReserved = map[string]string{"gpu": "1"} }, "reserved"),
		`kubelet.systemReserved["cpu"]`:                local(func(n *Node) { n.Kubelet.SystemReserved = map[string]string{"cpu": "1e-999999999"} }, "quantity"),
		`runtime.extra["disable_apparmor"]`:            {OSFlatcar, RoleWorker, func(n *Node) { n.Runtime.Extra = map[string]any{"disable_apparmor": true} }, "M16/runtime-privileges", "M16/runtime-privileges"},
		`runtime.extra["unset_seccomp_profile"]`:       {OSHost, RoleWorker, func(n *Node) { n.Runtime.Extra = map[string]any{"unset_seccomp_profile": ""} }, "CIS-4.2.14", "CIS-4.2.14"},
		`runtime.extra["enable_selinux"]`:              flatcar(func(n *Node) { n.Runtime.Extra = map[string]any{"enable_selinux": false} }, "set runtime.selinux instead", ""),
		`runtime.extra["use_local_image_pull"]`:        local(func(n *Node) { n.Runtime.Extra = map[string]any{"use_local_image_pull": true} }, "containerd 1.6 does not know it"),
		"runtime.containerdVersion":                    local(func(n *Node) { n.Runtime.ContainerdVersion = "1.5" }, "not a supported line"),
		"runtime.gVisorPlatform":                       flatcar(func(n *Node) { n.RuntimeClasses, n.Runtime.GVisorPlatform = []string{"gvisor"}, "ptrace" }, "not a platform of gVisor", ""),
		"runtime.kataConfig":                           flatcar(func(n *Node) { n.RuntimeClasses, n.Runtime.KataConfig = []string{"kata"}, "/opt/../etc/k.toml" }, "clean absolute path", ""),
		"controlPlane.podSecurity.enforce":             control(func(c *ControlPlaneSettings) { c.PodSecurity.Enforce = "privileged" }, "M22", "M22"),
		"controlPlane.podSecurity.exemptNamespaces[0]": control(func(c *ControlPlaneSettings) { c.PodSecurity.ExemptNamespaces = []string{"default"} }, "M22", "M22"),
		"controlPlane.audit.maxAgeDays":                control(func(c *ControlPlaneSettings) { c.Audit.MaxAgeDays = 1 }, "", ""),
		"controlPlane.encryption.provider":             control(func(c *ControlPlaneSettings) { c.Encryption.Provider = "identity" }, "", ""),
		"controlPlane.certificates.clientValidity":     control(func(c *ControlPlaneSettings) { c.Certificates.ClientValidity.Duration = 48 * time.Hour }, "M34", ""),
		"controlPlane.oidc[0].url":                     control(func(c *ControlPlaneSettings) { c.OIDC = []OIDCIssuer{{URL: "http://i", Audiences: []string{"a"}}} }, "https", ""),
		"controlPlane.eventRateLimit.server.qps":       control(func(c *ControlPlaneSettings) { c.EventRateLimit.Server.QPS = 1 << 30 }, "CIS-1.2.9", ""),
		`controlPlane.extraArgs["kube-apiserver"]["profiling"]`: control(func(c *ControlPlaneSettings) {
			c.ExtraArgs = map[string]map[string]string{"kube-apiserver": {"profiling": "true"}}
		}, "CIS-1.2.15", "CIS-1.2.15"),
		"proxy.https":       eks(func(n *Node) { n.Proxy.HTTPS = "https://user:secret@proxy" }, "without user"),
		"updates.version":   eks(func(n *Node) { n.Updates = Updates{Strategy: UpdateLocked, Version: "latest"} }, "one version"),
		"imageVerification": eks(func(n *Node) { n.ImageVerification = &ImageVerification{} }, "no policy"),
		"registries.trustedCertificates": eks(func(n *Node) {
			n.Registries.TrustedCertificates = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"
		}, "private key"),
		"registries.allowed[0].mirrors[0].url": eks(func(n *Node) {
			n.Registries.Allowed = []Registry{{Name: "docker.io", Mirrors: []Mirror{{URL: "http://mirror.example.org"}}}}
		}, "plaintext"),
		"registries.allowed[0]": eks(func(n *Node) {
			n.Registries.Allowed = []Registry{{Name: "docker.io", MirrorsOnly: true, Mirrors: []Mirror{{URL: "https://mirror.example.org"}}}}
		}, "no effect on bottlerocket"),
		"registries.credentialProviders[0]": eks(func(n *Node) {
			n.Registries.CredentialProviders = []CredentialProvider{GCRCredentialProvider()}
		}, "no effect on bottlerocket"),
		"registries.credentialProviders[0].cacheDuration": eks(func(n *Node) {
			n.Registries.CredentialProviders = []CredentialProvider{{Name: "p", MatchImages: []string{"a"}, CacheDuration: durationOf(48 * time.Hour)}}
		}, "M34"),
		"role": eks(func(n *Node) { n.Role = RoleControlPlane }, "no Bottlerocket variant"),
		// A setting without effect would be believed to protect.
		"files":             eks(func(n *Node) { n.Files = []File{{Path: "/srv/a", Mode: 0o644}} }, "no effect on bottlerocket"),
		"dataDisk":          eks(func(n *Node) { n.DataDisk = &DataDisk{Device: "/dev/sdb"} }, ""),
		"sysctls":           local(func(n *Node) { n.Sysctls = map[string]string{"vm.max_map_count": "1"} }, "no effect on host"),
		"controlPlane.sans": local(func(n *Node) { n.ControlPlane = &ControlPlaneSettings{SANs: []string{"a"}} }, "no effect on a worker"),
	}
}

func TestNodeWeakening(t *testing.T) {
	for field, a := range attempts() {
		n := nodeOf(t, a.os, a.role)
		a.spoil(&n)
		err := n.Validate(now)
		if field == "dataDisk" {
			field = "dataDisk.device"
			a.text = "no effect"
		}
		refused(t, err, field, a.text)
		if a.control == "" {
			continue
		}
		n.Exceptions = []Exception{accept(a.control)}
		if err := n.Validate(now); err != nil {
			t.Errorf("%s: the exception for %s lifts nothing: %v", field, a.control, err)
		}
		if err := n.Validate(now.AddDate(1, 0, 0)); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("%s: an expired exception still counts: %v", field, err)
		}
		n.Exceptions = []Exception{accept("M09")}
		refused(t, n.Validate(now), field, a.text)
	}
}

// Everything is reported at once, in one order, each once and under Node's names.
func TestNodeReportsEverythingAtOnce(t *testing.T) {
	n := nodeOf(t, OSHost, RoleWorker)
	n.Cluster.Name, n.Address, n.Labels = "A", "nowhere", map[string]string{"a b": ""}
	n.Cluster.PodCIDRs, n.Registries.Endpoint = []string{"10.81.0.1/16"}, "ftp://x"
	n.Kubelet.Extra = map[string]any{"readOnlyPort": 1, "address": "x"}
	n.Exceptions = []Exception{{Control: "x"}}
	err := n.Validate(now)
	for _, field := range []string{"cluster.name", "address", `labels["a b"]`, "cluster.podCIDRs[0]", "registries.endpoint",
		`kubelet.extra["readOnlyPort"]`, `kubelet.extra["address"]`, "exceptions[0].control", "exceptions[0].reason", "exceptions[0].expires"} {
		refused(t, err, field, "")
	}
	seen := map[string]bool{}
	for _, each := range fieldErrors(err) {
		if seen[each.Error()] {
			t.Errorf("reported twice: %v", each)
		}
		seen[each.Error()] = true
		for _, foreign := range []string{"clusterName", "nodeIP", "clusterPodCIDR", "extraKubelet", "registryEndpoint", "advertiseAddress"} {
			if strings.Contains(each.Error(), foreign) {
				t.Errorf("%s is no field of a node: %v", foreign, each)
			}
		}
	}
	if again := n.Validate(now); again.Error() != err.Error() {
		t.Errorf("two runs differ:\n%v\n%v", err, again)
	}
}

// What no derived specification judges for Bottlerocket, the node judges itself.
func TestNodeJudgesWhatNothingIsDerivedFrom(t *testing.T) {
	n := nodeOf(t, OSBottlerocket, RoleWorker)
	n.KubernetesVersion, n.Taints, n.Labels = "v1.20.0", []string{"a"}, map[string]string{"a b": ""}
	n.Exceptions = []Exception{{Control: "M22", Reason: "accepted by the owner", Expires: "2020-01-01"}}
	err := n.Validate(now)
	for _, field := range []string{"kubernetesVersion", "taints[0]", `labels["a b"]`, "exceptions[0].expires"} {
		refused(t, err, field, "")
	}
}

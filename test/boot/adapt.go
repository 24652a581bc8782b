package boot

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// kernelSettings are those of the host's kernel that the kubelet checks with
// protectKernelDefaults, which a Flatcar machine sets itself, and a limit for each
// user, of which all machines here have one: containerd without a watch on its
// network's configuration runs no pods.
var kernelSettings = map[string]string{"vm.overcommit_memory": "1", "kernel.panic": "10", "kernel.panic_on_oops": "1", "fs.inotify.max_user_instances": ">=8192"}

// adaptation changes one file of a machine's root after Ignition has written it.
type adaptation struct {
	path    string // may be a pattern
	pattern *regexp.Regexp
	replace string
	why     string
}

// adaptations are all changes to what Ignition wrote. Each stands for something
// that a Flatcar machine has and this host has not.
var adaptations = []adaptation{
	{"/etc/kubernetes/kubelet.yaml", regexp.MustCompile(`(?m)\A`), "failCgroupV1: false\n", "the host's cgroups are of version 1"},
	{"/etc/kubernetes/kubeadm*.yaml", regexp.MustCompile(`(?m)^kind: KubeletConfiguration$`), "kind: KubeletConfiguration\nfailCgroupV1: false", "the host's cgroups are of version 1"},
	{"/etc/kubernetes/kubeadm*.yaml", regexp.MustCompile(`(?m)^nodeRegistration:$`), "nodeRegistration:\n  ignorePreflightErrors:\n  - SystemVerification", "kubeadm takes no cgroups of version 1"},
	{"/etc/kubernetes/kube*.yaml", regexp.MustCompile(`(?m)^( *)(nodefs|imagefs)\.available: .*$`), "${1}${2}.available: 512Mi", "the disk is shared: a share of it says nothing about the machine"},
	{"/etc/kubernetes/kube*.yaml", regexp.MustCompile(`(?m)^imageGCHighThresholdPercent: .*$`), "imageGCHighThresholdPercent: 100", "as above"},
	{"/etc/kubernetes/kube*.yaml", regexp.MustCompile(`(?m)^imageGCLowThresholdPercent: .*$`), "imageGCLowThresholdPercent: 99", "as above"},
	{"/etc/kubernetes/kubeadm*.yaml", regexp.MustCompile(`(?m)^kind: KubeProxyConfiguration$`), "kind: KubeProxyConfiguration\nconntrack:\n  maxPerCore: 0\n  min: 0", "the size of the connection table is the host kernel's"},
	{"/etc/containerd/config.toml", regexp.MustCompile(`restrict_oom_score_adj = false`), "restrict_oom_score_adj = true", "CAP_SYS_RESOURCE may be withheld"},
	{"/etc/containerd/config.toml", regexp.MustCompile(`enable_selinux = true`), "enable_selinux = false", "the host has no SELinux policy"},
}

// adapt makes those changes. Where the cluster's network plugin would write its
// configuration later, through the API, the bridge's takes its place.
func (m *running) adapt() error {
	for _, a := range adaptations {
		names, err := filepath.Glob(m.root(a.path))
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := a.apply(name); err != nil {
				return err
			}
		}
	}
	written, err := filepath.Glob(m.root("etc/cni/net.d/*"))
	if err != nil || len(written) > 0 || m.PodCIDR == "" {
		return err
	}
	bridge, err := m.podBridge()
	if err != nil {
		return err
	}
	return writeFile(m.root("etc/cni/net.d/10-bridge.conflist"), fmt.Sprintf(bareNetwork, bridge, m.PodCIDR), 0o600)
}

// podPattern is how the machine's firewall knows the interfaces of a plugin's pods.
var podPattern = regexp.MustCompile(`iifname "(cali|lxc)\*"`)

// podBridge names the bridge as the plugin names the interfaces of pods, so that the
// machine's firewall takes what comes from it for what it is.
func (m *running) podBridge() (string, error) {
	rules, err := os.ReadFile(m.root("etc/nftables/redoubt.nft"))
	if err != nil {
		return "", err
	}
	if match := podPattern.FindSubmatch(rules); match != nil {
		return string(match[1]) + "bridge0", nil
	}
	return hostconfig.PodBridge, nil
}

func (a adaptation) apply(name string) error {
	contents, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, a.pattern.ReplaceAll(contents, []byte(a.replace)), 0o600)
}

package boot

import (
	"os"
	"path/filepath"
	"regexp"
)

// kernelSettings are those of the host's kernel that the kubelet checks with
// protectKernelDefaults. A Flatcar machine sets them itself.
var kernelSettings = map[string]string{"vm.overcommit_memory": "1", "kernel.panic": "10", "kernel.panic_on_oops": "1"}

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
	{"/etc/containerd/config.toml", regexp.MustCompile(`restrict_oom_score_adj = false`), "restrict_oom_score_adj = true", "CAP_SYS_RESOURCE may be withheld"},
	{"/etc/containerd/config.toml", regexp.MustCompile(`enable_selinux = true`), "enable_selinux = false", "the host has no SELinux policy"},
}

// adapt makes those changes.
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
	return nil
}

func (a adaptation) apply(name string) error {
	contents, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, a.pattern.ReplaceAll(contents, []byte(a.replace)), 0o600)
}

package flatcar

import (
	"fmt"
	"path"
	"sort"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Paths that this package decides.
const (
	// kubeadmPath holds the kubeadm document until it has been used.
	kubeadmPath = "/etc/kubernetes/kubeadm.yaml"
	// kubeletConfigPath is not the path that kubeadm writes from the cluster's
	// ConfigMap: the machine's own configuration is the only one that is read.
	kubeletConfigPath = "/etc/kubernetes/kubelet.yaml"
	manifestsPath     = "/etc/kubernetes/manifests"
	nftablesPath      = "/etc/nftables/redoubt.nft"
	statePath         = "/var/lib/redoubt"
	auditRulesPath    = "/etc/audit/rules.d/99-default.rules"
	updatePath        = "/etc/flatcar/update.conf"
	timePath          = "/etc/systemd/timesyncd.conf.d/90-redoubt.conf"
)

// timeServers are the platforms' own, reached without leaving the network:
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configure-ec2-ntp.html
// https://cloud.google.com/compute/docs/instances/configure-ntp
var timeServers = map[Platform][]string{
	PlatformAWS: {"169.254.169.123"},
	PlatformGCP: {"metadata.google.internal"},
}

func publicFile(name, contents string) hostconfig.File {
	return hostconfig.File{Path: name, Mode: 0o644, Owner: "root", Contents: contents}
}

func privateFile(name, contents string) hostconfig.File {
	return hostconfig.File{Path: name, Mode: 0o600, Owner: "root", Contents: contents}
}

// files gives every file of the machine, sorted by path.
func (s Spec) files() ([]hostconfig.File, error) {
	files, err := s.nodeFiles()
	if err != nil {
		return nil, err
	}
	ruleset, err := hostconfig.Nftables(s.Firewall)
	if err != nil {
		return nil, err
	}
	kubeadm := privateFile(kubeadmPath, s.Kubeadm.Configuration)
	kubeadm.Secret = true
	files = append(files, kubeadm, privateFile(nftablesPath, ruleset), s.auditFile(), s.updateFile(), s.sysctlFile())
	files = append(files, publicFile(timePath, "[Time]\nNTP="+strings.Join(s.TimeServers, " ")+"\nFallbackNTP=\n"))
	files = append(files, s.moduleFiles()...)
	files = append(files, s.Kubeadm.Files...)
	files = append(files, s.Files...)
	if s.Platform == PlatformMetal {
		files = append(files, publicFile("/etc/hostname", s.Node.Name+"\n"))
	}
	if s.DataDisk != nil {
		files = append(files, s.enrolScript())
	}
	sort.SliceStable(files, func(i, j int) bool { return files[i].Path < files[j].Path })
	return files, nil
}

// nodeFiles takes the kubelet's and the runtime's files from hostconfig.
func (s Spec) nodeFiles() ([]hostconfig.File, error) {
	node := s.node()
	rendered, err := node.Files()
	if err != nil {
		return nil, err
	}
	var files []hostconfig.File
	for _, file := range rendered {
		switch {
		case file.Path == node.Paths.KubeletConfig():
			if file, err = s.kubeletFile(file); err != nil {
				return nil, err
			}
		case path.Dir(file.Path) == node.Paths.CNIConfig() && !s.BridgeNetwork:
			continue
		}
		files = append(files, file)
	}
	return files, nil
}

// kubeletFile adds what kubeadm needs on a control plane: the directory of the
// static pods, which no worker has.
func (s Spec) kubeletFile(file hostconfig.File) (hostconfig.File, error) {
	file.Path = kubeletConfigPath
	if s.Role != hostconfig.RoleControlPlane {
		return file, nil
	}
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(file.Contents), &fields); err != nil {
		return file, fmt.Errorf("kubelet configuration: %w", err)
	}
	fields["staticPodPath"] = manifestsPath
	contents, err := yaml.Marshal(fields)
	if err != nil {
		return file, fmt.Errorf("kubelet configuration: %w", err)
	}
	file.Contents = string(contents)
	return file, nil
}

// updateFile: SERVER=disabled stops update-engine from asking, even if something
// started it. Mode 0644: update-engine and locksmithd read it as other users.
// https://www.flatcar.org/docs/latest/setup/releases/update-strategies/
func (s Spec) updateFile() hostconfig.File {
	contents := "REBOOT_STRATEGY=off\n"
	if s.Updates == UpdateReplace {
		contents += "SERVER=disabled\n"
	}
	return publicFile(updatePath, contents)
}

package flatcar

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Paths that this package decides.
const (
	// kubeadmPath holds the kubeadm document until it has been used, renewalPath
	// what certificates are renewed by.
	kubeadmPath = "/etc/kubernetes/kubeadm.yaml"
	renewalPath = "/etc/kubernetes/kubeadm-renewal.yaml"
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

func publicFile(name, contents string) hostconfig.File {
	return hostconfig.File{Path: name, Mode: 0o644, Owner: "root", Contents: contents}
}

func privateFile(name, contents string) hostconfig.File {
	return hostconfig.File{Path: name, Mode: 0o600, Owner: "root", Contents: contents}
}

// withAdditions gives every file of the machine, sorted by path: those of
// ownFiles and the user's.
func (s Spec) withAdditions(own []hostconfig.File) []hostconfig.File {
	files := slices.Concat(own, s.Kubeadm.Files, s.Node.Files)
	sort.SliceStable(files, func(i, j int) bool { return files[i].Path < files[j].Path })
	return files
}

// ownFiles gives every file but those that the user adds.
func (s Spec) ownFiles(now time.Time) ([]hostconfig.File, error) {
	files, err := s.nodeFiles()
	if err != nil {
		return nil, err
	}
	ruleset, err := hostconfig.Nftables(s.Node.HostFirewall())
	if err != nil {
		return nil, err
	}
	joined, err := s.kubeadmFiles(now)
	if err != nil {
		return nil, err
	}
	files = append(files, joined...)
	files = append(files, privateFile(nftablesPath, ruleset), s.auditFile(), s.updateFile(), s.sysctlFile())
	files = append(files, publicFile(timePath, "[Time]\nNTP="+strings.Join(s.Node.TimeServers, " ")+"\nFallbackNTP=\n"))
	files = append(files, s.moduleFiles()...)
	if s.Node.Platform == hostconfig.PlatformMetal {
		files = append(files, publicFile("/etc/hostname", s.Node.Name+"\n"))
	}
	if s.Node.DataDisk != nil {
		files = append(files, s.enrolScript())
	}
	return append(files, s.Parts.Files...), nil
}

// nodeFiles takes the kubelet's and the runtime's files from hostconfig.
func (s Spec) nodeFiles() ([]hostconfig.File, error) {
	node := s.Node.Worker()
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
	if !s.controlPlane() {
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

// kubeadmFiles gives what kubeadm reads: its document, until it has been used,
// and on a control plane what the static pods read and how certificates are renewed.
func (s Spec) kubeadmFiles(now time.Time) ([]hostconfig.File, error) {
	spec, action := s.kubeadm()
	var files []hostconfig.File
	if s.Parts.JoinedMark == "" {
		document, err := spec.Render(action, now)
		if err != nil {
			return nil, err
		}
		files = append(files, document)
		if !s.Kubeadm.Init {
			files = append(files, s.joinScript())
		}
	}
	if !s.controlPlane() {
		return files, nil
	}
	renewal, err := spec.Renewal()
	if err != nil {
		return nil, err
	}
	read, err := spec.Files()
	return append(append(files, renewal, s.renewScript()), read...), err
}

// updateFile: SERVER=disabled stops update-engine from asking, even if something
// started it. Mode 0644: update-engine and locksmithd read it as other users.
// https://www.flatcar.org/docs/latest/setup/releases/update-strategies/
func (s Spec) updateFile() hostconfig.File {
	contents := "REBOOT_STRATEGY=off\n"
	if s.Node.Updates.Strategy == hostconfig.UpdateReplace {
		contents += "SERVER=disabled\n"
	}
	return publicFile(updatePath, contents)
}

package flatcar

import (
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/internal/machine"
	"github.com/redoubt-dev/redoubt/hostconfig/kubeadm"
)

// ButaneVersion is a version of Butane's flatcar variant.
type ButaneVersion string

// Versions, with the Ignition specification that each becomes.
const (
	// Butane11 becomes Ignition 3.4.0. The default.
	Butane11 ButaneVersion = "1.1.0"
	// Butane10 becomes Ignition 3.3.0, for images before Ignition 2.15.
	Butane10 ButaneVersion = "1.0.0"
)

// Architectures, as the names of system extension images have them.
const (
	ArchitectureX86 = "x86-64"
	ArchitectureARM = "arm64"
)

// Spec describes one machine, or a group of machines that learn their names and
// addresses when they boot. The zero value of a field means its hardened
// default, unless the field says that it is required.
type Spec struct {
	// Node is required; its operating system is always Flatcar. Additions to its
	// files and units are judged here, see [Spec.Validate].
	Node hostconfig.Node `json:"node"`
	// ButaneVersion is Butane11 by default.
	ButaneVersion ButaneVersion `json:"butaneVersion,omitempty"`
	// BridgeNetwork writes the host's own network configuration; otherwise the
	// cluster's network agent writes its own. It needs Node.PodCIDR.
	BridgeNetwork bool `json:"bridgeNetwork,omitempty"`
	// Kubernetes is the system extension with kubelet, kubeadm and kubectl. Required.
	Kubernetes Image `json:"kubernetes"`
	// Extensions are further system extensions, for example with the programs of a
	// runtime class.
	Extensions []Extension `json:"extensions,omitempty"`
	// Fetched are files that Ignition fetches in the first boot: secrets that must
	// not be in a configuration, and programs.
	Fetched []Fetched `json:"fetched,omitempty"`
	Kubeadm Kubeadm   `json:"kubeadm"`
	// KernelArguments adds arguments, applied with a reboot in the first boot.
	KernelArguments []string `json:"kernelArguments,omitempty"`
	// AuditRules adds "-w" and "-a always" lines.
	AuditRules []string `json:"auditRules,omitempty"`
	// Parts are what package selfmanaged adds. Nobody else can write a value.
	Parts machine.Parts `json:"-"`
}

// Extension is a system extension image with a name of its own.
type Extension struct {
	// Name is the name under which the image says that it is merged: its file is
	// <name>.raw. Lower-case letters, digits, dots, underscores and dashes. Required.
	Name string `json:"name"`
	// Source is an https, s3 or gs URL that ends in <name>.raw. Required.
	Source string `json:"source"`
	// Hash is "sha512-" or "sha256-" and hexadecimal digits. Required (M26).
	Hash string `json:"hash"`
}

// Fetched is a file that Ignition fetches, with the machine's own role where it
// lies in an object store. Root owns it.
type Fetched = machine.Fetched

// Image is a system extension image.
type Image struct {
	// Source is an https, s3 or gs URL of the file that Name gives. Required.
	Source string `json:"source"`
	// Hash is "sha512-" or "sha256-" and hexadecimal digits. Required: Ignition
	// refuses an image that has another one (M26).
	Hash string `json:"hash"`
	// Architecture is ArchitectureX86 by default.
	Architecture string `json:"architecture,omitempty"`
}

// Kubeadm is what makes the machine a member of its cluster.
type Kubeadm struct {
	// Init says that this is the machine that creates the cluster. It needs the
	// role control-plane. Every other machine joins.
	Init bool `json:"init,omitempty"`
	kubeadm.Settings
	// Files are files below /etc/kubernetes and /var/lib/kubelet that hold keys or
	// credentials, and so are in no specification: the discovery file with which a
	// machine joins, authorities, and the encryption configuration.
	Files []hostconfig.File `json:"files,omitempty"`
}

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (s Spec) WithDefaults() Spec {
	if s.ButaneVersion == "" {
		s.ButaneVersion = Butane11
	}
	if s.Kubernetes.Architecture == "" {
		s.Kubernetes.Architecture = ArchitectureX86
	}
	if s.Node.OS == "" {
		s.Node.OS = hostconfig.OSFlatcar
	}
	joined := kubeadm.Spec{Node: s.Node, Settings: s.Kubeadm.Settings}.WithDefaults()
	s.Node, s.Kubeadm.Settings = joined.Node, joined.Settings
	return s
}

// kubeadm is the machine as kubeadm sees it, with what it is asked to do.
func (s Spec) kubeadm() (kubeadm.Spec, kubeadm.Action) {
	action := kubeadm.JoinWorker
	switch {
	case s.Kubeadm.Init:
		action = kubeadm.Init
	case s.controlPlane():
		action = kubeadm.JoinControlPlane
	}
	return kubeadm.Spec{Node: s.Node, Settings: s.Kubeadm.Settings}, action
}

func (s Spec) controlPlane() bool { return s.Node.Role == hostconfig.RoleControlPlane }

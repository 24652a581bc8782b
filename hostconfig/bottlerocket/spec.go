package bottlerocket

import (
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Group says who starts the nodes.
type Group string

// Groups.
const (
	// ManagedGroup is an EKS managed node group without an image of its own. EKS
	// merges the cluster's name, endpoint, certificate and DNS address, and the
	// group's labels and taints, into the document: it leaves them out.
	ManagedGroup Group = "managed-group"
	// SelfManaged is any other group, or a custom image: the document says how to
	// reach the cluster.
	SelfManaged Group = "self-managed"
)

// Spec describes the nodes of one group. The zero value of a field means its
// hardened default, unless the field says that it is required.
type Spec struct {
	// Node is what nodes of every operating system have. Its os is bottlerocket,
	// its platform aws, its role worker. What Bottlerocket does not have is refused.
	//
	// The registries that it allows are asked through their mirrors, and others
	// still directly: what may be pulled at all, imageVerification says (M26).
	//
	// A managed group's labels and taints are still written here: whoever makes
	// the group hands them on, and the limit of the document counts them.
	Node hostconfig.Node `json:"node"`
	// Group is required. SelfManaged needs the cluster's endpoint, certificate and
	// DNS addresses. With the addresses the node asks the EKS API nothing when it
	// boots, which matters in a VPC without a way out:
	// https://github.com/bottlerocket-os/bottlerocket/issues/3064.
	Group Group `json:"group"`
	// Variant is VariantPlain by default.
	Variant Variant `json:"variant,omitempty"`
	// OSVersion is the image's version, for example "1.66.0". Settings need it
	// that the first images of the minor refuse.
	OSVersion string `json:"osVersion,omitempty"`

	// ControlContainer starts the agent of AWS Systems Manager, the audited way in.
	ControlContainer bool `json:"controlContainer,omitempty"`
	// AdminContainer starts the SSH server (M03). It needs an exception, and so do
	// the three that follow, each one of its own.
	AdminContainer      bool                          `json:"adminContainer,omitempty"`
	HostContainers      map[string]HostContainer      `json:"hostContainers,omitempty"`
	BootstrapContainers map[string]BootstrapContainer `json:"bootstrapContainers,omitempty"`
	BootstrapCommands   map[string]BootstrapCommand   `json:"bootstrapCommands,omitempty"`

	// ImageVerifiers are the policies in JSON of verifiers of your own, by name.
	// The image has no such program, so an essential bootstrap container must
	// install it into /opt/civ/bin: where it is missing, containerd asks nobody.
	ImageVerifiers map[string]string `json:"imageVerifiers,omitempty"`

	// Settings changes any other setting, see [Rules].
	Settings Settings `json:"settings"`
}

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (s Spec) WithDefaults() Spec {
	s.Node = s.Node.WithDefaults()
	return s
}

// minor gives "1.35" for "v1.35.4".
func (s Spec) minor() string {
	version := strings.TrimPrefix(s.Node.KubernetesVersion, "v")
	if i := strings.LastIndexByte(version, '.'); i >= 0 {
		return version[:i]
	}
	return version
}

package bottlerocket

import "github.com/redoubt-dev/redoubt/hostconfig"

// Platform says who starts the node.
type Platform string

// Platforms.
const (
	// ManagedGroup is an EKS managed node group without an image of its own. EKS
	// merges the cluster's name, endpoint, certificate and DNS address, the labels
	// and the taints into the document, so they must not be in it.
	ManagedGroup Platform = "managed-group"
	// SelfManaged is any other group, or a custom image: the document must say
	// how to reach the cluster.
	SelfManaged Platform = "self-managed"
)

// Defaults.
const (
	DefaultKubernetesVersion = "1.35"
	// DefaultTimeServer is Amazon's time service on the link: it is
	// authenticated by the network, and needs no route out.
	// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configure-ec2-ntp.html
	DefaultTimeServer = "169.254.169.123"
)

// Strategy says how the operating system is updated.
type Strategy string

// Strategies.
const (
	// UpdatesOff means that nodes are replaced, never changed in place (M05).
	UpdatesOff Strategy = "off"
	// UpdatesInWaves means in-place updates when the node's wave comes; an update
	// operator in the cluster drains and restarts.
	UpdatesInWaves Strategy = "waves"
	// UpdatesLocked means in-place updates to one version and no other.
	UpdatesLocked Strategy = "locked"
)

// Updates is the update strategy; UpdatesOff by default.
type Updates struct {
	Strategy Strategy `json:"strategy,omitempty"`
	// Seed places the node in the waves; with UpdatesInWaves only. Unset, the node
	// draws one, which spreads a group best.
	Seed *int64 `json:"seed,omitempty"`
	// Version is the one that UpdatesLocked allows, for example "v1.54.0".
	Version string `json:"version,omitempty"`
}

// ImageVerification refuses images on the node, before they are pulled. One of
// the two is enough. Needs OS 1.63.
type ImageVerification struct {
	// NotationTrustPolicy is a trust policy of the Notary Project in JSON.
	NotationTrustPolicy string `json:"notationTrustPolicy,omitempty"`
	// TrustedDigests are the only images that may be pulled, as sha256:<hex>.
	TrustedDigests []string `json:"trustedDigests,omitempty"`
}

// Spec describes the nodes of one group. The zero value of a field means its
// hardened default, unless the field says that it is required.
type Spec struct {
	// Platform is required.
	Platform Platform `json:"platform"`
	// KubernetesVersion is the minor of the variant, DefaultKubernetesVersion by default.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// Variant is VariantPlain by default.
	Variant Variant `json:"variant,omitempty"`
	// OSVersion is the image's version, for example "1.66.0". Settings need it
	// that the first images of the minor refuse.
	OSVersion string `json:"osVersion,omitempty"`

	// ClusterName, APIServer (an https URL), CACertificate (PEM) and ClusterDNS
	// are required for SelfManaged and refused for ManagedGroup. With ClusterDNS
	// the node asks the EKS API nothing at boot, which matters in a VPC without a
	// way out: https://github.com/bottlerocket-os/bottlerocket/issues/3064.
	ClusterName   string   `json:"clusterName,omitempty"`
	APIServer     string   `json:"apiServer,omitempty"`
	CACertificate string   `json:"caCertificate,omitempty"`
	ClusterDNS    []string `json:"clusterDNS,omitempty"`
	// ClusterDomain is cluster.local by default; EKS knows no other.
	ClusterDomain string `json:"clusterDomain,omitempty"`
	// Labels and Taints (key[=value]:Effect) belong on the node group for ManagedGroup.
	Labels map[string]string `json:"labels,omitempty"`
	Taints []string          `json:"taints,omitempty"`

	// KubeReserved and SystemReserved are quantities of cpu, memory,
	// ephemeral-storage and pid. Empty leaves kubeReserved to the operating
	// system, which knows the instance type.
	KubeReserved   map[string]string `json:"kubeReserved,omitempty"`
	SystemReserved map[string]string `json:"systemReserved,omitempty"`
	// MaxPods is the operating system's table of instance types by default.
	MaxPods int64 `json:"maxPods,omitempty"`

	// Sysctls and Modules add to the hardened ones.
	Sysctls map[string]string `json:"sysctls,omitempty"`
	Modules map[string]Module `json:"modules,omitempty"`
	// MaxUserNamespaces is 0 by default (CIS-BR-1.4.4). Pods with hostUsers: false
	// need more: one isolation for another, so it is an explicit choice.
	MaxUserNamespaces int64 `json:"maxUserNamespaces,omitempty"`

	// ControlContainer starts the agent of AWS Systems Manager, the audited way in.
	ControlContainer bool `json:"controlContainer,omitempty"`
	// AdminContainer starts the SSH server (M03); it needs an exception, and so do
	// the three that follow.
	AdminContainer      bool                          `json:"adminContainer,omitempty"`
	HostContainers      map[string]HostContainer      `json:"hostContainers,omitempty"`
	BootstrapContainers map[string]BootstrapContainer `json:"bootstrapContainers,omitempty"`
	BootstrapCommands   map[string]BootstrapCommand   `json:"bootstrapCommands,omitempty"`

	// RegistryMirrors are asked before the registries; https only.
	RegistryMirrors []RegistryMirror `json:"registryMirrors,omitempty"`
	// CredentialProviders give short-lived registry credentials.
	CredentialProviders map[string]CredentialProvider `json:"credentialProviders,omitempty"`
	ImageVerification   *ImageVerification            `json:"imageVerification,omitempty"`
	// ImageVerifiers are the policies in JSON of verifiers of your own, by name.
	// The image has no such program, so an essential bootstrap container must
	// install it into /opt/civ/bin: where it is missing, containerd asks nobody.
	ImageVerifiers map[string]string `json:"imageVerifiers,omitempty"`
	// TrustedCertificates are further authorities that the host trusts, PEM by name.
	TrustedCertificates map[string]string `json:"trustedCertificates,omitempty"`

	// TimeServers is DefaultTimeServer by default.
	TimeServers []string `json:"timeServers,omitempty"`
	Updates     Updates  `json:"updates"`
	// HTTPSProxy is the proxy of the host's programs; NoProxy adds to what must
	// never go through it.
	HTTPSProxy string   `json:"httpsProxy,omitempty"`
	NoProxy    []string `json:"noProxy,omitempty"`

	// Settings changes any other setting, see [Rules].
	Settings Settings `json:"settings"`
	// Exceptions accept the risk of changing a locked setting.
	Exceptions []hostconfig.Exception `json:"exceptions,omitempty"`
}

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (s Spec) WithDefaults() Spec {
	if s.KubernetesVersion == "" {
		s.KubernetesVersion = DefaultKubernetesVersion
	}
	if len(s.TimeServers) == 0 {
		s.TimeServers = []string{DefaultTimeServer}
	}
	if s.Updates.Strategy == "" {
		s.Updates.Strategy = UpdatesOff
	}
	return s
}

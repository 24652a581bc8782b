package hostconfig

import "github.com/redoubt-dev/redoubt/hostconfig/systemd"

// OS is the operating system of a node.
type OS string

// Operating systems.
const (
	OSBottlerocket OS = "bottlerocket"
	OSFlatcar      OS = "flatcar"
	// OSHost is a machine in namespaces of one host, whose kernel it shares.
	OSHost OS = "host"
)

// Node is the one specification of a node, or of a group of nodes that differ
// in nothing but what they learn when they boot. Every renderer takes what it
// needs from it: [Node.Worker], [Node.ControlPlaneSpec] and [Node.HostFirewall]
// are the parts that the renderers of this package take, and those of an
// operating system add what only that system has.
//
// The zero value of a field means its hardened default, unless the field says
// that it is required. [NodeFields] tells of every field whether and how it can
// be changed, and on which operating systems it exists.
type Node struct {
	// Role, OS and Platform are required.
	Role     Role     `json:"role"`
	OS       OS       `json:"os"`
	Platform Platform `json:"platform"`
	// Name is the node's name, a DNS label. Empty means a group whose machines
	// get their names from the platform.
	Name string `json:"name,omitempty"`
	// KubernetesVersion is the version of every Kubernetes program on the node;
	// DefaultKubernetesVersion by default.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// Cluster is the cluster that the node is part of. Its name is required;
	// Flatcar and local machines need its endpoint and a range of pods too, and a
	// control plane a range of services and its machines.
	Cluster Cluster `json:"cluster"`
	// Address is the node's IPv4 address on the node network. Empty means that
	// the machine learns it when it boots, which AWS and GCP tell it.
	Address string `json:"address,omitempty"`
	// PodCIDR is the range of the node's own pods. Empty means that the cluster's
	// network agent hands out the ranges.
	PodCIDR string `json:"podCIDR,omitempty"`
	// Labels must not be in the namespaces that NodeRestriction reserves.
	Labels map[string]string `json:"labels,omitempty"`
	// Taints have the form key[=value]:Effect.
	Taints  []string `json:"taints,omitempty"`
	Kubelet Kubelet  `json:"kubelet"`
	// SandboxImage is by default the one of the Kubernetes minor, see [SandboxImage].
	SandboxImage string `json:"sandboxImage,omitempty"`
	// RuntimeClasses are sandboxed runtimes besides runc: "gvisor" and "kata".
	RuntimeClasses []string   `json:"runtimeClasses,omitempty"`
	Runtime        Runtime    `json:"runtime"`
	Registries     Registries `json:"registries"`
	// ImageVerification refuses images on the node, before they are pulled. None
	// by default.
	ImageVerification *ImageVerification `json:"imageVerification,omitempty"`
	// Sysctls adds kernel settings, by dotted name; those that a control depends
	// on are locked, see [LockedSysctls].
	Sysctls map[string]string `json:"sysctls,omitempty"`
	Modules Modules           `json:"modules"`
	// Files and Units add to the machine; nothing that a control depends on can
	// be replaced by them. A unit is enabled when it names who wants it.
	Files []File            `json:"files,omitempty"`
	Units []systemd.Service `json:"units,omitempty"`
	// TimeServers are names or IPv4 addresses; those of the platform by default,
	// and on metal required.
	TimeServers []string `json:"timeServers,omitempty"`
	Proxy       Proxy    `json:"proxy"`
	Updates     Updates  `json:"updates"`
	// DataDisk is an encrypted disk for data. None by default.
	DataDisk *DataDisk `json:"dataDisk,omitempty"`
	// Interfaces are those of the host firewall, and Surroundings what it lets the
	// machine reach besides its cluster. The platform in them is the node's own;
	// time servers that have only a name need their ranges there.
	Interfaces   Interfaces   `json:"interfaces"`
	Surroundings Surroundings `json:"surroundings"`
	// Paths is empty but for a local machine without isolation.
	Paths Paths `json:"paths"`
	// ControlPlane is read on control planes; nil means the hardened defaults.
	ControlPlane *ControlPlaneSettings `json:"controlPlane,omitempty"`
	// Exceptions accept the risk of changing a locked setting.
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// PlatformTimeServers gives the time servers of a platform: those of the link on
// AWS and GCP, which the network authenticates and which need no route out. A
// local machine has the clock of its host, and metal has none of its own.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configure-ec2-ntp.html
// https://cloud.google.com/compute/docs/instances/configure-ntp
func PlatformTimeServers(p Platform) []string {
	switch p {
	case PlatformAWS:
		return PlatformRanges(PlatformAWS, TimeServers)[:1] // the IPv4 one
	case PlatformGCP:
		return []string{"metadata.google.internal"}
	}
	return nil
}

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (n Node) WithDefaults() Node {
	setDefault(&n.KubernetesVersion, DefaultKubernetesVersion)
	n.Cluster = n.Cluster.WithDefaults()
	n.Kubelet = n.Kubelet.withDefaults(n.OS)
	if n.OS != OSBottlerocket {
		setDefault(&n.SandboxImage, SandboxImage(n.KubernetesVersion))
	}
	if len(n.TimeServers) == 0 {
		n.TimeServers = PlatformTimeServers(n.Platform)
	}
	setDefault(&n.Updates.Strategy, UpdateReplace)
	if n.OS != OSBottlerocket {
		n.Interfaces = n.Interfaces.withDefaults(n.Platform, n.Surroundings.Network)
	}
	if n.DataDisk != nil {
		disk := n.DataDisk.withDefaults(n.Role, n.Paths)
		n.DataDisk = &disk
	}
	if n.Role == RoleControlPlane {
		var settings ControlPlaneSettings
		if n.ControlPlane != nil {
			settings = *n.ControlPlane
		}
		settings = settings.withDefaults(minor(n.KubernetesVersion))
		n.ControlPlane = &settings
	}
	return n
}

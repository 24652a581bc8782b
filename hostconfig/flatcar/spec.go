package flatcar

import (
	"slices"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// Platform is where the machine runs.
type Platform string

// Platforms.
const (
	PlatformAWS   Platform = "aws"
	PlatformGCP   Platform = "gcp"
	PlatformMetal Platform = "metal"
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

// UpdateStrategy says how a machine gets a newer operating system (M05).
type UpdateStrategy string

// Update strategies.
const (
	// UpdateReplace never changes a running machine: a new image makes a new
	// machine. The default.
	UpdateReplace UpdateStrategy = "replace"
	// UpdateInPlace lets update-engine write the other partition; the reboot is
	// left to a coordinator in the cluster, for example kured.
	UpdateInPlace UpdateStrategy = "in-place"
)

// Architectures, as the names of system extension images have them.
const (
	ArchitectureX86 = "x86-64"
	ArchitectureARM = "arm64"
)

// Spec describes one machine. The zero value of a field means its hardened
// default, unless the field says that it is required.
type Spec struct {
	// Role and Platform are required.
	Role     hostconfig.Role `json:"role"`
	Platform Platform        `json:"platform"`
	// ButaneVersion is Butane11 by default.
	ButaneVersion ButaneVersion `json:"butaneVersion,omitempty"`
	// Node is the kubelet and the container runtime, on a control plane too.
	// The cgroup driver is always systemd. On AWS and GCP an empty NodeIP means
	// the address that the metadata service gives when the machine boots. An
	// empty PodCIDR means that the cluster's network agent hands out the ranges.
	// Paths must be empty: a machine has the standard paths.
	Node hostconfig.Worker `json:"node"`
	// BridgeNetwork writes the host's own network configuration; otherwise the
	// cluster's network agent writes its own. It needs Node.PodCIDR.
	BridgeNetwork bool `json:"bridgeNetwork,omitempty"`
	// Firewall holds the machines and operators. Its role, ports and pod range
	// are taken from the fields above.
	Firewall hostconfig.Firewall `json:"firewall"`
	// Kubernetes is the system extension with kubelet, kubeadm and kubectl. Required.
	Kubernetes Image   `json:"kubernetes"`
	Kubeadm    Kubeadm `json:"kubeadm"`
	// Updates is UpdateReplace by default.
	Updates UpdateStrategy `json:"updates,omitempty"`
	// TimeServers are names or addresses; the platform's own by default, and on
	// metal required.
	TimeServers []string `json:"timeServers,omitempty"`
	// DataDisk is an encrypted disk. None by default.
	DataDisk *DataDisk `json:"dataDisk,omitempty"`

	// Files adds files. A path that a control depends on is protected (M03).
	Files []hostconfig.File `json:"files,omitempty"`
	// Units adds services; each is enabled when it names who wants it.
	Units []systemd.Service `json:"units,omitempty"`
	// Sysctls adds kernel settings, by dotted name.
	Sysctls map[string]string `json:"sysctls,omitempty"`
	// LoadModules loads kernel modules; DenyModules refuses further ones.
	LoadModules []string `json:"loadModules,omitempty"`
	DenyModules []string `json:"denyModules,omitempty"`
	// KernelArguments adds arguments, applied with a reboot in the first boot.
	KernelArguments []string `json:"kernelArguments,omitempty"`
	// AuditRules adds "-w" and "-a always" lines.
	AuditRules []string `json:"auditRules,omitempty"`
	// Exceptions accept the risk of weakening a control, of the kubelet's too.
	Exceptions []hostconfig.Exception `json:"exceptions,omitempty"`
}

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
	// Configuration is the kubeadm document: InitConfiguration with
	// ClusterConfiguration, or JoinConfiguration. Required. It is removed from the
	// machine once it has been used, for it can hold a token (M34).
	Configuration string `json:"configuration"`
	// Files are further files below /etc/kubernetes and /var/lib/kubelet: audit
	// policy, admission, authentication, as [hostconfig.ControlPlane.Files] gives them.
	Files []hostconfig.File `json:"files,omitempty"`
}

// DataDisk is a LUKS volume bound to the machine's TPM (M18). Nothing else opens
// it: a machine that is replaced takes its data from other members or a backup.
type DataDisk struct {
	// Device is a whole disk below /dev/disk or /dev. Everything on it is lost.
	Device string `json:"device"`
	// Path is where it is mounted: /var/lib/etcd on a control plane and
	// /var/lib/containerd on a worker by default.
	Path string `json:"path,omitempty"`
	// PCRs are the registers that the key is bound to; 7, the state of Secure
	// Boot, by default. Registers that a new kernel changes need re-enrolment.
	PCRs []int `json:"pcrs,omitempty"`
}

// addressFromMetadata stands in for the address of a machine that learns its
// own when it boots. It is of RFC 5737's range for documentation, which no
// machine has: a kubelet that never learns its own cannot listen, and stops.
const addressFromMetadata = "192.0.2.1"

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (s Spec) WithDefaults() Spec {
	set(&s.ButaneVersion, Butane11)
	set(&s.Updates, UpdateReplace)
	set(&s.Kubernetes.Architecture, ArchitectureX86)
	// systemd is PID 1 on Flatcar, and two managers of one cgroup tree collide:
	// https://kubernetes.io/docs/setup/production-environment/container-runtimes/#systemd-cgroup-driver
	s.Node.CgroupDriver = "systemd"
	// Stable ships 2.x since 4230: flatcar/scripts, portage-stable/app-containers/containerd.
	s.Node.ContainerdVersion = hostconfig.Containerd2
	// The stub of systemd-resolved would loop when a pod inherits it.
	set(&s.Node.ResolvConf, "/run/systemd/resolve/resolv.conf")
	if len(s.Node.Exceptions) == 0 {
		s.Node.Exceptions = s.Exceptions
	}
	s.Node = s.Node.WithDefaults()
	s.Firewall.Role, s.Firewall.Ports, s.Firewall.PodCIDR = s.Role, s.Node.Ports, s.Node.ClusterPodCIDR
	s.Firewall = s.Firewall.WithDefaults()
	if len(s.TimeServers) == 0 {
		s.TimeServers = slices.Clone(timeServers[s.Platform])
	}
	if s.DataDisk != nil {
		disk := *s.DataDisk
		if s.Role == hostconfig.RoleControlPlane {
			set(&disk.Path, s.Node.Paths.EtcdData())
		} else {
			set(&disk.Path, s.Node.Paths.ContainerdRoot())
		}
		if len(disk.PCRs) == 0 {
			disk.PCRs = []int{7}
		}
		s.DataDisk = &disk
	}
	return s
}

// learnsAddress tells whether the machine asks for its own address at boot.
func (s Spec) learnsAddress() bool { return s.Node.NodeIP == "" && metadata[s.Platform] != "" }

// node is the worker as hostconfig renders it, with stand-ins for what the
// machine learns later.
func (s Spec) node() hostconfig.Worker {
	node := s.Node
	if s.learnsAddress() {
		node.NodeIP = addressFromMetadata
	}
	if node.PodCIDR == "" && !s.BridgeNetwork {
		node.PodCIDR = node.ClusterPodCIDR
	}
	return node
}

func set[T comparable](field *T, value T) {
	var empty T
	if *field == empty {
		*field = value
	}
}

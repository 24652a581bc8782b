package hostconfig

import (
	"slices"
)

// Kubelet is what a node's kubelet has of its own. What it does not say is
// hardened the same on every node.
type Kubelet struct {
	// KubeReserved and SystemReserved are quantities of cpu, memory,
	// ephemeral-storage and pid that pods do not get. Empty means the defaults of
	// the renderer; Bottlerocket derives kubeReserved from the instance type.
	KubeReserved   map[string]string `json:"kubeReserved,omitempty"`
	SystemReserved map[string]string `json:"systemReserved,omitempty"`
	// EvictionHard adds thresholds by signal, as quantities or percentages.
	EvictionHard map[string]string `json:"evictionHard,omitempty"`
	// MaxPods is 110 by default; on Bottlerocket the table of instance types.
	MaxPods int64 `json:"maxPods,omitempty"`
	// ResolvConf is the resolver file that pods without cluster DNS inherit. On
	// Flatcar that of systemd-resolved by default, elsewhere none.
	ResolvConf string `json:"resolvConf,omitempty"`
	// CgroupRoot is the cgroup below which the kubelet makes pods; "/" by default.
	CgroupRoot string `json:"cgroupRoot,omitempty"`
	// CgroupDriver is "systemd" on Flatcar, where systemd is PID 1, and
	// "cgroupfs" on a local machine.
	CgroupDriver string `json:"cgroupDriver,omitempty"`
	// CgroupV1 says that the machine has cgroup v1 only.
	CgroupV1 bool `json:"cgroupV1,omitempty"`
	// Swap says that the machine has swap, of which pods still use none.
	Swap bool `json:"swap,omitempty"`
	// RestrictOOMScoreAdj is needed where the machine withholds CAP_SYS_RESOURCE.
	RestrictOOMScoreAdj bool `json:"restrictOOMScoreAdj,omitempty"`
	// Extra changes fields of the KubeletConfiguration, by JSON name. Each field
	// has a merge rule, see [KubeletRules].
	Extra map[string]any `json:"extra,omitempty"`
}

func (k Kubelet) withDefaults(os OS) Kubelet {
	switch os {
	case OSFlatcar:
		// Two managers of one cgroup tree collide:
		// https://kubernetes.io/docs/setup/production-environment/container-runtimes/#systemd-cgroup-driver
		setDefault(&k.CgroupDriver, "systemd")
		// The stub of systemd-resolved would loop when a pod inherits it.
		setDefault(&k.ResolvConf, "/run/systemd/resolve/resolv.conf")
		setDefault(&k.CgroupRoot, "/")
	case OSHost:
		setDefault(&k.CgroupDriver, "cgroupfs")
		setDefault(&k.CgroupRoot, "/")
	}
	return k
}

// Modules are kernel modules, by name.
type Modules struct {
	// Load adds to what is loaded when the machine boots.
	Load []string `json:"load,omitempty"`
	// Deny adds to what is never loaded, see [DeniedModules].
	Deny []string `json:"deny,omitempty"`
}

// ImageVerification refuses images on the node. One of the two is enough.
type ImageVerification struct {
	// NotationTrustPolicy is a trust policy of the Notary Project in JSON.
	NotationTrustPolicy string `json:"notationTrustPolicy,omitempty"`
	// TrustedDigests are the only images that may be pulled, as sha256:<hex>.
	TrustedDigests []string `json:"trustedDigests,omitempty"`
}

// Proxy is what the host's programs go through to reach the outside.
type Proxy struct {
	// HTTPS is the URL of the proxy. None by default.
	HTTPS string `json:"https,omitempty"`
	// NoProxy adds to what must never go through it.
	NoProxy []string `json:"noProxy,omitempty"`
}

// UpdateStrategy says how a node gets a newer operating system (M05).
type UpdateStrategy string

// Update strategies.
const (
	// UpdateReplace never changes a running machine: a new image makes a new
	// machine. The default.
	UpdateReplace UpdateStrategy = "replace"
	// UpdateInPlace writes the other partition; the restart is left to a
	// coordinator in the cluster, which drains the node.
	UpdateInPlace UpdateStrategy = "in-place"
	// UpdateLocked is UpdateInPlace to one version and no other.
	UpdateLocked UpdateStrategy = "locked"
)

// Updates is how the operating system is updated.
type Updates struct {
	// Strategy is UpdateReplace by default.
	Strategy UpdateStrategy `json:"strategy,omitempty"`
	// Seed places the node in the waves of a release; with UpdateInPlace only.
	// Unset, the node draws one, which spreads a group best.
	Seed *int64 `json:"seed,omitempty"`
	// Version is the one that UpdateLocked allows, for example "v1.54.0".
	Version string `json:"version,omitempty"`
}

// DataDisk is a LUKS volume bound to the machine's TPM (M18). Nothing else opens
// it: a machine that is replaced takes its data from other members or a backup.
type DataDisk struct {
	// Device is a whole disk below /dev. Required. Everything on it is lost.
	Device string `json:"device"`
	// Path is where it is mounted: /var/lib/etcd on a control plane and
	// /var/lib/containerd on a worker by default.
	Path string `json:"path,omitempty"`
	// PCRs are the registers that the key is bound to; 7, the state of Secure
	// Boot, by default. Registers that a new kernel changes need re-enrolment.
	PCRs []int `json:"pcrs,omitempty"`
}

func (d DataDisk) withDefaults(role Role, paths Paths) DataDisk {
	if role == RoleControlPlane {
		setDefault(&d.Path, paths.EtcdData())
	} else {
		setDefault(&d.Path, paths.ContainerdRoot())
	}
	if len(d.PCRs) == 0 {
		d.PCRs = []int{7}
	}
	return d
}

// Interfaces are the network interfaces that the host firewall knows.
type Interfaces struct {
	// Node faces the node network; "eth0" by default.
	Node string `json:"node,omitempty"`
	// Operator faces the operators on a control plane; on a local machine "op0" by
	// default, elsewhere the node's.
	Operator string `json:"operator,omitempty"`
	// Pod is a worker's bridge of pods; "cni0" by default, unless the network
	// plugin's traffic in the surroundings tells another.
	Pod string `json:"pod,omitempty"`
}

func (i Interfaces) withDefaults(platform Platform, network []NetworkTraffic) Interfaces {
	f := Firewall{NodeInterface: i.Node, OperatorInterface: i.Operator, PodInterface: i.Pod,
		Surroundings: Surroundings{Platform: platform, Network: network}}.WithDefaults()
	return Interfaces{Node: f.NodeInterface, Operator: f.OperatorInterface, Pod: f.PodInterface}
}

// ControlPlaneSettings is what only a control plane has, see [ControlPlane],
// which says the same of each field.
type ControlPlaneSettings struct {
	// BindAddress is "0.0.0.0" by default, which the host firewall guards.
	BindAddress string `json:"bindAddress,omitempty"`
	// SANs are further names and addresses for the API server's certificate.
	SANs []string `json:"sans,omitempty"`
	// EtcdUser owns etcd's data and certificates; empty means whoever runs it.
	EtcdUser string `json:"etcdUser,omitempty"`
	// OIDC are the external identity providers of people. None by default.
	OIDC         []OIDCIssuer         `json:"oidc,omitempty"`
	Audit        Audit                `json:"audit"`
	Encryption   Encryption           `json:"encryption"`
	Certificates CertificateLifetimes `json:"certificates"`
	// AllowPrivileged lets the API server accept privileged containers at all.
	AllowPrivileged bool           `json:"allowPrivileged,omitempty"`
	PodSecurity     PodSecurity    `json:"podSecurity"`
	EventRateLimit  EventRateLimit `json:"eventRateLimit"`
	// ExtraArgs adds flags: component name, flag without dashes, value. Each
	// flag has a merge rule, see [ArgumentRules].
	ExtraArgs map[string]map[string]string `json:"extraArgs,omitempty"`
	// AdmissionPlugins adds the configurations of further admission plugins.
	AdmissionPlugins []AdmissionPlugin `json:"admissionPlugins,omitempty"`
}

func (s ControlPlaneSettings) withDefaults(minor string) ControlPlaneSettings {
	setDefault(&s.BindAddress, "0.0.0.0")
	s.Audit = s.Audit.withDefaults()
	s.Encryption = s.Encryption.WithDefaults()
	s.Certificates = s.Certificates.withDefaults()
	s.PodSecurity = s.PodSecurity.withDefaults(minor)
	s.EventRateLimit = s.EventRateLimit.withDefaults()
	return s
}

// Strategies gives every update strategy that the operating system has: a local
// machine is always replaced, and only Bottlerocket locks a version.
func Strategies(os OS) []UpdateStrategy {
	return slices.Clone(map[OS][]UpdateStrategy{
		OSBottlerocket: {UpdateReplace, UpdateInPlace, UpdateLocked},
		OSFlatcar:      {UpdateReplace, UpdateInPlace},
		OSHost:         {UpdateReplace},
	}[os])
}

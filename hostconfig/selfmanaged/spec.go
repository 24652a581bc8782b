package selfmanaged

import (
	"fmt"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/kubeadm"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// Spec describes a cluster. The zero value of a field means its hardened default,
// unless the field says that it is required.
type Spec struct {
	// Cloud is where the machines are. Required.
	Cloud nodeconfig.Cloud `json:"cloud"`
	// Cluster is required: its name, endpoint, authority, and the ranges of pods,
	// services and machines. Its control planes are those of ControlPlanes. The
	// endpoint's host is a name or the load balancer's address, and is known before
	// any machine starts.
	Cluster hostconfig.Cluster `json:"cluster"`
	// KubernetesVersion is hostconfig.DefaultKubernetesVersion by default.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// ControlPlanes are one, three or five machines with fixed names and addresses.
	// Required. The first creates the cluster, unless there is one already.
	ControlPlanes []ControlPlane `json:"controlPlanes"`
	// Settings are what every API server, controller manager, scheduler and etcd
	// has. Its encryption is decided by Encryption.
	Settings hostconfig.ControlPlaneSettings `json:"settings"`
	// ControlPlaneRole is what only instances of the control plane run as: on AWS the
	// ARN of the instance profile, on GCP the e-mail name of the service account.
	// Required.
	ControlPlaneRole string `json:"controlPlaneRole"`
	// Pools are groups of workers that come and go.
	Pools        []Pool       `json:"pools,omitempty"`
	LoadBalancer LoadBalancer `json:"loadBalancer"`
	Network      Network      `json:"network"`
	// Store is the name of the cluster's bucket, versioned and encrypted, with a
	// policy that follows [Spec.Grants]. Required.
	Store string `json:"store"`
	// PKI gives the hash of each file of [PKIFiles], see [Hash]. All but
	// EncryptionFile are required; that one is needed with local keys.
	PKI        map[string]string `json:"pki"`
	Encryption Encryption        `json:"encryption"`
	Snapshots  Snapshots         `json:"snapshots"`
	AuditLog   AuditLog          `json:"auditLog"`
	// RepairAfter is how long a worker's node may be silent before control planes have
	// its machine replaced (M05): ten minutes by default, two minutes to a day. Longer
	// than a machine takes to restart, where machines are restarted in place.
	RepairAfter hostconfig.Duration `json:"repairAfter"`
	// Restore makes every control plane begin again with a snapshot. None by default.
	Restore *Restore `json:"restore,omitempty"`
	Program Program  `json:"program"`
	// Kubernetes is the system extension with kubelet, kubeadm and kubectl. Required.
	Kubernetes flatcar.Image `json:"kubernetes"`
	// Kubeadm is what kubeadm has beyond the nodes.
	Kubeadm kubeadm.Settings `json:"kubeadm"`
	// Node is what every machine has: registries, kubelet, runtime, sysctls,
	// modules, files, units, time servers, surroundings and so on. What the fields of
	// this Spec decide must be empty in it: role, os, platform, name, address,
	// kubernetesVersion, cluster, podCIDR, runtimeClasses, dataDisk, controlPlane and
	// exceptions.
	Node            hostconfig.Node `json:"node"`
	KernelArguments []string        `json:"kernelArguments,omitempty"`
	AuditRules      []string        `json:"auditRules,omitempty"`
	// ButaneVersion is flatcar.Butane11 by default.
	ButaneVersion flatcar.ButaneVersion `json:"butaneVersion,omitempty"`
	// Exceptions accept the risk of changing a locked setting.
	Exceptions []hostconfig.Exception `json:"exceptions,omitempty"`
}

// ControlPlane is one machine of the control plane. What keeps its name, its
// address and its volume outlives the instance.
type ControlPlane struct {
	// Name is "control-plane-1" and so on by default.
	Name string `json:"name,omitempty"`
	// Address is its fixed IPv4 address on the node network. Required.
	Address string `json:"address"`
	// Device is the block device of etcd's volume as the machine names it, see
	// [EBSDevice] and [PersistentDiskDevice]. Required. It is formatted once, when
	// it holds nothing at all.
	Device string `json:"device"`
	// PodCIDR is the range of the machine's own pods, with the bridge network only.
	PodCIDR string `json:"podCIDR,omitempty"`
}

// EBSDevice gives the name under which a machine of the Nitro system knows a
// volume, for example of "vol-0123456789abcdef0":
// https://docs.aws.amazon.com/ebs/latest/userguide/identify-nvme-ebs-device.html
func EBSDevice(volumeID string) string {
	if len(volumeID) > 4 && volumeID[:4] == "vol-" {
		volumeID = "vol" + volumeID[4:]
	}
	return "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + volumeID
}

// PersistentDiskDevice gives the name under which a machine knows a disk that is
// attached with a device name, through the rules that every udev has:
// https://cloud.google.com/compute/docs/disks/disk-symlinks
func PersistentDiskDevice(deviceName string) string {
	return "/dev/disk/by-id/scsi-0Google_PersistentDisk_" + deviceName
}

// Pool is a group of workers that are alike.
type Pool struct {
	// Pool has the pool's name, a DNS label, its role and its group. Required.
	nodeconfig.Pool
	// Labels must not be in the namespaces that NodeRestriction reserves. Those that
	// isolate workloads are set through the API.
	Labels map[string]string `json:"labels,omitempty"`
	// Taints have the form key[=value]:Effect.
	Taints []string `json:"taints,omitempty"`
	// RuntimeClasses are "gvisor" and "kata"; their programs come in Extensions.
	RuntimeClasses []string `json:"runtimeClasses,omitempty"`
	// Extensions are further system extension images.
	Extensions []flatcar.Extension `json:"extensions,omitempty"`
	// Kubelet takes the place of the node's, where it is set.
	Kubelet *hostconfig.Kubelet `json:"kubelet,omitempty"`
	// DataDisk is a disk that dies with its machine.
	DataDisk *hostconfig.DataDisk `json:"dataDisk,omitempty"`
	// PodCIDR is the range of the pods of the pool's only machine, with the bridge
	// network, where machines are not handed their ranges.
	PodCIDR string `json:"podCIDR,omitempty"`
}

// LoadBalancer is the internal way to the API servers.
type LoadBalancer struct {
	// CIDRs are where the load balancer takes connections, if that is not the
	// control planes' own addresses: workers are let out to there. Control planes
	// take connections and health checks from there too, unless Passthrough.
	CIDRs []string `json:"cidrs,omitempty"`
	// Passthrough is the IPv4 address of a load balancer that leaves packets as they
	// are (GCP's internal passthrough Network Load Balancer): a control plane takes
	// the address for its own, once its API server is ready. Empty where the load
	// balancer translates addresses.
	Passthrough string `json:"passthrough,omitempty"`
}

// CNI is the kind of network plugin.
type CNI string

// Network plugins.
const (
	CNICalico CNI = "calico"
	CNICilium CNI = "cilium"
	// CNIBridge is hostconfig's own bridge: every machine has a range of pods, and
	// somebody else has routes to all of them. It enforces no NetworkPolicy.
	CNIBridge CNI = "bridge"
)

// Network is how pods reach each other. The plugin itself is installed through
// the API; machines are ready for it.
type Network struct {
	// CNI is required.
	CNI CNI `json:"cni"`
	// Traffic is what the plugin's agents send between machines. By default that of
	// an encrypted network (M32): VXLAN and WireGuard, with Calico's Typha or
	// Cilium's health.
	Traffic []hostconfig.NetworkTraffic `json:"traffic,omitempty"`
	// Agent is the pod that enforces policies on a node. A node is not schedulable
	// before its own is ready, see [nodeconfig.TaintNetwork]. By default that of the
	// plugin; the bridge has none, and its nodes no such taint.
	Agent *nodeconfig.NetworkAgent `json:"agent,omitempty"`
}

// Encryption says how the API server encrypts what it stores (M18).
type Encryption struct {
	// Provider is "kms" by default, with a key of the cloud, or "secretbox" with
	// keys in the store.
	Provider hostconfig.EncryptionProvider `json:"provider,omitempty"`
	// Keys are those of the cloud: ARNs of AWS keys, or
	// projects/P/locations/L/keyRings/R/cryptoKeys/K. The first encrypts; all decrypt.
	// Required with kms.
	Keys []string `json:"keys,omitempty"`
	// Resources are what is encrypted, see [hostconfig.Encryption].
	Resources []string `json:"resources,omitempty"`
}

// Snapshots are copies of etcd.
type Snapshots struct {
	// Bucket is another one than the store, with locked retention. Required.
	Bucket string `json:"bucket"`
	// Every is the time between two; six hours by default, at most a day.
	Every hostconfig.Duration `json:"every"`
}

// AuditLog is the copy of the API servers' audit log that nobody alters (M17, M38).
type AuditLog struct {
	// Bucket is one of its own, with locked retention, to which control planes add
	// below "audit/". Required.
	Bucket string `json:"bucket"`
}

// Restore brings a cluster back to a snapshot: every control plane that is replaced
// while it holds puts its own data aside and takes the snapshot's, once. Whatever
// was written after the snapshot is gone.
type Restore struct {
	// Snapshot is the object's key in the bucket of snapshots. Required: all control
	// planes must take the same.
	Snapshot string `json:"snapshot"`
	// Until is an RFC 3339 time, at most a day away. A machine that starts later
	// restores nothing: it joins, so that a volume that is lost next month does not
	// bring the snapshot back. Required.
	Until string `json:"until"`
}

// Program is redoubt-node, one static binary for every machine.
type Program struct {
	// Source is an https, s3 or gs URL; by default the object that [Spec.ProgramKey]
	// names in the store.
	Source string `json:"source,omitempty"`
	// Hash is "sha512-" or "sha256-" and hexadecimal digits of the file. Required.
	Hash string `json:"hash"`
}

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (s Spec) WithDefaults() Spec {
	if s.KubernetesVersion == "" {
		s.KubernetesVersion = hostconfig.DefaultKubernetesVersion
	}
	if s.ButaneVersion == "" {
		s.ButaneVersion = flatcar.Butane11
	}
	if s.Kubernetes.Architecture == "" {
		s.Kubernetes.Architecture = flatcar.ArchitectureX86
	}
	s.Cluster = s.Cluster.WithDefaults()
	planes := make([]ControlPlane, len(s.ControlPlanes))
	machines := make([]hostconfig.Machine, len(s.ControlPlanes))
	for i, plane := range s.ControlPlanes {
		if plane.Name == "" {
			plane.Name = fmt.Sprintf("control-plane-%d", i+1)
		}
		planes[i] = plane
		machines[i] = hostconfig.Machine{Name: plane.Name, Address: plane.Address, PodCIDR: plane.PodCIDR}
	}
	s.ControlPlanes = planes
	if len(s.Cluster.ControlPlanes) == 0 {
		s.Cluster.ControlPlanes = machines
	}
	s.Network = s.Network.withDefaults()
	if s.Encryption.Provider == "" {
		s.Encryption.Provider = hostconfig.EncryptionKMS
	}
	if s.RepairAfter.Duration == 0 {
		s.RepairAfter.Duration = nodeconfig.DefaultRepairAfter
	}
	if s.Snapshots.Every.Duration == 0 {
		s.Snapshots.Every.Duration = 6 * time.Hour
	}
	if s.Program.Source == "" && hashPattern.MatchString(s.Program.Hash) {
		s.Program.Source = s.source(s.ProgramKey())
	}
	// Agents of network plugins and kube-proxy need it; Pod Security refuses
	// privileged containers everywhere else.
	s.Settings.AllowPrivileged = true
	return s
}

func (n Network) withDefaults() Network {
	preset := networks[n.CNI]
	if len(n.Traffic) == 0 {
		n.Traffic = preset.Traffic
	}
	if n.Agent == nil {
		n.Agent = preset.Agent
	}
	return n
}

// networks are the defaults of each plugin:
// https://docs.tigera.io/calico/latest/getting-started/kubernetes/requirements and
// https://docs.cilium.io/en/stable/operations/system_requirements/
var networks = map[CNI]Network{
	CNICalico: {
		Traffic: []hostconfig.NetworkTraffic{hostconfig.CalicoVXLAN, hostconfig.CalicoWireGuard, hostconfig.CalicoTypha},
		Agent:   &nodeconfig.NetworkAgent{Namespace: "calico-system", Labels: map[string]string{"k8s-app": "calico-node"}},
	},
	CNICilium: {
		Traffic: []hostconfig.NetworkTraffic{hostconfig.CiliumVXLAN, hostconfig.CiliumWireGuard, hostconfig.CiliumHealth},
		Agent:   &nodeconfig.NetworkAgent{Namespace: "kube-system", Labels: map[string]string{"k8s-app": "cilium"}},
	},
	CNIBridge: {},
}

package aws

import (
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// FlatcarEnvironment is what the settings of a stack with a cluster that runs
// itself say. The zero value of a setting means its hardened default, unless it
// says that it is required.
type FlatcarEnvironment struct {
	// Platform is aws-flatcar.
	Platform string `json:"platform" jsonschema:"required"`
	// Account is where the environment lives. Credentials of another account are
	// refused. Required.
	Account Account `json:"account" jsonschema:"required"`
	// KubernetesVersion is a full version of a supported minor, v1.35.4 by default.
	// It goes up one minor at a time.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// Kubernetes is the system extension image with the programs of that version.
	// Required.
	Kubernetes KubernetesImage `json:"kubernetes" jsonschema:"required"`
	// ImageID pins the Flatcar image, such as ami-0123456789abcdef0. Another one
	// replaces every machine, a few at a time. Required.
	ImageID string `json:"imageId" jsonschema:"required"`
	// NodeProgram is redoubt-node on the machine on which Pulumi runs, from the
	// directory of Pulumi.yaml; bin/redoubt-node by default.
	NodeProgram string  `json:"nodeProgram,omitempty"`
	Network     Network `json:"network"`
	// PodCIDR is the range of pods, apart from every other; 10.128.0.0/14 by
	// default. It never changes.
	PodCIDR string `json:"podCIDR,omitempty"`
	// CNI is the network plugin: calico by default, or cilium. Machines are ready
	// for it; the plugin itself is installed through the API.
	CNI string `json:"cni,omitempty"`
	// Uses are what runs in the environment beside what every cluster has: each
	// brings the endpoints that it needs. load-balancers, cluster-autoscaler,
	// secrets-manager.
	Uses []string `json:"uses,omitempty"`
	Keys Keys     `json:"keys"`
	Logs Logs     `json:"logs"`
	// Detection is who hears of what must not go unnoticed.
	Detection Detection `json:"detection"`
	// Firewall is what may flow beside what the cluster itself needs: operators are
	// the ranges from which the API is reached, egress is for instance a registry.
	Firewall Firewall `json:"firewall"`
	// ControlPlane are the machines of the control plane. Required.
	ControlPlane FlatcarControlPlane `json:"controlPlane" jsonschema:"required"`
	// NodePools are groups of workers; at least one. Required.
	NodePools []FlatcarPool `json:"nodePools" jsonschema:"required"`
	// Encryption is how the API server encrypts what it stores.
	Encryption FlatcarEncryption `json:"encryption"`
	// Authorities are those of the cluster, and how they are rotated.
	Authorities Authorities `json:"authorities"`
	// Snapshots are copies of etcd.
	Snapshots Snapshots `json:"snapshots"`
	// AuditLog is what the API servers record, in a bucket that nobody alters.
	AuditLog AuditLog `json:"auditLog"`
	// Host is what else machines are told: registries and mirrors, identity
	// providers, the kubelet, the audit policy; docs/hostconfig.md has all.
	Host selfmanaged.Spec `json:"host"`
	// Unprotected lets `pulumi destroy` delete volumes, authorities, keys and logs,
	// for environments that come and go.
	Unprotected bool `json:"unprotected,omitempty"`
	// AllowReplacement names settings, such as network.cidr, whose change may
	// delete and make anew what they describe, with all data in it.
	AllowReplacement []string `json:"allowReplacement,omitempty"`
	// Tags are put on everything.
	Tags map[string]string `json:"tags,omitempty"`
	// Exceptions accept risks: each names a control, a reason and an expiry at most
	// a year away.
	Exceptions []hostconfig.Exception `json:"exceptions,omitempty"`
}

// KubernetesImage is a system extension image.
type KubernetesImage struct {
	// Source is an https or s3 URL.
	Source string `json:"source" jsonschema:"required"`
	// Hash is sha512- and hexadecimal digits: no other image boots.
	Hash string `json:"hash" jsonschema:"required"`
}

// FlatcarControlPlane are the machines of a control plane, one in each zone in turn.
type FlatcarControlPlane struct {
	// Count is three by default, or one or five. It never changes.
	Count int `json:"count,omitempty"`
	// InstanceType is of the Nitro system, such as m7i.large.
	InstanceType string `json:"instanceType" jsonschema:"required"`
	// Addresses are fixed, one for each machine, in the subnets of the zones in
	// turn; taken from the address plan by default, and required with a network
	// that somebody else made. They never change.
	Addresses []string `json:"addresses,omitempty"`
	// SystemDiskGiB is 30 by default.
	SystemDiskGiB int `json:"systemDiskGiB,omitempty"`
	// DataDiskGiB is the volume of etcd, 20 by default. It only grows.
	DataDiskGiB int `json:"dataDiskGiB,omitempty"`
}

// FlatcarPool is a group of workers.
type FlatcarPool struct {
	// Name is a DNS label of at most 16 characters.
	Name string `json:"name" jsonschema:"required"`
	// InstanceTypes are all of the architecture of the control plane.
	InstanceTypes []string `json:"instanceTypes" jsonschema:"required"`
	// ImageID is that of the environment by default.
	ImageID string `json:"imageId,omitempty"`
	// Spot takes machines that AWS may take back.
	Spot bool `json:"spot,omitempty"`
	// MinSize is 2 by default.
	MinSize int `json:"minSize,omitempty"`
	// MaxSize is twice minSize by default.
	MaxSize int `json:"maxSize,omitempty"`
	// SurgePercent is how much of the pool is replaced at once, 33 by default.
	SurgePercent int `json:"surgePercent,omitempty"`
	// DiskGiB is the size of the only disk, 50 by default.
	DiskGiB int `json:"diskGiB,omitempty"`
	// Labels of the nodes.
	Labels map[string]string `json:"labels,omitempty"`
	// Taints of the nodes: key[=value]:Effect.
	Taints []string `json:"taints,omitempty"`
	// Isolation keeps the pool for workloads that ask for it, by a taint
	// redoubt.dev/isolation of this value.
	Isolation string `json:"isolation,omitempty"`
	// RuntimeClasses are gvisor and kata, whose programs are among the extensions.
	RuntimeClasses []string `json:"runtimeClasses,omitempty"`
	// Extensions are further system extension images.
	Extensions []flatcar.Extension `json:"extensions,omitempty"`
}

// FlatcarEncryption says how the API server encrypts what it stores.
type FlatcarEncryption struct {
	// Provider is kms by default, with a customer key of AWS, or secretbox.
	Provider string `json:"provider,omitempty"`
	// Keys are the names of local keys, with secretbox: the first writes, all read.
	// One that is left out takes with it what it encrypted.
	Keys []string `json:"keys,omitempty"`
}

// Authorities are those of the cluster. A rotation has three steps, with every
// machine replaced in between: trust the next generation, let it sign and trust
// the last one, leave that out.
type Authorities struct {
	// ValidityDays is five years by default. It never changes.
	ValidityDays int `json:"validityDays,omitempty"`
	// Generation signs, 1 by default.
	Generation int `json:"generation,omitempty"`
	// Trusted are generations whose signatures hold beside it.
	Trusted []int `json:"trusted,omitempty"`
}

// AuditLog is the copy of the API servers' audit log in a bucket of its own. Control
// planes add to it within a minute, and neither read, replace nor delete.
type AuditLog struct {
	// Lock is compliance by default: nobody deletes what is in it before its time.
	// governance lets who administers the account, after a change of the bucket's
	// policy; none needs an exception for M38/object-lock.
	Lock string `json:"lock,omitempty"`
	// LockDays is 365 by default. Fewer need an exception for M38/object-lock.
	LockDays int `json:"lockDays,omitempty"`
}

// Snapshots are copies of etcd in a bucket of their own.
type Snapshots struct {
	// Lock is governance by default: no machine deletes a copy. compliance is
	// stronger, nobody does; none needs an exception for M38/object-lock.
	Lock string `json:"lock,omitempty"`
	// LockDays is 30 by default. Fewer than 7 need an exception for M38/object-lock.
	LockDays int `json:"lockDays,omitempty"`
}

// FlatcarDefaults are what the settings of an environment begin with.
func FlatcarDefaults() FlatcarEnvironment {
	return FlatcarEnvironment{
		KubernetesVersion: hostconfig.DefaultKubernetesVersion, NodeProgram: "bin/redoubt-node",
		Network: Network{CIDR: "10.0.0.0/16", ServiceCIDR: "172.20.0.0/16"}, PodCIDR: "10.128.0.0/14", CNI: string(selfmanaged.CNICalico),
		ControlPlane: FlatcarControlPlane{Count: 3}, Encryption: FlatcarEncryption{Provider: string(hostconfig.EncryptionKMS)}, Authorities: Authorities{Generation: 1},
	}
}

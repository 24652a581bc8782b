package local

import (
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// ClusterArgs describes a local cluster. Every field has a hardened default
// but Environment, StateDirectory and ProgramsDirectory.
type ClusterArgs struct {
	// Environment names the cluster and everything that it makes on the host: a
	// DNS label of at most 32 characters.
	Environment string `pulumi:"environment"`
	// StateDirectory is the absolute directory of the cluster's data and logs.
	StateDirectory string `pulumi:"stateDirectory"`
	// ProgramsDirectory holds etcd, the Kubernetes programs, redoubt-machine,
	// redoubt-agent and images/.
	ProgramsDirectory string `pulumi:"programsDirectory"`
	// CNIDirectory holds the CNI plugins; /usr/lib/cni by default (Debian).
	CNIDirectory string `pulumi:"cniDirectory,optional"`
	// Isolated gives every machine namespaces of its own; it needs Linux and
	// root. Without it there is a control plane on loopback and no worker.
	Isolated bool `pulumi:"isolated"`
	// Workers is the number of worker machines, 0 to 20.
	Workers int `pulumi:"workers"`
	// KubernetesVersion is the version of the programs, for example v1.35.4.
	KubernetesVersion string `pulumi:"kubernetesVersion"`
	// Network ranges; nil means the defaults.
	Network *NetworkArgs `pulumi:"network,optional"`
	// PortOffset is added to every port of a cluster that is not isolated, so
	// that two of them can run side by side.
	PortOffset int `pulumi:"portOffset,optional"`
	// Encryption at rest; nil means the defaults.
	Encryption *EncryptionArgs `pulumi:"encryption,optional"`
	// CgroupV1 and RestrictOOMScoreAdj say what the host lacks; see [HostFacts].
	CgroupV1            bool `pulumi:"cgroupV1,optional"`
	RestrictOOMScoreAdj bool `pulumi:"restrictOOMScoreAdj,optional"`

	// Settings of the hosts, in hostconfig's own types.
	OIDC         []hostconfig.OIDCIssuer
	Audit        hostconfig.Audit
	Certificates hostconfig.CertificateLifetimes
	PodSecurity  hostconfig.PodSecurity
	ExtraArgs    map[string]map[string]string
	ExtraKubelet map[string]any
	NodeLabels   map[string]string
	Exceptions   []hostconfig.Exception
}

// NetworkArgs are the ranges of a local cluster, IPv4 in CIDR notation.
type NetworkArgs struct {
	// NodeCIDR is the network of the machines; 10.80.0.0/24 by default. It is
	// private to the environment: two environments may use the same.
	NodeCIDR string `pulumi:"nodeCIDR,optional"`
	// PodCIDR is the range of pods, a /16; worker N gets its N-th /24.
	PodCIDR string `pulumi:"podCIDR,optional"`
	// ServiceCIDR is the range of services.
	ServiceCIDR string `pulumi:"serviceCIDR,optional"`
	// OperatorCIDR is the network between this host and the control plane, a
	// /29. It is visible on the host, so each environment needs its own; the
	// default is derived from the environment's name, inside 10.83.0.0/16.
	OperatorCIDR string `pulumi:"operatorCIDR,optional"`
}

// EncryptionArgs say how the API server encrypts what it stores.
type EncryptionArgs struct {
	// Provider is secretbox (the default), aescbc or kms.
	Provider string `pulumi:"provider,optional"`
	// KeyName names the key that writes; key-1 by default. Another name makes
	// another key, under which everything is written again.
	KeyName string `pulumi:"keyName,optional"`
	// Resources are what is encrypted; secrets by default.
	Resources []string `pulumi:"resources,optional"`
	// KMSName and KMSEndpoint are the KMS v2 plugin of provider kms; the
	// endpoint is a socket on this host, "unix:///path".
	KMSName     string `pulumi:"kmsName,optional"`
	KMSEndpoint string `pulumi:"kmsEndpoint,optional"`
}

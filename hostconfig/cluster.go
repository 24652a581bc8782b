package hostconfig

// Platform is where a machine runs.
type Platform string

// Platforms.
const (
	PlatformAWS   Platform = "aws"
	PlatformGCP   Platform = "gcp"
	PlatformMetal Platform = "metal"
	// PlatformLocal is a machine in network namespaces of one host. It uses
	// nothing outside its cluster.
	PlatformLocal Platform = "local"
)

// Machine is one machine of a cluster.
type Machine struct {
	// Name is the node's name, a DNS label. Required.
	Name string `json:"name"`
	// Address is its address on the node network. Required.
	Address string `json:"address"`
	// PodCIDR is the range of a worker's own pods. Empty where the cluster's
	// network agent hands out the ranges.
	PodCIDR string `json:"podCIDR,omitempty"`
}

// Cluster is the one description of a cluster, from which every node's
// configuration, its firewall and the policies of the network agent are made.
//
// What is empty is not known where the description is used, or does not exist
// there: a managed control plane has no machines, and pods that take addresses
// of the node network have no range. What needs a field says so.
type Cluster struct {
	// Name is required, a DNS label.
	Name string `json:"name"`
	// Managed says that the control plane is the cloud's (EKS, GKE): it has no
	// machine of ours.
	Managed bool `json:"managed,omitempty"`
	// Endpoint is the URL at which nodes reach the API server, https only.
	Endpoint string `json:"endpoint,omitempty"`
	// CACertificate is the certificate of the cluster's authority in PEM.
	CACertificate string `json:"caCertificate,omitempty"`
	// DNS are the addresses of the cluster's DNS service.
	DNS []string `json:"dns,omitempty"`
	// Domain is DefaultClusterDomain by default.
	Domain string `json:"domain,omitempty"`
	// PodCIDRs, ServiceCIDRs and NodeCIDRs are the ranges of pods, services and
	// machines, apart from each other; of pods and services at most one of each
	// IP family.
	PodCIDRs     []string `json:"podCIDRs,omitempty"`
	ServiceCIDRs []string `json:"serviceCIDRs,omitempty"`
	NodeCIDRs    []string `json:"nodeCIDRs,omitempty"`
	// ControlPlanes and Workers are the machines that are known by address.
	// Where machines come and go, NodeCIDRs stand for them.
	ControlPlanes []Machine `json:"controlPlanes,omitempty"`
	Workers       []Machine `json:"workers,omitempty"`
	// Operators are the ranges from which people reach the API server.
	Operators []string `json:"operators,omitempty"`
	// Ports are DefaultPorts by default.
	Ports Ports `json:"ports"`
}

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (c Cluster) WithDefaults() Cluster {
	setDefault(&c.Domain, DefaultClusterDomain)
	c.Ports = c.Ports.WithDefaults()
	return c
}

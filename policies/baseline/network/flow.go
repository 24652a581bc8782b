package network

// Flow is traffic of a tenant that is allowed, over TCP or UDP, with its answers.
// Exactly one of Tenant, CIDR, FQDN and APIServer says who is at the other end.
type Flow struct {
	// Name is a DNS label, its own among the flows of a direction.
	Name string `json:"name" jsonschema:"required"`
	// Workloads are the labels of the tenant's pods that have the flow; all by default.
	Workloads map[string]string `json:"workloads,omitempty"`
	// Tenant is the namespace of another tenant, of a part of the cluster such as an
	// ingress controller, or the tenant's own, whose pods are apart too. The flow
	// must be allowed at both ends.
	Tenant string `json:"tenant,omitempty"`
	// TenantWorkloads are the labels of the pods at the other end; all by default.
	TenantWorkloads map[string]string `json:"tenantWorkloads,omitempty"`
	// CIDR is a range outside of the cluster, such as 10.20.0.0/24. Addresses of
	// services are none: they are translated before a policy sees them.
	CIDR string `json:"cidr,omitempty"`
	// FQDN is a name on the internet, such as api.example.org, or *.example.org for
	// the names below it. Only for egress, and only where the plugin has policies by
	// name: cilium.
	FQDN string `json:"fqdn,omitempty"`
	// APIServer is the cluster's API server, for pods that have an account with
	// rights there. Only for egress, and without ports.
	APIServer bool `json:"apiServer,omitempty"`
	// Ports are those at the receiving end. At least one.
	Ports []Port `json:"ports,omitempty"`
	// Reason says what fails without the flow, in a sentence.
	Reason string `json:"reason" jsonschema:"required"`
}

// Port is a port, or with EndPort a range of them.
type Port struct {
	// Protocol is TCP by default, or UDP.
	Protocol string `json:"protocol,omitempty"`
	Port     int    `json:"port" jsonschema:"required"`
	EndPort  int    `json:"endPort,omitempty"`
}

// Tenant are the flows of one tenant. What is in neither list is denied.
type Tenant struct {
	Ingress []Flow `json:"ingress,omitempty"`
	Egress  []Flow `json:"egress,omitempty"`
}

// Plugin is what enforces policies in a cluster.
type Plugin string

const (
	// Standard enforces NetworkPolicies and is nothing more known of: kube-router,
	// the VPC CNI of EKS, kindnet.
	Standard Plugin = ""
	Calico   Plugin = "calico"
	Cilium   Plugin = "cilium"
)

// Form is how rules of the whole cluster are written.
type Form string

const (
	// NoForm leaves the tenants' own policies alone in force.
	NoForm Form = ""
	// ClusterNetworkPolicy is policy.networking.k8s.io/v1alpha2 and
	// AdminNetworkPolicy its predecessor, v1alpha1:
	// https://network-policy-api.sigs.k8s.io/
	ClusterNetworkPolicy Form = "cluster-network-policy"
	AdminNetworkPolicy   Form = "admin-network-policy"
	// CalicoGlobal is a tier with GlobalNetworkPolicies, from Calico 3.30 on.
	CalicoGlobal Form = "calico"
	// CiliumClusterwide is CiliumClusterwideNetworkPolicy, from Cilium 1.16 on.
	CiliumClusterwide Form = "cilium"
)

// Settings are the network of a cluster, as settings of a stack give it.
type Settings struct {
	// Plugin is calico or cilium where that enforces policies; left out otherwise.
	Plugin Plugin `json:"plugin,omitempty"`
	// ClusterPolicies is the form of the rules of the whole cluster: calico, cilium,
	// cluster-network-policy or admin-network-policy. Left out, there are none
	// beside the tenants' own: the CRDs of the form must be there.
	ClusterPolicies Form `json:"clusterPolicies,omitempty"`
	// NodeLocalDNS are the addresses of a DNS cache on each node, such as
	// 169.254.20.10, where there is one.
	NodeLocalDNS []string `json:"nodeLocalDNS,omitempty"`
	// APIServers are where pods reach the API server: the address of its service, and
	// what stands behind it. Stacks that know it fill it in. With it, kube-system has
	// policies.
	APIServers []Endpoint `json:"apiServers,omitempty"`
	// Resolvers are the ranges that the cluster's DNS asks for names outside. Stacks
	// that know them fill them in; without any, names of the cluster are all there are.
	Resolvers []string `json:"resolvers,omitempty"`
	// PodsAskResolvers tells that pods ask the resolvers themselves, as with Cloud DNS
	// on GKE. The stack of GKE says so.
	PodsAskResolvers bool `json:"podsAskResolvers,omitempty"`
	// System are the flows of add-ons: of kube-system, and of the namespaces that
	// policies.systemNamespaces names.
	System []SystemNamespace `json:"system,omitempty"`
	// NodeCIDRs are the ranges of the machines: no pod reaches their kubelets, etcd
	// and managers by the rules of the whole cluster.
	NodeCIDRs []string `json:"nodeCIDRs,omitempty"`
	// Exempt are namespaces for which the rules of the whole cluster do not hold.
	Exempt []Exempt `json:"exempt,omitempty"`
}

// Exempt is a namespace with its reason.
type Exempt struct {
	Namespace string `json:"namespace" jsonschema:"required"`
	// Reason says what there needs the metadata service or the machines' ports.
	Reason string `json:"reason" jsonschema:"required"`
}

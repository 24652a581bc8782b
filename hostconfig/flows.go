package hostconfig

// Endpoint is one end of a flow: a role or a kind of range.
type Endpoint string

// Endpoints of flows.
const (
	// Operators are the ranges from which people reach the cluster.
	Operators Endpoint = "operators"
	// ControlPlanes and Workers are machines, by their addresses.
	ControlPlanes Endpoint = "control-plane"
	Workers       Endpoint = "workers"
	// Pods are the cluster's pods on every worker; OwnPods those of one worker.
	Pods    Endpoint = "pods"
	OwnPods Endpoint = "own-pods"
	// Loopback is the same machine.
	Loopback Endpoint = "loopback"
	// Nodes are the machines of both roles.
	Nodes Endpoint = "nodes"
	// Resolvers answer DNS outside the cluster, TimeServers NTP.
	Resolvers   Endpoint = "resolvers"
	TimeServers Endpoint = "time-servers"
	// Metadata is the instance metadata service, at the addresses of [MetadataAddresses].
	Metadata Endpoint = "metadata"
	// DHCPServers lease IPv4 addresses; DHCPv6Group and DHCPv6Servers are the
	// multicast group that is asked for IPv6 ones and the neighbours that answer.
	DHCPServers   Endpoint = "dhcp-servers"
	DHCPv6Group   Endpoint = "dhcpv6-group"
	DHCPv6Servers Endpoint = "dhcpv6-servers"
	// LoadBalancers check whether API servers are healthy, and pass requests on.
	LoadBalancers Endpoint = "load-balancers"
)

// servicePrefix begins the endpoints of services.
const servicePrefix = "service-"

// ServiceEndpoint is the endpoint of a [Service], by its name.
func ServiceEndpoint(name string) Endpoint { return Endpoint(servicePrefix + name) }

// Protocols of flows.
const (
	// ProtocolTCP with port 0 means every port.
	ProtocolTCP = "tcp"
	// ProtocolUDP always has a port.
	ProtocolUDP = "udp"
	// ProtocolEcho is an ICMP echo request.
	ProtocolEcho = "icmp-echo"
	// ProtocolAny is every protocol.
	ProtocolAny = "any"
)

// Flow is one kind of traffic that is allowed, and why. Its answers are allowed
// with it, and everything else is dropped.
type Flow struct {
	// Name is unique in the table.
	Name string   `json:"name"`
	From Endpoint `json:"from"`
	To   Endpoint `json:"to"`
	// Protocol is one of the constants above.
	Protocol string `json:"protocol"`
	// Port is the destination port; 0 means every port.
	Port int `json:"port"`
	// SourcePort is what the flow is sent from; 0 means any port.
	SourcePort int `json:"sourcePort,omitempty"`
	// Reason says what fails without the flow.
	Reason string `json:"reason"`
	// Controls are what the flow, as narrow as it is, upholds.
	Controls []string `json:"controls"`
}

// PortTable gives every flow of a cluster of this topology. It is the one source
// of host firewalls, cloud firewalls, host policies of the network plugin and
// reachability tests. Names are unique; a flow whose other end has no address in
// a cluster, such as a load balancer that does not exist, opens nothing there.
//
// Instance metadata is for machines alone: no flow leads from pods to it (M21). A
// pod in its machine's own network is the machine, as far as any firewall sees.
func PortTable(t Topology) []Flow {
	t = t.WithDefaults()
	var flows []Flow
	if t.Managed {
		flows = managedFlows(t)
	} else {
		flows = clusterFlows(t)
	}
	seen := map[int]bool{}
	for _, port := range t.Ports.Webhooks {
		if seen[port] {
			continue
		}
		seen[port] = true
		flows = append(flows, Flow{Name: "api-webhook-" + itoa(port), From: ControlPlanes, To: Pods, Protocol: ProtocolTCP, Port: port,
			Reason: "the API server asks admission webhooks and aggregated APIs that run in pods", Controls: []string{"M04", "M25"}})
	}
	if t.Platform != PlatformLocal {
		flows = append(flows, platformFlows(t)...)
	}
	flows = append(flows, networkFlows(t)...)
	flows = append(flows, serviceFlows(t)...)
	return append(flows, loopbackFlows(t)...)
}

// runsPods tells whether machines of a role have pods with addresses of their
// own. Static pods share the network of their machine; what else a control plane
// runs are agents of the cluster, one on each machine, and those exist wherever
// people install a network plugin. The local cluster has none on its control plane.
func (t Topology) runsPods(role Role) bool {
	return role == RoleWorker || t.Platform != PlatformLocal && !t.Managed
}

package aws

import (
	"slices"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Services of the topology that a network of AWS has in every environment.
const (
	endpointService = "endpoints" // interface endpoints
	objectService   = "s3"        // behind the gateway endpoint
)

// topology is a cluster, as the port table sees it. Services that stand for
// groups and prefix lists have no ranges here.
func topology(a FirewallArgs) hostconfig.Topology {
	t := hostconfig.Topology{
		Platform: hostconfig.PlatformAWS, Managed: !a.SelfManaged, Ports: hostconfig.Ports{Webhooks: a.Webhooks}, Network: a.Network,
		Services: []hostconfig.Service{
			{Name: endpointService, Pods: true, Reason: "services of AWS, without a way to the internet"},
			{Name: objectService, Pods: true, Reason: "layers of images lie in S3"},
		},
	}
	if a.SelfManaged {
		t.Services = t.Services[:1] // S3 is an endpoint like the others
	}
	for _, e := range a.Egress {
		t.Services = append(t.Services, hostconfig.Service{Name: e.Name, CIDRs: e.CIDRs, Protocol: e.Protocol, Port: e.Port, Pods: e.Pods, Reason: e.Reason})
	}
	return t
}

// peer is one end of a rule: a group, ranges, or a prefix list.
type peer struct {
	group string // cluster, nodes, pods or endpoints
	cidr  string
	list  bool // the prefix list of S3
}

// rule is one line of a security group.
type rule struct {
	name     string // of the flow
	group    string // whose rule it is
	ingress  bool
	peer     peer
	protocol string
	port     int // 0 is every port
	reason   string
}

// key is what AWS tells rules apart by.
func (r rule) key() rule { r.name, r.reason = "", ""; return r }

// rules gives what the flows of the port table need of each group, at both ends.
// Flows that come to the same rule, because pods share the interface of their
// machine, are one.
//
// Groups see nothing that stays on a machine, and no DNS, DHCP, time or instance
// metadata: the network itself answers those and no rule can forbid them. They
// have no peers here, and so no rules.
// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
func rules(a FirewallArgs) []rule {
	var out []rule
	add := func(r rule) {
		if i := slices.IndexFunc(out, func(o rule) bool { return o.key() == r.key() }); i < 0 {
			out = append(out, r)
		} else if out[i].reason != r.reason {
			out[i].reason += "; " + r.reason
		}
	}
	t := topology(a)
	for _, flow := range hostconfig.PortTable(t) {
		for _, from := range a.sources(flow) {
			for _, to := range a.targets(flow, t) {
				r := rule{name: flow.Name, protocol: flow.Protocol, port: flow.Port, reason: flow.Reason}
				if from.group != "" {
					out := r
					out.group, out.peer = from.group, to
					add(out)
				}
				if to.group != "" {
					in := r
					in.group, in.peer, in.ingress = to.group, from, true
					add(in)
				}
			}
		}
	}
	return out
}

// Groups by name. The control plane of a self-managed cluster are machines.
const (
	clusterGroup  = "cluster"
	nodeGroup     = "nodes"
	podGroup      = "pods"
	endpointGroup = "endpoints"
	balancerGroup = "load-balancer"
)

// sources gives what stands for the end from which a flow comes. A packet of a
// pod that leaves the tunnels of its network has the address of its machine.
func (a FirewallArgs) sources(flow hostconfig.Flow) []peer {
	if a.SelfManaged && flow.From == hostconfig.Pods {
		return a.peers(hostconfig.Nodes)
	}
	return a.peers(flow.From)
}

// targets gives what stands for the end to which a flow goes. Who uses the API
// finds it behind the load balancer, too.
func (a FirewallArgs) targets(flow hostconfig.Flow, t hostconfig.Topology) []peer {
	peers := a.peers(flow.To)
	if a.SelfManaged && flow.To == hostconfig.ControlPlanes && flow.From != hostconfig.LoadBalancers && flow.Port == t.WithDefaults().Ports.APIServer {
		peers = append(peers, peer{group: balancerGroup})
	}
	return peers
}

// podPeers are what stands for pods where a flow goes to them. Through a tunnel
// they come as what machines send each other, and no rule sees them.
func (a FirewallArgs) podPeers() []peer {
	switch {
	case a.SelfManaged && hostconfig.Tunnelled(a.Network):
		return nil
	case a.SelfManaged:
		return a.peers(hostconfig.Nodes)
	case a.SeparatePods:
		return []peer{{group: podGroup}}
	}
	return []peer{{group: nodeGroup}}
}

// peers gives what stands for an end of a flow. An end without any opens nothing.
func (a FirewallArgs) peers(end hostconfig.Endpoint) []peer {
	switch end {
	case hostconfig.ControlPlanes:
		return []peer{{group: clusterGroup}}
	case hostconfig.Workers:
		return []peer{{group: nodeGroup}}
	case hostconfig.Nodes:
		if a.SelfManaged {
			return []peer{{group: clusterGroup}, {group: nodeGroup}}
		}
		return []peer{{group: nodeGroup}} // all nodes are workers
	case hostconfig.LoadBalancers:
		if a.SelfManaged {
			return []peer{{group: balancerGroup}}
		}
	case hostconfig.Pods:
		return a.podPeers()
	case hostconfig.ServiceEndpoint(endpointService):
		return []peer{{group: endpointGroup}}
	case hostconfig.ServiceEndpoint(objectService):
		return []peer{{list: true}}
	}
	var cidrs []string
	if end == hostconfig.Operators {
		cidrs = a.Operators
	}
	for _, e := range a.Egress {
		if end == hostconfig.ServiceEndpoint(e.Name) {
			cidrs = e.CIDRs
		}
	}
	var out []peer
	for _, cidr := range cidrs {
		out = append(out, peer{cidr: cidr})
	}
	return out
}

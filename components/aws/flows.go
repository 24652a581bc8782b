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

// topology is a cluster of EKS, as the port table sees it. Services that stand
// for groups and prefix lists have no ranges here.
func topology(a FirewallArgs) hostconfig.Topology {
	t := hostconfig.Topology{
		Platform: hostconfig.PlatformAWS, Managed: true, Ports: hostconfig.Ports{Webhooks: a.Webhooks}, Network: a.Network,
		Services: []hostconfig.Service{
			{Name: endpointService, Pods: true, Reason: "services of AWS, without a way to the internet"},
			{Name: objectService, Pods: true, Reason: "layers of images lie in S3"},
		},
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
	for _, flow := range hostconfig.PortTable(topology(a)) {
		for _, from := range a.peers(flow.From) {
			for _, to := range a.peers(flow.To) {
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

// Groups by name.
const (
	clusterGroup  = "cluster"
	nodeGroup     = "nodes"
	podGroup      = "pods"
	endpointGroup = "endpoints"
)

// peers gives what stands for an end of a flow. An end without any opens nothing.
func (a FirewallArgs) peers(end hostconfig.Endpoint) []peer {
	switch end {
	case hostconfig.ControlPlanes:
		return []peer{{group: clusterGroup}}
	case hostconfig.Workers, hostconfig.Nodes: // all nodes are workers
		return []peer{{group: nodeGroup}}
	case hostconfig.Pods:
		if a.SeparatePods {
			return []peer{{group: podGroup}}
		}
		return []peer{{group: nodeGroup}}
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

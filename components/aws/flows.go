package aws

import (
	"cmp"
	"slices"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Ends of flows that a network of AWS has beside those of the port table.
const (
	// Services are the interface endpoints of the network.
	services hostconfig.Endpoint = "service-endpoints"
	// objects is S3, behind the gateway endpoint.
	objects hostconfig.Endpoint = "service-s3"
	// external begins the ends that the environment adds.
	external = "service-"
)

const protocolUDP = "udp"

// apiServerPort is that of EKS.
const apiServerPort = 443

// flows gives the flows of a managed cluster: the port table, without what is
// inside AWS's control plane or never leaves a machine, and what a machine of
// EKS needs of its network.
//
// Security groups see no DNS, DHCP, time or instance metadata: the answers come
// from the network itself and no rule can forbid them, so that none stands here.
// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
func flows(a FirewallArgs) []hostconfig.Flow {
	var out []hostconfig.Flow
	table := hostconfig.PortTable(hostconfig.Ports{APIServer: apiServerPort, Webhooks: a.Webhooks})
	for _, flow := range table {
		ofTheCloud := flow.From == hostconfig.ControlPlanes && flow.To == hostconfig.ControlPlanes || flow.Protocol == hostconfig.ProtocolEcho
		onMachine := flow.From == hostconfig.Loopback || flow.To == hostconfig.OwnPods
		if !ofTheCloud && !onMachine {
			out = append(out, flow)
		}
	}
	for _, protocol := range []string{hostconfig.ProtocolTCP, protocolUDP} {
		// CoreDNS is a pod, and its clients are pods and, for their own pods, nodes.
		out = append(out, hostconfig.Flow{Name: "coredns-" + protocol, From: hostconfig.Workers, To: hostconfig.Pods, Protocol: protocol, Port: 53,
			Reason: "names are resolved by CoreDNS on any machine", Controls: []string{"M04"}})
	}
	for _, from := range []hostconfig.Endpoint{hostconfig.Workers, hostconfig.Pods} {
		out = append(out,
			hostconfig.Flow{Name: string(from) + "-endpoints", From: from, To: services, Protocol: hostconfig.ProtocolTCP, Port: 443,
				Reason: "services of AWS, without a way to the internet", Controls: []string{"M06", "M08"}},
			hostconfig.Flow{Name: string(from) + "-s3", From: from, To: objects, Protocol: hostconfig.ProtocolTCP, Port: 443,
				Reason: "layers of images lie in S3", Controls: []string{"M06", "M08"}})
	}
	for _, e := range a.Egress {
		flow := hostconfig.Flow{Name: "nodes-" + e.Name, From: hostconfig.Workers, To: hostconfig.Endpoint(external + e.Name),
			Protocol: cmp.Or(e.Protocol, hostconfig.ProtocolTCP), Port: cmp.Or(e.Port, 443), Reason: e.Reason, Controls: []string{"M08"}}
		out = append(out, flow)
		if e.Pods {
			flow.Name, flow.From = "pods-"+e.Name, hostconfig.Pods
			out = append(out, flow)
		}
	}
	return out
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

// rules gives what the flows need of each group, at both ends. Flows that come
// to the same rule, because pods share the interface of their machine, are one.
func rules(a FirewallArgs, table []hostconfig.Flow) []rule {
	var out []rule
	add := func(r rule) {
		if i := slices.IndexFunc(out, func(o rule) bool { return o.key() == r.key() }); i < 0 {
			out = append(out, r)
		} else if out[i].reason != r.reason {
			out[i].reason += "; " + r.reason
		}
	}
	for _, flow := range table {
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
	case hostconfig.Workers:
		return []peer{{group: nodeGroup}}
	case hostconfig.Pods:
		if a.SeparatePods {
			return []peer{{group: podGroup}}
		}
		return []peer{{group: nodeGroup}}
	case services:
		return []peer{{group: endpointGroup}}
	case objects:
		return []peer{{list: true}}
	}
	var cidrs []string
	if end == hostconfig.Operators {
		cidrs = a.Operators
	}
	for _, e := range a.Egress {
		if end == hostconfig.Endpoint(external+e.Name) {
			cidrs = e.CIDRs
		}
	}
	var out []peer
	for _, cidr := range cidrs {
		out = append(out, peer{cidr: cidr})
	}
	return out
}

package gcp

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// topology is a cluster, as the port table sees it.
func topology(a FirewallArgs) hostconfig.Topology {
	t := hostconfig.Topology{
		Platform: hostconfig.PlatformGCP, Managed: !a.SelfManaged, Network: a.Network, Ports: hostconfig.Ports{Webhooks: a.Webhooks},
		Services: []hostconfig.Service{hostconfig.RestrictedGoogleAPIs()},
	}
	for _, e := range a.Egress {
		t.Services = append(t.Services, hostconfig.Service{Name: e.Name, CIDRs: e.CIDRs, Protocol: e.Protocol, Port: e.Port, Pods: e.Pods, Reason: e.Reason})
	}
	return t
}

// Ranges of the cluster that other resources know.
const (
	controlPlaneSide = "control-plane"
	nodeSide         = "nodes"
	podSide          = "pods"
	// machineSide are the machines of both roles, of a self-managed cluster.
	machineSide = "machines"
)

// peer is the other end of a rule: ranges of the cluster by name, or others.
type peer struct {
	side  string
	cidrs string // joined: rules are compared
}

// rule is one firewall rule of the nodes.
type rule struct {
	name     string // of the flow
	side     string // whose it is: "" of nodes, or controlPlaneSide
	ingress  bool
	peer     peer
	protocol string
	port     int // 0 is every port
	reason   string
}

// key is what Google tells rules apart by.
func (r rule) key() rule { r.name, r.reason = "", ""; return r }

// rules gives what the flows of the port table need. Of GKE the control plane
// is Google's and has no rules of ours. Pods share the interface of their machine:
// flows that come to the same rule are one.
//
// A firewall sees nothing that stays on a machine: such flows have no rules. Names,
// time and addresses come from the metadata server, which no rule can forbid; its
// flows are written all the same, so that rules and port table are equal.
// https://cloud.google.com/firewall/docs/firewalls#alwaysallowed
func rules(a FirewallArgs) []rule {
	if a.SelfManaged {
		return selfManagedRules(a)
	}
	var out ruleList
	add := out.add
	for _, flow := range hostconfig.PortTable(topology(a)) {
		from, fromKnown := a.peer(flow.From)
		to, toKnown := a.peer(flow.To)
		if !fromKnown || !toKnown {
			continue
		}
		r := rule{name: flow.Name, protocol: flow.Protocol, port: flow.Port, reason: flow.Reason}
		if from.machine() {
			out := r
			out.peer = to
			add(out)
		}
		if to.machine() {
			in := r
			in.peer, in.ingress = from, true
			add(in)
		}
	}
	return out
}

// ruleList are rules of which each is there once.
type ruleList []rule

func (l *ruleList) add(r rule) {
	if i := slices.IndexFunc(*l, func(o rule) bool { return o.key() == r.key() }); i < 0 {
		*l = append(*l, r)
	} else if !strings.Contains((*l)[i].reason, r.reason) {
		(*l)[i].reason += "; " + r.reason
	}
}

// machine tells whether the end is behind the interface of a node.
func (p peer) machine() bool { return p.side == nodeSide || p.side == podSide }

// peer gives what stands for an end of a flow, if anything does.
func (a FirewallArgs) peer(end hostconfig.Endpoint) (peer, bool) {
	switch end {
	case hostconfig.ControlPlanes:
		return peer{side: controlPlaneSide}, true
	case hostconfig.Workers, hostconfig.Nodes: // all nodes are workers
		return peer{side: nodeSide}, true
	case hostconfig.Pods:
		return peer{side: podSide}, true
	}
	cidrs := hostconfig.PlatformRanges(hostconfig.PlatformGCP, end)
	for _, service := range topology(a).Services {
		if end == hostconfig.ServiceEndpoint(service.Name) {
			cidrs = service.CIDRs
		}
	}
	return peer{cidrs: joinIPv4(cidrs)}, len(cidrs) > 0
}

// joinIPv4 leaves out IPv6, which the network does not have.
func joinIPv4(cidrs []string) string {
	joined := ""
	for _, cidr := range cidrs {
		if at, err := netip.ParseAddr(cidr); err == nil {
			cidr = netip.PrefixFrom(at, at.BitLen()).String()
		}
		if prefix, err := netip.ParsePrefix(cidr); err == nil && prefix.Addr().Is4() {
			joined += cidr + " "
		}
	}
	return joined
}

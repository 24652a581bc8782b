package hostconfig

import (
	"fmt"
	"slices"
)

// ruleset is a firewall with everything that its rules are made of, worked out
// once: a group may have thousands of machines.
type ruleset struct {
	Firewall
	topology Topology
	flows    []Flow
	has      [2]bool // by family
	// endpoints are those of the flows that have addresses of their own, and the
	// minimal ranges of each by family.
	endpoints []Endpoint
	ranges    map[Endpoint][2][]string
}

// classic are the endpoints that every cluster has.
var classic = []Endpoint{ControlPlanes, Workers, Operators, Pods}

func newRuleset(f Firewall) ruleset {
	topology := f.Topology()
	r := ruleset{Firewall: f, topology: topology, flows: PortTable(topology), endpoints: slices.Clone(classic), ranges: map[Endpoint][2][]string{},
		has: [2]bool{f.has(familyIPv4), f.has(familyIPv6)}}
	for _, flow := range r.flows {
		for _, e := range []Endpoint{flow.From, flow.To} {
			if e != OwnPods && e != Loopback && !slices.Contains(r.endpoints, e) {
				r.endpoints = append(r.endpoints, e)
			}
		}
	}
	for _, e := range r.endpoints {
		ranges := [2][]string{ofFamily(f.named(e), familyIPv4), nil}
		if r.has[familyIPv6] {
			ranges[familyIPv6] = ofFamily(f.named(e), familyIPv6)
		}
		r.ranges[e] = ranges
	}
	return r
}

// here tells whether an endpoint is a machine of this role.
func (r ruleset) here(e Endpoint) bool {
	return e == Nodes || e == ControlPlanes && r.Role == RoleControlPlane || e == Workers && r.Role == RoleWorker
}

// present tells whether an endpoint has addresses of a family. Machines,
// operators and pods count as present wherever the cluster has IPv4, so that a
// group that is empty today needs a change of its set alone.
func (r ruleset) present(e Endpoint, of family) bool {
	if e == OwnPods {
		e = Pods
	}
	if of == familyIPv4 && slices.Contains(classic, e) {
		return r.has[of]
	}
	return len(r.ranges[e][of]) > 0
}

// matches gives the interface and address part of a flow's rules. Every rule
// names the interface beside the address, so that an address alone, which can
// be forged, opens nothing.
func (r ruleset) matches(flow Flow, d direction, of family) []string {
	from, to := flow.From, flow.To
	if from == Loopback {
		return nil // the loopback interface is accepted as a whole
	}
	var matches []string
	switch d {
	case inbound:
		if r.here(to) && r.present(from, of) {
			for _, name := range r.arrivals(from) {
				matches = append(matches, fmt.Sprintf("iifname %q %s", name, source(from, of)))
			}
		}
	case outbound:
		if r.here(from) && r.present(to, of) {
			for _, name := range r.departures(to, of) {
				matches = append(matches, fmt.Sprintf("oifname %q %s", name, destination(to, of)))
			}
		}
	default:
		// Forwarding is for pods alone. Connections that end in the machine's own
		// pods are not forwarded.
		if to != OwnPods && (from == Pods || to == Pods) && r.topology.runsPods(r.Role) && r.present(from, of) && r.present(to, of) {
			return r.forwards(from, to, of)
		}
	}
	return matches
}

// forwards gives the ways of a flow through a machine: pods are behind its pod
// interfaces or, those of other machines, behind the node network and the tunnels.
func (r ruleset) forwards(from, to Endpoint, of family) []string {
	var ways []string
	add := func(ins, outs []string) {
		for _, in := range ins {
			for _, out := range outs {
				ways = append(ways, fmt.Sprintf("iifname %q oifname %q %s %s", in, out, source(from, of), destination(to, of)))
			}
		}
	}
	pods, node := r.PodInterfaces, []string{r.NodeInterface}
	switch {
	case from == Pods && to == Pods:
		others := slices.Concat(node, tunnels(r.Network, of))
		add(pods, pods)
		add(pods, others)
		add(others, pods)
	case from == Pods:
		add(pods, node)
	default:
		// A machine that reaches a pod through a tunnel does so with the tunnel's
		// address, which is a pod's.
		add(node, pods)
	}
	return ways
}

// arrivals are the interfaces at which an endpoint's packets come in. Pods reach
// a machine's address outside the tunnels, which lead to pods alone.
func (r ruleset) arrivals(from Endpoint) []string {
	switch {
	case from == Operators:
		return []string{r.OperatorInterface}
	case from == Pods && r.topology.runsPods(r.Role):
		return append(slices.Clone(r.PodInterfaces), r.NodeInterface)
	}
	return []string{r.NodeInterface}
}

// departures are the interfaces through which an endpoint is reached.
func (r ruleset) departures(to Endpoint, of family) []string {
	switch to {
	case OwnPods:
		return r.PodInterfaces
	case Pods:
		// Its own pods a machine reaches as their kubelet does.
		return append([]string{r.NodeInterface}, tunnels(r.Network, of)...)
	}
	return []string{r.NodeInterface}
}

func source(e Endpoint, of family) string      { return ip(of) + " saddr @" + setName(e, of) }
func destination(e Endpoint, of family) string { return ip(of) + " daddr @" + setName(e, of) }

func ip(of family) string {
	if of == familyIPv6 {
		return "ip6"
	}
	return "ip"
}

// expression gives the protocol part of a rule.
func (flow Flow) expression(of family) string {
	switch {
	case flow.Protocol == ProtocolEcho:
		// A rate, because an echo carries data and nobody needs many.
		if of == familyIPv6 {
			return "icmpv6 type echo-request limit rate 10/second"
		}
		return "icmp type echo-request limit rate 10/second"
	case flow.Protocol == ProtocolAny:
		return ""
	case flow.Port == 0:
		return "meta l4proto " + flow.Protocol
	case flow.SourcePort != 0:
		return fmt.Sprintf("%[1]s sport %[2]d %[1]s dport %[3]d", flow.Protocol, flow.SourcePort, flow.Port)
	default:
		return fmt.Sprintf("%s dport %d", flow.Protocol, flow.Port)
	}
}

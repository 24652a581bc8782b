package hostconfig

import (
	"fmt"
	"slices"
)

// here tells whether an endpoint is a machine of this role.
func (f Firewall) here(e Endpoint) bool {
	return e == Nodes || e == ControlPlanes && f.Role == RoleControlPlane || e == Workers && f.Role == RoleWorker
}

// present tells whether an endpoint has addresses of a family. Machines,
// operators and pods count as present wherever the cluster has the family, so
// that a group that is empty today needs a change of its set alone.
func (f Firewall) present(e Endpoint, of family) bool {
	switch e {
	case ControlPlanes, Workers, Operators, Pods, OwnPods:
		if of == familyIPv4 {
			return f.has(of)
		}
	}
	return (of == familyIPv4 || f.has(of)) && len(ofFamily(f.Ranges(e), of)) > 0
}

// matches gives the interface and address part of a flow's rules. Every rule
// names the interface beside the address, so that an address alone, which can
// be forged, opens nothing.
func (f Firewall) matches(flow Flow, d direction, of family) []string {
	from, to := flow.From, flow.To
	if from == Loopback {
		return nil // the loopback interface is accepted as a whole
	}
	var matches []string
	switch d {
	case inbound:
		if f.here(to) && f.present(from, of) {
			for _, name := range f.arrivals(from) {
				matches = append(matches, fmt.Sprintf("iifname %q %s", name, source(from, of)))
			}
		}
	case outbound:
		if f.here(from) && f.present(to, of) {
			for _, name := range f.departures(to, of) {
				matches = append(matches, fmt.Sprintf("oifname %q %s", name, destination(to, of)))
			}
		}
	default:
		// Forwarding is for pods alone. Connections that end in the machine's own
		// pods are not forwarded.
		if to != OwnPods && (from == Pods || to == Pods) && f.Topology().runsPods(f.Role) && f.present(from, of) && f.present(to, of) {
			return f.forwards(from, to, of)
		}
	}
	return matches
}

// forwards gives the ways of a flow through a machine: pods are behind its pod
// interfaces or, those of other machines, behind the node network and the tunnels.
func (f Firewall) forwards(from, to Endpoint, of family) []string {
	var ways []string
	add := func(ins, outs []string) {
		for _, in := range ins {
			for _, out := range outs {
				ways = append(ways, fmt.Sprintf("iifname %q oifname %q %s %s", in, out, source(from, of), destination(to, of)))
			}
		}
	}
	pods, node := f.PodInterfaces, []string{f.NodeInterface}
	switch {
	case from == Pods && to == Pods:
		others := slices.Concat(node, tunnels(f.Network, of))
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
func (f Firewall) arrivals(from Endpoint) []string {
	switch {
	case from == Operators:
		return []string{f.OperatorInterface}
	case from == Pods && f.Topology().runsPods(f.Role):
		return append(slices.Clone(f.PodInterfaces), f.NodeInterface)
	}
	return []string{f.NodeInterface}
}

// departures are the interfaces through which an endpoint is reached.
func (f Firewall) departures(to Endpoint, of family) []string {
	switch to {
	case OwnPods:
		return f.PodInterfaces
	case Pods:
		outside := append([]string{f.NodeInterface}, tunnels(f.Network, of)...)
		if f.Topology().runsPods(f.Role) {
			return append(slices.Clone(f.PodInterfaces), outside...)
		}
		return outside
	}
	return []string{f.NodeInterface}
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

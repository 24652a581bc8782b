package hostconfig

import (
	"fmt"
	"strings"
)

// FirewallTable is the only nftables table that this project owns. Nothing else
// is touched: flushing the whole ruleset would wipe what the network plugin and
// the service proxy need.
const FirewallTable = "inet redoubt"

// Nftables renders the ruleset of one machine for nft -f, from [PortTable].
// Applying it again replaces the table in one transaction, without a moment in
// which more is allowed. What does not validate is not rendered.
//
// Every chain drops by default: what comes in, what goes out and what is
// forwarded. IPv6 is dropped except on loopback. Nothing is counted or logged.
func Nftables(f Firewall) (string, error) {
	f = f.WithDefaults()
	if err := f.Validate(); err != nil {
		return "", err
	}
	var b strings.Builder
	// Declaring the table first makes the deletion succeed the first time too.
	fmt.Fprintf(&b, "table %[1]s\ndelete table %[1]s\n\ntable %[1]s {\n", FirewallTable)
	f.writeSets(&b)
	f.writeChain(&b, "input", []string{`iifname "lo" accept`}, f.rules(inbound))
	f.writeChain(&b, "forward", nil, f.rules(forwarded))
	f.writeChain(&b, "output", []string{`oifname "lo" accept`}, f.rules(outbound))
	b.WriteString("}\n")
	return b.String(), nil
}

// commonFirewallRules stand in every chain before the flows.
var commonFirewallRules = []string{
	"meta nfproto ipv6 drop",
	"ct state invalid drop",
	"ct state established accept",
	// Only the errors without which connections hang: path MTU and unreachable
	// hosts. No other kind of related traffic exists without helpers.
	"ct state related icmp type { destination-unreachable, time-exceeded } accept",
}

func (f Firewall) writeChain(b *strings.Builder, hook string, first, flows []string) {
	fmt.Fprintf(b, "\n\tchain %[1]s {\n\t\ttype filter hook %[1]s priority filter; policy drop;\n", hook)
	for _, rules := range [][]string{first, commonFirewallRules, flows} {
		for _, rule := range rules {
			b.WriteString("\t\t" + rule + "\n")
		}
	}
	b.WriteString("\t}\n")
}

func (f Firewall) writeSets(b *strings.Builder) {
	write := func(name string, elements []string) {
		fmt.Fprintf(b, "\tset %s {\n\t\ttype ipv4_addr\n\t\tflags interval\n", name)
		if len(elements) > 0 {
			fmt.Fprintf(b, "\t\telements = { %s }\n", strings.Join(elements, ", "))
		}
		b.WriteString("\t}\n")
	}
	write("control_plane", minimalRanges(f.ControlPlane))
	write("workers", minimalRanges(f.Workers))
	write("operators", minimalRanges(f.Operators))
	write("pods", minimalRanges([]string{f.PodCIDR}))
}

// direction is the chain that a rule belongs to.
type direction int

const (
	inbound direction = iota
	forwarded
	outbound
)

// rules gives the rules of the flows that concern this machine in a direction.
func (f Firewall) rules(d direction) []string {
	var rules []string
	for _, flow := range PortTable(f.Ports) {
		for _, match := range f.matches(flow, d) {
			if protocol := flow.expression(); protocol != "" {
				match += " " + protocol
			}
			// A comment makes the applied rules readable by themselves.
			rules = append(rules, fmt.Sprintf("%s accept comment %q", match, flow.Name))
		}
	}
	return rules
}

// matches gives the interface and address part of a flow's rules. Every rule
// names the interface beside the address, so that an address alone, which can
// be forged, opens nothing.
func (f Firewall) matches(flow Flow, d direction) []string {
	from, to := flow.From, flow.To
	if from == Loopback {
		return nil // the loopback interface is accepted as a whole
	}
	here := ControlPlanes
	if f.Role == RoleWorker {
		here = Workers
	}
	switch d {
	case inbound:
		if to != here || from == Pods && f.Role == RoleWorker {
			return nil
		}
		return []string{f.arrival(from) + " " + source(from)}
	case outbound:
		if from != here {
			return nil
		}
		return []string{f.departure(to) + " " + destination(to)}
	default:
		// Only workers forward, and only for pods. Connections that end in the
		// worker's own pods are not forwarded.
		if f.Role != RoleWorker || to == OwnPods || from != Pods && to != Pods {
			return nil
		}
		return f.forwards(from, to)
	}
}

// forwards gives the ways of a flow through a worker: pods are behind the bridge
// or, those of other workers, behind the node network.
func (f Firewall) forwards(from, to Endpoint) []string {
	addresses := source(from) + " " + destination(to)
	way := func(in, out string) string { return fmt.Sprintf("iifname %q oifname %q %s", in, out, addresses) }
	pods, nodes := f.PodInterface, f.NodeInterface
	switch {
	case from == Pods && to == Pods:
		return []string{way(pods, pods), way(pods, nodes), way(nodes, pods)}
	case from == Pods:
		return []string{way(pods, nodes)}
	default:
		return []string{way(nodes, pods)}
	}
}

// interfaceOf is the interface behind which an endpoint is.
func (f Firewall) interfaceOf(e Endpoint) string {
	switch {
	case e == Operators:
		return f.OperatorInterface
	case (e == Pods || e == OwnPods) && f.Role == RoleWorker:
		return f.PodInterface
	default:
		return f.NodeInterface
	}
}

func (f Firewall) arrival(from Endpoint) string {
	return fmt.Sprintf("iifname %q", f.interfaceOf(from))
}
func (f Firewall) departure(to Endpoint) string { return fmt.Sprintf("oifname %q", f.interfaceOf(to)) }

// setNames are the nftables sets of the endpoints.
var setNames = map[Endpoint]string{
	Operators: "operators", ControlPlanes: "control_plane", Workers: "workers", Pods: "pods", OwnPods: "pods",
}

func source(e Endpoint) string      { return "ip saddr @" + setNames[e] }
func destination(e Endpoint) string { return "ip daddr @" + setNames[e] }

// expression gives the protocol part of a rule.
func (flow Flow) expression() string {
	switch {
	case flow.Protocol == ProtocolEcho:
		// A rate, because an echo carries data and nobody needs many.
		return "icmp type echo-request limit rate 10/second"
	case flow.Protocol == ProtocolTCP && flow.Port == 0:
		return "meta l4proto tcp"
	case flow.Protocol == ProtocolTCP:
		return fmt.Sprintf("tcp dport %d", flow.Port)
	default:
		return ""
	}
}

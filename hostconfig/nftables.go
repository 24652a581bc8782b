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
// Every chain of flows drops by default: what comes in, what goes out and what is
// forwarded. A family that neither machines nor pods have is dropped except on
// loopback. Nothing is counted or logged.
//
// Addresses are those after the translation of services, because translation
// comes before these chains. What a plugin forwards in eBPF passes no chain:
// there, its own host policy is what stands in the way.
func Nftables(f Firewall) (string, error) {
	f = f.WithDefaults()
	if err := f.Validate(); err != nil {
		return "", err
	}
	r := newRuleset(f)
	chains := []struct {
		hook  string
		first []string
		rules []string
	}{
		{"input", []string{`iifname "lo" accept`}, r.rules(inbound)},
		{"forward", nil, r.rules(forwarded)},
		{"output", []string{`oifname "lo" accept`}, r.rules(outbound)},
	}
	var b strings.Builder
	// Declaring the table first makes the deletion succeed the first time too.
	fmt.Fprintf(&b, "table %[1]s\ndelete table %[1]s\n\ntable %[1]s {\n", FirewallTable)
	var used []string
	for _, chain := range chains {
		used = append(used, chain.rules...)
	}
	r.writeSets(&b, strings.Join(used, "\n")+"\n")
	for _, chain := range chains {
		fmt.Fprintf(&b, "\n\tchain %[1]s {\n\t\ttype filter hook %[1]s priority filter; policy drop;\n", chain.hook)
		for _, rules := range [][]string{chain.first, r.commonRules(chain.hook), chain.rules} {
			for _, rule := range rules {
				b.WriteString("\t\t" + rule + "\n")
			}
		}
		b.WriteString("\t}\n")
	}
	if rules := f.judgement(); len(rules) > 0 {
		// After the agent's own rules, which stand at the priority of the chains above.
		// It takes away and adds nothing: a packet must pass every chain of a hook.
		b.WriteString("\n\tchain judged {\n\t\ttype filter hook forward priority filter + 10; policy accept;\n")
		for _, rule := range rules {
			b.WriteString("\t\t" + rule + "\n")
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String(), nil
}

// Rules of neighbour discovery, which take the place of ARP. A hop limit of 255
// proves that the sender is on the same link (RFC 4861, section 11.2). Machines
// ask for routers and learn of them, and never pass for one. The kernel does not
// track these messages, so they come before the rules about connections.
var neighbourRules = map[string][]string{
	"input": {
		"icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept",
		"icmpv6 type nd-router-advert ip6 saddr fe80::/10 ip6 hoplimit 255 accept",
	},
	"output": {"icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } ip6 hoplimit 255 accept"},
}

// commonRules stand in a chain before the flows.
func (r ruleset) commonRules(hook string) []string {
	var rules []string
	if r.has[familyIPv6] {
		rules = append(rules, neighbourRules[hook]...)
	} else {
		rules = append(rules, "meta nfproto ipv6 drop")
	}
	rules = append(rules,
		"ct state invalid drop",
		"ct state established accept",
		// Only the errors without which connections hang: path MTU and unreachable
		// hosts. No other kind of related traffic exists without helpers.
		"ct state related icmp type { destination-unreachable, time-exceeded } accept",
	)
	if r.has[familyIPv6] {
		rules = append(rules, "ct state related icmpv6 type { destination-unreachable, packet-too-big, time-exceeded } accept")
	}
	return rules
}

// writeSets declares the sets that the rules name, in the order of the endpoints
// in the table, and those of machines, operators and pods always.
func (r ruleset) writeSets(b *strings.Builder, rules string) {
	for i, e := range r.endpoints {
		for _, of := range families {
			name, elements := setName(e, of), r.ranges[e][of]
			always := i < len(classic) && of == familyIPv4 && r.has[familyIPv4]
			if !always && !strings.Contains(rules, "@"+name+" ") {
				continue
			}
			kind := "ipv4_addr"
			if of == familyIPv6 {
				kind = "ipv6_addr"
			}
			fmt.Fprintf(b, "\tset %s {\n\t\ttype %s\n\t\tflags interval\n", name, kind)
			if len(elements) > 0 {
				fmt.Fprintf(b, "\t\telements = { %s }\n", strings.Join(elements, ", "))
			}
			b.WriteString("\t}\n")
		}
	}
}

// setName is the nftables set of an endpoint. An endpoint has no underscore, so
// no two names meet.
func setName(e Endpoint, of family) string {
	if e == OwnPods {
		e = Pods // told apart by the interface
	}
	name := strings.ReplaceAll(string(e), "-", "_")
	if of == familyIPv6 {
		return "ipv6_" + name
	}
	return name
}

// direction is the chain that a rule belongs to.
type direction int

const (
	inbound direction = iota
	forwarded
	outbound
)

// rules gives the rules of the flows that concern this machine in a direction.
func (r ruleset) rules(d direction) []string {
	var rules []string
	for _, flow := range r.flows {
		for _, of := range families {
			for _, match := range r.matches(flow, d, of) {
				if protocol := flow.expression(of); protocol != "" {
					match += " " + protocol
				}
				// A comment makes the applied rules readable by themselves.
				rules = append(rules, fmt.Sprintf("%s accept comment %q", match, flow.Name))
			}
		}
	}
	return rules
}

package hostconfig

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// PodTable is the nftables table in which a machine says what it knows of its
// pods. It is apart from [FirewallTable], which never changes by itself.
const PodTable = "inet redoubt_pods"

// knownMark is the bit by which a machine tells that the sender of a packet is a
// pod whose policies are in force. The mark of the agent does not: it is set as
// well when the agent knows the receiver alone.
const knownMark = 0x40000

// PodRules renders what a machine knows of its pods for nft -f, in one
// transaction: known are the addresses of those whose policies the agent has put
// in force, quarantined of those under quarantine. What these send and receive is
// dropped, connections that were there before too (M40): it is what ends the shell
// that an intruder has open. It is dropped without an answer, because a process
// that goes on waiting is evidence. Where quarantined is nil, nothing is known of
// it, and what the kernel has stays.
//
// Traffic between a machine and its own pods passes no chain of these: probes go
// on, or the kubelet would end what is kept as evidence.
func PodRules(known, quarantined []netip.Addr) string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	line("add table %s", PodTable)
	for _, set := range []string{"known", "quarantined"} {
		line("add set %s %s { type ipv4_addr; }", PodTable, set)
	}
	for _, chain := range []struct {
		name     string
		priority int
		rules    []string
	}{
		// Before anything lets a connection go on that was there before.
		{"quarantine", -10, []string{`ip saddr @quarantined drop`, `ip daddr @quarantined drop`}},
		// Before the host firewall looks for the mark.
		{"senders", 5, []string{fmt.Sprintf(`ip saddr @known meta mark set meta mark | 0x%08x`, knownMark)}},
	} {
		line("add chain %s %s { type filter hook forward priority %d; policy accept; }", PodTable, chain.name, chain.priority)
		line("flush chain %s %s", PodTable, chain.name)
		for _, rule := range chain.rules {
			line("add rule %s %s %s", PodTable, chain.name, rule)
		}
	}
	fill := func(set string, addresses []netip.Addr) {
		line("flush set %s %s", PodTable, set)
		var elements []string
		for _, address := range addresses {
			if address.Is4() && !slices.Contains(elements, address.String()) {
				elements = append(elements, address.String())
			}
		}
		slices.Sort(elements)
		if len(elements) > 0 {
			line("add element %s %s { %s }", PodTable, set, strings.Join(elements, ", "))
		}
	}
	fill("known", known)
	if quarantined != nil {
		fill("quarantined", quarantined)
	}
	return b.String()
}

package gcp

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// The directions of firewall rules.
const (
	Ingress = "INGRESS"
	Egress  = "EGRESS"
)

// Flow is a connection as the firewall of one of its ends sees it.
type Flow struct {
	// Network is the id of the network, such as projects/p/global/networks/n.
	Network   string
	Direction string
	// Tags and ServiceAccount are those of the machine whose firewall is asked.
	Tags           []string
	ServiceAccount string
	// Remote is the other end, as a range of which every address counts; RemoteTags and RemoteServiceAccount are those of
	// its machine, if it is one of the network.
	Remote               netip.Prefix
	RemoteTags           []string
	RemoteServiceAccount string
	// Protocol is "tcp", "udp" and so on; Port is for those that have ports.
	Protocol string
	Port     int
}

// Allows tells whether the firewall rules of a network let a flow through.
func Allows(cloud *simcloud.Cloud, f Flow) (yes bool) {
	cloud.Look(func() { yes = allows(rulesOf(cloud, f.Network), f) })
	return yes
}

// rulesOf are the firewall rules of a network.
func rulesOf(cloud *simcloud.Cloud, networkID string) []simcloud.Values {
	var out []simcloud.Values
	for _, o := range cloud.Find("", firewall, func(o *simcloud.Object) bool { return networkOf(o) == networkID }) {
		out = append(out, o.State)
	}
	return out
}

// allows judges a flow: of the rules that are for it, those of the lowest number decide, and among them a denial. Where
// none is for it, what goes out may and what comes in may not.
// https://cloud.google.com/firewall/docs/firewalls#default_firewall_rules
func allows(rules []simcloud.Values, f Flow) bool {
	best, yes := 65536, f.Direction == Egress
	for _, rule := range rules {
		priority := rule.Int("priority")
		if rule.Bool("disabled") || rule.String("direction") != f.Direction || priority > best || !targets(rule, f) {
			continue
		}
		for _, list := range []string{"allows", "denies"} {
			if !slices.ContainsFunc(rule.List(list), func(v simcloud.Values) bool { return carries(v, f.Protocol, f.Port) }) || !remote(rule, f, list == "denies") {
				continue
			}
			switch {
			case priority < best:
				best, yes = priority, list == "allows"
			case list == "denies":
				yes = false
			}
		}
	}
	return yes
}

// targets tells whether a rule is for a flow's own machine.
func targets(rule simcloud.Values, f Flow) bool {
	tags, accounts := rule.Strings("targetTags"), rule.Strings("targetServiceAccounts")
	return len(tags) == 0 && len(accounts) == 0 || shares(tags, f.Tags) || slices.Contains(accounts, f.ServiceAccount)
}

// remote tells whether a rule is for a flow's other end: to let it through a rule must cover all of it, to deny it a part.
func remote(rule simcloud.Values, f Flow, part bool) bool {
	name := "sourceRanges"
	if f.Direction == Egress {
		name = "destinationRanges"
	}
	texts := rule.Strings(name)
	tags, accounts := rule.Strings("sourceTags"), rule.Strings("sourceServiceAccounts")
	if len(texts) == 0 && len(tags) == 0 && len(accounts) == 0 {
		return true
	}
	if f.Direction == Ingress && (shares(tags, f.RemoteTags) || slices.Contains(accounts, f.RemoteServiceAccount)) {
		return true
	}
	return f.Remote.IsValid() && slices.ContainsFunc(texts, func(text string) bool {
		p, err := netip.ParsePrefix(text)
		return err == nil && (simcloud.Within(f.Remote, p) || part && p.Overlaps(f.Remote))
	})
}

func shares(a, b []string) bool {
	return slices.ContainsFunc(a, func(each string) bool { return slices.Contains(b, each) })
}

var protocolNumbers = map[string]string{"1": "icmp", "4": "ipip", "6": "tcp", "17": "udp", "50": "esp", "51": "ah", "132": "sctp"}

// carries tells whether a protocol and its ports include a port.
func carries(v simcloud.Values, protocol string, port int) bool {
	mine := v.String("protocol")
	if name, ok := protocolNumbers[mine]; ok {
		mine = name
	}
	if mine == "all" {
		return true
	}
	if _, err := strconv.Atoi(mine); err == nil || mine != protocol {
		return false
	}
	ports := v.Strings("ports")
	return len(ports) == 0 || slices.ContainsFunc(ports, func(text string) bool {
		from, to, err := portRange(text)
		return err == nil && from <= port && port <= to
	})
}

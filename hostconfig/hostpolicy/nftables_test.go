package hostpolicy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// ruleset is a rendered nftables table, as far as a first packet is concerned.
type ruleset struct {
	sets   map[string][]string
	chains map[string][][]string
}

func parseRuleset(t *testing.T, f hostconfig.Firewall) ruleset {
	t.Helper()
	text, err := hostconfig.Nftables(f)
	if err != nil {
		t.Fatal(err)
	}
	r := ruleset{map[string][]string{}, map[string][][]string{}}
	var set, chain string
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "set":
			set, chain = words[1], ""
		case words[0] == "chain":
			set, chain = "", words[1]
		case set != "" && words[0] == "elements":
			for _, element := range strings.Split(strings.Join(words[3:len(words)-1], ""), ",") {
				if address, err := netip.ParseAddr(element); err == nil {
					element = netip.PrefixFrom(address, address.BitLen()).String()
				}
				r.sets[set] = append(r.sets[set], element)
			}
		case chain != "" && slices.Contains(words, "accept") && slices.Contains(words, "comment"):
			r.chains[chain] = append(r.chains[chain], words)
		}
	}
	return r
}

// accepts walks a chain. An expression that it does not know fails the test.
func (r ruleset) accepts(t *testing.T, chain, in, out string, p packet) bool {
	t.Helper()
	return slices.ContainsFunc(r.chains[chain], func(words []string) bool {
		holds := func(ranges []string, address netip.Addr) bool { return contains(ranges, address) }
		for len(words) > 0 {
			ok, used := true, 2
			switch words[0] {
			case "iifname":
				ok = isInterface(words[1], in)
			case "oifname":
				ok = isInterface(words[1], out)
			case "ip", "ip6":
				used = 3
				address := p.from.addr
				if words[1] == "daddr" {
					address = p.to.addr
				}
				ok = holds(r.sets[strings.TrimPrefix(words[2], "@")], address)
			case "tcp", "udp": // tcp dport N
				used = 3
				number := p.port
				if words[1] == "sport" {
					number = p.source
				}
				ok = p.protocol == words[0] && words[2] == strconv.Itoa(number)
			case "meta": // meta l4proto tcp
				used = 3
				ok = p.protocol == words[2]
			case "icmp", "icmpv6": // icmp type echo-request
				used = 3
				ok = p.protocol == "echo" && p.to.addr.Is4() == (words[0] == "icmp")
			case "limit": // limit rate 10/second
				used = 3
			case "accept":
				return true
			default:
				t.Fatalf("unknown expression: %v", words)
			}
			if !ok {
				return false
			}
			words = words[used:]
		}
		return false
	})
}

func isInterface(quoted, name string) bool {
	pattern := strings.Trim(quoted, `"`)
	prefix, wildcard := strings.CutSuffix(pattern, "*")
	return pattern == name || wildcard && strings.HasPrefix(name, prefix)
}

// interfaceTo is the interface of a machine behind which a subject is.
func (c Cluster) interfaceTo(host string, s subject) string {
	isCloud := c.Platform != "" && c.Platform != hostconfig.PlatformLocal
	switch {
	case s.kind == hostconfig.Operators && !isCloud:
		return "op0"
	case s.host == host && s.kind == hostconfig.Pods && isCloud:
		return "cali1234"
	case s.host == host && s.kind == hostconfig.Pods:
		return "cni0"
	default:
		return "eth0"
	}
}

// nftables judges a packet by every machine that it passes.
func nftables(t *testing.T, c Cluster) judge {
	rules := map[hostconfig.Role]ruleset{}
	for _, role := range roles {
		rules[role] = parseRuleset(t, c.firewall(role))
	}
	worker := rules[hostconfig.RoleWorker]
	return func(p packet) bool {
		from, to := p.from, p.to
		switch {
		case from.isHost() && !rules[from.role()].accepts(t, "output", "", c.interfaceTo(from.name, to), p):
			return false
		case to.isHost() && !rules[to.role()].accepts(t, "input", c.interfaceTo(to.name, from), "", p):
			return false
		case from.kind == hostconfig.Pods && from.host != to.name && !worker.accepts(t, "forward", c.interfaceTo(from.host, from), c.interfaceTo(from.host, to), p):
			return false
		case to.kind == hostconfig.Pods && to.host != from.name && !worker.accepts(t, "forward", c.interfaceTo(to.host, from), c.interfaceTo(to.host, to), p):
			return false
		}
		return true
	}
}

// TestSameAsNftables: the two renderers decide alike about every packet that
// begins or ends at a machine.
func TestSameAsNftables(t *testing.T) {
	for name, c := range variants() {
		nft, wider := nftables(t, c), ciliumMeant(c)
		for _, difference := range differences(c, calico(t, c).allows, widened(c, nft)) {
			t.Errorf("%s: Calico: %s", name, difference)
		}
		for _, difference := range differences(c, cilium(t, c).allows, func(p packet) bool {
			if p.from.isHost() && p.to.kind == hostconfig.Pods || p.protocol == "udp" && p.source != anySource || p.port == 67 || p.port == 546 || p.port == 547 {
				return wider(p) // wider than nftables, see Cilium
			}
			return nft(p)
		}) {
			t.Errorf("%s: Cilium: %s", name, difference)
		}
	}
}

package aws

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
)

// The range of a VPC is cut into sixteen equal blocks. Zone i has block 2i, and block 2i+1 is kept for its growth: the
// two are neighbours, so that a route or a rule can take both as one range. The last four blocks are for small subnets,
// of a 256th of the range each, from the end.
const (
	blockBits = 4
	smallBits = 8
	mostZones = 6
)

// subnetPlan is where one zone's subnets lie.
type subnetPlan struct {
	Zone    string
	Private netip.Prefix
	// Growth is left free for a second private subnet.
	Growth netip.Prefix
	// Public holds the NAT gateway, where there is one.
	Public netip.Prefix
}

// planSubnets cuts a range, of a length from /16 to /20, for some zones. The arguments have been judged.
func planSubnets(vpc netip.Prefix, zones []string) []subnetPlan {
	var out []subnetPlan
	for i, zone := range zones {
		out = append(out, subnetPlan{Zone: zone, Private: block(vpc, blockBits, 2*i), Growth: block(vpc, blockBits, 2*i+1),
			Public: block(vpc, smallBits, 1<<smallBits-1-i)})
	}
	return out
}

// block is the n-th part of a range that is cut into 2^bits parts.
func block(of netip.Prefix, bits, n int) netip.Prefix {
	base := of.Addr().As4()
	length := of.Bits() + bits
	address := binary.BigEndian.Uint32(base[:]) + uint32(n)<<(32-length)
	binary.BigEndian.PutUint32(base[:], address)
	return netip.PrefixFrom(netip.AddrFrom4(base), length)
}

// privateRanges are those of RFC 1918 and, which EKS takes too, of RFC 6598.
var privateRanges = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10")}

// addressing judges the range of the network, its zones, and that what must stay apart does.
func (p *problems) addressing(region, cidr string, zones []string, apart map[string]string) {
	vpc, err := netip.ParsePrefix(cidr)
	private := err == nil && slices.ContainsFunc(privateRanges, func(r netip.Prefix) bool { return r.Bits() <= vpc.Bits() && r.Contains(vpc.Addr()) })
	switch {
	case err != nil || !vpc.Addr().Is4():
		p.add("cidr", "write a range such as 10.0.0.0/16", "%q is not an IPv4 range", cidr)
	case vpc.Masked() != vpc:
		p.add("cidr", "write "+vpc.Masked().String(), "%q has host bits set", cidr)
	case vpc.Bits() < 16 || vpc.Bits() > 20:
		p.add("cidr", "write a range from /16 to /20: a smaller one leaves no room for nodes, pods and growth", "%q is too large or too small", cidr)
	case !private:
		p.add("cidr", "write a range within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10", "%q is not private", cidr)
	default:
		for _, name := range sorted(apart) {
			if other, err := netip.ParsePrefix(apart[name]); err != nil {
				p.add(name, "write a range such as 172.20.0.0/16", "%q is not a range", apart[name])
			} else if other.Overlaps(vpc) {
				p.add(name, "choose ranges that lie apart", "%s overlaps the network %s", other, vpc)
			}
		}
	}
	if len(zones) < 2 || len(zones) > mostZones {
		p.add("zones", "name two to six zones, such as eu-central-1a: EKS refuses fewer than two", "%d zones", len(zones))
	}
	seen := map[string]bool{}
	for _, zone := range zones {
		if seen[zone] {
			p.add("zones", "name each zone once", "%q is named twice", zone)
		}
		seen[zone] = true
		if letter, ours := strings.CutPrefix(zone, region); !ours || len(letter) != 1 || letter < "a" || letter > "h" {
			p.add("zones", "name zones of the region, such as "+region+"a", "%q is not a zone of %q", zone, region)
		}
	}
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

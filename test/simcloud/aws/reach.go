package aws

import (
	"net/netip"
	"slices"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// permission is one rule of a group, inline or on its own.
type permission struct {
	protocol string
	from, to int
	groups   []string
	ranges   []string
	lists    []string
}

// permissions are the rules of a group in a direction, "ingress" or "egress".
func permissions(cloud *simcloud.Cloud, scope, group, direction string) []permission {
	var out []permission
	if o := cloud.Get(scope, securityGroup, group); o != nil {
		for _, v := range o.State.List(direction) {
			p := permission{protocol: v.String("protocol"), from: v.Int("fromPort"), to: v.Int("toPort"), groups: v.Strings("securityGroups"),
				ranges: append(v.Strings("cidrBlocks"), v.Strings("ipv6CidrBlocks")...), lists: v.Strings("prefixListIds")}
			if v.Bool("self") {
				p.groups = append(slices.Clone(p.groups), group)
			}
			out = append(out, p)
		}
	}
	token := map[string]string{"ingress": ingressRule, "egress": egressRule}[direction]
	for _, o := range cloud.Find(scope, token, func(o *simcloud.Object) bool { return o.State.String("securityGroupId") == group }) {
		v := o.State
		p := permission{protocol: v.String("ipProtocol"), from: v.Int("fromPort"), to: v.Int("toPort")}
		if text := v.String("referencedSecurityGroupId"); text != "" {
			p.groups = []string{text}
		}
		for _, name := range []string{"cidrIpv4", "cidrIpv6"} {
			if text := v.String(name); text != "" {
				p.ranges = append(p.ranges, text)
			}
		}
		if text := v.String("prefixListId"); text != "" {
			p.lists = []string{text}
		}
		out = append(out, p)
	}
	return out
}

func (p permission) carries(protocol string, port int) bool {
	switch p.protocol {
	case "-1":
		return true
	case protocol, map[string]string{"tcp": "6", "udp": "17"}[protocol]:
		return p.from <= port && port <= p.to
	}
	return false
}

// reaches tells whether an interface with some groups may open a connection to one with others: both ends must agree.
// A range counts when it covers the whole network of the other end.
func reaches(cloud *simcloud.Cloud, scope, vpcID string, from, to []string, protocol string, port int) bool {
	agree := func(mine, theirs []string, direction string) bool {
		for _, group := range mine {
			for _, p := range permissions(cloud, scope, group, direction) {
				if !p.carries(protocol, port) {
					continue
				}
				if slices.ContainsFunc(p.groups, func(g string) bool { return slices.Contains(theirs, g) }) || coversNetwork(cloud, scope, vpcID, p.ranges) {
					return true
				}
			}
		}
		return false
	}
	return agree(from, to, "egress") && agree(to, from, "ingress")
}

func coversNetwork(cloud *simcloud.Cloud, scope, vpcID string, ranges []string) bool {
	for _, text := range ranges {
		outer, err := netip.ParsePrefix(text)
		if err != nil || !outer.Addr().Is4() {
			continue
		}
		all := true
		for _, local := range vpcRanges(cloud, scope, vpcID) {
			all = all && within(local, outer)
		}
		if all {
			return true
		}
	}
	return false
}

// Reaches tells whether the security groups let a connection through from one set of groups to another.
func Reaches(cloud *simcloud.Cloud, scope, vpcID string, from, to []string, protocol string, port int) (yes bool) {
	cloud.Look(func() { yes = reaches(cloud, scope, vpcID, from, to, protocol, port) })
	return yes
}

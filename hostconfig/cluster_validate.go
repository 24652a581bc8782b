package hostconfig

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Validate reports everything that is wrong, as joined [FieldError] values.
// Defaults are filled in first. It sorts the machines and ranges and compares
// neighbours, so that ten thousand machines cost no more than each of them.
func (c Cluster) Validate() error {
	c = c.WithDefaults()
	var p problems
	p.dnsLabel("name", c.Name)
	p.domain("domain", c.Domain)
	if c.Endpoint != "" {
		p.httpsURL("endpoint", c.Endpoint)
	}
	if c.CACertificate != "" {
		p.caCertificate("caCertificate", c.CACertificate)
	}
	for i, address := range c.DNS {
		p.clusterAddress(fmt.Sprintf("dns[%d]", i), address)
	}
	p.ports("ports", c.Ports)
	ranges := p.clusterRanges(c)
	p.clusterMachines(c, ranges)
	return p.join()
}

// rangeOf is a range with the field that holds it, and what has its addresses.
type rangeOf struct {
	field  string
	kind   string
	prefix netip.Prefix
}

// clusterAddress wants the address of a machine, of either IP family.
func (p *problems) clusterAddress(field, value string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(value)
	switch {
	case err != nil || address.Zone() != "" || address.Is4In6():
		p.add(field, quote(value)+" is not an IP address", "write an address such as 10.80.0.10 or fd80::10")
	case address.IsUnspecified() || address.IsMulticast():
		p.add(field, value+" is no machine's address", "write an address of the node network")
	default:
		return address, true
	}
	return netip.Addr{}, false
}

// clusterRange wants a range of either IP family whose host bits are zero.
func (p *problems) clusterRange(field, value string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		p.add(field, quote(value)+" is not a range", "write a range such as 10.81.0.0/16 or fd81::/56")
	case prefix != prefix.Masked():
		p.add(field, quote(value)+" has host bits set", "write "+prefix.Masked().String())
	default:
		return prefix, true
	}
	return netip.Prefix{}, false
}

// clusterRanges judges every range of the cluster, and gives those of pods,
// services, machines and operators, sorted. Operators may overlap each other.
func (p *problems) clusterRanges(c Cluster) []rangeOf {
	var ranges []rangeOf
	for _, list := range []struct {
		field  string
		values []string
	}{{"podCIDRs", c.PodCIDRs}, {"serviceCIDRs", c.ServiceCIDRs}, {"nodeCIDRs", c.NodeCIDRs}, {"operators", c.Operators}} {
		p.spread(list.field, list.values)
		families := map[bool]string{}
		for i, value := range list.values {
			at := fmt.Sprintf("%s[%d]", list.field, i)
			prefix, ok := p.clusterRange(at, value)
			if !ok {
				continue
			}
			p.narrow(at, prefix)
			ranges = append(ranges, rangeOf{at, list.field, prefix})
			is4 := prefix.Addr().Is4()
			if other := families[is4]; other != "" && (list.field == "podCIDRs" || list.field == "serviceCIDRs") {
				p.add(at, fmt.Sprintf("%s is of the same IP family as %s", prefix, other), "write at most one range of each family")
			}
			families[is4] = at
		}
	}
	p.apart(ranges, "choose ranges that are apart", func(a, b rangeOf) bool {
		both := func(kind string) bool { return a.kind == kind && b.kind == kind }
		one := func(kind string) bool { return a.kind == kind || b.kind == kind }
		// A machine of the node network may be an operator's.
		return both("operators") || one("operators") && one("nodeCIDRs")
	})
	return ranges
}

// apart reports ranges that overlap, unless they may. A range that contains
// another sorts before it, so each is compared with those alone that are still
// open where it begins.
func (p *problems) apart(ranges []rangeOf, remedy string, may func(a, b rangeOf) bool) {
	sorted := slices.Clone(ranges)
	slices.SortStableFunc(sorted, func(a, b rangeOf) int {
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
	})
	var open []rangeOf
	for _, each := range sorted {
		for len(open) > 0 && !open[len(open)-1].prefix.Contains(each.prefix.Addr()) {
			open = open[:len(open)-1]
		}
		// The nearest is enough: a second report of one mistake helps nobody.
		for i := len(open) - 1; i >= 0; i-- {
			if !may(open[i], each) {
				p.add(each.field, fmt.Sprintf("%s overlaps %s of %s", each.prefix, open[i].prefix, open[i].field), remedy)
				break
			}
		}
		open = append(open, each)
	}
}

// clusterMachines wants every machine once, at an address that is nobody else's.
func (p *problems) clusterMachines(c Cluster, ranges []rangeOf) {
	names, addresses := map[string]string{}, map[netip.Addr]string{}
	var own []rangeOf
	for _, list := range []struct {
		field    string
		machines []Machine
	}{{"controlPlanes", c.ControlPlanes}, {"workers", c.Workers}} {
		for i, machine := range list.machines {
			at := fmt.Sprintf("%s[%d]", list.field, i)
			p.dnsLabel(at+".name", machine.Name)
			if other := names[machine.Name]; other != "" {
				p.add(at+".name", quote(machine.Name)+" is also the name of "+other, "list each machine once, under its one role")
			}
			names[machine.Name] = at
			if address, ok := p.clusterAddress(at+".address", machine.Address); ok {
				if other := addresses[address]; other != "" {
					p.add(at+".address", machine.Address+" is also the address of "+other, "list each machine once, under its one role")
				}
				addresses[address] = at
				p.machineApart(at+".address", address, ranges)
			}
			if machine.PodCIDR == "" {
				continue
			}
			if prefix, ok := p.clusterRange(at+".podCIDR", machine.PodCIDR); ok {
				own = append(own, rangeOf{at + ".podCIDR", "", prefix})
				p.podsWithin(at+".podCIDR", prefix, ranges)
			}
		}
	}
	p.apart(own, "give each machine a range of its own", func(rangeOf, rangeOf) bool { return false })
}

// machineApart refuses a machine at an address that pods or services have.
func (p *problems) machineApart(field string, address netip.Addr, ranges []rangeOf) {
	for _, each := range ranges {
		if (each.kind == "podCIDRs" || each.kind == "serviceCIDRs") && each.prefix.Contains(address) {
			p.add(field, fmt.Sprintf("%s lies in %s", address, each.field), "choose ranges that are apart from the node network")
		}
	}
}

// podsWithin wants a machine's own range to be a part of the cluster's.
func (p *problems) podsWithin(field string, own netip.Prefix, ranges []rangeOf) {
	for _, each := range ranges {
		if each.kind == "podCIDRs" && each.prefix.Contains(own.Addr()) && own.Bits() >= each.prefix.Bits() {
			return
		}
	}
	p.add(field, own.String()+" lies outside podCIDRs", "write a part of the cluster's range")
}

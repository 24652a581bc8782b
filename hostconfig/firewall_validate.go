package hostconfig

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Validate reports everything that is wrong, as joined [FieldError] values.
func (f Firewall) Validate() error {
	f = f.WithDefaults()
	var p problems
	if f.Role != RoleControlPlane && f.Role != RoleWorker {
		p.add("role", quote(string(f.Role))+" is not a role", "write control-plane or worker")
	}
	if f.Managed && f.Role == RoleControlPlane {
		p.add("role", "the control plane is the cloud's and has no firewall of ours", "write worker, or leave managed out")
	}
	if _, known := judgedMarks[f.PolicyAgent]; f.PolicyAgent != "" && !known {
		p.add("policyAgent", quote(string(f.PolicyAgent))+" is not an agent whose marks are known", "write kube-router, or leave it out where another enforces policies")
	}
	p.topology(f.Topology())
	pods := p.podNetworks(f)
	p.machines(f, pods)
	for i, value := range f.Operators {
		at := fmt.Sprintf("operators[%d]", i)
		operators, _ := p.network(at, value)
		p.narrow(at, operators)
		for _, each := range pods {
			p.disjoint(at, operators, each.field, each.prefix)
		}
		p.reachable(f, at, operators)
	}
	p.spread("operators", f.Operators)
	for _, list := range []struct {
		field  string
		values []string
	}{{"resolvers", f.Resolvers}, {"timeServers", f.TimeServers}, {"dhcpServers", f.DHCPServers}, {"loadBalancers", f.LoadBalancers}} {
		p.spread(list.field, list.values)
		for i, value := range list.values {
			at := fmt.Sprintf("%s[%d]", list.field, i)
			prefix, _ := p.network(at, value)
			p.narrow(at, prefix)
			if list.field == "dhcpServers" && prefix.IsValid() && !prefix.Addr().Is4() {
				p.add(at, value+" is IPv6, which neighbours lease", "write the IPv4 servers alone")
				continue
			}
			p.reachable(f, at, prefix)
		}
	}
	p.interfaces(f)
	slices.SortStableFunc(p, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return p.join()
}

// named is a range and the field that holds it.
type named struct {
	field  string
	prefix netip.Prefix
}

// podNetworks judges the ranges of pods and gives those that are ranges.
func (p *problems) podNetworks(f Firewall) []named {
	var pods []named
	one := func(field, value string) {
		prefix, ok := p.clusterRange(field, value)
		if !ok {
			return
		}
		p.narrow(field, prefix)
		pods = append(pods, named{field, prefix})
	}
	if f.PodCIDR != "" || len(f.PodCIDRs) == 0 {
		one("podCIDR", f.PodCIDR)
	}
	for i, value := range f.PodCIDRs {
		one(fmt.Sprintf("podCIDRs[%d]", i), value)
	}
	return pods
}

// machines judges the addresses and ranges of machines.
func (p *problems) machines(f Firewall, pods []named) {
	if len(f.ControlPlane) == 0 {
		p.add("controlPlane", "is empty", "write the address of the control plane")
	}
	var controlPlanes []named
	for _, list := range []struct {
		field  string
		values []string
	}{{"controlPlane", f.ControlPlane}, {"workers", f.Workers}} {
		p.spread(list.field, list.values)
		for i, value := range list.values {
			at := fmt.Sprintf("%s[%d]", list.field, i)
			prefix, ok := p.network(at, value)
			if !ok {
				continue
			}
			p.narrow(at, prefix)
			if address := prefix.Addr(); address.IsUnspecified() || address.IsMulticast() || address.IsLoopback() || address.IsLinkLocalUnicast() || containsMetadata(prefix) {
				p.add(at, value+" is no machine's address", "write an address or a range of the node network")
			}
			for _, each := range pods {
				if each.prefix.Overlaps(prefix) {
					p.add(at, value+" lies in "+each.field+" or overlaps it: every pod could pass for a machine", "choose ranges that are apart")
				}
			}
			if list.field == "controlPlane" {
				controlPlanes = append(controlPlanes, named{at, prefix})
				continue
			}
			for _, each := range controlPlanes {
				switch {
				case each.prefix == prefix && prefix.IsSingleIP():
					p.add(at, value+" is both a control plane and a worker", "list a machine under its one role")
				case each.prefix.Overlaps(prefix) && !each.prefix.IsSingleIP() && !f.Managed:
					p.add(at, fmt.Sprintf("%s overlaps %s of %s: a worker could pass for a control plane and reach etcd (M13)", value, each.prefix, each.field),
						"give control planes a range of their own, or write their single addresses")
				}
			}
		}
	}
}

// reachable refuses a range of a family that no machine has: its traffic would
// be dropped, and the range would seem to be open.
func (p *problems) reachable(f Firewall, field string, prefix netip.Prefix) {
	if prefix.IsValid() && !prefix.Addr().Is4() && !f.has(familyIPv6) {
		p.add(field, prefix.String()+" is IPv6, and no machine or pod has IPv6", "leave it out, or write the IPv6 ranges of the machines")
	}
}

// interfacePattern is what the kernel accepts, at most 15 characters, less what
// nft would read as a quote. An asterisk at the end is nft's only wildcard.
var interfacePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$`)

// interfaces wants interfaces of which none is another, because a rule that names
// the interface beside the address is what keeps a forged address out.
func (p *problems) interfaces(f Firewall) {
	type one struct{ field, name string }
	all := []one{{"nodeInterface", f.NodeInterface}}
	if f.Platform == PlatformLocal || f.OperatorInterface != f.NodeInterface {
		all = append(all, one{"operatorInterface", f.OperatorInterface})
	}
	if f.PodInterface != "" && f.PodInterfaces[0] == f.PodInterface {
		all = append(all, one{"podInterface", f.PodInterface})
	}
	for i, name := range f.PodInterfaces {
		if name != f.PodInterface || name == "" {
			all = append(all, one{fmt.Sprintf("podInterfaces[%d]", i), name})
		}
	}
	for _, of := range families {
		for _, tunnel := range tunnels(f.Network, of) {
			if of == familyIPv4 || !slices.Contains(tunnels(f.Network, familyIPv4), tunnel) {
				all = append(all, one{"network", tunnel})
			}
		}
	}
	for i, each := range all {
		name, wildcard := strings.CutSuffix(each.name, "*")
		switch {
		case !interfacePattern.MatchString(name) || wildcard && (len(name) < 2 || each.field == "operatorInterface"):
			p.add(each.field, quote(each.name)+" is not an interface name", "write at most 15 letters, digits, dots, dashes, or two or more of them and an asterisk")
		case each.name == "lo" || matchesInterface(each.name, "lo"):
			p.add(each.field, "is the loopback interface", "name the interface that faces the network")
		}
		for _, other := range all[:i] {
			if matchesInterface(other.name, each.name) || matchesInterface(each.name, other.name) {
				p.add(each.field, fmt.Sprintf("%q is also %s", each.name, other.field), "give each network its own interface")
			}
		}
	}
}

// matchesInterface tells whether a pattern stands for a name, or for every name
// that another pattern stands for.
func matchesInterface(pattern, name string) bool {
	prefix, wildcard := strings.CutSuffix(pattern, "*")
	if wildcard {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

package hostconfig

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Role is what a machine is in its cluster.
type Role string

// Roles.
const (
	RoleControlPlane Role = "control-plane"
	RoleWorker       Role = "worker"
)

// Firewall describes the host firewall of one machine.
type Firewall struct {
	// Role is required.
	Role  Role  `json:"role"`
	Ports Ports `json:"ports"`
	// ControlPlane and Workers are the IPv4 addresses of the machines on the
	// node network, this one included.
	ControlPlane []string `json:"controlPlane"`
	Workers      []string `json:"workers,omitempty"`
	// Operators are the ranges from which people reach the API server.
	Operators []string `json:"operators,omitempty"`
	// PodCIDR is the whole cluster's range of pods. Required.
	PodCIDR string `json:"podCIDR"`
	// NodeInterface faces the node network; "eth0" by default.
	NodeInterface string `json:"nodeInterface,omitempty"`
	// OperatorInterface faces the operators on a control plane; "op0" by default.
	OperatorInterface string `json:"operatorInterface,omitempty"`
	// PodInterface is a worker's bridge of pods; "cni0" by default.
	PodInterface string `json:"podInterface,omitempty"`
}

// WithDefaults gives a copy with the default ports and interfaces.
func (f Firewall) WithDefaults() Firewall {
	f.Ports = f.Ports.WithDefaults()
	setDefault(&f.NodeInterface, "eth0")
	setDefault(&f.OperatorInterface, "op0")
	setDefault(&f.PodInterface, PodBridge)
	return f
}

// interfacePattern is what the kernel accepts, at most 15 characters, less what
// nft would read as a wildcard or a quote.
var interfacePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$`)

// Validate reports everything that is wrong, as joined [FieldError] values.
func (f Firewall) Validate() error {
	f = f.WithDefaults()
	var p problems
	if f.Role != RoleControlPlane && f.Role != RoleWorker {
		p.add("role", quote(string(f.Role))+" is not a role", "write control-plane or worker")
	}
	p.ports("ports", f.Ports)
	if len(f.ControlPlane) == 0 {
		p.add("controlPlane", "is empty", "write the address of the control plane")
	}
	pods, _ := p.cidr("podCIDR", f.PodCIDR)
	p.narrow("podCIDR", pods)
	machines := map[string]string{}
	for field, addresses := range map[string][]string{"controlPlane": f.ControlPlane, "workers": f.Workers} {
		for i, value := range addresses {
			at := fmt.Sprintf("%s[%d]", field, i)
			address, ok := p.ipv4(at, value)
			switch {
			case !ok:
			case address.IsUnspecified() || address.IsMulticast() || address.IsLoopback() || address.IsLinkLocalUnicast():
				p.add(at, value+" is no machine's address", "write an address of the node network")
			case pods.IsValid() && pods.Contains(address):
				p.add(at, value+" lies in podCIDR: every pod could pass for a machine", "choose ranges that are apart")
			}
			if machines[value] != "" && machines[value] != field {
				p.add(at, value+" is both a control plane and a worker", "list a machine under its one role")
			}
			machines[value] = field
		}
	}
	for i, value := range f.Operators {
		at := fmt.Sprintf("operators[%d]", i)
		operators, _ := p.cidr(at, value)
		p.narrow(at, operators)
		p.disjoint(at, operators, "podCIDR", pods)
	}
	p.interfaces(f)
	slices.SortStableFunc(p, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return p.join()
}

// narrow refuses a range that is so wide that it no longer names anybody.
func (p *problems) narrow(field string, prefix netip.Prefix) {
	const widest = 8 // 10.0.0.0/8, the largest private range of RFC 1918
	if prefix.IsValid() && prefix.Bits() < widest {
		p.add(field, fmt.Sprintf("%s is open to the world (M04)", prefix), fmt.Sprintf("write ranges of /%d or narrower", widest))
	}
}

func (p *problems) interfaces(f Firewall) {
	seen := map[string]string{}
	for _, each := range []struct{ field, name string }{
		{"nodeInterface", f.NodeInterface}, {"operatorInterface", f.OperatorInterface}, {"podInterface", f.PodInterface},
	} {
		switch {
		case !interfacePattern.MatchString(each.name):
			p.add(each.field, quote(each.name)+" is not an interface name", "write at most 15 letters, digits, dots, dashes")
		case each.name == "lo":
			p.add(each.field, "is the loopback interface", "name the interface that faces the network")
		case seen[each.name] != "":
			p.add(each.field, fmt.Sprintf("%q is also %s", each.name, seen[each.name]), "give each network its own interface")
		}
		seen[each.name] = each.field
	}
}

// minimalRanges sorts addresses and ranges and leaves out what another one
// contains: nft refuses overlapping elements. What is not a range is left out.
func minimalRanges(values []string) []string {
	var prefixes []netip.Prefix
	for _, value := range values {
		if !strings.Contains(value, "/") {
			value += "/32"
		}
		if prefix, err := netip.ParsePrefix(value); err == nil {
			prefixes = append(prefixes, prefix.Masked())
		}
	}
	// A containing range sorts before what it contains.
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var minimal []string
	var last netip.Prefix
	for _, prefix := range prefixes {
		if last.IsValid() && last.Contains(prefix.Addr()) {
			continue
		}
		last = prefix
		if prefix.IsSingleIP() {
			minimal = append(minimal, prefix.Addr().String())
		} else {
			minimal = append(minimal, prefix.String())
		}
	}
	return minimal
}

package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
)

// label is what a machine or an environment may be called; names of
// namespaces are made of both.
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// Validate reports everything that is wrong with the Topology at once.
func (t Topology) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !label.MatchString(t.Environment) {
		bad("environment: %q must be lower case letters, digits and dashes", t.Environment)
	}
	nodes := parse("nodeCIDR", t.NodeCIDR, bad)
	operators := parse("operatorCIDR", t.OperatorCIDR, bad)
	if operators.IsValid() && operators.Bits() > 30 {
		bad("operatorCIDR: %s has no room for the host and a machine: use a /30 or larger", operators)
	}
	taken := map[string]string{}
	if operators.IsValid() {
		taken[t.hostAddress().String()] = "the host"
	}
	address := func(field, text string, in netip.Prefix, machine string) {
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil:
			bad("%s: %w", field, err)
		case in.IsValid() && !in.Contains(a):
			bad("%s: %s is not in %s", field, a, in)
		case in.IsValid() && a == in.Addr():
			bad("%s: %s is the network's own address", field, a)
		case taken[a.String()] != "":
			bad("%s: %s is the address of %s", field, a, taken[a.String()])
		}
		taken[text] = machine
	}
	ranges := map[string]netip.Prefix{"nodeCIDR": nodes, "operatorCIDR": operators}
	names := map[string]bool{"switch": true}
	for i, m := range t.Members {
		field := fmt.Sprintf("members[%d]", i)
		if !label.MatchString(m.Machine) || names[m.Machine] {
			bad("%s.machine: %q must be a name of its own, in lower case, and not %q", field, m.Machine, "switch")
		}
		names[m.Machine] = true
		address(field+".nodeAddress", m.NodeAddress, nodes, m.Machine)
		if m.OperatorAddress != "" {
			address(field+".operatorAddress", m.OperatorAddress, operators, m.Machine)
		}
		if m.PodCIDR != "" {
			ranges[field+".podCIDR"] = parse(field+".podCIDR", m.PodCIDR, bad)
		}
	}
	for a, x := range ranges {
		for b, y := range ranges {
			if a < b && x.IsValid() && y.IsValid() && x.Overlaps(y) {
				bad("%s and %s overlap: %s, %s", a, b, x, y)
			}
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("the network's specification is not usable:\n%w", errors.Join(errs...))
	}
	return nil
}

func parse(field, text string, bad func(string, ...any)) netip.Prefix {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		bad("%s: %w", field, err)
	case !prefix.Addr().Is4():
		bad("%s: %s must be IPv4: IPv6 is off in the machines", field, prefix)
	case prefix.Masked() != prefix:
		bad("%s: %s has host bits: write %s", field, prefix, prefix.Masked())
	default:
		return prefix
	}
	return netip.Prefix{}
}

// hostAddress is the host's address among the operators: the first.
func (t Topology) hostAddress() netip.Addr {
	return netip.MustParsePrefix(t.OperatorCIDR).Addr().Next()
}

// in writes an address with the length of its network, as ip(8) wants it. Both
// have been validated.
func in(address, network string) string {
	return netip.PrefixFrom(netip.MustParseAddr(address), netip.MustParsePrefix(network).Bits()).String()
}

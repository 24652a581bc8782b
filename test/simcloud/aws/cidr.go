package aws

import (
	"fmt"
	"net/netip"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// network reads a range that must be its own network address.
func network(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is not a valid CIDR block", text)
	}
	if p.Masked() != p {
		return p, fmt.Errorf("%q is not a valid CIDR block; did you mean %q?", text, p.Masked())
	}
	return p, nil
}

// cidrAt judges a range at plan time; low and high bound the length of the prefix.
func cidrAt(p *simcloud.Plan, path string, low, high int) {
	text := p.Values.String(path)
	if text == "" {
		return
	}
	prefix, err := network(text)
	switch {
	case err != nil:
		p.Add(path, err.Error())
	case prefix.Bits() < low || prefix.Bits() > high:
		p.Add(path, fmt.Sprintf("expected %q to contain a network Value with between %d and %d significant bits, got: %d", text, low, high, prefix.Bits()))
	}
}

func within(inner, outer netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

package simcloud

import (
	"fmt"
	"net/netip"
	"strings"
)

// OneOf judges an enumerated value.
func (p *Plan) OneOf(path string, allowed ...any) {
	value := p.Values.Get(path)
	if value == nil || !p.Values.Known(path) {
		return
	}
	for _, each := range allowed {
		if value == each {
			return
		}
		if n, ok := each.(int); ok && value == float64(n) {
			return
		}
	}
	p.Add(path, fmt.Sprintf("expected %s to be one of %v, got %v", path, allowed, value))
}

// Between judges a number.
func (p *Plan) Between(path string, low, high int) {
	if value, ok := p.Values.Get(path).(float64); ok && (value < float64(low) || value > float64(high)) {
		p.Add(path, fmt.Sprintf("expected %s to be in the range (%d - %d), got %v", path, low, high, value))
	}
}

// ExactlyOne judges alternatives of which one must be there.
func (p *Plan) ExactlyOne(names ...string) {
	n := 0
	for _, name := range names {
		if p.Values.Has(name) {
			n++
		}
	}
	if n != 1 {
		p.Add(names[0], "exactly one of `"+strings.Join(names, ",")+"` must be specified")
	}
}

// CIDR judges a range; low and high bound the length of the prefix.
func (p *Plan) CIDR(path string, low, high int) {
	text := p.Values.String(path)
	if text == "" {
		return
	}
	prefix, err := Network(text)
	switch {
	case err != nil:
		p.Add(path, err.Error())
	case prefix.Bits() < low || prefix.Bits() > high:
		p.Add(path, fmt.Sprintf("expected %q to contain a network Value with between %d and %d significant bits, got: %d", text, low, high, prefix.Bits()))
	}
}

// Network reads a range that must be its own network address.
func Network(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is not a valid CIDR block", text)
	}
	if p.Masked() != p {
		return p, fmt.Errorf("%q is not a valid CIDR block; did you mean %q?", text, p.Masked())
	}
	return p, nil
}

// Within tells whether one range lies in another.
func Within(inner, outer netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

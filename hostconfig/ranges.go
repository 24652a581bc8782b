package hostconfig

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// family is a version of IP.
type family int

const (
	familyIPv4 family = iota
	familyIPv6
)

var families = []family{familyIPv4, familyIPv6}

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return familyIPv4
	}
	return familyIPv6
}

// parseRange reads an address or a range of either family.
func parseRange(value string) (netip.Prefix, error) {
	if strings.Contains(value, "/") {
		return netip.ParsePrefix(value)
	}
	address, err := netip.ParseAddr(value)
	if err != nil {
		return netip.Prefix{}, err
	}
	if address.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%s has a zone", value)
	}
	return netip.PrefixFrom(address, address.BitLen()), nil
}

// network wants an address or a range of either family whose host bits are zero.
func (p *problems) network(field, value string) (netip.Prefix, bool) {
	prefix, err := parseRange(value)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		p.add(field, quote(value)+" is neither an address nor a range", "write one such as 10.80.0.10, 10.80.0.0/20 or fd80::/64")
	case prefix != prefix.Masked() && prefix.Bits() < widest(prefix):
		p.narrow(field, prefix.Masked())
	case prefix != prefix.Masked():
		p.add(field, quote(value)+" has host bits set", "write "+prefix.Masked().String())
	default:
		return prefix, true
	}
	return netip.Prefix{}, false
}

// widest is the shortest prefix that still names somebody.
func widest(prefix netip.Prefix) int {
	if prefix.Addr().Is4() {
		return 8 // 10.0.0.0/8, the largest private range of RFC 1918
	}
	return 32 // the smallest block that a registry gives to a provider
}

// narrow refuses a range that is so wide that it no longer names anybody.
func (p *problems) narrow(field string, prefix netip.Prefix) {
	if prefix.IsValid() && prefix.Bits() < widest(prefix) {
		p.add(field, fmt.Sprintf("%s is open to the world (M04)", prefix), fmt.Sprintf("write ranges of /%d or narrower", widest(prefix)))
	}
}

// spread refuses a list whose ranges are narrow one by one and wide together: of
// one family at most twice what the widest may hold, which the private ranges of
// RFC 1918 and RFC 6598 do not fill.
func (p *problems) spread(field string, values []string) {
	for _, of := range families {
		sum, widths := 0.0, 0
		for _, value := range ofFamily(values, of) {
			prefix, err := parseRange(value)
			if err != nil || prefix.Bits() < widest(prefix) {
				continue // reported by itself
			}
			widths = widest(prefix)
			sum += math.Ldexp(1, widths-prefix.Bits())
		}
		if sum >= 2 {
			p.add(field, fmt.Sprintf("holds %d times what a /%d holds: together the ranges are open to the world (M04)", int(sum), widths),
				fmt.Sprintf("write the ranges that are meant, less than two /%d in all", widths))
		}
	}
}

// minimalRanges sorts addresses and ranges and leaves out what another one
// contains: nft refuses overlapping elements. What is not a range is left out.
func minimalRanges(values []string) []string {
	var prefixes []netip.Prefix
	for _, value := range values {
		if prefix, err := parseRange(value); err == nil {
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

// ofFamily keeps the ranges of one family, minimal and sorted.
func ofFamily(values []string, f family) []string {
	return minimalRanges(slices.DeleteFunc(slices.Clone(values), func(value string) bool {
		prefix, err := parseRange(value)
		return err != nil || familyOf(prefix.Addr()) != f
	}))
}

package addressplan

import (
	"fmt"
	"net/netip"
)

// Range is a range of addresses and the setting that it stands in.
type Range struct {
	Field string
	CIDR  string
}

// Overlap is two ranges that share addresses: packets for one would reach the
// other. The second is the one to change.
type Overlap struct{ First, Second Range }

// String says which two ranges overlap.
func (o Overlap) String() string {
	return fmt.Sprintf("%s overlaps %s %s", o.Second.CIDR, o.First.Field, o.First.CIDR)
}

// Overlaps gives every pair of ranges that overlap, in the order of the ranges.
// What is no range is left out: [Parse] says what is wrong with it.
func Overlaps(ranges []Range) []Overlap {
	type parsed struct {
		Range
		prefix netip.Prefix
	}
	var known []parsed
	var out []Overlap
	for _, each := range ranges {
		prefix, err := Parse(each.CIDR)
		if err != nil {
			continue
		}
		for _, other := range known {
			if other.prefix.Overlaps(prefix) {
				out = append(out, Overlap{other.Range, each})
			}
		}
		known = append(known, parsed{each, prefix})
	}
	return out
}

package aws

import (
	"net/netip"
	"slices"
	"testing"
)

func TestSubnetsLieApartWithinTheNetwork(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"10.0.0.0/16", "10.1.128.0/17", "192.168.0.0/16", "172.31.240.0/20", "100.64.0.0/18"} {
		vpc := netip.MustParsePrefix(text)
		for zones := 2; zones <= mostZones; zones++ {
			plans := planSubnets(vpc, slices.Repeat([]string{"z"}, zones))
			var all []netip.Prefix
			for _, p := range plans {
				all = append(all, p.Private, p.Growth, p.Public)
				if p.Private.Bits() != vpc.Bits()+4 || p.Public.Bits() > 28 {
					t.Errorf("%s: %+v", vpc, p)
				}
				if both := netip.PrefixFrom(p.Private.Addr(), p.Private.Bits()-1); both.Masked() != both || !both.Contains(p.Growth.Addr()) {
					t.Errorf("%s and %s are no neighbours", p.Private, p.Growth)
				}
			}
			for i, a := range all {
				if !vpc.Contains(a.Addr()) || a.Masked() != a {
					t.Errorf("%s is not of %s", a, vpc)
				}
				for _, b := range all[:i] {
					if a.Overlaps(b) {
						t.Errorf("%s overlaps %s", a, b)
					}
				}
			}
		}
	}
}

// A zone that is added must not move the others' subnets.
func TestAddingAZoneMovesNothing(t *testing.T) {
	t.Parallel()
	vpc := netip.MustParsePrefix("10.0.0.0/16")
	two, six := planSubnets(vpc, []string{"a", "b"}), planSubnets(vpc, []string{"a", "b", "c", "d", "e", "f"})
	if !slices.Equal(two, six[:2]) {
		t.Errorf("%v became %v", two, six[:2])
	}
}

package addressplan

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func plan(t *testing.T, cidr string) Plan {
	t.Helper()
	p, err := New(cidr)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// every block of a plan, by name.
func blocks(t *testing.T, p Plan) map[string]netip.Prefix {
	t.Helper()
	out := map[string]netip.Prefix{}
	for slot := range MaxZones {
		for name, of := range map[string]func(int) (netip.Prefix, error){"zone": p.Zone, "edge": p.Edge} {
			block, err := of(slot)
			if err != nil {
				t.Fatal(err)
			}
			out[fmt.Sprint(name, slot)] = block
		}
	}
	free, err := p.Growth()
	if err != nil {
		t.Fatal(err)
	}
	out["growth"] = free
	return out
}

// The numbers are part of every network that exists: a change of them would
// replace its subnets.
func TestPlanIsStable(t *testing.T) {
	got := blocks(t, plan(t, "10.0.0.0/16"))
	for name, want := range map[string]string{
		"zone0": "10.0.0.0/19", "zone1": "10.0.32.0/19", "zone2": "10.0.64.0/19", "zone5": "10.0.160.0/19",
		"edge0": "10.0.192.0/22", "edge5": "10.0.212.0/22", "growth": "10.0.224.0/19",
	} {
		if got[name].String() != want {
			t.Errorf("%s = %s, want %s", name, got[name], want)
		}
	}
}

func TestBlocksLieInTheRangeAndApart(t *testing.T) {
	for _, cidr := range []string{"10.0.0.0/16", "10.20.16.0/20", "192.168.0.0/18", "2001:db8::/56"} {
		p := plan(t, cidr)
		all := blocks(t, p)
		for name, block := range all {
			if !p.Network().Contains(block.Addr()) || block.Bits() <= p.Network().Bits() {
				t.Errorf("%s of %s = %s lies outside", name, cidr, block)
			}
			if block.Addr().Is4() && block.Bits() > 28 {
				t.Errorf("%s of %s = %s is smaller than AWS allows", name, cidr, block)
			}
			for other, with := range all {
				if name != other && block.Overlaps(with) {
					t.Errorf("%s and %s of %s overlap", name, other, cidr)
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	for cidr, want := range map[string]string{
		"10.0.0.0/15":     "a network is a /16 to /20",
		"10.0.0.0/21":     "a network is a /16 to /20",
		"10.0.0.1/16":     "the range is 10.0.0.0/16",
		"10.0.0.0":        "is not a range",
		"::ffff:a00:0/96": "is not a range",
	} {
		if _, err := New(cidr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", cidr, want, err)
		}
	}
	p := plan(t, "10.0.0.0/16")
	for _, slot := range []int{-1, MaxZones} {
		if _, err := p.Zone(slot); err == nil {
			t.Errorf("zone %d is given out", slot)
		}
		if _, err := p.Edge(slot); err == nil {
			t.Errorf("edge %d is given out", slot)
		}
	}
	for _, bad := range []struct {
		cidr string
		n    int
	}{{"2001:db8::/65", 0}, {"10.0.0.0/16", 0}, {"2001:db8::/56", 256}, {"2001:db8::/56", -1}} {
		if got, err := SubnetIPv6(bad.cidr, bad.n); err == nil {
			t.Errorf("part %d of %s is %s", bad.n, bad.cidr, got)
		}
	}
}

func TestSubnetIPv6(t *testing.T) {
	for n, want := range map[int]string{0: "2001:db8:0:100::/64", 5: "2001:db8:0:105::/64", 255: "2001:db8:0:1ff::/64"} {
		if got, err := SubnetIPv6("2001:db8:0:100::/56", n); err != nil || got.String() != want {
			t.Errorf("part %d = %s, %v, want %s", n, got, err, want)
		}
	}
}

func TestOverlaps(t *testing.T) {
	got := Overlaps([]Range{{"cidr", "10.0.0.0/16"}, {"serviceCIDR", "10.0.128.0/20"}, {"peers[0]", "10.1.0.0/16"}, {"peers[1]", "10.0.0.0/8"}, {"bad", "x"}})
	var text []string
	for _, each := range got {
		text = append(text, each.Second.Field+": "+each.String())
	}
	want := "serviceCIDR: 10.0.128.0/20 overlaps cidr 10.0.0.0/16|peers[1]: 10.0.0.0/8 overlaps cidr 10.0.0.0/16|peers[1]: 10.0.0.0/8 overlaps serviceCIDR 10.0.128.0/20|peers[1]: 10.0.0.0/8 overlaps peers[0] 10.1.0.0/16"
	if strings.Join(text, "|") != want {
		t.Errorf("overlaps = %q", text)
	}
}

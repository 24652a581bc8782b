package addressplan

import (
	"net/netip"
	"testing"
)

func regionBlocks(r Region) map[string]netip.Prefix {
	return map[string]netip.Prefix{"pods": r.Pods(), "nodes": r.Nodes(), "services": r.Services(), "control plane": r.ControlPlane(), "access": r.Access(), "growth": r.Growth()}
}

// The numbers are part of every network that exists.
func TestRegionIsStable(t *testing.T) {
	r, err := NewRegion("10.0.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	got := regionBlocks(r)
	for name, want := range map[string]string{
		"pods": "10.0.128.0/17", "nodes": "10.0.0.0/19", "services": "10.0.32.0/19", "control plane": "10.0.64.0/28", "access": "10.0.64.16/28", "growth": "10.0.96.0/19",
	} {
		if got[name].String() != want {
			t.Errorf("%s = %s, want %s", name, got[name], want)
		}
	}
}

func TestRegionBlocksLieInTheRangeAndApart(t *testing.T) {
	for _, cidr := range []string{"10.0.0.0/16", "172.16.64.0/18", "10.20.16.0/20"} {
		r, err := NewRegion(cidr)
		if err != nil {
			t.Fatal(err)
		}
		all := regionBlocks(r)
		for name, block := range all {
			if !r.Network().Contains(block.Addr()) || block.Bits() <= r.Network().Bits() {
				t.Errorf("%s of %s = %s lies outside", name, cidr, block)
			}
			for other, its := range all {
				if name != other && block.Overlaps(its) {
					t.Errorf("%s %s overlaps %s %s", name, block, other, its)
				}
			}
		}
		if r.ControlPlane().Bits() != 28 {
			t.Errorf("the control plane has %s", r.ControlPlane())
		}
	}
	for _, bad := range []string{"2001:db8::/56", "10.0.0.0/8", "10.0.0.0/21", "10.0.0.1/16", ""} {
		if _, err := NewRegion(bad); err == nil {
			t.Errorf("%q is planned", bad)
		}
	}
}

package guard

import (
	"net/netip"
	"slices"
	"testing"
)

// What kube-router v2.1.0 and others had put into the kernel of a worker, as
// iptables-save printed it.
const saved = `*filter
:FORWARD DROP [0:0]
:KUBE-POD-FW-A - [0:0]
:KUBE-ROUTER-FORWARD - [0:0]
-A FORWARD -m comment --comment "kube-router netpol - TEMCG2JMVZWTQ7UP" -j KUBE-ROUTER-FORWARD
-A FORWARD -s 10.81.1.9/32 -j KUBE-POD-FW-A
-A KUBE-ROUTER-FORWARD -d 10.81.1.2/32 -m comment --comment "rule to jump traffic destined to POD name:a namespace: front to chain KUBE-POD-FW-A" -j KUBE-POD-FW-A
-A KUBE-ROUTER-FORWARD -d 10.81.1.8/32 -m physdev --physdev-is-bridged -m comment --comment "-s 10.81.1.7/32 -j KUBE-POD-FW-A" -j KUBE-POD-FW-A
-A KUBE-ROUTER-FORWARD -s 10.81.1.2/32 -m comment --comment "rule to jump traffic from POD name:a namespace: front to chain KUBE-POD-FW-A" -j KUBE-POD-FW-A
-A KUBE-ROUTER-FORWARD -s 10.81.1.3/32 -m physdev --physdev-is-bridged -m comment --comment "rule to jump traffic from POD name:b namespace: back to chain KUBE-POD-FW-B" -j KUBE-POD-FW-B
-A KUBE-ROUTER-FORWARD ! -s 10.81.1.4/32 -j KUBE-POD-FW-B
-A KUBE-ROUTER-FORWARD -s 10.81.1.0/24 -j KUBE-POD-FW-B
-A KUBE-ROUTER-FORWARD -s 10.81.1.5/32 -j ACCEPT
-A KUBE-ROUTER-OUTPUT -s 10.81.1.6/32 -j KUBE-POD-FW-B
COMMIT
`

// Known are the pods whose own traffic goes through their chain, and no others.
func TestKnown(t *testing.T) {
	want := []netip.Addr{netip.MustParseAddr("10.81.1.2"), netip.MustParseAddr("10.81.1.3")}
	if got := Known(saved); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Known(""); len(got) != 0 {
		t.Errorf("nothing says %v", got)
	}
}

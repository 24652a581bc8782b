package addressplan

import (
	"fmt"
	"net/netip"
)

// Region is the division of one IPv4 range for a cloud whose subnets span a
// region. The upper half is for pods, of which there are many; the lower half is
// cut into four: machines, services, the edge and growth. The edge begins with
// what has a size of its own: the control plane and the way in.
type Region struct{ network netip.Prefix }

// smallest is the length of the blocks at the edge: GKE takes exactly this one
// for a control plane.
const smallest = 28

// NewRegion plans a range of IPv4. The error says what is wrong with the text.
func NewRegion(cidr string) (Region, error) {
	plan, err := New(cidr)
	if err == nil && !plan.network.Addr().Is4() {
		err = fmt.Errorf("%s is no range of IPv4", cidr)
	}
	return Region{plan.network}, err
}

// Network is the whole range.
func (r Region) Network() netip.Prefix { return r.network }

// Pods are the upper half: of a /16, 128 machines with 110 pods each.
func (r Region) Pods() netip.Prefix { return r.part(1, 1) }

// Nodes are the machines.
func (r Region) Nodes() netip.Prefix { return r.part(blockBits, 0) }

// Services are the virtual addresses of the cluster.
func (r Region) Services() netip.Prefix { return r.part(blockBits, 1) }

// ControlPlane is the /28 of the API server.
func (r Region) ControlPlane() netip.Prefix { return r.edge(0) }

// Access is the /28 of what lets people in.
func (r Region) Access() netip.Prefix { return r.edge(1) }

// Growth is the block that the plan leaves free.
func (r Region) Growth() netip.Prefix { return r.part(blockBits, 3) }

func (r Region) edge(n int) netip.Prefix {
	edge := r.part(blockBits, 2)
	return must(Subnet(edge, smallest-edge.Bits(), n))
}

func (r Region) part(bits, n int) netip.Prefix { return must(Subnet(r.network, bits, n)) }

// must holds for every part of a range that New took: the narrowest is a /20.
func must(prefix netip.Prefix, err error) netip.Prefix {
	if err != nil {
		panic(err)
	}
	return prefix
}

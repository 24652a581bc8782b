// Package addressplan divides one range of addresses among the zones of a
// private network. It is pure: no Pulumi, no cloud.
//
// A range is cut into eight equal blocks. Each of six zones owns one for its
// machines and pods, whether it is used or not; the seventh is cut again into
// small blocks for what stands at the edge of a zone; the eighth stays free. So
// a zone that is added or removed never renumbers another.
package addressplan

import (
	"fmt"
	"math/big"
	"net/netip"
)

// MaxZones is how many zones a plan has room for.
const MaxZones = 6

const (
	blockBits = 3 // eight blocks
	edgeBlock = MaxZones
	growth    = edgeBlock + 1
)

// Sizes of an IPv4 range. The widest is the largest network of AWS; from the
// narrowest each zone still gets 512 addresses and each edge 64.
const (
	WidestIPv4    = 16
	NarrowestIPv4 = 20
)

// Plan is the division of one range.
type Plan struct{ network netip.Prefix }

// New plans a range, IPv4 or IPv6. The error says what is wrong with the text.
func New(cidr string) (Plan, error) {
	network, err := Parse(cidr)
	if err != nil {
		return Plan{}, err
	}
	if network.Addr().Is4() && (network.Bits() < WidestIPv4 || network.Bits() > NarrowestIPv4) {
		return Plan{}, fmt.Errorf("%s is a /%d: a network is a /%d to /%d", network, network.Bits(), WidestIPv4, NarrowestIPv4)
	}
	return Plan{network}, nil
}

// Network is the whole range.
func (p Plan) Network() netip.Prefix { return p.network }

// Zone is the block of the machines and pods of a zone, 0 to 5.
func (p Plan) Zone(slot int) (netip.Prefix, error) {
	if err := inPlan(slot); err != nil {
		return netip.Prefix{}, err
	}
	return Subnet(p.network, blockBits, slot)
}

// Edge is the small block of a zone for gateways to other networks.
func (p Plan) Edge(slot int) (netip.Prefix, error) {
	if err := inPlan(slot); err != nil {
		return netip.Prefix{}, err
	}
	edges, err := Subnet(p.network, blockBits, edgeBlock)
	if err != nil {
		return netip.Prefix{}, err
	}
	return Subnet(edges, blockBits, slot)
}

// Growth is the block that the plan leaves free.
func (p Plan) Growth() (netip.Prefix, error) { return Subnet(p.network, blockBits, growth) }

func inPlan(slot int) error {
	if slot < 0 || slot >= MaxZones {
		return fmt.Errorf("zone %d is out of the plan: it has %d", slot, MaxZones)
	}
	return nil
}

// Subnet is the n-th part of a range that is divided into 2^bits parts.
func Subnet(network netip.Prefix, bits, n int) (netip.Prefix, error) {
	length := network.Bits() + bits
	size := network.Addr().BitLen()
	if !network.IsValid() || bits < 0 || length > size || n < 0 || (bits < 31 && n >= 1<<bits) {
		return netip.Prefix{}, fmt.Errorf("%s has no part %d of 2^%d", network, n, bits)
	}
	at := new(big.Int).SetBytes(network.Masked().Addr().AsSlice())
	at.Add(at, new(big.Int).Lsh(big.NewInt(int64(n)), uint(size-length)))
	address, _ := netip.AddrFromSlice(at.FillBytes(make([]byte, size/8)))
	return netip.PrefixFrom(address, length), nil
}

// SubnetIPv6 is the n-th /64 of a range: the size that a subnet of a cloud has.
func SubnetIPv6(cidr string, n int) (netip.Prefix, error) {
	network, err := Parse(cidr)
	if err != nil {
		return netip.Prefix{}, err
	}
	if !network.Addr().Is6() || network.Bits() > 64 {
		return netip.Prefix{}, fmt.Errorf("%s holds no IPv6 subnet of /64", network)
	}
	return Subnet(network, 64-network.Bits(), n)
}

// Parse reads a range of either family and refuses host bits.
func Parse(cidr string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(cidr)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q is not a range such as 10.0.0.0/16", cidr)
	case prefix != prefix.Masked():
		return netip.Prefix{}, fmt.Errorf("%s has host bits set: the range is %s", cidr, prefix.Masked())
	}
	return prefix, nil
}

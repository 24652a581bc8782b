package gcp

import (
	"net/netip"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const addressForm = "projects/{project}/regions/{region}/addresses/{name}"

// addressTypes are reserved addresses: https://cloud.google.com/compute/docs/ip-addresses
func addressTypes() []*simcloud.ResourceType {
	of := func(t *simcloud.ResourceType, purposes ...any) *simcloud.ResourceType {
		t.Defaults = simcloud.Values{"addressType": "EXTERNAL"}
		t.Replace = append(t.Replace, "address", "addressType", "description", "ipVersion", "network", "prefixLength", "purpose")
		t.Check = func(p *simcloud.Plan) {
			nameAt(p, "name")
			labelsAt(p, "labels")
			p.OneOf("addressType", "EXTERNAL", "INTERNAL")
			p.OneOf("ipVersion", "IPV4", "IPV6")
			p.OneOf("purpose", purposes...)
			p.Between("prefixLength", 8, 96)
			if text := p.Values.String("address"); text != "" {
				if _, err := netip.ParseAddr(text); err != nil {
					p.Add("address", "expected address to contain a valid IP, got: "+text)
				}
			}
		}
		return t
	}
	regional := of(named(kind(address, addressForm, compute.AddressArgs{}, compute.Address{}), 63),
		"GCE_ENDPOINT", "SHARED_LOADBALANCER_VIP", "VPC_PEERING", "IPSEC_INTERCONNECT", "PRIVATE_SERVICE_CONNECT")
	regional.Replace = append(regional.Replace, "subnetwork", "networkTier", "ipv6EndpointType")
	regional.References = []simcloud.Reference{holding(toNetwork("network")), holding(toSubnetwork("subnetwork"))}
	judged(regional, func(c *simcloud.Change) error {
		if c.New.String("addressType") == "EXTERNAL" {
			if c.New.Has("subnetwork") {
				return invalid("Invalid value for field 'resource.subnetwork': '%s'. External addresses have no subnetwork.", c.New.String("subnetwork"))
			}
			c.Out["address"] = external(c)
			return nil
		}
		if !c.New.Has("subnetwork") {
			return nil
		}
		in := c.Cloud.Get("", subnetwork, normal(c.Scope, c.New, subnetForm, c.New.String("subnetwork")))
		prefix, _ := netip.ParsePrefix(in.State.String("ipCidrRange"))
		given, err := netip.ParseAddr(c.New.String("address"))
		switch {
		case c.New.Has("address") && (err != nil || !prefix.Contains(given)):
			return invalid("Invalid value for field 'resource.address': '%s'. IP address must be in the range of the subnetwork '%s'.", c.New.String("address"), in.ID)
		case !c.New.Has("address"):
			c.Out["address"] = inside(c, in).String()
		}
		return nil
	}, nil)

	global := of(named(kind(globalAddress, "projects/{project}/global/addresses/{name}", compute.GlobalAddressArgs{}, compute.GlobalAddress{}), 63),
		"VPC_PEERING", "PRIVATE_SERVICE_CONNECT")
	global.References = []simcloud.Reference{holding(toNetwork("network"))}
	judged(global, func(c *simcloud.Change) error {
		if c.New.String("addressType") == "EXTERNAL" {
			c.Out["address"] = external(c)
			return nil
		}
		if !c.New.Has("network") {
			return invalid("Invalid value for field 'resource.network': ''. An internal global address needs a network.")
		}
		from, err := netip.ParseAddr(c.New.String("address"))
		if err != nil {
			return invalid("Invalid value for field 'resource.address': '%s'. The simulation chooses no internal global address by itself.", c.New.String("address"))
		}
		bits := 32
		if c.New.String("purpose") == "VPC_PEERING" {
			bits = c.New.Int("prefixLength")
		}
		mine := netip.PrefixFrom(from, bits)
		for _, other := range ranges(c.Cloud, normal(c.Scope, c.New, networkForm, c.New.String("network"))) {
			if other.by.ID != c.ID && other.prefix.Overlaps(mine) {
				return invalid("Invalid value for field 'resource.address': '%s'. The range %s overlaps with '%s'.", from, mine, other.by.ID)
			}
		}
		return nil
	}, nil)
	return []*simcloud.ResourceType{regional, global}
}

// external is the next public address, of a range for documentation (RFC 5737).
func external(c *simcloud.Change) string {
	return netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + c.Cloud.Next("external")%250)}).String()
}

// inside is an address of a subnetwork that nothing of the project has: the first two and the last two are Google's.
// https://cloud.google.com/vpc/docs/subnets#unusable-ip-addresses-in-every-subnet
func inside(c *simcloud.Change, in *simcloud.Object) netip.Addr {
	prefix, err := netip.ParsePrefix(in.State.String("ipCidrRange"))
	if err != nil {
		return netip.Addr{}
	}
	out := prefix.Addr()
	for range 1 + c.Cloud.Next("address "+in.ID) {
		out = out.Next()
	}
	return out
}

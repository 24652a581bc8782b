package gcp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// networkTypes are VPC networks: https://cloud.google.com/vpc/docs/vpc
func networkTypes() []*simcloud.ResourceType {
	t := named(kind(network, networkForm, compute.NetworkArgs{}, compute.Network{}), 63)
	t.Defaults = simcloud.Values{"autoCreateSubnetworks": true, "deleteDefaultRoutesOnCreate": false, "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL"}
	t.Replace = append(t.Replace, "autoCreateSubnetworks", "description", "enableUlaInternalIpv6", "internalIpv6Range", "mtu")
	t.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		p.Between("mtu", 1300, 8896) // https://cloud.google.com/vpc/docs/mtu
		p.OneOf("routingMode", "REGIONAL", "GLOBAL")
		p.OneOf("networkFirewallPolicyEnforcementOrder", "BEFORE_CLASSIC_FIREWALL", "AFTER_CLASSIC_FIREWALL")
	}
	judged(t, createNetwork, nil)
	return []*simcloud.ResourceType{t}
}

// createNetwork makes a network with what comes along: a way to the internet unless it is taken away at once, and in
// auto mode a subnetwork in every region. https://cloud.google.com/vpc/docs/routes#routingpacketsinternet
func createNetwork(c *simcloud.Change) error {
	c.Out["numericId"] = digits(c.Cloud, "network", 19)
	if !c.New.Has("routingMode") {
		c.Out["routingMode"] = "REGIONAL"
	}
	if !c.New.Has("mtu") {
		c.Out["mtu"] = 1460
	}
	at := placeOf(c.Scope, c.New)
	if !c.New.Bool("deleteDefaultRoutesOnCreate") {
		name := "default-route-" + hexOf(c.ID)[:16]
		id := "projects/" + at.project + "/global/routes/" + name
		c.Beside = append(c.Beside, &simcloud.Object{Type: route, ID: id, State: simcloud.Values{"name": name, "project": at.project, "network": computeAPI + c.ID,
			"destRange": "0.0.0.0/0", "nextHopGateway": computeAPI + "projects/" + at.project + "/global/gateways/default-internet-gateway", "priority": 1000,
			"selfLink": computeAPI + id}})
	}
	if !c.New.Bool("autoCreateSubnetworks") {
		return nil
	}
	for i, region := range slices.Sorted(maps.Keys(regions)) { // each a /20 of 10.128.0.0/9: https://cloud.google.com/vpc/docs/subnets#ip-ranges
		id := "projects/" + at.project + "/regions/" + region + "/subnetworks/" + c.New.String("name")
		c.Beside = append(c.Beside, &simcloud.Object{Type: subnetwork, ID: id, State: simcloud.Values{"name": c.New.String("name"), "project": at.project, "region": region,
			"network": computeAPI + c.ID, "ipCidrRange": fmt.Sprintf("10.%d.%d.0/20", 128+i*16/256, i*16%256), "selfLink": computeAPI + id}})
	}
	return nil
}

// networkOf is the id of the network an object of the compute API is in.
func networkOf(o *simcloud.Object) string {
	return normal("", o.State, networkForm, o.State.String("network"))
}

// taken is a range of addresses of a network, and what has it.
type taken struct {
	prefix netip.Prefix
	by     *simcloud.Object
	name   string // of a secondary range, or what else it is
}

// ranges are all that a network has given away: to subnetworks, their secondary ranges, and the control planes and
// services of clusters.
func ranges(cloud *simcloud.Cloud, networkID string) []taken {
	var out []taken
	add := func(o *simcloud.Object, name, text string) {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, taken{prefix: p, by: o, name: name})
		}
	}
	for _, o := range cloud.Find("", subnetwork, func(o *simcloud.Object) bool { return networkOf(o) == networkID }) {
		add(o, "", o.State.String("ipCidrRange"))
		for _, r := range o.State.List("secondaryIpRanges") {
			add(o, r.String("rangeName"), r.String("ipCidrRange"))
		}
	}
	for _, o := range cloud.Find("", cluster, func(o *simcloud.Object) bool { return networkOf(o) == networkID }) {
		add(o, "control plane", o.State.String("privateClusterConfig.masterIpv4CidrBlock"))
		if o.State.String("ipAllocationPolicy.clusterSecondaryRangeName") == "" {
			add(o, "pods", o.State.String("ipAllocationPolicy.clusterIpv4CidrBlock"))
			add(o, "services", o.State.String("ipAllocationPolicy.servicesIpv4CidrBlock"))
		}
	}
	for _, o := range cloud.Find("", globalAddress, func(o *simcloud.Object) bool {
		return o.State.String("purpose") == "VPC_PEERING" && networkOf(o) == networkID
	}) {
		if from, err := netip.ParseAddr(o.State.String("address")); err == nil {
			out = append(out, taken{prefix: netip.PrefixFrom(from, o.State.Int("prefixLength")), by: o, name: "reserved"})
		}
	}
	return out
}

// usable are the ranges that RFCs set apart and a subnetwork may have.
// https://cloud.google.com/vpc/docs/subnets#valid-ranges
var usable = prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24",
	"203.0.113.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4")

// prohibited are the ranges that no subnetwork may touch.
// https://cloud.google.com/vpc/docs/subnets#prohibited-ranges
var prohibited = prefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "199.36.153.4/30", "199.36.153.8/30")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// within tells whether a range lies in one of others.
func within(inner netip.Prefix, outer []netip.Prefix) bool {
	for _, each := range outer {
		if simcloud.Within(inner, each) {
			return true
		}
	}
	return false
}

func overlaps(one netip.Prefix, others []netip.Prefix) bool {
	for _, each := range others {
		if each.Overlaps(one) {
			return true
		}
	}
	return false
}

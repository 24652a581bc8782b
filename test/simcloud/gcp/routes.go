package gcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const internetGateway = "default-internet-gateway"

// routeTypes are custom static routes: https://cloud.google.com/vpc/docs/routes#static_routes
func routeTypes() []*simcloud.ResourceType {
	t := named(kind(route, "projects/{project}/global/routes/{name}", compute.RouteArgs{}, compute.Route{}), 63)
	t.Defaults = simcloud.Values{"priority": 1000}
	t.Replace = []string{"name", "project", "description", "destRange", "network", "nextHopGateway", "nextHopIlb", "nextHopInstance", "nextHopIp", "nextHopVpnTunnel", "priority", "tags"}
	t.References = []simcloud.Reference{holding(toNetwork("network")), to("nextHopInstance", instance, "projects/{project}/zones/{zone}/instances/{name}"),
		holding(to("nextHopVpnTunnel", tunnel, "projects/{project}/regions/{region}/vpnTunnels/{name}"))}
	t.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		p.Between("priority", 0, 65535)
		p.CIDR("destRange", 0, 32)
		p.ExactlyOne("nextHopGateway", "nextHopIlb", "nextHopInstance", "nextHopIp", "nextHopVpnTunnel")
		for i := range p.Values.Strings("tags") {
			nameAt(p, fmt.Sprintf("tags[%d]", i))
		}
	}
	judged(t, createRoute, nil)
	return []*simcloud.ResourceType{t}
}

func createRoute(c *simcloud.Change) error {
	if next := c.New.String("nextHopGateway"); next != "" && lastPart(next) != internetGateway {
		return invalid("Invalid value for field 'resource.nextHopGateway': '%s'. The URL must be that of global/gateways/%s.", next, internetGateway)
	}
	dest, _ := netip.ParsePrefix(c.New.String("destRange"))
	own := normal(c.Scope, c.New, networkForm, c.New.String("network"))
	for _, other := range ranges(c.Cloud, own) {
		if other.by.Type == subnetwork && dest.IsValid() && simcloud.Within(dest, other.prefix) {
			return invalid("Invalid value for field 'resource.destRange': '%s'. The destination range must not lie in that of the subnetwork '%s'.", dest, other.by.ID)
		}
	}
	if text := c.New.String("nextHopIp"); text != "" {
		next, err := netip.ParseAddr(text)
		if err != nil || !slices.ContainsFunc(ranges(c.Cloud, own), func(r taken) bool { return r.prefix.Contains(next) }) {
			return invalid("Invalid value for field 'resource.nextHopIp': '%s'. The IP address must lie in a subnetwork of the network.", text)
		}
		c.Out["nextHopNetwork"] = computeAPI + own
	}
	if c.New.String("nextHopGateway") != "" {
		c.Out["nextHopGateway"] = computeAPI + "projects/" + part(c.ID, "projects") + "/global/gateways/" + internetGateway
	}
	return nil
}

// leaves tells whether a network's routes send an address out through the internet gateway for a machine with some tags:
// the most specific route wins, and a subnetwork's own comes before any.
func leaves(cloud *simcloud.Cloud, networkID string, tags []string, to netip.Prefix) bool {
	for _, r := range ranges(cloud, networkID) {
		if r.by.Type == subnetwork && simcloud.Within(to, r.prefix) {
			return false
		}
	}
	best, out, priority := -1, false, 1<<17
	for _, o := range cloud.Find("", route, func(o *simcloud.Object) bool { return networkOf(o) == networkID }) {
		dest, err := netip.ParsePrefix(o.State.String("destRange"))
		if err != nil || !simcloud.Within(to, dest) {
			continue
		}
		if only := o.State.Strings("tags"); len(only) > 0 && !slices.ContainsFunc(only, func(tag string) bool { return slices.Contains(tags, tag) }) {
			continue
		}
		if dest.Bits() < best || dest.Bits() == best && o.State.Int("priority") >= priority {
			continue
		}
		best, priority, out = dest.Bits(), o.State.Int("priority"), strings.HasSuffix(o.State.String("nextHopGateway"), internetGateway)
	}
	return out
}

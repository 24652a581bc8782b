package gcp

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// vpnTypes are HA VPN gateways, their tunnels, and the routers' sessions through them.
// https://cloud.google.com/network-connectivity/docs/vpn/concepts/topologies
func vpnTypes() []*simcloud.ResourceType {
	gateway := named(kind(haGateway, "projects/{project}/regions/{region}/vpnGateways/{name}", compute.HaVpnGatewayArgs{}, compute.HaVpnGateway{}), 63)
	gateway.Replace = append(gateway.Replace, "network", "description", "gatewayIpVersion", "stackType", "vpnInterfaces")
	gateway.References = []simcloud.Reference{holding(toNetwork("network"))}
	gateway.Check = func(p *simcloud.Plan) { nameAt(p, "name") }
	judged(gateway, func(c *simcloud.Change) error {
		c.Out["vpnInterfaces"] = []any{simcloud.Values{"id": 0, "ipAddress": external(c)}, simcloud.Values{"id": 1, "ipAddress": external(c)}}
		return nil
	}, nil)

	peer := named(kind(externalGateway, "projects/{project}/global/externalVpnGateways/{name}", compute.ExternalVpnGatewayArgs{}, compute.ExternalVpnGateway{}), 63)
	peer.Replace = append(peer.Replace, "description", "interfaces", "redundancyType")
	peer.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		p.OneOf("redundancyType", "SINGLE_IP_INTERNALLY_REDUNDANT", "TWO_IPS_REDUNDANCY", "FOUR_IPS_REDUNDANCY")
		want := map[string]int{"SINGLE_IP_INTERNALLY_REDUNDANT": 1, "TWO_IPS_REDUNDANCY": 2, "FOUR_IPS_REDUNDANCY": 4}[p.Values.String("redundancyType")]
		if n := len(p.Values.List("interfaces")); want > 0 && p.Values.Known("interfaces") && n != want {
			p.Add("interfaces", fmt.Sprintf("redundancyType %s needs %d interfaces, got %d", p.Values.String("redundancyType"), want, n))
		}
		for i, each := range p.Values.List("interfaces") {
			if text := each.String("ipAddress"); text != "" {
				if _, err := netip.ParseAddr(text); err != nil {
					p.Add(fmt.Sprintf("interfaces[%d].ipAddress", i), "expected a valid IP address, got: "+text)
				}
			}
		}
	}

	through := named(kind(tunnel, "projects/{project}/regions/{region}/vpnTunnels/{name}", compute.VPNTunnelArgs{}, compute.VPNTunnel{}), 63)
	through.Defaults = simcloud.Values{"ikeVersion": 2}
	through.Replace = append(through.Replace, "description", "ikeVersion", "localTrafficSelectors", "peerExternalGateway", "peerExternalGatewayInterface", "peerGcpGateway", "peerIp",
		"remoteTrafficSelectors", "router", "sharedSecret", "targetVpnGateway", "vpnGateway", "vpnGatewayInterface")
	through.References = []simcloud.Reference{holding(to("router", router, routerForm)), holding(to("vpnGateway", haGateway, "projects/{project}/regions/{region}/vpnGateways/{name}")),
		holding(to("peerExternalGateway", externalGateway, "projects/{project}/global/externalVpnGateways/{name}"))}
	through.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		p.OneOf("ikeVersion", 1, 2)
		p.Between("vpnGatewayInterface", 0, 1)
		p.Between("peerExternalGatewayInterface", 0, 3)
		conflicts(p, "peerExternalGateway", "peerGcpGateway")
		if p.Values.Has("targetVpnGateway") {
			p.Add("targetVpnGateway", "the simulation has no classic VPN gateways: use vpnGateway with a router")
		}
	}
	judged(through, func(c *simcloud.Change) error {
		switch {
		case !c.New.Has("vpnGateway"):
			return invalid("Invalid value for field 'resource': one of vpnGateway and targetVpnGateway must be specified.")
		case !c.New.Has("router"):
			return invalid("Invalid value for field 'resource.router': ''. A tunnel of an HA VPN gateway needs a router.")
		case !c.New.Has("vpnGatewayInterface"):
			return invalid("Invalid value for field 'resource.vpnGatewayInterface': ''. The interface of the HA VPN gateway must be specified.")
		case !c.New.Has("peerExternalGateway") && !c.New.Has("peerGcpGateway"):
			return invalid("Invalid value for field 'resource': one of peerExternalGateway and peerGcpGateway must be specified.")
		case c.New.Has("peerExternalGateway") && !c.New.Has("peerExternalGatewayInterface"):
			return invalid("Invalid value for field 'resource.peerExternalGatewayInterface': ''. The interface of the peer must be specified.")
		}
		c.Out["tunnelId"], c.Out["detailedStatus"], c.Out["sharedSecretHash"] = digits(c.Cloud, "tunnel", 19), "Waiting for full config.", hexOf(c.New.String("sharedSecret"))[:20]
		return nil
	}, nil)

	attached := named(kind(routerInterface, "{region}/{router}/{name}", compute.RouterInterfaceArgs{}, compute.RouterInterface{}), 63)
	attached.Replace = []string{"name", "project", "region", "router", "ipRange", "vpnTunnel", "interconnectAttachment", "subnetwork", "privateIpAddress", "redundantInterface"}
	attached.References = []simcloud.Reference{holding(to("router", router, routerForm)), holding(to("vpnTunnel", tunnel, "projects/{project}/regions/{region}/vpnTunnels/{name}"))}
	attached.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		p.ExactlyOne("vpnTunnel", "interconnectAttachment", "subnetwork")
	}

	session := named(kind(routerPeer, "projects/{project}/regions/{region}/routers/{router}/{name}", compute.RouterPeerArgs{}, compute.RouterPeer{}), 63)
	session.Defaults = simcloud.Values{"advertiseMode": "DEFAULT", "advertisedRoutePriority": 100, "enable": true}
	session.Replace = append(session.Replace, "interface")
	session.References = []simcloud.Reference{holding(to("router", router, routerForm))}
	session.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		p.OneOf("advertiseMode", "DEFAULT", "CUSTOM")
		if n := p.Values.Int("peerAsn"); p.Values.Known("peerAsn") && n < 1 {
			p.Add("peerAsn", fmt.Sprintf("expected peerAsn to be a number from 1 to 4294967295, got %d", n))
		}
	}
	judged(session, func(c *simcloud.Change) error {
		name := c.New.String("interface")
		if c.Cloud.Get("", routerInterface, placeOf(c.Scope, c.New).region+"/"+c.New.String("router")+"/"+name) == nil {
			return invalid("Invalid value for field 'resource.bgpPeers[0].interfaceName': '%s'. The interface does not exist on router '%s'.", name, c.New.String("router"))
		}
		c.Out["managementType"] = "MANAGED_BY_USER"
		return nil
	}, nil)
	return []*simcloud.ResourceType{gateway, peer, through, attached, session}
}

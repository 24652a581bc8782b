package gcp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// tunnels are two: Google's gateway has two interfaces, and a promise of
// availability for both together.
const tunnels = 2

// CloudVpnArgs describes a way in from a network of the company. Project, Cluster,
// NetworkID, ControlPlaneCIDR, PeerIPs, PeerASN and SharedSecret are required.
type CloudVpnArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// NetworkID and ControlPlaneCIDR are those of [Network]. The other side learns
	// the way to the control plane and to nothing else.
	NetworkID        pulumi.StringInput `pulumi:"networkId"`
	ControlPlaneCIDR pulumi.StringInput `pulumi:"controlPlaneCidr"`
	// PeerIPs are one or two addresses of the other gateway on the internet.
	PeerIPs []string `pulumi:"peerIps"`
	// PeerASN is the number of the other side in BGP, and ASN that of ours, private,
	// 64514 by default.
	PeerASN int `pulumi:"peerAsn"`
	ASN     int `pulumi:"asn,optional"`
	// SharedSecret is what both sides know, at least 32 characters.
	SharedSecret pulumi.StringInput `pulumi:"sharedSecret"`
	// Links are two ranges of 169.254.0.0/16, /30, of the two tunnels: the first
	// address is ours, the second theirs.
	Links      []string          `pulumi:"links,optional"`
	Labels     map[string]string `pulumi:"labels,optional"`
	Exceptions []hostconfig.Exception
}

const shortestSecret = 32

func (a CloudVpnArgs) withDefaults() CloudVpnArgs {
	setDefault(&a.ASN, 64514)
	if len(a.Links) == 0 {
		a.Links = []string{"169.254.21.0/30", "169.254.22.0/30"}
	}
	return a
}

// privateASN tells whether a number is for private use: RFC 6996.
func privateASN(n int) bool {
	return n >= 64512 && n <= 65534 || n >= 4200000000 && n <= 4294967294
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a CloudVpnArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	p.required("networkId", a.NetworkID, "give that of Network")
	p.required("controlPlaneCidr", a.ControlPlaneCIDR, "give that of Network")
	if cidr, known := a.ControlPlaneCIDR.(pulumi.String); known {
		p.narrowRange("controlPlaneCidr", string(cidr))
		p.controlPlaneRange("controlPlaneCidr", string(cidr))
	}
	if len(a.PeerIPs) < 1 || len(a.PeerIPs) > tunnels {
		p.add("peerIps", fmt.Sprintf("there are %d", len(a.PeerIPs)), "write one or two addresses of the other gateway")
	}
	for i, ip := range a.PeerIPs {
		at, err := netip.ParseAddr(ip)
		if err != nil || !at.Is4() || at.IsPrivate() || !at.IsGlobalUnicast() || slices.Contains(a.PeerIPs[:i], ip) {
			p.add(fmt.Sprintf("peerIps[%d]", i), fmt.Sprintf("%q is no address of its own on the internet", ip), "write an address of IPv4")
		}
	}
	if a.PeerASN < 1 || a.PeerASN > 4294967294 || a.PeerASN == a.ASN {
		p.add("peerAsn", fmt.Sprintf("%d is no number of another side", a.PeerASN), "write that of the other gateway")
	}
	if !privateASN(a.ASN) {
		p.add("asn", fmt.Sprintf("%d is no private number", a.ASN), "write 64512 to 65534")
	}
	p.required("sharedSecret", a.SharedSecret, "give a secret of the configuration")
	if secret, known := a.SharedSecret.(pulumi.String); known && len(secret) < shortestSecret {
		p.add("sharedSecret", "is short", fmt.Sprintf("give at least %d random characters", shortestSecret))
	}
	if len(a.Links) != tunnels {
		p.add("links", fmt.Sprintf("there are %d", len(a.Links)), "write two")
	}
	for i, link := range a.Links {
		prefix, err := netip.ParsePrefix(link)
		if err != nil || prefix != prefix.Masked() || prefix.Bits() != 30 || !prefix.Addr().Is4() || !prefix.Addr().IsLinkLocalUnicast() ||
			slices.Contains(a.Links[:i], link) || prefix.Contains(netip.MustParseAddr("169.254.169.254")) {
			p.add(fmt.Sprintf("links[%d]", i), fmt.Sprintf("%q is no range of a tunnel", link), "write a /30 of 169.254.0.0/16, such as 169.254.21.0/30")
		}
	}
	p.labels("labels", a.Labels)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// CloudVpn is a way to the API server from a network of the company: two tunnels,
// through which only the control plane is found (M09). [GkeCluster] must
// authorize the ranges of the other side.
type CloudVpn struct {
	pulumi.ResourceState

	// GatewayIPs are the two addresses of our side.
	GatewayIPs pulumi.StringArrayOutput `pulumi:"gatewayIps"`
}

// NewCloudVpn registers the tunnels. The arguments are checked, all at once,
// before anything is registered.
func NewCloudVpn(ctx *pulumi.Context, name string, args *CloudVpnArgs, opts ...pulumi.ResourceOption) (*CloudVpn, error) {
	a := args.withDefaults()
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	v := &CloudVpn{}
	if err := ctx.RegisterComponentResource(cloudVpnToken, name, v, opts...); err != nil {
		return nil, err
	}
	parent, project, region := pulumi.Parent(v), pulumi.String(a.Project.ID), pulumi.String(a.Project.Region)
	full := pulumi.String(a.Cluster + "-vpn")
	gateway, err := compute.NewHaVpnGateway(ctx, name,
		&compute.HaVpnGatewayArgs{Name: full, Project: project, Region: region, Network: a.NetworkID, StackType: pulumi.String("IPV4_ONLY")}, parent)
	if err != nil {
		return nil, err
	}
	var interfaces compute.ExternalVpnGatewayInterfaceArray
	for i, ip := range a.PeerIPs {
		interfaces = append(interfaces, compute.ExternalVpnGatewayInterfaceArgs{Id: pulumi.Int(i), IpAddress: pulumi.String(ip)})
	}
	redundancy := map[int]string{1: "SINGLE_IP_INTERNALLY_REDUNDANT", 2: "TWO_IPS_REDUNDANCY"}[len(a.PeerIPs)]
	peer, err := compute.NewExternalVpnGateway(ctx, name, &compute.ExternalVpnGatewayArgs{Name: full, Project: project,
		RedundancyType: pulumi.String(redundancy), Interfaces: interfaces,
		Labels: labelled(a.Labels, a.Cluster)}, parent)
	if err != nil {
		return nil, err
	}
	router, err := compute.NewRouter(ctx, name, &compute.RouterArgs{Name: full, Project: project, Region: region, Network: a.NetworkID,
		Bgp: compute.RouterBgpArgs{Asn: pulumi.Int(a.ASN), AdvertiseMode: pulumi.String("CUSTOM"), AdvertisedIpRanges: compute.RouterBgpAdvertisedIpRangeArray{
			compute.RouterBgpAdvertisedIpRangeArgs{Range: a.ControlPlaneCIDR, Description: pulumi.String("the API server")}}}}, parent)
	if err != nil {
		return nil, err
	}
	for i := range tunnels {
		if err := a.tunnel(ctx, name, i, gateway, peer, router, parent); err != nil {
			return nil, err
		}
	}
	v.GatewayIPs = gateway.VpnInterfaces.ApplyT(func(interfaces []compute.HaVpnGatewayVpnInterface) []string {
		var ips []string
		for _, each := range interfaces {
			if each.IpAddress != nil {
				ips = append(ips, *each.IpAddress)
			}
		}
		return ips
	}).(pulumi.StringArrayOutput)
	return v, ctx.RegisterResourceOutputs(v, pulumi.Map{"gatewayIps": v.GatewayIPs})
}

// tunnel registers one tunnel and the conversation about routes inside it.
func (a CloudVpnArgs) tunnel(ctx *pulumi.Context, name string, n int, gateway *compute.HaVpnGateway, peer *compute.ExternalVpnGateway, router *compute.Router,
	opts ...pulumi.ResourceOption) error {
	suffix := fmt.Sprintf("-%d", n)
	full, project, region := pulumi.String(a.Cluster+"-vpn"+suffix), pulumi.String(a.Project.ID), pulumi.String(a.Project.Region)
	ours := netip.MustParsePrefix(a.Links[n]).Addr().Next()
	tunnel, err := compute.NewVPNTunnel(ctx, name+suffix, &compute.VPNTunnelArgs{
		Name: full, Project: project, Region: region, IkeVersion: pulumi.Int(2), SharedSecret: pulumi.ToSecret(a.SharedSecret).(pulumi.StringOutput),
		VpnGateway: gateway.ID().ToStringOutput().ToStringPtrOutput(), VpnGatewayInterface: pulumi.Int(n),
		PeerExternalGateway: peer.ID().ToStringOutput().ToStringPtrOutput(), PeerExternalGatewayInterface: pulumi.Int(min(n, len(a.PeerIPs)-1)),
		Router: router.ID().ToStringOutput().ToStringPtrOutput(), Labels: labelled(a.Labels, a.Cluster),
	}, opts...)
	if err != nil {
		return err
	}
	link, err := compute.NewRouterInterface(ctx, name+suffix, &compute.RouterInterfaceArgs{
		Name: full, Project: project, Region: region, Router: router.Name, IpRange: pulumi.String(ours.String() + "/30"), VpnTunnel: tunnel.Name.ToStringPtrOutput(),
	}, opts...)
	if err != nil {
		return err
	}
	_, err = compute.NewRouterPeer(ctx, name+suffix, &compute.RouterPeerArgs{
		Name: full, Project: project, Region: region, Router: router.Name, Interface: link.Name, PeerIpAddress: pulumi.String(ours.Next().String()), PeerAsn: pulumi.Int(a.PeerASN),
	}, opts...)
	return err
}

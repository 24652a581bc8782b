package gcp

import (
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/addressplan"
)

// Network is a private network: no route out but to Google's restricted
// addresses, nothing let in or out that no rule allows, and a record of every
// flow and DNS query (M07, M33).
type Network struct {
	pulumi.ResourceState

	NetworkID pulumi.StringOutput `pulumi:"networkId"`
	// SubnetworkID is that of nodes, as soon as it exists.
	SubnetworkID pulumi.StringOutput `pulumi:"subnetworkId"`
	// NodeSubnetworkID is the same once everything that a node needs to boot is
	// there: routes and names.
	NodeSubnetworkID pulumi.StringOutput `pulumi:"nodeSubnetworkId"`
	// PodRangeName and ServiceRangeName are the secondary ranges of the subnetwork.
	PodRangeName     pulumi.StringOutput `pulumi:"podRangeName"`
	ServiceRangeName pulumi.StringOutput `pulumi:"serviceRangeName"`
	// NodeCIDR, PodCIDR, ServiceCIDR and ControlPlaneCIDR are the ranges of the
	// plan, and AccessCIDR that of the way in, for [IapAccess]; it is empty in a
	// network that exists.
	NodeCIDR         pulumi.StringOutput `pulumi:"nodeCidr"`
	PodCIDR          pulumi.StringOutput `pulumi:"podCidr"`
	ServiceCIDR      pulumi.StringOutput `pulumi:"serviceCidr"`
	ControlPlaneCIDR pulumi.StringOutput `pulumi:"controlPlaneCidr"`
	AccessCIDR       pulumi.StringOutput `pulumi:"accessCidr"`

	args  NetworkArgs
	ready []any // what a node waits for
}

// NewNetwork registers a network. The arguments are checked, all at once, before
// anything is registered.
func NewNetwork(ctx *pulumi.Context, name string, args *NetworkArgs, opts ...pulumi.ResourceOption) (*Network, error) {
	a := args.withDefaults()
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	n := &Network{args: a}
	if err := ctx.RegisterComponentResource(networkToken, name, n, opts...); err != nil {
		return nil, err
	}
	if a.Existing != nil {
		n.bring(*a.Existing)
	} else if err := n.make(ctx, name); err != nil {
		return nil, err
	}
	if a.Existing == nil || !a.Existing.PrivateAccess {
		if err := n.connect(ctx, name); err != nil {
			return nil, err
		}
	}
	n.NodeSubnetworkID = once(append([]any{n.SubnetworkID}, n.ready...)...)
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{
		"networkId": n.NetworkID, "subnetworkId": n.SubnetworkID, "nodeSubnetworkId": n.NodeSubnetworkID, "podRangeName": n.PodRangeName,
		"serviceRangeName": n.ServiceRangeName, "nodeCidr": n.NodeCIDR, "podCidr": n.PodCIDR, "serviceCidr": n.ServiceCIDR,
		"controlPlaneCidr": n.ControlPlaneCIDR, "accessCidr": n.AccessCIDR,
	})
}

func (n *Network) child() pulumi.ResourceOption { return pulumi.Parent(n) }

// bring takes a network that exists.
func (n *Network) bring(e ExistingNetwork) {
	n.NetworkID, n.SubnetworkID = text(e.Network), text(e.Subnetwork)
	n.PodRangeName, n.ServiceRangeName = text(e.PodRange), text(e.ServiceRange)
	n.NodeCIDR, n.PodCIDR, n.ServiceCIDR = text(e.NodeCIDR), text(e.PodCIDR), text(e.ServiceCIDR)
	n.ControlPlaneCIDR, n.AccessCIDR = text(e.ControlPlaneCIDR), text("")
}

// plan gives the division of the range, which was judged already.
func (n *Network) plan() addressplan.Region {
	plan, _ := addressplan.NewRegion(n.args.CIDR)
	return plan
}

// home is the project that the network is of: a shared one is of its host.
func (n *Network) home() string {
	if n.args.Existing != nil {
		return networkPattern.FindStringSubmatch(n.args.Existing.Network)[1]
	}
	return n.args.Project.ID
}

func text(value string) pulumi.StringOutput { return pulumi.String(value).ToStringOutput() }

package gcp

import (
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/dns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Priorities of firewall rules; the lower is asked first. GKE allows its own
// flows from 999 on: tcp:10255 among them, which is why what must never be comes
// before.
// https://cloud.google.com/kubernetes-engine/docs/concepts/firewall-rules
const (
	priorityNever   = 900
	priorityAllow   = 1000
	priorityDefault = 65000 // before the implied rule, 65535, which lets everything out
)

const anywhere = "0.0.0.0/0"

// make registers the network itself.
func (n *Network) make(ctx *pulumi.Context, name string) error {
	a := n.args
	network, err := compute.NewNetwork(ctx, name, &compute.NetworkArgs{
		Name: pulumi.String(a.Cluster), Project: pulumi.String(a.Project.ID), Description: pulumi.String("Private network of the cluster " + a.Cluster),
		AutoCreateSubnetworks: pulumi.Bool(false), DeleteDefaultRoutesOnCreate: pulumi.Bool(true), RoutingMode: pulumi.String("REGIONAL"),
	}, n.child())
	if err != nil {
		return err
	}
	n.NetworkID = network.ID().ToStringOutput()
	if err := denyAll(ctx, name, a.Cluster, a.Project.ID, n.NetworkID, nil, n.child()); err != nil {
		return err
	}
	plan := n.plan()
	subnetwork, err := compute.NewSubnetwork(ctx, name+"-nodes", &compute.SubnetworkArgs{
		Name: pulumi.String(a.Cluster + "-nodes"), Project: pulumi.String(a.Project.ID), Region: pulumi.String(a.Project.Region), Network: n.NetworkID,
		Description: pulumi.String("Nodes, pods and services of the cluster " + a.Cluster), IpCidrRange: pulumi.String(plan.Nodes().String()),
		SecondaryIpRanges: compute.SubnetworkSecondaryIpRangeArray{
			compute.SubnetworkSecondaryIpRangeArgs{RangeName: pulumi.String(podRange), IpCidrRange: pulumi.String(plan.Pods().String())},
			compute.SubnetworkSecondaryIpRangeArgs{RangeName: pulumi.String(serviceRange), IpCidrRange: pulumi.String(plan.Services().String())},
		},
		PrivateIpGoogleAccess: pulumi.Bool(true), StackType: pulumi.String("IPV4_ONLY"), LogConfig: everyFlow(),
	}, n.child())
	if err != nil {
		return err
	}
	n.SubnetworkID = subnetwork.ID().ToStringOutput()
	n.PodRangeName, n.ServiceRangeName = text(podRange), text(serviceRange)
	n.NodeCIDR, n.PodCIDR, n.ServiceCIDR = subnetwork.IpCidrRange, text(plan.Pods().String()), text(plan.Services().String())
	n.ControlPlaneCIDR, n.AccessCIDR = text(plan.ControlPlane().String()), text(plan.Access().String())
	if err := n.recordQueries(ctx, name); err != nil {
		return err
	}
	return n.exit(ctx, name)
}

// everyFlow records every flow, with who its ends are (CIS-GKE-5.6.1).
func everyFlow() compute.SubnetworkLogConfigArgs {
	return compute.SubnetworkLogConfigArgs{
		// The shortest there is, so that an alarm comes within minutes.
		AggregationInterval: pulumi.String("INTERVAL_5_SEC"), FlowSampling: pulumi.Float64(1), Metadata: pulumi.String("INCLUDE_ALL_METADATA"),
	}
}

// recordQueries logs DNS queries. A network has one policy: one that exists
// keeps its own.
func (n *Network) recordQueries(ctx *pulumi.Context, name string) error {
	_, err := dns.NewPolicy(ctx, name+"-queries", &dns.PolicyArgs{
		Name: pulumi.String(n.args.Cluster + "-queries"), Project: pulumi.String(n.args.Project.ID), Description: pulumi.String("Queries are recorded"),
		EnableLogging: pulumi.Bool(true), EnableInboundForwarding: pulumi.Bool(false),
		Networks: dns.PolicyNetworkArray{dns.PolicyNetworkArgs{NetworkUrl: n.NetworkID}},
	}, n.child())
	return err
}

// exit registers the way out, if there is one: for nodes and pods, and logged.
func (n *Network) exit(ctx *pulumi.Context, name string) error {
	a := n.args
	if a.Egress != EgressNAT {
		return nil
	}
	router, err := compute.NewRouter(ctx, name+"-nat", &compute.RouterArgs{
		Name: pulumi.String(a.Cluster + "-nat"), Project: pulumi.String(a.Project.ID), Region: pulumi.String(a.Project.Region), Network: n.NetworkID,
		Description: pulumi.String("Way out of the nodes of " + a.Cluster),
	}, n.child())
	if err != nil {
		return err
	}
	nat, err := compute.NewRouterNat(ctx, name+"-nat", &compute.RouterNatArgs{
		Name: pulumi.String(a.Cluster + "-nat"), Project: pulumi.String(a.Project.ID), Region: pulumi.String(a.Project.Region), Router: router.Name,
		NatIpAllocateOption: pulumi.String("AUTO_ONLY"), SourceSubnetworkIpRangesToNat: pulumi.String("LIST_OF_SUBNETWORKS"),
		Subnetworks: compute.RouterNatSubnetworkArray{compute.RouterNatSubnetworkArgs{
			Name: n.SubnetworkID, SourceIpRangesToNats: pulumi.ToStringArray([]string{"PRIMARY_IP_RANGE", "LIST_OF_SECONDARY_IP_RANGES"}),
			SecondaryIpRangeNames: pulumi.ToStringArray([]string{podRange}),
		}},
		LogConfig: compute.RouterNatLogConfigArgs{Enable: pulumi.Bool(true), Filter: pulumi.String("ALL")},
	}, n.child())
	if err != nil {
		return err
	}
	route, err := n.route(ctx, name+"-internet", "internet", "The internet, for what the firewall lets out", anywhere)
	if err != nil {
		return err
	}
	n.ready = append(n.ready, nat.ID(), route.ID())
	return nil
}

func (n *Network) route(ctx *pulumi.Context, name, suffix, description, to string) (*compute.Route, error) {
	return compute.NewRoute(ctx, name, &compute.RouteArgs{
		Name: pulumi.String(n.args.Cluster + "-" + suffix), Project: pulumi.String(n.home()), Network: n.NetworkID, Description: pulumi.String(description),
		DestRange: pulumi.String(to), NextHopGateway: pulumi.String("default-internet-gateway"), Priority: pulumi.Int(priorityAllow),
	}, n.child())
}

// denyAll registers the two rules that let nothing in and nothing out, for the
// machines of some service accounts or, without any, for the whole network. What
// they stop is logged.
func denyAll(ctx *pulumi.Context, name, prefix, project string, network pulumi.StringInput, targets pulumi.StringArrayInput, opts ...pulumi.ResourceOption) error {
	for _, direction := range []string{"INGRESS", "EGRESS"} {
		suffix, reason := "-deny-in", "nothing comes in that no rule allows"
		args := &compute.FirewallArgs{Project: pulumi.String(project), Network: network, Direction: pulumi.String(direction), Priority: pulumi.Int(priorityDefault),
			Denies:    compute.FirewallDenyArray{compute.FirewallDenyArgs{Protocol: pulumi.String("all")}},
			LogConfig: compute.FirewallLogConfigArgs{Metadata: pulumi.String("INCLUDE_ALL_METADATA")}}
		if direction == "INGRESS" {
			args.SourceRanges = pulumi.ToStringArray([]string{anywhere})
		} else {
			suffix, reason = "-deny-out", "nothing goes out that no rule allows"
			args.DestinationRanges = pulumi.ToStringArray([]string{anywhere})
		}
		if targets != nil {
			args.TargetServiceAccounts = targets
		}
		args.Name, args.Description = pulumi.String(prefix+suffix), pulumi.String(reason)
		if _, err := compute.NewFirewall(ctx, name+suffix, args, opts...); err != nil {
			return err
		}
	}
	return nil
}

package aws

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Everywhere else.
const (
	anyIPv4 = "0.0.0.0/0"
	anyIPv6 = "::/0"
)

// exit is the way out of a network, if it has one.
type exit struct {
	network *Network
	vpc     *ec2.Vpc
	gateway *ec2.InternetGateway           // of NAT
	ipv6    *ec2.EgressOnlyInternetGateway // of NAT with IPv6, which has no NAT
}

func (n *Network) newExit(ctx *pulumi.Context, name string, vpc *ec2.Vpc) (exit, error) {
	e := exit{network: n, vpc: vpc}
	if n.args.Egress != EgressNAT {
		return e, nil
	}
	var err error
	if e.gateway, err = ec2.NewInternetGateway(ctx, name, &ec2.InternetGatewayArgs{VpcId: vpc.ID().ToStringPtrOutput(), Tags: n.tags("nat")}, n.child()); err != nil {
		return e, err
	}
	if n.args.IPv6 {
		e.ipv6, err = ec2.NewEgressOnlyInternetGateway(ctx, name, &ec2.EgressOnlyInternetGatewayArgs{VpcId: vpc.ID(), Tags: n.tags("egress-only")}, n.child())
	}
	return e, err
}

// zone routes the private table of a zone out. It gives the subnets that it made
// for that.
func (e exit) zone(ctx *pulumi.Context, name, zone, letter string, private *ec2.RouteTable) (pulumi.StringArray, error) {
	n := e.network
	switch n.args.Egress {
	case EgressFirewall:
		endpoint := n.args.FirewallEndpoints.ToStringMapOutput().MapIndex(pulumi.String(zone)).ToStringPtrOutput()
		err := e.route(ctx, name+"-private-"+letter, private, ec2.RouteArgs{DestinationCidrBlock: pulumi.String(anyIPv4), VpcEndpointId: endpoint})
		if err == nil && n.args.IPv6 {
			err = e.route(ctx, name+"-private-"+letter+"-ipv6", private, ec2.RouteArgs{DestinationIpv6CidrBlock: pulumi.String(anyIPv6), VpcEndpointId: endpoint})
		}
		return nil, err
	case EgressNAT:
		return e.nat(ctx, name, zone, letter, private)
	}
	return nil, nil
}

// nat registers a NAT gateway of the zone, so that the loss of a zone takes no
// other's way out. Nothing else stands in its subnet.
func (e exit) nat(ctx *pulumi.Context, name, zone, letter string, private *ec2.RouteTable) (pulumi.StringArray, error) {
	n := e.network
	subnet, err := n.subnet(ctx, name+"-edge-"+letter, "edge-"+letter, e.vpc, zone, true)
	if err != nil {
		return nil, err
	}
	table, err := n.table(ctx, name+"-edge-"+letter, "edge-"+letter, subnet)
	if err != nil {
		return nil, err
	}
	if err := e.route(ctx, name+"-edge-"+letter, table, ec2.RouteArgs{DestinationCidrBlock: pulumi.String(anyIPv4), GatewayId: e.gateway.ID().ToStringPtrOutput()}); err != nil {
		return nil, err
	}
	// An address is released only once the gateway of the network is gone.
	address, err := ec2.NewEip(ctx, name+"-nat-"+letter, &ec2.EipArgs{Domain: pulumi.String("vpc"), Tags: n.tags("nat-" + letter)},
		n.child(), pulumi.DependsOn([]pulumi.Resource{e.gateway}))
	if err != nil {
		return nil, err
	}
	nat, err := ec2.NewNatGateway(ctx, name+"-nat-"+letter, &ec2.NatGatewayArgs{
		SubnetId: subnet.ID(), AllocationId: address.AllocationId.ToStringPtrOutput(), ConnectivityType: pulumi.String("public"), Tags: n.tags("nat-" + letter),
	}, n.child(), pulumi.DependsOn([]pulumi.Resource{e.gateway}))
	if err != nil {
		return nil, err
	}
	err = e.route(ctx, name+"-private-"+letter, private, ec2.RouteArgs{DestinationCidrBlock: pulumi.String(anyIPv4), NatGatewayId: nat.ID().ToStringPtrOutput()})
	if err == nil && e.ipv6 != nil {
		err = e.route(ctx, name+"-private-"+letter+"-ipv6", private, ec2.RouteArgs{DestinationIpv6CidrBlock: pulumi.String(anyIPv6), EgressOnlyGatewayId: e.ipv6.ID().ToStringPtrOutput()})
	}
	return pulumi.StringArray{subnet.ID()}, err
}

func (e exit) route(ctx *pulumi.Context, name string, table *ec2.RouteTable, args ec2.RouteArgs) error {
	args.RouteTableId = table.ID()
	route, err := ec2.NewRoute(ctx, name, &args, e.network.child())
	if err == nil {
		e.network.ready = append(e.network.ready, route.ID())
	}
	return err
}

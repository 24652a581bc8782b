package aws

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/addressplan"
)

// Subnets of IPv6 by their number in the range: those of machines from 0, those
// at the edge from 16, with room between.
const edgeIPv6 = 16

// make registers the network itself.
func (n *Network) make(ctx *pulumi.Context, name string) error {
	a := n.args
	vpc, err := ec2.NewVpc(ctx, name, &ec2.VpcArgs{
		CidrBlock: pulumi.String(a.CIDR), AssignGeneratedIpv6CidrBlock: pulumi.Bool(a.IPv6),
		// Private names of endpoints and of the cluster need both.
		EnableDnsSupport: pulumi.Bool(true), EnableDnsHostnames: pulumi.Bool(true),
		Tags: n.tags("network"),
	}, n.child())
	if err != nil {
		return err
	}
	n.VpcID = vpc.ID().ToStringOutput()
	if err := n.emptyDefaults(ctx, name, vpc); err != nil {
		return err
	}
	out, err := n.newExit(ctx, name, vpc)
	if err != nil {
		return err
	}
	var subnets, tables, all pulumi.StringArray
	for _, zone := range a.Zones {
		letter := strings.TrimPrefix(zone, a.Account.Region)
		subnet, err := n.subnet(ctx, name+"-private-"+letter, "private-"+letter, vpc, zone, false)
		if err != nil {
			return err
		}
		table, err := n.table(ctx, name+"-private-"+letter, "private-"+letter, subnet)
		if err != nil {
			return err
		}
		edge, err := out.zone(ctx, name, zone, letter, table)
		if err != nil {
			return err
		}
		id := subnet.ID().ToStringOutput()
		if a.SelfManaged {
			if id, err = n.reserve(ctx, name+"-private-"+letter, zone, subnet); err != nil {
				return err
			}
		}
		subnets, tables = append(subnets, id), append(tables, table.ID())
		all = append(append(all, subnet.ID()), edge...)
	}
	n.PrivateSubnetIDs, n.RouteTableIDs = subnets.ToStringArrayOutput(), tables.ToStringArrayOutput()
	return n.newACL(ctx, name, vpc, all)
}

// emptyDefaults takes every rule and route from what AWS gives each network, so
// that what is attached by mistake reaches nothing.
func (n *Network) emptyDefaults(ctx *pulumi.Context, name string, vpc *ec2.Vpc) error {
	if _, err := ec2.NewDefaultSecurityGroup(ctx, name+"-default", &ec2.DefaultSecurityGroupArgs{
		VpcId: vpc.ID(), Ingress: ec2.DefaultSecurityGroupIngressArray{}, Egress: ec2.DefaultSecurityGroupEgressArray{}, Tags: n.tags("default-unused"),
	}, n.child()); err != nil {
		return err
	}
	if _, err := ec2.NewDefaultNetworkAcl(ctx, name+"-default", &ec2.DefaultNetworkAclArgs{
		DefaultNetworkAclId: vpc.DefaultNetworkAclId, Ingress: ec2.DefaultNetworkAclIngressArray{}, Egress: ec2.DefaultNetworkAclEgressArray{}, Tags: n.tags("default-unused"),
	}, n.child()); err != nil {
		return err
	}
	_, err := ec2.NewDefaultRouteTable(ctx, name+"-default", &ec2.DefaultRouteTableArgs{
		DefaultRouteTableId: vpc.DefaultRouteTableId, Routes: ec2.DefaultRouteTableRouteArray{}, Tags: n.tags("default-unused"),
	}, n.child())
	return err
}

// subnet registers the subnet of a zone: for machines, or at the edge.
func (n *Network) subnet(ctx *pulumi.Context, name, suffix string, vpc *ec2.Vpc, zone string, edge bool) (*ec2.Subnet, error) {
	plan, err := addressplan.New(n.args.CIDR)
	if err != nil {
		return nil, err
	}
	at, err := slot(n.args.Account.Region, zone)
	if err != nil {
		return nil, err
	}
	block, ipv6, tags := plan.Zone, at, n.tags(suffix)
	if edge {
		block, ipv6 = plan.Edge, edgeIPv6+at
	} else {
		// Where the load balancers of the cluster stand.
		tags["kubernetes.io/role/internal-elb"] = pulumi.String("1")
	}
	cidr, err := block(at)
	if err != nil {
		return nil, err
	}
	args := &ec2.SubnetArgs{
		VpcId: vpc.ID(), AvailabilityZone: pulumi.String(zone), CidrBlock: pulumi.String(cidr.String()),
		MapPublicIpOnLaunch: pulumi.Bool(false), Tags: tags,
	}
	if n.args.IPv6 {
		args.AssignIpv6AddressOnCreation = pulumi.Bool(!edge)
		args.Ipv6CidrBlock = vpc.Ipv6CidrBlock.ApplyT(func(network string) (string, error) {
			part, err := addressplan.SubnetIPv6(network, ipv6)
			return part.String(), err
		}).(pulumi.StringOutput).ToStringPtrOutput()
	}
	return ec2.NewSubnet(ctx, name, args, n.child())
}

// table registers a route table of its own for a subnet, without routes.
func (n *Network) table(ctx *pulumi.Context, name, suffix string, subnet *ec2.Subnet) (*ec2.RouteTable, error) {
	table, err := ec2.NewRouteTable(ctx, name, &ec2.RouteTableArgs{VpcId: n.VpcID, Tags: n.tags(suffix)}, n.child())
	if err != nil {
		return nil, err
	}
	association, err := ec2.NewRouteTableAssociation(ctx, name, &ec2.RouteTableAssociationArgs{
		SubnetId: subnet.ID().ToStringPtrOutput(), RouteTableId: table.ID(),
	}, n.child())
	if err == nil {
		n.ready = append(n.ready, association.ID())
	}
	return table, err
}

package aws

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// accessList gives the private subnets a list of their own, now that the default one drops everything. It is the coarse
// outer fence: traffic within the network, and TCP that begins inside. The security groups decide the rest.
func (b *networkBuilder) accessList() error {
	ids := pulumi.StringArray{}
	for _, subnet := range b.private {
		ids = append(ids, subnet.ID())
	}
	local := pulumi.StringPtr(b.args.CIDR)
	any := pulumi.StringPtr("0.0.0.0/0")
	// Lists keep no state: the answers to what begins inside come to the ports that clients use (RFC 6056).
	args := &ec2.NetworkAclArgs{VpcId: b.it.ID(), SubnetIds: ids, Tags: b.tags("-private"),
		Ingress: ec2.NetworkAclIngressArray{
			&ec2.NetworkAclIngressArgs{RuleNo: pulumi.Int(100), Action: pulumi.String("allow"), Protocol: pulumi.String("-1"), CidrBlock: local, FromPort: pulumi.Int(0), ToPort: pulumi.Int(0)},
			&ec2.NetworkAclIngressArgs{RuleNo: pulumi.Int(110), Action: pulumi.String("allow"), Protocol: pulumi.String("tcp"), CidrBlock: any, FromPort: pulumi.Int(1024), ToPort: pulumi.Int(65535)},
		},
		Egress: ec2.NetworkAclEgressArray{
			&ec2.NetworkAclEgressArgs{RuleNo: pulumi.Int(100), Action: pulumi.String("allow"), Protocol: pulumi.String("-1"), CidrBlock: local, FromPort: pulumi.Int(0), ToPort: pulumi.Int(0)},
			// S3 is outside the network's range also through its gateway endpoint.
			&ec2.NetworkAclEgressArgs{RuleNo: pulumi.Int(110), Action: pulumi.String("allow"), Protocol: pulumi.String("tcp"), CidrBlock: any, FromPort: pulumi.Int(443), ToPort: pulumi.Int(443)},
		}}
	if b.args.IPv6 {
		own := b.it.Ipv6CidrBlock.ToStringPtrOutput()
		args.Ingress = append(args.Ingress.(ec2.NetworkAclIngressArray), &ec2.NetworkAclIngressArgs{RuleNo: pulumi.Int(120), Action: pulumi.String("allow"),
			Protocol: pulumi.String("-1"), Ipv6CidrBlock: own, FromPort: pulumi.Int(0), ToPort: pulumi.Int(0)})
		args.Egress = append(args.Egress.(ec2.NetworkAclEgressArray), &ec2.NetworkAclEgressArgs{RuleNo: pulumi.Int(120), Action: pulumi.String("allow"),
			Protocol: pulumi.String("-1"), Ipv6CidrBlock: own, FromPort: pulumi.Int(0), ToPort: pulumi.Int(0)})
	}
	list, err := ec2.NewNetworkAcl(b.ctx, b.name+"-private", args, b.child)
	if err == nil {
		b.network.Ready = append(b.network.Ready, list)
	}
	return err
}

// wayOut makes a NAT gateway in each zone, where one was asked for. Only it is in a public subnet.
func (b *networkBuilder) wayOut() error {
	if b.args.Egress != EgressNAT {
		return nil
	}
	gateway, err := ec2.NewInternetGateway(b.ctx, b.name, &ec2.InternetGatewayArgs{VpcId: b.it.ID().ToStringOutput().ToStringPtrOutput(), Tags: b.tags("")}, b.child)
	if err != nil {
		return err
	}
	table, err := ec2.NewRouteTable(b.ctx, b.name+"-public", &ec2.RouteTableArgs{VpcId: b.it.ID(), Tags: b.tags("-public")}, b.child)
	if err != nil {
		return err
	}
	everything := pulumi.StringPtr("0.0.0.0/0")
	if _, err := ec2.NewRoute(b.ctx, b.name+"-public", &ec2.RouteArgs{RouteTableId: table.ID(), DestinationCidrBlock: everything, GatewayId: gateway.ID().ToStringOutput().ToStringPtrOutput()}, b.child); err != nil {
		return err
	}
	ids := pulumi.StringArray{}
	for i, plan := range planSubnets(b.vpcRange, b.args.Zones) {
		name := b.name + "-public-" + strings.TrimPrefix(plan.Zone, b.args.Region)
		subnet, err := ec2.NewSubnet(b.ctx, name, &ec2.SubnetArgs{VpcId: b.it.ID(), CidrBlock: pulumi.StringPtr(plan.Public.String()), AvailabilityZone: pulumi.StringPtr(plan.Zone),
			MapPublicIpOnLaunch: pulumi.Bool(false), Tags: b.tags("-public-" + plan.Zone)}, b.child)
		if err != nil {
			return err
		}
		association, err := ec2.NewRouteTableAssociation(b.ctx, name, &ec2.RouteTableAssociationArgs{RouteTableId: table.ID(), SubnetId: subnet.ID()}, b.child)
		if err != nil {
			return err
		}
		address, err := ec2.NewEip(b.ctx, name, &ec2.EipArgs{Domain: pulumi.StringPtr("vpc"), Tags: b.tags("-nat-" + plan.Zone)}, b.child)
		if err != nil {
			return err
		}
		nat, err := ec2.NewNatGateway(b.ctx, name, &ec2.NatGatewayArgs{SubnetId: subnet.ID(), AllocationId: address.ID().ToStringOutput().ToStringPtrOutput(), Tags: b.tags("-" + plan.Zone)},
			b.child, pulumi.DependsOn([]pulumi.Resource{gateway, association}))
		if err != nil {
			return err
		}
		out, err := ec2.NewRoute(b.ctx, name, &ec2.RouteArgs{RouteTableId: b.tables[i].ID(), DestinationCidrBlock: everything, NatGatewayId: nat.ID().ToStringOutput().ToStringPtrOutput()}, b.child)
		if err != nil {
			return err
		}
		b.network.Ready = append(b.network.Ready, out)
		ids = append(ids, subnet.ID())
	}
	all := pulumi.String("-1")
	_, err = ec2.NewNetworkAcl(b.ctx, b.name+"-public", &ec2.NetworkAclArgs{VpcId: b.it.ID(), SubnetIds: ids, Tags: b.tags("-public"),
		Ingress: ec2.NetworkAclIngressArray{
			&ec2.NetworkAclIngressArgs{RuleNo: pulumi.Int(100), Action: pulumi.String("allow"), Protocol: all, CidrBlock: pulumi.StringPtr(b.args.CIDR), FromPort: pulumi.Int(0), ToPort: pulumi.Int(0)},
			&ec2.NetworkAclIngressArgs{RuleNo: pulumi.Int(110), Action: pulumi.String("allow"), Protocol: pulumi.String("tcp"), CidrBlock: everything, FromPort: pulumi.Int(1024), ToPort: pulumi.Int(65535)},
		},
		Egress: ec2.NetworkAclEgressArray{&ec2.NetworkAclEgressArgs{RuleNo: pulumi.Int(100), Action: pulumi.String("allow"), Protocol: all, CidrBlock: everything, FromPort: pulumi.Int(0), ToPort: pulumi.Int(0)}},
	}, b.child)
	return err
}

// endpoints registers the gateway endpoint of S3 and the interface endpoints, whose group lets nobody in: who may is
// the firewall's to say.
func (b *networkBuilder) endpoints() error {
	service := func(name string) pulumi.StringPtrInput {
		return pulumi.StringPtr("com.amazonaws." + b.args.Region + "." + name)
	}
	tables, subnets := pulumi.StringArray{}, pulumi.StringArray{}
	for i := range b.private {
		tables, subnets = append(tables, b.tables[i].ID()), append(subnets, b.private[i].ID())
	}
	s3, err := ec2.NewVpcEndpoint(b.ctx, b.name+"-s3", &ec2.VpcEndpointArgs{VpcId: b.it.ID(), ServiceName: service("s3"), VpcEndpointType: pulumi.StringPtr("Gateway"),
		RouteTableIds: tables, Policy: pulumi.StringPtr(endpointPolicy("s3", b.args.Region, b.args.AccountID)), Tags: b.tags("-s3")}, b.child)
	if err != nil {
		return err
	}
	b.network.S3PrefixListID, b.network.Ready = s3.PrefixListId, append(b.network.Ready, s3)
	group, err := ec2.NewSecurityGroup(b.ctx, b.name+"-endpoints", &ec2.SecurityGroupArgs{VpcId: b.it.ID(), Description: pulumi.StringPtr("interface endpoints of " + b.name), Tags: b.tags("-endpoints")}, b.child)
	if err != nil {
		return err
	}
	b.network.EndpointGroupID = group.ID()
	for _, name := range b.services() {
		made, err := ec2.NewVpcEndpoint(b.ctx, b.name+"-"+name, &ec2.VpcEndpointArgs{VpcId: b.it.ID(), ServiceName: service(name), VpcEndpointType: pulumi.StringPtr("Interface"),
			PrivateDnsEnabled: pulumi.Bool(true), SubnetIds: subnets, SecurityGroupIds: pulumi.StringArray{group.ID()},
			Policy: pulumi.StringPtr(endpointPolicy(name, b.args.Region, b.args.AccountID)), Tags: b.tags("-" + name)}, b.child)
		if err != nil {
			return err
		}
		b.network.EndpointServices, b.network.Ready = append(b.network.EndpointServices, name), append(b.network.Ready, made)
	}
	return nil
}

// services are those with an interface endpoint, each once.
func (b *networkBuilder) services() []string {
	var out []string
	for _, e := range nodeEndpoints {
		out = append(out, e.Service)
	}
	out = append(out, b.args.Endpoints...)
	slices.Sort(out)
	return slices.Compact(out)
}

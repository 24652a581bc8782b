package aws

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Ways out of a network.
const (
	// EgressNone: nothing leaves; every service is reached through an endpoint.
	EgressNone = "none"
	// EgressNAT: a NAT gateway in each zone.
	EgressNAT = "nat"
)

// NetworkArgs describe a private network. Region, AccountID, CIDR and Zones are required.
type NetworkArgs struct {
	Region    string `pulumi:"region"`
	AccountID string `pulumi:"accountId"`
	// CIDR is the IPv4 range of the VPC, from /16 to /20.
	CIDR string `pulumi:"cidr"`
	// Zones are two to six zones of the region.
	Zones []string `pulumi:"zones"`
	// IPv6 gives the VPC and its subnets ranges of AWS's choosing as well; nothing is routed out by it.
	IPv6 bool `pulumi:"ipv6"`
	// Apart are other ranges, by name, that must not overlap the network: services of the cluster, VPN clients, offices.
	Apart map[string]string `pulumi:"apart"`
	// Egress is EgressNone, the default, or EgressNAT.
	Egress string `pulumi:"egress"`
	// Endpoints are services beyond those that every node needs.
	Endpoints []string `pulumi:"endpoints"`
	// Logs take the flow and query logs; required.
	Logs *Logs `pulumi:"-"`
	// Tags are on everything that can be tagged.
	Tags map[string]string `pulumi:"tags"`
}

// Network is a VPC with private subnets, and endpoints for what machines in it call (M01, M03, M05, M06).
type Network struct {
	pulumi.ResourceState

	VpcID            pulumi.IDOutput          `pulumi:"vpcId"`
	SubnetIDs        pulumi.StringArrayOutput `pulumi:"subnetIds"`
	EndpointGroupID  pulumi.IDOutput          `pulumi:"endpointGroupId"`
	S3PrefixListID   pulumi.StringOutput      `pulumi:"s3PrefixListId"`
	EndpointServices []string                 `pulumi:"endpointServices"`

	// Ready are what a node needs before it starts: its endpoints, its routes and its way out.
	Ready []pulumi.Resource `pulumi:"-"`
}

// Validate says everything that is wrong with the arguments.
func (a NetworkArgs) Validate() error {
	var p problems
	p.region(a.Region)
	p.account(a.AccountID)
	p.addressing(a.Region, a.CIDR, a.Zones, a.Apart)
	if a.Egress != "" && a.Egress != EgressNone && a.Egress != EgressNAT {
		p.add("egress", "write none or nat", "%q is no way out", a.Egress)
	}
	for i, service := range a.Endpoints {
		if !slices.ContainsFunc(slices.Concat(nodeEndpoints, optionalEndpoints), func(e endpoint) bool { return e.Service == service }) {
			var known []string
			for _, e := range optionalEndpoints {
				known = append(known, e.Service)
			}
			p.add(fmt.Sprintf("endpoints[%d]", i), "choose of "+strings.Join(known, ", "), "%q is not a service that is known here", service)
		}
	}
	if a.Logs == nil {
		p.add("logs", "give the Logs component: a network without flow logs is not made", "the logs are missing")
	}
	return p.join()
}

// NewNetwork makes a network.
func NewNetwork(ctx *pulumi.Context, name string, args *NetworkArgs, opts ...pulumi.ResourceOption) (*Network, error) {
	if err := args.Validate(); err != nil {
		return nil, err
	}
	n := &Network{}
	if err := ctx.RegisterComponentResource(networkToken, name, n, opts...); err != nil {
		return nil, err
	}
	b := &networkBuilder{ctx: ctx, name: name, args: args, network: n, vpcRange: netip.MustParsePrefix(args.CIDR), child: pulumi.Parent(n)}
	for _, step := range []func() error{b.vpc, b.emptied, b.subnets, b.accessList, b.wayOut, b.endpoints, b.logs} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"vpcId": n.VpcID, "subnetIds": n.SubnetIDs, "endpointGroupId": n.EndpointGroupID, "s3PrefixListId": n.S3PrefixListID})
}

// networkBuilder is a network while it is being registered.
type networkBuilder struct {
	ctx      *pulumi.Context
	name     string
	args     *NetworkArgs
	network  *Network
	child    pulumi.ResourceOption
	vpcRange netip.Prefix

	it      *ec2.Vpc
	private []*ec2.Subnet
	tables  []*ec2.RouteTable
}

// tags are those of the network with a name, which the console shows.
func (b *networkBuilder) tags(suffix string) pulumi.StringMap {
	out := pulumi.StringMap{"Name": pulumi.String(b.name + suffix)}
	for key, value := range b.args.Tags {
		out[key] = pulumi.String(value)
	}
	return out
}

func (b *networkBuilder) vpc() (err error) {
	b.it, err = ec2.NewVpc(b.ctx, b.name, &ec2.VpcArgs{CidrBlock: pulumi.StringPtr(b.args.CIDR), AssignGeneratedIpv6CidrBlock: pulumi.Bool(b.args.IPv6),
		// Both are needed for the names of private endpoints.
		EnableDnsSupport: pulumi.Bool(true), EnableDnsHostnames: pulumi.Bool(true), Tags: b.tags("")}, b.child)
	if err == nil {
		b.network.VpcID = b.it.ID()
	}
	return err
}

// emptied takes the rules from what AWS makes with a VPC: what nobody placed anywhere reaches nothing (CIS 5.4, M05).
func (b *networkBuilder) emptied() error {
	if _, err := ec2.NewDefaultSecurityGroup(b.ctx, b.name+"-default", &ec2.DefaultSecurityGroupArgs{VpcId: b.it.ID(), Tags: b.tags("-default-unused")}, b.child); err != nil {
		return err
	}
	if _, err := ec2.NewDefaultRouteTable(b.ctx, b.name+"-default", &ec2.DefaultRouteTableArgs{DefaultRouteTableId: b.it.DefaultRouteTableId, Tags: b.tags("-default-unused")}, b.child); err != nil {
		return err
	}
	_, err := ec2.NewDefaultNetworkAcl(b.ctx, b.name+"-default", &ec2.DefaultNetworkAclArgs{DefaultNetworkAclId: b.it.DefaultNetworkAclId, Tags: b.tags("-default-unused")}, b.child)
	return err
}

func (b *networkBuilder) subnets() error {
	ids := pulumi.StringArray{}
	for i, plan := range planSubnets(b.vpcRange, b.args.Zones) {
		name := b.name + "-" + strings.TrimPrefix(plan.Zone, b.args.Region)
		args := &ec2.SubnetArgs{VpcId: b.it.ID(), CidrBlock: pulumi.StringPtr(plan.Private.String()), AvailabilityZone: pulumi.StringPtr(plan.Zone),
			MapPublicIpOnLaunch: pulumi.Bool(false), Tags: b.tags("-private-" + plan.Zone)}
		if b.args.IPv6 {
			args.Ipv6CidrBlock = b.it.Ipv6CidrBlock.ApplyT(func(text string) (*string, error) { return ipv6Subnet(text, i) }).(pulumi.StringPtrOutput)
		}
		subnet, err := ec2.NewSubnet(b.ctx, name, args, b.child)
		if err != nil {
			return err
		}
		table, err := ec2.NewRouteTable(b.ctx, name, &ec2.RouteTableArgs{VpcId: b.it.ID(), Tags: b.tags("-private-" + plan.Zone)}, b.child)
		if err != nil {
			return err
		}
		association, err := ec2.NewRouteTableAssociation(b.ctx, name, &ec2.RouteTableAssociationArgs{RouteTableId: table.ID(), SubnetId: subnet.ID()}, b.child)
		if err != nil {
			return err
		}
		b.private, b.tables = append(b.private, subnet), append(b.tables, table)
		b.network.Ready = append(b.network.Ready, association)
		ids = append(ids, subnet.ID())
	}
	b.network.SubnetIDs = ids.ToStringArrayOutput()
	return nil
}

// ipv6Subnet is the n-th /64 of a VPC's /56.
func ipv6Subnet(vpc string, n int) (*string, error) {
	if vpc == "" {
		return nil, nil // not known yet
	}
	prefix, err := netip.ParsePrefix(vpc)
	if err != nil {
		return nil, err
	}
	bytes := prefix.Addr().As16()
	bytes[7] |= byte(n)
	out := netip.PrefixFrom(netip.AddrFrom16(bytes), 64).String()
	return &out, nil
}

// logs registers the logs of the network: every flow, and every name that is asked for (M08, M33).
func (b *networkBuilder) logs() error {
	if _, err := ec2.NewFlowLog(b.ctx, b.name, &ec2.FlowLogArgs{VpcId: b.it.ID().ToStringOutput().ToStringPtrOutput(), TrafficType: pulumi.StringPtr("ALL"),
		LogDestinationType: pulumi.StringPtr("cloud-watch-logs"), LogDestination: b.args.Logs.FlowsARN, IamRoleArn: b.args.Logs.FlowsRoleARN,
		MaxAggregationInterval: pulumi.IntPtr(60), Tags: b.tags("")}, b.child, pulumi.DependsOn(b.args.Logs.Ready)); err != nil {
		return err
	}
	queries, err := route53.NewResolverQueryLogConfig(b.ctx, b.name, &route53.ResolverQueryLogConfigArgs{DestinationArn: b.args.Logs.QueriesARN, Tags: b.tags("")}, b.child)
	if err != nil {
		return err
	}
	_, err = route53.NewResolverQueryLogConfigAssociation(b.ctx, b.name, &route53.ResolverQueryLogConfigAssociationArgs{ResolverQueryLogConfigId: queries.ID(), ResourceId: b.it.ID()}, b.child)
	return err
}

package aws

import (
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Network is a private network: subnets without public addresses, no route out
// by default, endpoints for everything a node calls, and a record of every flow
// and DNS query (M06, M33).
type Network struct {
	pulumi.ResourceState

	VpcID pulumi.StringOutput `pulumi:"vpcId"`
	// PrivateSubnetIDs are one for each zone, in the order of the zones, as soon
	// as they exist: for the control plane.
	PrivateSubnetIDs pulumi.StringArrayOutput `pulumi:"privateSubnetIds"`
	// NodeSubnetIDs are the same once everything that a node needs to boot is
	// there: routes and endpoints.
	NodeSubnetIDs pulumi.StringArrayOutput `pulumi:"nodeSubnetIds"`
	// RouteTableIDs are those of the private subnets.
	RouteTableIDs pulumi.StringArrayOutput `pulumi:"routeTableIds"`
	// EndpointSecurityGroupID is the group of the endpoints. It admits nobody:
	// [Firewall] adds the rules.
	EndpointSecurityGroupID pulumi.StringOutput `pulumi:"endpointSecurityGroupId"`
	// S3PrefixListID are the addresses of S3, for rules of egress.
	// Empty with SelfManaged, where S3 is an endpoint like the others.
	S3PrefixListID pulumi.StringOutput `pulumi:"s3PrefixListId"`
	// FlowLogGroupName is where flows are kept, for alarms.
	FlowLogGroupName pulumi.StringOutput `pulumi:"flowLogGroupName"`
	// FlowLogGroupArn and QueryLogGroupArn are where flows and DNS queries are kept.
	FlowLogGroupArn  pulumi.StringOutput `pulumi:"flowLogGroupArn"`
	QueryLogGroupArn pulumi.StringOutput `pulumi:"queryLogGroupArn"`

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
	if err := n.connect(ctx, name); err != nil {
		return nil, err
	}
	if err := n.record(ctx, name); err != nil {
		return nil, err
	}
	n.NodeSubnetIDs = pulumi.All(append([]any{n.PrivateSubnetIDs}, n.ready...)...).ApplyT(func(values []any) []string {
		return values[0].([]string)
	}).(pulumi.StringArrayOutput)
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{
		"vpcId": n.VpcID, "privateSubnetIds": n.PrivateSubnetIDs, "nodeSubnetIds": n.NodeSubnetIDs, "routeTableIds": n.RouteTableIDs,
		"endpointSecurityGroupId": n.EndpointSecurityGroupID, "s3PrefixListId": n.S3PrefixListID,
		"flowLogGroupName": n.FlowLogGroupName, "flowLogGroupArn": n.FlowLogGroupArn, "queryLogGroupArn": n.QueryLogGroupArn,
	})
}

// Endpoints are the endpoints of this network.
func (n *Network) Endpoints() []Endpoint {
	if n.args.SelfManaged {
		return SelfManagedEndpoints(n.args.Uses, n.args.ExtraEndpoints)
	}
	return Endpoints(n.args.Uses, n.args.ExtraEndpoints)
}

func (n *Network) child() pulumi.ResourceOption { return pulumi.Parent(n) }

func (n *Network) tags(suffix string) pulumi.StringMap {
	return tagged(n.args.Tags, n.args.Cluster, n.args.Cluster+"-"+suffix)
}

// bring takes a network that exists.
func (n *Network) bring(e ExistingNetwork) {
	n.VpcID = pulumi.String(e.VpcID).ToStringOutput()
	n.PrivateSubnetIDs = pulumi.ToStringArray(e.SubnetIDs).ToStringArrayOutput()
	n.RouteTableIDs = pulumi.ToStringArray(e.RouteTableIDs).ToStringArrayOutput()
}

// connect registers the endpoints and their group.
func (n *Network) connect(ctx *pulumi.Context, name string) error {
	// Rules are resources of their own, see Firewall: the group states none, so
	// that AWS's rule that lets everything out is taken away.
	group, err := ec2.NewSecurityGroup(ctx, name+"-endpoints", &ec2.SecurityGroupArgs{
		Name: pulumi.String(n.args.Cluster + "-endpoints"), Description: pulumi.String("Endpoints of AWS services"), VpcId: n.VpcID.ToStringPtrOutput(),
		RevokeRulesOnDelete: pulumi.Bool(true), Tags: n.tags("endpoints"),
	}, n.child())
	if err != nil {
		return err
	}
	n.EndpointSecurityGroupID = group.ID().ToStringOutput()
	n.S3PrefixListID = pulumi.String("").ToStringOutput()
	for _, e := range n.Endpoints() {
		args := &ec2.VpcEndpointArgs{
			VpcId: n.VpcID, ServiceName: pulumi.String(e.ServiceName(n.args.Account.Region)), VpcEndpointType: pulumi.String(e.Kind),
			Policy: pulumi.String(e.Policy(n.args.Account, n.args.Cluster)), Tags: n.tags(e.Service),
		}
		if e.Kind == GatewayEndpoint {
			args.RouteTableIds = n.RouteTableIDs
		} else {
			args.PrivateDnsEnabled = pulumi.Bool(true) // programs find the endpoint by the service's own name
			args.SubnetIds = n.PrivateSubnetIDs
			args.SecurityGroupIds = pulumi.StringArray{n.EndpointSecurityGroupID}
			if e.Service == "s3" { // by its own name from machines too, not only from beyond the network
				args.DnsOptions = ec2.VpcEndpointDnsOptionsArgs{PrivateDnsOnlyForInboundResolverEndpoint: pulumi.Bool(false)}
			}
		}
		endpoint, err := ec2.NewVpcEndpoint(ctx, name+"-"+e.Service, args, n.child())
		if err != nil {
			return err
		}
		if e.Kind == GatewayEndpoint {
			n.S3PrefixListID = endpoint.PrefixListId
		}
		n.ready = append(n.ready, endpoint.ID())
	}
	return nil
}

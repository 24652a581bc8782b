package aws

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// ApiHost is the name at which machines and people of a network find the API
// servers of a self-managed cluster. It is known before anything exists.
func ApiHost(cluster string) string { return "api." + cluster + ".internal" }

// newBalancer registers the only way to the API servers: a load balancer inside
// the network, and its name there. It gives the name once it answers.
//
// Targets are the fixed addresses of control planes, so that a machine that is
// replaced is the same target. Connections come from the load balancer's own
// addresses: a control plane that uses the load balancer may be sent to itself,
// which a balancer that leaves the client's address in place cannot do.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-troubleshooting.html#loopback-timeout
func newBalancer(ctx *pulumi.Context, name string, a FlatcarClusterArgs, opts ...pulumi.ResourceOption) (pulumi.StringOutput, error) {
	none, port := pulumi.StringOutput{}, hostconfig.DefaultPorts().APIServer
	full := a.Cluster + "-api"
	balancer, err := lb.NewLoadBalancer(ctx, name+"-api", &lb.LoadBalancerArgs{
		Name: pulumi.String(full), Internal: pulumi.Bool(true), LoadBalancerType: pulumi.String("network"), IpAddressType: pulumi.String("ipv4"),
		Subnets: a.PrivateSubnetIDs, SecurityGroups: pulumi.StringArray{a.LoadBalancerSecurityGroupID},
		// A zone whose control plane is away is served by the others.
		EnableCrossZoneLoadBalancing: pulumi.Bool(true), EnableDeletionProtection: pulumi.Bool(false), Tags: tagged(a.Tags, a.Cluster, full),
	}, opts...)
	if err != nil {
		return none, err
	}
	targets, err := lb.NewTargetGroup(ctx, name+"-api", &lb.TargetGroupArgs{
		Name: pulumi.String(full), Port: pulumi.Int(port), Protocol: pulumi.String("TCP"), TargetType: pulumi.String("ip"), VpcId: a.VpcID.ToStringOutput().ToStringPtrOutput(),
		PreserveClientIp: pulumi.String("false"), ConnectionTermination: pulumi.Bool(true), DeregistrationDelay: pulumi.Int(30),
		// The health paths are all that the API server tells strangers (M14).
		HealthCheck: lb.TargetGroupHealthCheckArgs{
			Enabled: pulumi.Bool(true), Protocol: pulumi.String("HTTPS"), Path: pulumi.String("/readyz"), Port: pulumi.String("traffic-port"), Matcher: pulumi.String("200"),
			Interval: pulumi.Int(10), Timeout: pulumi.Int(5), HealthyThreshold: pulumi.Int(2), UnhealthyThreshold: pulumi.Int(2),
		},
		Tags: tagged(a.Tags, a.Cluster, full),
	}, opts...)
	if err != nil {
		return none, err
	}
	listener, err := lb.NewListener(ctx, name+"-api", &lb.ListenerArgs{
		LoadBalancerArn: balancer.Arn, Port: pulumi.Int(port), Protocol: pulumi.String("TCP"), Tags: tagged(a.Tags, a.Cluster, full),
		DefaultActions: lb.ListenerDefaultActionArray{lb.ListenerDefaultActionArgs{Type: pulumi.String("forward"), TargetGroupArn: targets.Arn}},
	}, opts...)
	if err != nil {
		return none, err
	}
	ready := []any{listener.ID()}
	for i, address := range a.ControlPlane.Addresses {
		target, err := lb.NewTargetGroupAttachment(ctx, name+"-"+controlPlaneName(i), &lb.TargetGroupAttachmentArgs{
			TargetGroupArn: targets.Arn, TargetId: pulumi.String(address), Port: pulumi.Int(port),
		}, opts...)
		if err != nil {
			return none, err
		}
		ready = append(ready, target.ID())
	}
	zone, err := route53.NewZone(ctx, name+"-api", &route53.ZoneArgs{
		Name: pulumi.String(a.Cluster + ".internal"), Comment: pulumi.String("names of the cluster " + a.Cluster), ForceDestroy: pulumi.Bool(false),
		Vpcs: route53.ZoneVpcArray{route53.ZoneVpcArgs{VpcId: a.VpcID, VpcRegion: pulumi.String(a.Account.Region)}}, Tags: tagged(a.Tags, a.Cluster, full),
	}, opts...)
	if err != nil {
		return none, err
	}
	record, err := route53.NewRecord(ctx, name+"-api", &route53.RecordArgs{
		ZoneId: zone.ZoneId, Name: pulumi.String(ApiHost(a.Cluster)), Type: pulumi.String("A"),
		Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{Name: balancer.DnsName, ZoneId: balancer.ZoneId, EvaluateTargetHealth: pulumi.Bool(false)}},
	}, opts...)
	if err != nil {
		return none, err
	}
	return once(append([]any{pulumi.String(ApiHost(a.Cluster)).ToStringOutput(), record.ID()}, ready...)...), nil
}

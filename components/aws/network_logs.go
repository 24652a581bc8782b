package aws

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// flowInterval is how many seconds of traffic a record covers: the shortest
// there is, so that an alarm comes within minutes.
const flowInterval = 60

// record registers the logs of flows and of DNS queries.
func (n *Network) record(ctx *pulumi.Context, name string) error {
	a := n.args
	flows, err := newLogGroup(ctx, name+"-flows", flowLogGroup, a.Cluster, a.LogsKeyArn, a.RetentionDays, a.Tags, n.child())
	if err != nil {
		return err
	}
	// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
	role, grant, err := logWriter{account: a.Account, cluster: a.Cluster, use: "flow-logs", service: "vpc-flow-logs.amazonaws.com",
		source: a.Account.arn("ec2", "vpc-flow-log/*"), group: flowLogGroup, looksForGroups: true, tags: a.Tags}.register(ctx, name+"-flows", n.child())
	if err != nil {
		return err
	}
	if _, err := n.flowLog(ctx, name+"-flows", ec2.FlowLogArgs{
		LogDestinationType: pulumi.String("cloud-watch-logs"), LogDestination: flows.Arn.ToStringPtrOutput(), IamRoleArn: role.Arn.ToStringPtrOutput(),
	}, pulumi.DependsOn([]pulumi.Resource{grant})); err != nil {
		return err
	}
	if a.ArchiveArn != nil {
		if _, err := n.flowLog(ctx, name+"-flows-archive", ec2.FlowLogArgs{
			LogDestinationType: pulumi.String("s3"), LogDestination: a.ArchiveArn.ToStringOutput().ToStringPtrOutput(),
		}); err != nil {
			return err
		}
	}
	queries, err := newLogGroup(ctx, name+"-queries", queryLogGroup, a.Cluster, a.LogsKeyArn, a.RetentionDays, a.Tags, n.child())
	if err != nil {
		return err
	}
	n.FlowLogGroupName, n.FlowLogGroupArn, n.QueryLogGroupArn = flows.Name, flows.Arn, queries.Arn
	config, err := route53.NewResolverQueryLogConfig(ctx, name+"-queries", &route53.ResolverQueryLogConfigArgs{
		Name: pulumi.String(a.Cluster + "-queries"), DestinationArn: queries.Arn, Tags: n.tags("queries"),
	}, n.child())
	if err != nil {
		return err
	}
	_, err = route53.NewResolverQueryLogConfigAssociation(ctx, name+"-queries", &route53.ResolverQueryLogConfigAssociationArgs{
		ResolverQueryLogConfigId: config.ID(), ResourceId: n.VpcID,
	}, n.child())
	return err
}

func (n *Network) flowLog(ctx *pulumi.Context, name string, args ec2.FlowLogArgs, opts ...pulumi.ResourceOption) (*ec2.FlowLog, error) {
	args.VpcId, args.TrafficType = n.VpcID.ToStringPtrOutput(), pulumi.String("ALL")
	args.MaxAggregationInterval, args.Tags = pulumi.Int(flowInterval), n.tags("flows")
	return ec2.NewFlowLog(ctx, name, &args, append(opts, n.child())...)
}

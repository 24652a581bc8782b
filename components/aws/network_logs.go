package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// flowInterval is how many seconds of traffic a record covers: the shortest
// there is, so that an alarm comes within minutes.
const flowInterval = 60

// flowLogPolicy lets flow logs write to their group and not make it: a group
// that is taken down must not come back without key and retention.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
func flowLogPolicy(account Account, cluster string) document {
	group := account.arn("logs", "log-group:"+fmt.Sprintf(flowLogGroup, cluster))
	return policy(
		statement{Effect: allow, Action: []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"}, Resource: []string{group, group + ":*"}},
		statement{Effect: allow, Action: []string{"logs:DescribeLogGroups"}, Resource: []string{account.arn("logs", "log-group:*")}},
	)
}

// record registers the logs of flows and of DNS queries.
func (n *Network) record(ctx *pulumi.Context, name string) error {
	a := n.args
	flows, err := newLogGroup(ctx, name+"-flows", flowLogGroup, a.Cluster, a.LogsKeyArn, a.RetentionDays, a.Tags, n.child())
	if err != nil {
		return err
	}
	role, err := iam.NewRole(ctx, name+"-flows", &iam.RoleArgs{
		Name: pulumi.String(a.Cluster + "-flow-logs-" + a.Account.Region), Description: pulumi.String("Flow logs of " + a.Cluster),
		AssumeRolePolicy: pulumi.String(trust("vpc-flow-logs.amazonaws.com", a.Account, a.Account.arn("ec2", "vpc-flow-log/*")).String()),
		Tags:             n.tags("flow-logs"),
	}, n.child())
	if err != nil {
		return err
	}
	grant, err := iam.NewRolePolicy(ctx, name+"-flows", &iam.RolePolicyArgs{Role: role.ID(), Policy: pulumi.String(flowLogPolicy(a.Account, a.Cluster).String())}, n.child())
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
	n.FlowLogGroupArn, n.QueryLogGroupArn = flows.Arn, queries.Arn
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

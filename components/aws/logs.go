package aws

import (
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Days that logs are kept.
const (
	// defaultRetention is a year: an intrusion is often found months after it happened.
	defaultRetention = 365
	// leastRetention is what a review of a quarter needs.
	leastRetention = 90
)

// retentions are those CloudWatch Logs takes, from leastRetention on.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentions = []int{90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// LogsArgs describe the log groups of a cluster. Region, AccountID, Cluster and Keys are required.
type LogsArgs struct {
	Region    string `pulumi:"region"`
	AccountID string `pulumi:"accountId"`
	// Cluster is the cluster's name: EKS writes to a group whose name follows from it.
	Cluster string `pulumi:"cluster"`
	// RetentionDays is a year when zero, and at least 90.
	RetentionDays int `pulumi:"retentionDays"`
	// Keys encrypt the groups.
	Keys *Keys             `pulumi:"-"`
	Tags map[string]string `pulumi:"tags"`
}

// Logs are the log groups, made before what writes to them, so that nothing makes them without a key and without an
// end (M08, M33).
type Logs struct {
	pulumi.ResourceState

	ControlPlaneARN pulumi.StringOutput `pulumi:"controlPlaneArn"`
	FlowsARN        pulumi.StringOutput `pulumi:"flowsArn"`
	QueriesARN      pulumi.StringOutput `pulumi:"queriesArn"`
	FlowsRoleARN    pulumi.StringOutput `pulumi:"flowsRoleArn"`

	// Ready are what must be there before something writes.
	Ready []pulumi.Resource `pulumi:"-"`
}

// logGroups are the names of a cluster's groups; the logs key's policy names them too.
func logGroups(cluster string) (controlPlane, flows, queries string) {
	return "/aws/eks/" + cluster + "/cluster", "/redoubt/" + cluster + "/flows", "/redoubt/" + cluster + "/queries"
}

// Validate says everything that is wrong with the arguments.
func (a LogsArgs) Validate() error {
	var p problems
	p.region(a.Region)
	p.account(a.AccountID)
	if !clusterName.MatchString(a.Cluster) {
		p.add("cluster", "write at most 100 letters, digits, dashes and underscores, beginning with a letter or digit", "%q is not a name of a cluster", a.Cluster)
	}
	if a.RetentionDays != 0 && !slices.Contains(retentions, a.RetentionDays) {
		p.add("retentionDays", "write one of 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653", "%d days is too short, or no span that AWS knows", a.RetentionDays)
	}
	if a.Keys == nil {
		p.add("keys", "give the Keys component: logs are encrypted with a key of your own", "the keys are missing")
	}
	return p.join()
}

// NewLogs makes the log groups.
func NewLogs(ctx *pulumi.Context, name string, args *LogsArgs, opts ...pulumi.ResourceOption) (*Logs, error) {
	if err := args.Validate(); err != nil {
		return nil, err
	}
	l := &Logs{}
	if err := ctx.RegisterComponentResource(logsToken, name, l, opts...); err != nil {
		return nil, err
	}
	child, days := pulumi.Parent(l), args.RetentionDays
	if days == 0 {
		days = defaultRetention
	}
	controlPlane, flows, queries := logGroups(args.Cluster)
	for _, each := range []struct {
		suffix, path string
		into         *pulumi.StringOutput
	}{{"-control-plane", controlPlane, &l.ControlPlaneARN}, {"-flows", flows, &l.FlowsARN}, {"-queries", queries, &l.QueriesARN}} {
		group, err := cloudwatch.NewLogGroup(ctx, name+each.suffix, &cloudwatch.LogGroupArgs{Name: pulumi.StringPtr(each.path), RetentionInDays: pulumi.IntPtr(days),
			KmsKeyId: args.Keys.LogsARN, Tags: pulumi.ToStringMap(args.Tags)}, child)
		if err != nil {
			return nil, err
		}
		*each.into, l.Ready = group.Arn, append(l.Ready, group)
	}
	role, err := iam.NewRole(ctx, name+"-flows", &iam.RoleArgs{Description: pulumi.StringPtr("writes the flow logs of " + args.Cluster), Tags: pulumi.ToStringMap(args.Tags),
		AssumeRolePolicy: pulumi.String(document(statement{"Effect": "Allow", "Principal": map[string]any{"Service": "vpc-flow-logs.amazonaws.com"}, "Action": "sts:AssumeRole",
			// Without it the service could be made to write for somebody else's network.
			"Condition": map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": args.AccountID}}}))}, child)
	if err != nil {
		return nil, err
	}
	arn := "arn:aws:logs:" + args.Region + ":" + args.AccountID + ":log-group:" + flows
	write, err := iam.NewRolePolicy(ctx, name+"-flows", &iam.RolePolicyArgs{Role: role.Name, Policy: pulumi.String(document(statement{"Effect": "Allow",
		"Action": []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"}, "Resource": []string{arn, arn + ":*"}}))}, child)
	if err != nil {
		return nil, err
	}
	l.FlowsRoleARN, l.Ready = role.Arn, append(l.Ready, write)
	return l, ctx.RegisterResourceOutputs(l, pulumi.Map{"controlPlaneArn": l.ControlPlaneARN, "flowsArn": l.FlowsARN, "queriesArn": l.QueriesARN, "flowsRoleArn": l.FlowsRoleARN})
}

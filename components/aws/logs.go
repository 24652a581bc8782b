package aws

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/retention"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Log groups of an environment, by the name of the cluster. EKS fixes the first;
// a group that is not there first is made by the service, without key and end.
const (
	clusterLogGroup = "/aws/eks/%s/cluster"
	flowLogGroup    = "/aws/vpc/%s/flow-logs"
	queryLogGroup   = "/aws/route53resolver/%s/queries"
	trailLogGroup   = "/aws/cloudtrail/%s" // by choice
)

// logGroups gives the names of the log groups that every environment has.
func logGroups(cluster string) []string {
	var names []string
	for _, pattern := range []string{clusterLogGroup, flowLogGroup, queryLogGroup} {
		names = append(names, fmt.Sprintf(pattern, cluster))
	}
	return names
}

// retentions are the days that CloudWatch Logs takes.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// shortestRetention is a year: PCI DSS 10.5.1 asks for twelve months.
const shortestRetention = retention.EvidenceDays

var (
	// logGroupPattern is a name, or a name in which stars stand for any text.
	logGroupPattern = regexp.MustCompile(`^[A-Za-z0-9._/#*-]{1,512}$`)
	// bucketPattern is a name without dots, with which TLS does not verify.
	bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
)

func (p *problems) retention(field string, days int, exceptions []hostconfig.Exception) {
	switch {
	case !slices.Contains(retentions, days):
		p.add(field, fmt.Sprintf("CloudWatch Logs keeps nothing for %d days", days), fmt.Sprintf("write one of %v", retentions[slices.Index(retentions, shortestRetention):]))
	case days < shortestRetention:
		p.weakens(field, fmt.Sprintf("%d days is less than a year", days), "M17/retention", exceptions)
	}
}

// LogsArgs describes where the logs of a cluster are kept. Account, Cluster and
// KeyArn are required.
type LogsArgs struct {
	Account Account `pulumi:"account"`
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string `pulumi:"cluster"`
	// KeyArn is the customer key of logs, see [Keys].
	KeyArn pulumi.StringInput `pulumi:"keyArn"`
	// RetentionDays is how long CloudWatch keeps logs, 365 by default. Less needs
	// an exception for M17/retention.
	RetentionDays int `pulumi:"retentionDays,optional"`
	// Archive is the bucket that nobody alters; nil means none. The logs of the
	// control plane go there, too.
	Archive *ArchiveArgs `pulumi:"archive,optional"`
	// NoAuditStream keeps the logs of the control plane out of the archive. It needs
	// an exception for M38/audit-stream.
	NoAuditStream bool `pulumi:"noAuditStream,optional"`
	// SelfManaged is for a control plane of machines of ours: no service of AWS
	// writes its logs, and so there is neither a group nor a stream for them.
	SelfManaged bool `pulumi:"selfManaged,optional"`
	// Trail records what is done in the account, in every region. It needs the
	// archive and [KeysArgs] with a trail. Leave it out where the account has one.
	Trail      bool              `pulumi:"trail,optional"`
	Tags       map[string]string `pulumi:"tags,optional"`
	Exceptions []hostconfig.Exception
}

func (a LogsArgs) withDefaults() LogsArgs {
	setDefault(&a.RetentionDays, shortestRetention)
	if a.Archive != nil {
		archive := a.Archive.withDefaults(a.Account, a.Cluster)
		a.Archive = &archive
	}
	return a
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a LogsArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.account("account", a.Account)
	p.cluster("cluster", a.Cluster)
	if a.KeyArn == nil {
		p.add("keyArn", "is missing", "give the logs key of Keys")
	}
	p.retention("retentionDays", a.RetentionDays, a.Exceptions)
	if a.Archive != nil {
		a.Archive.validate(&p, a.Exceptions)
	}
	if a.NoAuditStream && a.Archive != nil && !a.SelfManaged {
		p.weakens("noAuditStream", "who gets into the account can delete the logs of the control plane", "M38/audit-stream", a.Exceptions)
	}
	if a.Trail && a.Archive == nil {
		p.add("trail", "has no archive to write to", "give an archive, or leave the trail out")
	}
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// Logs are the log group of the control plane, made before the cluster so that
// it has a key and an end (M17), the archive, and the way there (M38).
type Logs struct {
	pulumi.ResourceState

	// ClusterLogGroupName is where EKS writes. A cluster that depends on it finds
	// the group made.
	ClusterLogGroupName pulumi.StringOutput `pulumi:"clusterLogGroupName"`
	ClusterLogGroupArn  pulumi.StringOutput `pulumi:"clusterLogGroupArn"`
	// TrailLogGroupName is where the trail writes, for alarms; empty without one.
	TrailLogGroupName pulumi.StringOutput `pulumi:"trailLogGroupName"`
	// AuditStreamName is the way of the control plane's logs into the archive, for
	// alarms; empty without one.
	AuditStreamName pulumi.StringOutput `pulumi:"auditStreamName"`
	// ArchiveArn is the archive, once its policy and locks are in place; empty
	// without one.
	ArchiveArn pulumi.StringOutput `pulumi:"archiveArn"`
}

// NewLogs registers the logs of a cluster. The arguments are checked, all at
// once, before anything is registered.
func NewLogs(ctx *pulumi.Context, name string, args *LogsArgs, opts ...pulumi.ResourceOption) (*Logs, error) {
	a := args.withDefaults()
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	l := &Logs{}
	if err := ctx.RegisterComponentResource(logsToken, name, l, opts...); err != nil {
		return nil, err
	}
	none := pulumi.String("").ToStringOutput()
	l.ClusterLogGroupName, l.ClusterLogGroupArn, l.ArchiveArn, l.TrailLogGroupName, l.AuditStreamName = none, none, none, none, none
	var group *cloudwatch.LogGroup
	var err error
	if !a.SelfManaged {
		if group, err = newLogGroup(ctx, name+"-cluster", clusterLogGroup, a.Cluster, a.KeyArn, a.RetentionDays, a.Tags, pulumi.Parent(l)); err != nil {
			return nil, err
		}
		l.ClusterLogGroupName, l.ClusterLogGroupArn = group.Name, group.Arn
	}
	if a.Archive != nil {
		if l.ArchiveArn, err = newArchive(ctx, name+"-archive", a, pulumi.Parent(l)); err != nil {
			return nil, err
		}
		if !a.NoAuditStream && !a.SelfManaged {
			if l.AuditStreamName, err = newStream(ctx, name+"-stream", a, group, l.ArchiveArn, pulumi.Parent(l)); err != nil {
				return nil, err
			}
		}
	}
	if a.Trail {
		if l.TrailLogGroupName, err = newTrail(ctx, name+"-trail", a, l.ArchiveArn, pulumi.Parent(l)); err != nil {
			return nil, err
		}
	}
	return l, ctx.RegisterResourceOutputs(l, pulumi.Map{
		"clusterLogGroupName": l.ClusterLogGroupName, "clusterLogGroupArn": l.ClusterLogGroupArn, "archiveArn": l.ArchiveArn, "trailLogGroupName": l.TrailLogGroupName,
		"auditStreamName": l.AuditStreamName,
	})
}

// newLogGroup registers one of the log groups of an environment.
func newLogGroup(ctx *pulumi.Context, name, pattern, cluster string, key pulumi.StringInput, retention int, tags map[string]string, opts ...pulumi.ResourceOption) (*cloudwatch.LogGroup, error) {
	group := fmt.Sprintf(pattern, cluster)
	return cloudwatch.NewLogGroup(ctx, name, &cloudwatch.LogGroupArgs{
		Name: pulumi.String(group), KmsKeyId: key.ToStringOutput().ToStringPtrOutput(), RetentionInDays: pulumi.Int(retention),
		Tags: tagged(tags, cluster, strings.TrimPrefix(group, "/aws/")),
	}, opts...)
}

package gcp

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/logging"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/retention"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

const (
	// shortestRetention is a year: PCI DSS 10.5.1 asks for twelve months.
	shortestRetention = retention.EvidenceDays
	longestRetention  = 3650 // of Cloud Logging
)

// LogsArgs describes where the logs of a cluster are kept. Project, Cluster and
// KeyID are required.
type LogsArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// KeyID is the LogsKeyID of [Keys].
	KeyID pulumi.StringInput `pulumi:"keyId"`
	// RetentionDays is how long Cloud Logging keeps logs, 365 by default. Less
	// needs an exception for M17/retention.
	RetentionDays int `pulumi:"retentionDays,optional"`
	// EncryptBucket encrypts the logs of Cloud Logging with the key too; it needs
	// the LoggingServiceAccount of [KeysArgs]. Without it Google's own key does.
	EncryptBucket bool `pulumi:"encryptBucket,optional"`
	// Archive is the bucket that nobody alters; nil means none.
	Archive *ArchiveArgs `pulumi:"archive,optional"`
	// DataAccess records who reads and writes data, of every service of the
	// project: what others run in it, and what that costs, included.
	DataAccess bool              `pulumi:"dataAccess,optional"`
	Labels     map[string]string `pulumi:"labels,optional"`
	Exceptions []hostconfig.Exception
}

func (a LogsArgs) withDefaults() LogsArgs {
	setDefault(&a.RetentionDays, shortestRetention)
	if a.Archive != nil {
		archive := a.Archive.withDefaults(a.Project, a.Cluster)
		a.Archive = &archive
	}
	return a
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a LogsArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	p.key("keyId", a.KeyID)
	switch {
	case a.RetentionDays < 1 || a.RetentionDays > longestRetention:
		p.add("retentionDays", fmt.Sprintf("Cloud Logging keeps nothing for %d days", a.RetentionDays), fmt.Sprintf("write %d to %d", shortestRetention, longestRetention))
	case a.RetentionDays < shortestRetention:
		p.weakens("retentionDays", fmt.Sprintf("%d days is less than a year", a.RetentionDays), "M17/retention", a.Exceptions)
	}
	if a.Archive != nil {
		a.Archive.validate(&p, a.Exceptions)
	}
	p.labels("labels", a.Labels)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// evidence selects what is asked for after an incident: every audit record, what
// the control plane says, and who talked to whom.
// https://cloud.google.com/logging/docs/view/logging-query-language
const evidence = `log_id("cloudaudit.googleapis.com/activity") OR log_id("cloudaudit.googleapis.com/data_access") OR ` +
	`log_id("cloudaudit.googleapis.com/system_event") OR log_id("cloudaudit.googleapis.com/policy") OR ` +
	`log_id("compute.googleapis.com/vpc_flows") OR log_id("compute.googleapis.com/firewall") OR log_id("compute.googleapis.com/nat_flows") OR ` +
	`log_id("dns.googleapis.com/dns_queries") OR resource.type="k8s_control_plane_component"`

// workloads selects what pods and nodes of the cluster say.
func workloads(cluster string) string {
	return fmt.Sprintf(`(resource.type=("k8s_container" OR "k8s_pod" OR "k8s_node") AND resource.labels.cluster_name="%s")`, cluster)
}

// Logs are the bucket of Cloud Logging that keeps logs for a year, where Google's
// own would keep them for a month (M17), the archive (M38), and by choice the
// record of who reads data.
type Logs struct {
	pulumi.ResourceState

	// LogBucketID is where logs are looked for, once it gets them.
	LogBucketID pulumi.StringOutput `pulumi:"logBucketId"`
	// ArchiveName is the archive once it gets logs; empty without one.
	ArchiveName pulumi.StringOutput `pulumi:"archiveName"`
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
	parent := pulumi.Parent(l)
	keep := &logging.ProjectBucketConfigArgs{
		Project: pulumi.String(a.Project.ID), Location: pulumi.String(a.Project.Region), BucketId: pulumi.String(a.Cluster), RetentionDays: pulumi.Int(a.RetentionDays),
		Description: pulumi.String("Logs of the cluster " + a.Cluster),
	}
	if a.EncryptBucket {
		keep.CmekSettings = logging.ProjectBucketConfigCmekSettingsArgs{KmsKeyName: a.KeyID}
	}
	bucket, err := logging.NewProjectBucketConfig(ctx, name, keep, parent)
	if err != nil {
		return nil, err
	}
	sink, err := logging.NewProjectSink(ctx, name, &logging.ProjectSinkArgs{
		Project: pulumi.String(a.Project.ID), Name: pulumi.String(a.Cluster), Description: pulumi.String("Logs that are kept for a year"), UniqueWriterIdentity: pulumi.Bool(true),
		Destination: pulumi.Sprintf("logging.googleapis.com/%s", bucket.ID()), Filter: pulumi.String(evidence + " OR " + workloads(a.Cluster)),
	}, parent)
	if err != nil {
		return nil, err
	}
	l.LogBucketID, l.ArchiveName = once(bucket.ID(), sink.ID()), text("")
	if a.Archive != nil {
		if l.ArchiveName, err = newArchive(ctx, name+"-archive", a, parent); err != nil {
			return nil, err
		}
	}
	if a.DataAccess {
		kinds := projects.IAMAuditConfigAuditLogConfigArray{}
		for _, kind := range []string{"ADMIN_READ", "DATA_READ", "DATA_WRITE"} {
			kinds = append(kinds, projects.IAMAuditConfigAuditLogConfigArgs{LogType: pulumi.String(kind)})
		}
		if _, err := projects.NewIAMAuditConfig(ctx, name+"-data-access", &projects.IAMAuditConfigArgs{
			Project: pulumi.String(a.Project.ID), Service: pulumi.String("allServices"), AuditLogConfigs: kinds,
		}, parent); err != nil {
			return nil, err
		}
	}
	return l, ctx.RegisterResourceOutputs(l, pulumi.Map{"logBucketId": l.LogBucketID, "archiveName": l.ArchiveName})
}

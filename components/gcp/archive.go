package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/logging"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/storage"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/retention"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Locks of an archive: https://cloud.google.com/storage/docs/bucket-lock
const (
	// LockCompliance lets nobody delete before the time is over, and nobody lift
	// it: not even Google. It is for ever, and the archive outlives its stack;
	// [KeysArgs] keeps its key with KeepLogsKey.
	LockCompliance = "compliance"
	// LockNone keeps objects until somebody with the right deletes them.
	LockNone = retention.None
)

// locks are those that lock.
var locks = []string{LockCompliance}

// ArchiveArgs describes the bucket of logs that an intruder cannot alter.
type ArchiveArgs struct {
	// Bucket is its name, unique in all of Google Cloud; made from cluster, project
	// and region by default.
	Bucket string `pulumi:"bucket,optional"`
	// Lock is LockCompliance by default. A bucket that is locked cannot be
	// destroyed before its last object is LockDays old: it stays when its stack
	// goes, and the next stack needs another name. LockNone needs an exception for
	// M38/object-lock.
	Lock string `pulumi:"lock,optional"`
	// LockDays is how long an object cannot be deleted, 365 by default. Less needs
	// an exception for M38/object-lock.
	LockDays int `pulumi:"lockDays,optional"`
}

func (a ArchiveArgs) withDefaults(project Project, cluster string) ArchiveArgs {
	setDefault(&a.Bucket, ArchiveName(project, cluster))
	setDefault(&a.Lock, LockCompliance)
	setDefault(&a.LockDays, retention.EvidenceDays)
	return a
}

// DefaultLockDays is how long an object cannot be deleted by default.
const DefaultLockDays = retention.EvidenceDays

// ArchiveName is that of the bucket by default, of at most 63 characters.
func ArchiveName(project Project, cluster string) string {
	name := fmt.Sprintf("%s-audit-%s-%s", cluster, project.ID, project.Region)
	return strings.TrimRight(name[:min(len(name), 63)], "-")
}

// bucketPattern is a name without dots, which would have to be a domain.
var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$`)

func (a ArchiveArgs) validate(p *problems, exceptions []hostconfig.Exception) {
	if !bucketPattern.MatchString(a.Bucket) || strings.HasPrefix(a.Bucket, "goog") || strings.Contains(a.Bucket, "google") {
		p.add("archive.bucket", fmt.Sprintf("%q is not a name for a bucket", a.Bucket), "write 3 to 63 lower-case letters, digits and dashes, without google")
	}
	*p = append(*p, retention.Evidence("archive", "who gets into the project can delete the archive", locks...).Check(a.Lock, a.LockDays, exceptions)...)
}

// archiveSink is the name of the sink of the archive.
func archiveSink(cluster string) string { return cluster + "-archive" }

// newArchive registers the bucket and the sink that fills it, and gives its name
// once the sink may write.
func newArchive(ctx *pulumi.Context, name string, a LogsArgs, opts ...pulumi.ResourceOption) (pulumi.StringOutput, error) {
	none := pulumi.StringOutput{}
	kept := slices.Clone(opts)
	if a.Archive.Lock != LockNone {
		// Google deletes no bucket whose objects are locked.
		kept = append(kept, pulumi.RetainOnDelete(true))
	}
	bucket, err := storage.NewBucket(ctx, name, &storage.BucketArgs{
		Name: pulumi.String(a.Archive.Bucket), Project: pulumi.String(a.Project.ID), Location: pulumi.String(strings.ToUpper(a.Project.Region)), ForceDestroy: pulumi.Bool(false),
		UniformBucketLevelAccess: pulumi.Bool(true), PublicAccessPrevention: pulumi.String("enforced"), Encryption: storage.BucketEncryptionArgs{DefaultKmsKeyName: a.KeyID},
		// Cloud Storage takes no versions beside a retention, which keeps objects as they are.
		RetentionPolicy: storage.BucketRetentionPolicyArgs{RetentionPeriod: pulumi.Int(a.Archive.LockDays * secondsPerDay), IsLocked: pulumi.Bool(a.Archive.Lock == LockCompliance)},
		Labels:          labelled(a.Labels, a.Cluster),
	}, kept...)
	if err != nil {
		return none, err
	}
	sink, err := logging.NewProjectSink(ctx, name, &logging.ProjectSinkArgs{
		Project: pulumi.String(a.Project.ID), Name: pulumi.String(archiveSink(a.Cluster)), Description: pulumi.String("Logs that nobody alters"), UniqueWriterIdentity: pulumi.Bool(true),
		Destination: pulumi.Sprintf("storage.googleapis.com/%s", bucket.Name), Filter: pulumi.String(evidence),
	}, opts...)
	if err != nil {
		return none, err
	}
	// It writes, and can neither read nor replace.
	grant, err := storage.NewBucketIAMMember(ctx, name, &storage.BucketIAMMemberArgs{
		Bucket: bucket.Name, Role: pulumi.String("roles/storage.objectCreator"), Member: sink.WriterIdentity,
	}, opts...)
	if err != nil {
		return none, err
	}
	return once(bucket.Name, grant.ID()), nil
}

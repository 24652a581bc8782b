package aws

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/retention"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Locks of an archive: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
const (
	// LockCompliance lets nobody delete before the time is over, the account's
	// root user included. The archive outlives its stack, with everything that
	// guards it; [KeysArgs] keeps its key with KeepLogsKey.
	LockCompliance = "compliance"
	// LockGovernance lets principals with a permission of its own; the policy of
	// the bucket denies that permission, so that the policy must be changed first.
	LockGovernance = "governance"
	// LockNone keeps versions only.
	LockNone = retention.None
)

// locks are those that lock.
var locks = []string{LockCompliance, LockGovernance}

// ArchiveArgs describes the bucket of logs that an intruder cannot alter.
type ArchiveArgs struct {
	// Bucket is its name, unique in all of AWS; made from cluster, account and
	// region by default.
	Bucket string `pulumi:"bucket,optional"`
	// Lock is LockCompliance by default. A bucket whose objects are locked cannot
	// be destroyed before LockDays are over: it stays when its stack goes, and the
	// next stack needs another name. LockNone needs an exception for
	// M38/object-lock.
	Lock string `pulumi:"lock,optional"`
	// LockDays is how long an object cannot be deleted, 365 by default. Less
	// needs an exception for M38/object-lock.
	LockDays int `pulumi:"lockDays,optional"`
}

// ArchiveName is the name that an archive has by default.
func ArchiveName(account Account, cluster string) string {
	return fmt.Sprintf("%s-audit-%s-%s", cluster, account.ID, account.Region)
}

func (a ArchiveArgs) withDefaults(account Account, cluster string) ArchiveArgs {
	setDefault(&a.Bucket, ArchiveName(account, cluster))
	setDefault(&a.Lock, LockCompliance)
	setDefault(&a.LockDays, retention.EvidenceDays)
	return a
}

func (a ArchiveArgs) validate(p *problems, exceptions []hostconfig.Exception) {
	if !bucketPattern.MatchString(a.Bucket) {
		p.add("archive.bucket", fmt.Sprintf("%q is not a name for a bucket", a.Bucket), "write 3 to 63 lower-case letters, digits and dashes")
	}
	*p = append(*p, retention.Evidence("archive", "who gets into the account can delete the archive", locks...).Check(a.Lock, a.LockDays, exceptions)...)
}

// archivePolicy lets the delivery of logs and whom else is given write, and nobody speak without TLS
// or lift a lock.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html
func archivePolicy(account Account, bucket string, more ...statement) document {
	all := []string{account.s3ARN(bucket), account.s3ARN(bucket + "/*")}
	write := ours(account, account.arn("logs", "*"))
	write["StringEquals"]["s3:x-amz-acl"] = []string{"bucket-owner-full-control"}
	d := policy(append(guarded(account, bucket),
		statement{Sid: "DeliveryChecksTheBucket", Effect: allow, Principal: service("delivery.logs.amazonaws.com"),
			Action: []string{"s3:GetBucketAcl", "s3:ListBucket"}, Resource: all[:1], Condition: ours(account, account.arn("logs", "*"))},
		statement{Sid: "DeliveryWrites", Effect: allow, Principal: service("delivery.logs.amazonaws.com"),
			Action: []string{"s3:PutObject"}, Resource: []string{account.s3ARN(bucket + "/AWSLogs/" + account.ID + "/*")}, Condition: write},
	)...)
	d.Statement = append(d.Statement, more...)
	return d
}

// newArchive registers the bucket and what guards it, and gives its ARN once all
// of it is in place.
func newArchive(ctx *pulumi.Context, name string, a LogsArgs, opts ...pulumi.ResourceOption) (pulumi.StringOutput, error) {
	var more []statement
	if a.Trail {
		more = trailBucketStatements(a.Account, a.Cluster, a.Archive.Bucket)
	}
	made, err := bucket{
		Name: a.Archive.Bucket, KeyArn: a.KeyArn, SharedKeys: true, Lock: a.Archive.Lock, LockDays: a.Archive.LockDays,
		Policy: pulumi.String(archivePolicy(a.Account, a.Archive.Bucket, more...).String()), Tags: tagged(a.Tags, a.Cluster, a.Archive.Bucket),
	}.register(ctx, name, opts...)
	return made.Arn, err
}

// once gives the first of some outputs as soon as all of them are known, and
// depends on all of them.
func once(outputs ...any) pulumi.StringOutput {
	return pulumi.All(outputs...).ApplyT(func(values []any) string {
		switch first := values[0].(type) {
		case pulumi.ID:
			return string(first)
		default:
			return first.(string)
		}
	}).(pulumi.StringOutput)
}

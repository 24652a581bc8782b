package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudtrail"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const trailService = "cloudtrail.amazonaws.com"

// trailName is the name of the trail of an environment.
func trailName(cluster string) string { return cluster + "-account" }

// trailARN is known before the trail is: the policies that it needs name it.
func trailARN(account Account, cluster string) string {
	return account.arn("cloudtrail", "trail/"+trailName(cluster))
}

// ofTrail holds where CloudTrail acts for the trail of the environment.
func ofTrail(account Account, cluster string) conditions {
	return conditions{"StringEquals": {"aws:SourceArn": {trailARN(account, cluster)}}}
}

// trailKeyStatements let CloudTrail encrypt what it records.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
func trailKeyStatements(account Account, cluster string) []statement {
	recording := ofTrail(account, cluster)
	recording["StringLike"] = map[string][]string{"kms:EncryptionContext:aws:cloudtrail:arn": {trailARN(account, cluster)}}
	return []statement{
		{Sid: "TrailEncrypts", Effect: allow, Principal: service(trailService), Action: []string{"kms:GenerateDataKey*"}, Resource: thisKey, Condition: recording},
		{Sid: "TrailChecksTheKey", Effect: allow, Principal: service(trailService), Action: []string{"kms:Decrypt", "kms:DescribeKey"}, Resource: thisKey,
			Condition: ofTrail(account, cluster)},
	}
}

// trailBucketStatements let CloudTrail write to the archive.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
func trailBucketStatements(account Account, cluster, bucket string) []statement {
	write := ofTrail(account, cluster)
	write["StringEquals"]["s3:x-amz-acl"] = []string{"bucket-owner-full-control"}
	return []statement{
		{Sid: "TrailChecksTheBucket", Effect: allow, Principal: service(trailService), Action: []string{"s3:GetBucketAcl"},
			Resource: []string{account.s3ARN(bucket)}, Condition: ofTrail(account, cluster)},
		{Sid: "TrailWrites", Effect: allow, Principal: service(trailService), Action: []string{"s3:PutObject"},
			Resource: []string{account.s3ARN(bucket + "/AWSLogs/" + account.ID + "/*")}, Condition: write},
	}
}

// newTrail registers a trail of everything that is done in the account, in every
// region, to the archive and to a log group for alarms (M17, M39). The archive
// is ready when its ARN is known.
func newTrail(ctx *pulumi.Context, name string, a LogsArgs, archive pulumi.StringOutput, opts ...pulumi.ResourceOption) (pulumi.StringOutput, error) {
	none := pulumi.StringOutput{}
	group, err := newLogGroup(ctx, name, trailLogGroup, a.Cluster, a.KeyArn, a.RetentionDays, a.Tags, opts...)
	if err != nil {
		return none, err
	}
	role, grant, err := logWriter{account: a.Account, cluster: a.Cluster, use: "trail", service: trailService,
		source: trailARN(a.Account, a.Cluster), group: trailLogGroup, tags: a.Tags}.register(ctx, name, opts...)
	if err != nil {
		return none, err
	}
	bucket := a.Archive.Bucket
	_, err = cloudtrail.NewTrail(ctx, name, &cloudtrail.TrailArgs{
		Name: pulumi.String(trailName(a.Cluster)), S3BucketName: archive.ApplyT(func(string) string { return bucket }).(pulumi.StringOutput),
		KmsKeyId: a.KeyArn.ToStringOutput().ToStringPtrOutput(), EnableLogging: pulumi.Bool(true), EnableLogFileValidation: pulumi.Bool(true),
		IsMultiRegionTrail: pulumi.Bool(true), IncludeGlobalServiceEvents: pulumi.Bool(true),
		CloudWatchLogsGroupArn: pulumi.Sprintf("%s:*", group.Arn), CloudWatchLogsRoleArn: role.Arn,
		Tags: tagged(a.Tags, a.Cluster, trailName(a.Cluster)),
	}, append(opts, pulumi.DependsOn([]pulumi.Resource{grant}))...)
	return group.Name, err
}

// logWriter is a role with which a service of AWS writes to one log group, for
// resources of this account only.
type logWriter struct {
	account               Account
	cluster, use, service string
	// source is the ARN of what the service may act for.
	source string
	group  string // the pattern of its name
	// looksForGroups: the service lists log groups before it writes.
	looksForGroups bool
	tags           map[string]string
}

// policy lets the service write to the group and not make it: a group that is
// taken down must not come back without key and retention.
func (w logWriter) policy() document {
	group := w.account.arn("logs", "log-group:"+fmt.Sprintf(w.group, w.cluster))
	d := policy(statement{Effect: allow, Action: []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
		Resource: []string{group, group + ":*"}})
	if w.looksForGroups {
		d.Statement = append(d.Statement, statement{Effect: allow, Action: []string{"logs:DescribeLogGroups"},
			Resource: []string{w.account.arn("logs", "log-group:*")}})
	}
	return d
}

// register gives the role, and what must be there before the service tries it.
func (w logWriter) register(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (*iam.Role, *iam.RolePolicy, error) {
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		// Roles are of all regions: two environments of one name would clash.
		Name: pulumi.String(fmt.Sprintf("%s-%s-%s", w.cluster, w.use, w.account.Region)), Description: pulumi.String(w.use + " of " + w.cluster),
		AssumeRolePolicy: pulumi.String(trust(w.service, w.account, w.source).String()),
		Tags:             tagged(w.tags, w.cluster, w.cluster+"-"+w.use),
	}, opts...)
	if err != nil {
		return nil, nil, err
	}
	grant, err := iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{Role: role.ID(), Policy: pulumi.String(w.policy().String())}, opts...)
	return role, grant, err
}

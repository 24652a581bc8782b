package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kinesis"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	streamService       = "firehose.amazonaws.com"
	subscriptionService = "logs.amazonaws.com"
)

// streamName is the name of the stream of an environment, and of what belongs to
// it: at most 47 of 64 characters.
func streamName(cluster string) string { return cluster + "-audit-stream" }

// streamPrefix is where in the archive the logs of a control plane are.
func streamPrefix(account Account, cluster string) string {
	return fmt.Sprintf("AWSLogs/%s/EKS/%s/", account.ID, cluster)
}

// streamRole is the role of the stream. Roles are of all regions: its name has the region.
func streamRole(account Account, cluster string) string {
	return fmt.Sprintf("%s-audit-stream-%s", cluster, account.Region)
}

// streamKeyStatements let the stream of an environment use the logs key: its role
// through S3, and Firehose by a grant that whoever makes the stream gives it.
//
// The role is made after the key, and a policy names only who is there: the
// account is named, and the condition narrows it to the role.
// https://docs.aws.amazon.com/firehose/latest/dev/encryption.html
func streamKeyStatements(account Account, cluster string) []statement {
	everybody := identities(account.iamARN("root"))
	writing := conditions{
		"StringEquals": {"kms:ViaService": {"s3." + account.Region + ".amazonaws.com"}},
		"ArnEquals":    {"aws:PrincipalArn": {account.iamARN("role/" + streamRole(account, cluster))}},
	}
	return []statement{
		{Sid: "StreamWritesToTheArchive", Effect: allow, Principal: everybody, Action: []string{"kms:Decrypt", "kms:GenerateDataKey*"}, Resource: thisKey, Condition: writing},
		{Sid: "StreamIsEncrypted", Effect: allow, Principal: everybody, Action: []string{"kms:CreateGrant"}, Resource: thisKey, Condition: forAWSResource()},
	}
}

// newStream registers the way of the control plane's logs into the archive (M38).
// The archive is ready when its ARN is known.
//
// CloudWatch Logs compresses what it passes on, so that the stream does not: the
// objects are gzip, each line of them an object of JSON with the lines of the log.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
func newStream(ctx *pulumi.Context, name string, a LogsArgs, group *cloudwatch.LogGroup, archive pulumi.StringOutput, opts ...pulumi.ResourceOption) (pulumi.StringOutput, error) {
	none := pulumi.StringOutput{}
	stream := a.Account.arn("firehose", "deliverystream/"+streamName(a.Cluster))
	writer, written, err := newStreamRole(ctx, name, a, streamRole(a.Account, a.Cluster), trust(streamService, a.Account, stream), streamPermissions(a), opts...)
	if err != nil {
		return none, err
	}
	prefix := streamPrefix(a.Account, a.Cluster)
	made, err := kinesis.NewFirehoseDeliveryStream(ctx, name, &kinesis.FirehoseDeliveryStreamArgs{
		Name: pulumi.String(streamName(a.Cluster)), Destination: pulumi.String("extended_s3"),
		ServerSideEncryption: kinesis.FirehoseDeliveryStreamServerSideEncryptionArgs{
			Enabled: pulumi.Bool(true), KeyType: pulumi.String("CUSTOMER_MANAGED_CMK"), KeyArn: a.KeyArn.ToStringOutput().ToStringPtrOutput(),
		},
		ExtendedS3Configuration: kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationArgs{
			BucketArn: archive, RoleArn: writer.Arn, KmsKeyArn: a.KeyArn.ToStringOutput().ToStringPtrOutput(), CompressionFormat: pulumi.String("UNCOMPRESSED"),
			Prefix:            pulumi.String(prefix + "!{timestamp:yyyy/MM/dd}/"),
			ErrorOutputPrefix: pulumi.String(prefix + "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/"),
			// What is not in the archive yet can still be altered.
			BufferingInterval: pulumi.Int(60), BufferingSize: pulumi.Int(5),
		},
		Tags: tagged(a.Tags, a.Cluster, streamName(a.Cluster)),
	}, append(opts, pulumi.DependsOn([]pulumi.Resource{written}))...)
	if err != nil {
		return none, err
	}
	send := policy(statement{Effect: allow, Action: []string{"firehose:PutRecord", "firehose:PutRecordBatch"}, Resource: []string{stream}})
	// The account is in the ARN: CloudWatch Logs names no other key of conditions.
	who := policy(statement{Effect: allow, Principal: service(subscriptionService), Action: []string{"sts:AssumeRole"},
		Condition: conditions{"StringLike": {"aws:SourceArn": {a.Account.arn("logs", "*")}}}})
	sender, sent, err := newStreamRole(ctx, name+"-source", a, fmt.Sprintf("%s-audit-source-%s", a.Cluster, a.Account.Region), who, send, opts...)
	if err != nil {
		return none, err
	}
	// CloudWatch Logs sends a record when the subscription is made.
	_, err = cloudwatch.NewLogSubscriptionFilter(ctx, name, &cloudwatch.LogSubscriptionFilterArgs{
		Name: pulumi.String(streamName(a.Cluster)), LogGroup: group.Name, DestinationArn: made.Arn, RoleArn: sender.Arn,
		FilterPattern: pulumi.String(""), Distribution: pulumi.String("ByLogStream"), // all that the control plane writes
	}, append(opts, pulumi.DependsOn([]pulumi.Resource{sent}))...)
	return made.Name, err
}

// streamPermissions let the stream write to its part of the archive.
// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
func streamPermissions(a LogsArgs) document {
	bucket := a.Account.s3ARN(a.Archive.Bucket)
	return policy(
		statement{Effect: allow, Action: []string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"}, Resource: []string{bucket}},
		statement{Effect: allow, Action: []string{"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"}, Resource: []string{bucket + "/" + streamPrefix(a.Account, a.Cluster) + "*"}},
		// Through IAM the role may use keys; which, says the policy of the key.
		statement{Effect: allow, Action: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resource: []string{a.Account.arn("kms", "key/*")},
			Condition: conditions{"StringEquals": {"kms:ViaService": {"s3." + a.Account.Region + ".amazonaws.com"}}}})
}

func newStreamRole(ctx *pulumi.Context, name string, a LogsArgs, full string, who, what document, opts ...pulumi.ResourceOption) (*iam.Role, *iam.RolePolicy, error) {
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{Name: pulumi.String(full), Description: pulumi.String("Audit logs of " + a.Cluster + " to the archive"),
		AssumeRolePolicy: pulumi.String(who.String()), Tags: tagged(a.Tags, a.Cluster, full)}, opts...)
	if err != nil {
		return nil, nil, err
	}
	permissions, err := iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{Role: role.ID(), Policy: pulumi.String(what.String())}, opts...)
	return role, permissions, err
}

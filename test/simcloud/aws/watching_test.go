package aws_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kinesis"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func TestPlansOfWatchingAreRefused(t *testing.T) {
	t.Parallel()
	simtest.Unplanned(t, account(t), settings, func(ctx *pulumi.Context) error {
		must(sns.NewTopic(ctx, "topic", &sns.TopicArgs{Name: str("alarms")}))
		must(sns.NewTopic(ctx, "topic-name", &sns.TopicArgs{Name: str("a.b")}))
		must(sns.NewTopicPolicy(ctx, "topic-json", &sns.TopicPolicyArgs{Arn: pulumi.String("arn"), Policy: pulumi.String("{")}))
		must(sns.NewTopicSubscription(ctx, "protocol", &sns.TopicSubscriptionArgs{Topic: pulumi.String("arn"), Protocol: pulumi.String("mail"), Endpoint: pulumi.String("a@b.example")}))
		must(cloudwatch.NewEventRule(ctx, "rule-empty", nil))
		must(cloudwatch.NewEventRule(ctx, "rule-name", &cloudwatch.EventRuleArgs{Name: str("a b"), ScheduleExpression: str("rate(1 hour)")}))
		must(cloudwatch.NewEventTarget(ctx, "target", &cloudwatch.EventTargetArgs{Rule: pulumi.String("r"), Arn: pulumi.String("topic")}))
		filter := func(name, pattern, space string) {
			must(cloudwatch.NewLogMetricFilter(ctx, name, &cloudwatch.LogMetricFilterArgs{LogGroupName: pulumi.String("g"), Pattern: pulumi.String(pattern),
				MetricTransformation: &cloudwatch.LogMetricFilterMetricTransformationArgs{Name: pulumi.String("n"), Namespace: pulumi.String(space), Value: pulumi.String("1")}}))
		}
		filter("exists", "{ $.a EXISTS }", "ours")
		filter("wildcard", `{ $.a = "b*c" }`, "ours")
		filter("long", "{ "+strings.Repeat("($.a = 1) && ", 100)+"($.b = 1) }", "ours")
		filter("namespace", "{ $.a = 1 }", "AWS/ours")
		must(cloudwatch.NewLogSubscriptionFilter(ctx, "subscription-pattern", &cloudwatch.LogSubscriptionFilterArgs{LogGroup: pulumi.String("g"), DestinationArn: pulumi.String("arn"), FilterPattern: pulumi.String("{ a }")}))
		must(kinesis.NewFirehoseDeliveryStream(ctx, "stream-nowhere", &kinesis.FirehoseDeliveryStreamArgs{Destination: pulumi.String("extended_s3")}))
		must(kinesis.NewFirehoseDeliveryStream(ctx, "stream-key", &kinesis.FirehoseDeliveryStreamArgs{Destination: pulumi.String("splunk"),
			ServerSideEncryption: &kinesis.FirehoseDeliveryStreamServerSideEncryptionArgs{Enabled: pulumi.Bool(true), KeyType: str("CUSTOMER_MANAGED_CMK")}}))
		must(kinesis.NewFirehoseDeliveryStream(ctx, "stream-compression", &kinesis.FirehoseDeliveryStreamArgs{Destination: pulumi.String("extended_s3"),
			ExtendedS3Configuration: &kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationArgs{BucketArn: pulumi.String("b"), RoleArn: pulumi.String("r"), CompressionFormat: str("gzip")}}))
		must(ssm.NewDocument(ctx, "document-name", &ssm.DocumentArgs{Name: str("AWS-Mine"), DocumentType: pulumi.String("Session"), Content: pulumi.String("{}")}))
		must(ssm.NewDocument(ctx, "document-type", &ssm.DocumentArgs{Name: str("mine"), DocumentType: pulumi.String("Shell"), Content: pulumi.String("{}")}))
		return nil
	}, simtest.Refusals{
		"topic-name": "invalid topic name", "topic-json": "invalid JSON policy", "protocol": "expected protocol to be one of", "rule-empty": "must be specified", "rule-name": "invalid value for name",
		"target": "is an invalid ARN", "exists": "an operator is expected", "wildcard": "at the beginning or at the end", "long": "at most 1024", "namespace": "does not begin with AWS/",
		"subscription-pattern": "Invalid subscription filter pattern", "stream-nowhere": "is required", "stream-key": "is required where keyType", "stream-compression": "to be one of",
		"document-name": "cannot begin with aws", "document-type": "expected documentType to be one of",
	})
}

// What AWS takes and then drops in silence is refused as well.
func TestWatchingIsRefused(t *testing.T) {
	t.Parallel()
	alarms, events := m{"Service": "cloudwatch.amazonaws.com"}, m{"Service": "events.amazonaws.com"}
	use := []string{"kms:GenerateDataKey*", "kms:Decrypt"}
	ours := m{"Condition": m{"StringEquals": m{"aws:SourceAccount": aws.Account}}}
	simtest.Refused(t, account(t), settings, func(ctx *pulumi.Context) error {
		key := func(name string, statements ...m) *kms.Key {
			return must(kms.NewKey(ctx, name, &kms.KeyArgs{Policy: str(policyOf(append([]m{accountRoot}, statements...)...))}))
		}
		topicARN := func(name string) string { return "arn:aws:sns:" + region + ":" + aws.Account + ":" + name }
		topic := func(name string, key *kms.Key, principals ...m) pulumi.StringOutput {
			args := &sns.TopicArgs{Name: str(name)}
			if key != nil {
				args.KmsMasterKeyId = key.Arn
			}
			made := must(sns.NewTopic(ctx, name, args))
			if principals == nil {
				return made.Arn
			}
			var statements []m
			for _, p := range principals {
				statements = append(statements, m{"Effect": "Allow", "Principal": p, "Action": "sns:Publish", "Resource": topicARN(name)})
			}
			held := must(sns.NewTopicPolicy(ctx, name+"-policy", &sns.TopicPolicyArgs{Arn: made.Arn, Policy: pulumi.String(policyOf(statements...))}))
			return held.Arn
		}
		alarm := func(name string, to pulumi.StringInput, options ...pulumi.ResourceOption) {
			must(cloudwatch.NewMetricAlarm(ctx, name, &cloudwatch.MetricAlarmArgs{ComparisonOperator: pulumi.String("GreaterThanThreshold"), EvaluationPeriods: pulumi.Int(1),
				MetricName: str("m"), Namespace: str("n"), Period: pulumi.IntPtr(60), Statistic: str("Sum"), Threshold: pulumi.Float64Ptr(0), AlarmActions: pulumi.Array{to}}, options...))
		}
		good := key("good", allow(alarms, use, ours), allow(events, use))
		// EventBridge does not say for whom it acts: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
		conditional := key("conditional", allow(alarms, use, ours), allow(events, use, ours))
		encrypted := topic("encrypted", good, alarms, events)
		guarded := topic("guarded", conditional, alarms, events)
		plain := topic("plain", nil)
		alarm("alarm", encrypted)
		alarm("alarm-plain", plain)
		alarm("alarm-key", topic("unreadable", key("bare"), alarms))
		alarm("alarm-policy", topic("closed", nil, events))
		alarm("alarm-topic", pulumi.String(topicARN("nowhere")))
		must(sns.NewTopicPolicy(ctx, "policy-everything", &sns.TopicPolicyArgs{Arn: plain, Policy: pulumi.String(policyOf(m{"Effect": "Allow", "Principal": alarms, "Action": "sns:*", "Resource": topicARN("plain")}))}))
		must(sns.NewTopicPolicy(ctx, "policy-foreign", &sns.TopicPolicyArgs{Arn: plain, Policy: pulumi.String(policyOf(m{"Effect": "Allow", "Principal": alarms, "Action": "sns:Publish", "Resource": topicARN("other")}))}))
		must(sns.NewTopicSubscription(ctx, "mail", &sns.TopicSubscriptionArgs{Topic: plain, Protocol: pulumi.String("email"), Endpoint: pulumi.String("security@example.com")}))
		must(sns.NewTopicSubscription(ctx, "mail-address", &sns.TopicSubscriptionArgs{Topic: plain, Protocol: pulumi.String("email"), Endpoint: pulumi.String("security")}))
		must(sns.NewTopic(ctx, "topic-key", &sns.TopicArgs{KmsMasterKeyId: str("alias/nobody")}))

		rule := must(cloudwatch.NewEventRule(ctx, "rule", &cloudwatch.EventRuleArgs{EventPattern: str(`{"source":["aws.guardduty"],"detail":{"severity":[{"numeric":[">=",4]}]}}`)}))
		must(cloudwatch.NewEventRule(ctx, "rule-scalar", &cloudwatch.EventRuleArgs{EventPattern: str(`{"source":"aws.guardduty"}`)}))
		must(cloudwatch.NewEventRule(ctx, "rule-match", &cloudwatch.EventRuleArgs{EventPattern: str(`{"source":[{"startsWith":"aws"}]}`)}))
		target := func(name string, to pulumi.StringInput, role pulumi.StringPtrInput) {
			must(cloudwatch.NewEventTarget(ctx, name, &cloudwatch.EventTargetArgs{Rule: rule.Name, Arn: to, RoleArn: role}))
		}
		target("target", encrypted, nil)
		target("target-key", guarded, nil)
		target("target-policy", plain, nil) // what a topic takes without a policy of its own
		target("target-role", encrypted, pulumi.StringPtr("arn:aws:iam::"+aws.Account+":role/x"))

		archive := must(s3.NewBucketV2(ctx, "archive", &s3.BucketV2Args{Bucket: str("archive-of-ours")}))
		role := func(name, service string, source string, statements ...m) pulumi.StringOutput {
			made := must(iam.NewRole(ctx, name, &iam.RoleArgs{AssumeRolePolicy: pulumi.String(policyOf(m{"Effect": "Allow", "Principal": m{"Service": service}, "Action": "sts:AssumeRole",
				"Condition": m{"ArnLike": m{"aws:SourceArn": source}}}))}))
			if statements == nil {
				return made.Arn
			}
			held := must(iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{Role: made.Name, Policy: pulumi.String(policyOf(statements...))}))
			return pulumi.All(made.Arn, held.ID()).ApplyT(func(v []any) string { return v[0].(string) }).(pulumi.StringOutput)
		}
		firehose, own := "firehose.amazonaws.com", "arn:aws:firehose:"+region+":"+aws.Account+":deliverystream/*"
		write := m{"Effect": "Allow", "Action": []string{"s3:PutObject", "s3:AbortMultipartUpload", "s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"}, "Resource": []string{"arn:aws:s3:::archive-of-ours", "arn:aws:s3:::archive-of-ours/logs/*"}}
		writer := role("writer", firehose, own, write)
		stream := func(name string, role pulumi.StringInput, change func(*kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationArgs)) *kinesis.FirehoseDeliveryStream {
			to := &kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationArgs{BucketArn: archive.Arn, RoleArn: role, Prefix: str("logs/!{timestamp:yyyy}/"), ErrorOutputPrefix: str("logs/errors/!{firehose:error-output-type}/")}
			change(to)
			return must(kinesis.NewFirehoseDeliveryStream(ctx, name, &kinesis.FirehoseDeliveryStreamArgs{Name: str(name), Destination: pulumi.String("extended_s3"), ExtendedS3Configuration: to}))
		}
		type configuration = *kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationArgs
		made := stream("stream", writer, func(configuration) {})
		stream("stream-trust", role("other-writer", "logs.amazonaws.com", own, write), func(configuration) {})
		stream("stream-of-others", role("foreign-writer", firehose, strings.Replace(own, aws.Account, "999999999999", 1), write), func(configuration) {})
		stream("stream-role", role("powerless", firehose, own), func(configuration) {})
		stream("stream-prefix", writer, func(to configuration) { to.Prefix = str("elsewhere/!{timestamp:yyyy}/") })
		stream("stream-errors", writer, func(to configuration) { to.ErrorOutputPrefix = nil })
		stream("stream-error-type", writer, func(to configuration) { to.ErrorOutputPrefix = str("logs/errors/!{timestamp:yyyy}/") })
		stream("stream-bucket", writer, func(to configuration) { to.BucketArn = pulumi.String("arn:aws:s3:::nowhere") })
		stream("stream-kms", writer, func(to configuration) { to.KmsKeyArn = good.Arn })
		ungrantable := must(kms.NewKey(ctx, "ungrantable", &kms.KeyArgs{Policy: str(policyOf(allow(m{"AWS": "arn:aws:iam::" + aws.Account + ":root"}, []string{"kms:PutKeyPolicy", "kms:DescribeKey"})))}))
		must(kinesis.NewFirehoseDeliveryStream(ctx, "stream-grant", &kinesis.FirehoseDeliveryStreamArgs{Destination: pulumi.String("splunk"),
			ServerSideEncryption: &kinesis.FirehoseDeliveryStreamServerSideEncryptionArgs{Enabled: pulumi.Bool(true), KeyType: str("CUSTOMER_MANAGED_CMK"), KeyArn: ungrantable.Arn}}))

		group := func(name string) *cloudwatch.LogGroup {
			return must(cloudwatch.NewLogGroup(ctx, name, &cloudwatch.LogGroupArgs{Name: str("/ours/" + name)}))
		}
		send := m{"Effect": "Allow", "Action": []string{"firehose:PutRecord", "firehose:PutRecordBatch"}, "Resource": own}
		logs := "arn:aws:logs:" + region + ":" + aws.Account + ":*"
		sender := role("sender", "logs.amazonaws.com", logs, send)
		subscribe := func(name string, to *cloudwatch.LogGroup, stream, role pulumi.StringInput, options ...pulumi.ResourceOption) *cloudwatch.LogSubscriptionFilter {
			return must(cloudwatch.NewLogSubscriptionFilter(ctx, name, &cloudwatch.LogSubscriptionFilterArgs{LogGroup: to.Name, DestinationArn: stream, RoleArn: role.ToStringOutput().ToStringPtrOutput(), FilterPattern: pulumi.String("")}, options...))
		}
		rare := must(cloudwatch.NewLogGroup(ctx, "rare", &cloudwatch.LogGroupArgs{LogGroupClass: str("INFREQUENT_ACCESS")}))
		must(cloudwatch.NewLogMetricFilter(ctx, "rare-filter", &cloudwatch.LogMetricFilterArgs{LogGroupName: rare.Name, Pattern: pulumi.String("{ $.a = 1 }"),
			MetricTransformation: &cloudwatch.LogMetricFilterMetricTransformationArgs{Name: pulumi.String("n"), Namespace: pulumi.String("s"), Value: pulumi.String("1")}}))
		subscribe("rare-subscription", rare, made.Arn, sender)
		busy, quiet := group("busy"), group("quiet")
		first := subscribe("first", busy, made.Arn, sender)
		second := subscribe("second", busy, made.Arn, role("regional", "logs."+region+".amazonaws.com", logs, send))
		subscribe("third", busy, made.Arn, sender, after(first, second))
		subscribe("to-nowhere", quiet, pulumi.String(strings.Replace(own, "*", "nowhere", 1)), sender)
		subscribe("no-trust", quiet, made.Arn, role("no-sender", firehose, logs, send))
		subscribe("other-account", quiet, made.Arn, role("foreign-sender", "logs.amazonaws.com", strings.Replace(logs, aws.Account, "999999999999", 1), send))
		subscribe("no-right", quiet, made.Arn, role("idle", "logs.amazonaws.com", logs, m{"Effect": "Allow", "Action": "firehose:PutRecord", "Resource": strings.Replace(own, "*", "other", 1)}))

		session := func(name, inputs string, options ...pulumi.ResourceOption) {
			must(ssm.NewDocument(ctx, name, &ssm.DocumentArgs{Name: str(name), DocumentType: pulumi.String("Session"),
				Content: quiet.Name.ApplyT(func(string) string {
					return fmt.Sprintf(`{"schemaVersion":"1.0","sessionType":"Standard_Stream","inputs":{%s}}`, inputs)
				}).(pulumi.StringOutput)}, options...))
		}
		session("session", `"cloudWatchLogGroupName":"/ours/quiet","cloudWatchEncryptionEnabled":false,"idleSessionTimeout":"15"`)
		session("session-unencrypted", `"cloudWatchLogGroupName":"/ours/quiet","cloudWatchEncryptionEnabled":true`)
		session("session-group", `"cloudWatchLogGroupName":"/nowhere"`)
		session("session-number", `"idleSessionTimeout":15`)
		session("session-long", `"idleSessionTimeout":"90"`)
		session("session-input", `"cloudwatchLogGroup":"/ours/quiet"`)
		session("session-key", `"kmsKeyId":"7a7a7a7a-0000-4000-a000-000000000000"`)
		must(ssm.NewDocument(ctx, "session-json", &ssm.DocumentArgs{Name: str("session-json"), DocumentType: pulumi.String("Session"), Content: pulumi.String("schemaVersion: 1.0")}))
		return nil
	}, simtest.Refusals{
		"alarm-key": "KMSAccessDenied", "alarm-policy": "AuthorizationError", "alarm-topic": "Topic does not exist", "policy-everything": "action out of service scope", "policy-foreign": "is not the topic",
		"mail-address": "Invalid parameter: Email address", "topic-key": "KMSNotFound", "rule-scalar": "must be an object or an array", "rule-match": "Unrecognized match type startsWith",
		"target-key": "KMSAccessDenied", "target-policy": "AuthorizationError", "target-role": "RoleArn is not for target",
		"stream-trust": "unable to assume role", "stream-of-others": "unable to assume role", "stream-role": "S3.AccessDenied", "stream-prefix": "S3.AccessDenied", "stream-errors": "ErrorOutputPrefix cannot be null",
		"stream-error-type": "must contain at least one instance", "stream-bucket": "does not exist", "stream-kms": "S3.KMS.AccessDenied", "stream-grant": "kms:CreateGrant",
		"rare-filter": "has no filters", "rare-subscription": "has no filters",
		"third": "LimitExceededException", "to-nowhere": "Could not deliver test message", "no-trust": "Could not assume the role", "other-account": "Could not assume the role", "no-right": "Could not deliver test message",
		"session-unencrypted": "encryption is not set up", "session-group": "does not exist", "session-number": "is not expected there", "session-long": "is not between 1 and 60", "session-input": "is not expected there",
		"session-key": "does not exist", "session-json": "JSON not well-formed",
	})
}

package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	alarmService = "cloudwatch.amazonaws.com"
	eventService = "events.amazonaws.com"
)

// topicName is the name of the topic that is made.
func topicName(cluster string) string { return cluster + "-alarms" }

// findingsRule is the name of the rule that passes findings on.
func findingsRule(cluster string) string { return cluster + "-guardduty" }

// alarmKeyStatements let alarms and findings go to an encrypted topic. Without
// them they are dropped, and nobody is told.
//
// For EventBridge there can be no condition: SNS does not pass on for whom it
// acts. Whose findings get to the topic is up to the policy of the topic.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func alarmKeyStatements(account Account, cluster string) []statement {
	use := []string{"kms:Decrypt", "kms:GenerateDataKey*"}
	return []statement{
		{Sid: "AlarmsUseTheTopic", Effect: allow, Principal: service(alarmService), Action: use, Resource: thisKey,
			Condition: ours(account, account.arn("cloudwatch", "alarm:"+alarmName(cluster, "*")))},
		{Sid: "FindingsUseTheTopic", Effect: allow, Principal: service(eventService), Action: use, Resource: thisKey},
	}
}

// topicPolicy lets the alarms of this cluster publish and the rule of findings,
// and nobody without TLS.
// https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
func topicPolicy(account Account, cluster string, findings bool) document {
	topic := []string{account.arn("sns", topicName(cluster))}
	publish := []string{"sns:Publish"}
	d := policy(
		statement{Sid: "DenyWithoutTLS", Effect: deny, Principal: anyone(), Action: publish, Resource: topic,
			Condition: conditions{"Bool": {"aws:SecureTransport": {"false"}}}},
		statement{Sid: "AlarmsPublish", Effect: allow, Principal: service(alarmService), Action: publish, Resource: topic,
			Condition: ours(account, account.arn("cloudwatch", "alarm:"+alarmName(cluster, "*")))})
	if findings {
		d.Statement = append(d.Statement, statement{Sid: "FindingsPublish", Effect: allow, Principal: service(eventService), Action: publish, Resource: topic,
			Condition: conditions{"ArnEquals": {"aws:SourceArn": {account.arn("events", "rule/"+findingsRule(cluster))}}}})
	}
	return d
}

// newTopic registers the topic, unless there is one, and who gets what it takes.
func (d *Detection) newTopic(ctx *pulumi.Context, name string, a DetectionArgs) error {
	if a.TopicArn != nil {
		d.TopicArn = a.TopicArn.ToStringOutput()
	} else {
		full := topicName(a.Cluster)
		topic, err := sns.NewTopic(ctx, name, &sns.TopicArgs{Name: pulumi.String(full), KmsMasterKeyId: a.KeyArn.ToStringOutput().ToStringPtrOutput(),
			DisplayName: pulumi.String("Alarms of " + a.Cluster), Tags: tagged(a.Tags, a.Cluster, full)}, pulumi.Parent(d))
		if err != nil {
			return err
		}
		access, err := sns.NewTopicPolicy(ctx, name, &sns.TopicPolicyArgs{Arn: topic.Arn,
			Policy: pulumi.String(topicPolicy(a.Account, a.Cluster, a.GuardDuty != nil).String())}, pulumi.Parent(d))
		if err != nil {
			return err
		}
		d.TopicArn = once(topic.Arn, access.ID())
	}
	for i, email := range a.Emails {
		if _, err := sns.NewTopicSubscription(ctx, fmt.Sprintf("%s-email-%d", name, i), &sns.TopicSubscriptionArgs{Topic: d.TopicArn,
			Protocol: pulumi.String("email"), Endpoint: pulumi.String(email)}, pulumi.Parent(d)); err != nil {
			return err
		}
	}
	return nil
}

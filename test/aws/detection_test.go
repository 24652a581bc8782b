package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/guardduty"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

const (
	filterToken   = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
	alarmToken    = "aws:cloudwatch/metricAlarm:MetricAlarm"
	topicToken    = "aws:sns/topic:Topic"
	breakGlassArn = "arn:aws:iam::111122223333:role/emergency/break-glass"
)

// watched is a foundation that is watched, with logged sessions. Its functions change the arguments.
func watched(keys func(*aws.KeysArgs), detection func(*pulumi.Context, *aws.DetectionArgs)) pulumi.RunFunc {
	return foundation{
		keys: func(a *aws.KeysArgs) {
			a.Alarms, a.Sessions = true, true
			change(keys, a)
		},
		cluster: func(ctx *pulumi.Context, b base) error {
			args := &aws.DetectionArgs{Account: account, Cluster: "main", KeyArn: b.keys.LogsKeyArn, ClusterLogGroupName: b.logs.ClusterLogGroupName,
				TrailLogGroupName: b.logs.TrailLogGroupName, AuditStreamName: b.logs.AuditStreamName, FlowLogGroupName: b.network.FlowLogGroupName, BreakGlassArns: pulumi.ToStringArray([]string{breakGlassArn}), Emails: []string{"security@example.com"},
				GuardDuty: &aws.GuardDutyArgs{RuntimeMonitoring: true, EksManagesAgent: true}}
			if detection != nil {
				detection(ctx, args)
			}
			d, err := aws.NewDetection(ctx, "detection", args)
			if err != nil {
				return err
			}
			if _, err := aws.NewSessionLogging(ctx, "sessions", &aws.SessionLoggingArgs{Account: account, Cluster: "main", KeyArn: b.keys.LogsKeyArn}); err != nil {
				return err
			}
			ctx.Export("topic", d.TopicArn)
			ctx.Export("detector", d.DetectorID)
			return nil
		},
	}.program
}

// M29, M38, M39, M41, M09: everything that watches lives and dies, and AWS takes it.
func TestDetection(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	lives(t, cloud, watched(nil, nil), func(out map[string]string) {
		for _, token := range []string{"aws:sns/topicSubscription:TopicSubscription", "aws:cloudwatch/eventTarget:EventTarget", "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream",
			"aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter", "aws:ssm/document:Document"} {
			only(t, cloud, token)
		}
		if only(t, cloud, topicToken).ID != out["topic"] || only(t, cloud, "aws:guardduty/detector:Detector").ID != out["detector"] {
			t.Errorf("outputs %v", out)
		}
		var counted, alarmed []string
		for _, f := range cloud.Objects(filterToken) {
			counted = append(counted, f.State.String("metricTransformation.namespace")+"/"+f.State.String("metricTransformation.name"))
		}
		stream := only(t, cloud, "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream").State.String("name")
		for _, a := range cloud.Objects(alarmToken) {
			if of := a.State.Texts("dimensions"); a.State.String("namespace") == "AWS/Firehose" && of["DeliveryStreamName"] != stream || a.State.String("namespace") == "AWS/Logs" && of["FilterName"] != stream {
				t.Errorf("%s watches %v, not %s", a.ID, of, stream)
			}
			if strings.HasPrefix(a.State.String("namespace"), "AWS/") {
				continue
			}
			alarmed = append(alarmed, a.State.String("namespace")+"/"+a.State.String("metricName"))
			if !slices.Equal(a.State.Strings("alarmActions"), []string{out["topic"]}) || a.State.String("treatMissingData") != "notBreaching" {
				t.Errorf("alarm %v", a.State)
			}
		}
		slices.Sort(counted)
		slices.Sort(alarmed)
		if !slices.Equal(counted, alarmed) || len(alarmed) == 0 {
			t.Errorf("counted %v, alarmed %v", counted, alarmed)
		}
	})
}

// What the account has is used: a detector, and a topic of somebody else's making.
func TestDetectionWithWhatExists(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	theirs := simtest.New(t, cloud, settings).MustUp(func(ctx *pulumi.Context) error {
		d := must(guardduty.NewDetector(ctx, "theirs", &guardduty.DetectorArgs{}))
		topic := must(sns.NewTopic(ctx, "theirs", &sns.TopicArgs{Name: pulumi.StringPtr("pager")}))
		must(sns.NewTopicPolicy(ctx, "theirs", &sns.TopicPolicyArgs{Arn: topic.Arn, Policy: topic.Arn.ApplyT(func(arn string) string {
			return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["cloudwatch.amazonaws.com","events.amazonaws.com"]},"Action":"sns:Publish","Resource":"` + arn + `"}]}`
		})}))
		ctx.Export("detector", d.ID())
		ctx.Export("topic", topic.Arn)
		return nil
	})
	program := watched(nil, func(_ *pulumi.Context, a *aws.DetectionArgs) {
		a.KeyArn, a.TopicArn, a.GuardDuty = nil, pulumi.String(theirs.Output("topic")), &aws.GuardDutyArgs{DetectorID: theirs.Output("detector")}
	})
	lives(t, cloud, program, func(out map[string]string) {
		if n := len(cloud.Objects(topicToken)) + len(cloud.Objects("aws:guardduty/detector:Detector")); n != 2 || out["topic"] != theirs.Output("topic") {
			t.Errorf("%d topics and detectors, alarms to %s", n, out["topic"])
		}
	})
}

// A second detector is AWS's to refuse.
func TestASecondDetectorIsRefused(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.New(t, cloud, settings).MustUp(func(ctx *pulumi.Context) error {
		must(guardduty.NewDetector(ctx, "theirs", &guardduty.DetectorArgs{}))
		return nil
	})
	_, err := simtest.New(t, cloud, settings).Up(watched(nil, nil))
	if err == nil || !strings.Contains(err.Error(), "a detector already exists") {
		t.Errorf("%v", err)
	}
}

// Where there is no trail, what would be seen in one is left out, and the rest is not.
func TestDetectionWithoutATrail(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.New(t, cloud, settings).MustUp(watched(nil, func(_ *pulumi.Context, a *aws.DetectionArgs) { a.TrailLogGroupName = nil }))
	found := cloud.Objects(filterToken)
	for _, f := range found {
		if group := f.State.String("logGroupName"); group != "/aws/eks/main/cluster" && group != "/aws/vpc/main/flow-logs" {
			t.Errorf("%s looks into %s", f.ID, f.State.String("logGroupName"))
		}
	}
	if len(found) != 12 {
		t.Errorf("%d events of the cluster and its network are looked for", len(found))
	}
}

// An alarm that nobody would hear of is refused: keys that were not made for alarms, a trail that is not there.
func TestSilentAlarmsAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		keys      func(*aws.KeysArgs)
		detection func(*pulumi.Context, *aws.DetectionArgs)
		want      string
	}{
		"the key is not for alarms": {keys: func(a *aws.KeysArgs) { a.Alarms = false }, want: "KMSAccessDenied"},
		"no such log group": {detection: func(_ *pulumi.Context, a *aws.DetectionArgs) {
			a.TrailLogGroupName = pulumi.String("/aws/cloudtrail/other")
		}, want: "The specified log group does not exist: /aws/cloudtrail/other"},
		"no trail": {detection: func(_ *pulumi.Context, a *aws.DetectionArgs) {
			a.TrailLogGroupName = pulumi.Sprintf("%s", pulumi.String("").ToStringOutput())
		}, want: `"" is not the name of a log group`},
		"a topic that is not there": {detection: func(_ *pulumi.Context, a *aws.DetectionArgs) {
			a.KeyArn, a.TopicArn = nil, pulumi.String("arn:aws:sns:"+region+":111122223333:nowhere")
		}, want: "Topic does not exist"},
		"a user for emergencies": {detection: func(_ *pulumi.Context, a *aws.DetectionArgs) {
			a.BreakGlassArns = pulumi.StringArray{pulumi.Sprintf("arn:aws:iam::%s:user/jane", "111122223333")}
		}, want: "is not the ARN of a role"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := simtest.New(t, open(t), settings).Up(watched(test.keys, test.detection))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q: %v", test.want, err)
			}
		})
	}
}

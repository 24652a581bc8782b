package aws

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

const (
	testBreakGlass = "arn:aws:iam::123456789012:role/break-glass"
	testDetector   = "0123456789abcdef0123456789abcdef"
)

func testDetection() DetectionArgs {
	return DetectionArgs{Account: testAccount, Cluster: "prod", KeyArn: testKey, ClusterLogGroupName: pulumi.String("/aws/eks/prod/cluster"),
		TrailLogGroupName: pulumi.String("/aws/cloudtrail/prod"), FlowLogGroupName: pulumi.String("/aws/vpc/prod/flow-logs"), BreakGlassArns: pulumi.ToStringArray([]string{testBreakGlass})}
}

func newTestDetection(t *testing.T, args DetectionArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewDetection(ctx, "detection", &args); return err })
}

// M39, M41: what people hear of. An event that is taken away is missed here.
var heard = map[string][]string{
	"/aws/eks/prod/cluster":   {"anonymous-access", "break-glass-in-cluster", "cluster-admin-granted", "guardrail-deleted", "impersonation", "many-refusals", "node-proxy", "pod-shell", "secrets-read", "token-minted"},
	"/aws/vpc/prod/flow-logs": {"flows-refused", "remote-logins"},
	"/aws/cloudtrail/prod": {"access-entries-changed", "alarms-changed", "break-glass-assumed", "buckets-changed", "calls-refused", "cluster-changed", "gateways-changed",
		"guardduty-changed", "iam-changed", "keys-changed", "logs-changed", "network-acls-changed", "networks-changed", "root-used", "routes-changed",
		"security-groups-changed", "sign-in-without-mfa", "sign-ins-failed", "trail-changed"},
}

func TestEveryEventHasAnAlarm(t *testing.T) {
	c := newTestDetection(t, testDetection())
	want := 0
	for group, names := range heard {
		for _, name := range names {
			want++
			filter, alarm := c.One(t, "LogMetricFilter", "detection-"+name), c.One(t, "MetricAlarm", "detection-"+name)
			metric, _ := filter.Inputs["metricTransformation"].(map[string]any)
			if filter.Text("logGroupName") != group || len(filter.Text("pattern")) > patternLimit || metric["value"] != "1" {
				t.Errorf("%s: filter %v", name, filter.Inputs)
			}
			if metric["namespace"] != alarm.Inputs["namespace"] || metric["name"] != alarm.Inputs["metricName"] || !alarm.WaitsFor(filter) {
				t.Errorf("%s: counts %v, watches %v", name, metric, alarm.Inputs)
			}
			period := alarm.Inputs["period"].(float64)
			if alarm.Text("name") != "prod-"+name || alarm.Text("statistic") != "Sum" || alarm.Text("treatMissingData") != "notBreaching" || alarm.Inputs["threshold"].(float64) < 1 ||
				alarm.Text("comparisonOperator") != "GreaterThanOrEqualToThreshold" || alarm.Inputs["evaluationPeriods"] != 1.0 || period < 60 || period > 300 {
				t.Errorf("%s: alarm %v", name, alarm.Inputs)
			}
			for _, actions := range []string{"alarmActions", "okActions"} {
				if got := texts(alarm.Inputs[actions]); !slices.Equal(got, []string{"arn:detection_id"}) {
					t.Errorf("%s: %s are %v", name, actions, got)
				}
			}
			// A topic that does not take them yet would drop them.
			if !alarm.WaitsFor(c.One(t, "TopicPolicy", "detection")) {
				t.Errorf("%s does not wait for the policy of the topic", name)
			}
		}
	}
	if got := len(c.Of("MetricAlarm")); got != want {
		t.Errorf("%d alarms, %d are known here", got, want)
	}
}

// M38: that the archive gets nothing is heard.
func TestArchiveIsWatched(t *testing.T) {
	args := testDetection()
	args.AuditStreamName = pulumi.String("prod-audit-stream")
	c := newTestDetection(t, args)
	for name, want := range map[string]struct {
		metric, dimensions string
		threshold          float64
	}{
		"archive-late":        {"AWS/Firehose DeliveryToS3.DataFreshness Maximum", "map[DeliveryStreamName:prod-audit-stream]", 900},
		"archive-undelivered": {"AWS/Logs DeliveryErrors Sum", "map[DestinationType:Firehose FilterName:prod-audit-stream LogGroupName:/aws/eks/prod/cluster]", 1},
	} {
		alarm := c.One(t, "MetricAlarm", "detection-"+name)
		got := alarm.Text("namespace") + " " + alarm.Text("metricName") + " " + alarm.Text("statistic")
		if got != want.metric || fmt.Sprint(alarm.Inputs["dimensions"]) != want.dimensions || alarm.Inputs["threshold"] != want.threshold ||
			!slices.Equal(texts(alarm.Inputs["alarmActions"]), []string{"arn:detection_id"}) {
			t.Errorf("%s: %v", name, alarm.Inputs)
		}
	}
}

// Each event says why, what it stands for, and where it is described.
func TestEventsAreExplained(t *testing.T) {
	for _, e := range slices.Concat(auditEvents, accountEvents, flowEvents, breakGlassEvents) {
		if len(e.reason) < 20 || !strings.HasPrefix(e.controls, "M39") || e.source == "" || e.in != inAudit && e.in != inTrail && e.in != inFlows {
			t.Errorf("%s: %+v", e.name, e)
		}
	}
}

// Without a trail or roles for emergencies, what needs them is left out.
func TestEventsWithoutLogs(t *testing.T) {
	args := testDetection()
	args.TrailLogGroupName, args.FlowLogGroupName, args.BreakGlassArns = nil, nil, nil
	if n, want := len(newTestDetection(t, args).Of("MetricAlarm")), len(heard["/aws/eks/prod/cluster"])-1; n != want {
		t.Errorf("%d alarms, want %d", n, want)
	}
	args.BreakGlassArns = pulumi.StringArray{} // nobody: still a filter that AWS takes
	if got := newTestDetection(t, args).One(t, "LogMetricFilter", "detection-break-glass-in-cluster").Text("pattern"); !strings.Contains(got, "there is no role for emergencies") {
		t.Errorf("pattern %s", got)
	}
}

func TestTopic(t *testing.T) {
	args := testDetection()
	args.Emails = []string{"a@example.com", "b@example.com"}
	c := newTestDetection(t, args)
	if topic := c.One(t, "Topic", "detection"); topic.Text("kmsMasterKeyId") != string(testKey) || topic.Text("name") != "prod-alarms" {
		t.Errorf("topic %v", topic.Inputs)
	}
	for i, s := range c.Of("TopicSubscription") {
		if s.Text("protocol") != "email" || s.Text("endpoint") != args.Emails[i] || s.Text("topic") != "arn:detection_id" {
			t.Errorf("subscription %v", s.Inputs)
		}
	}
	statements := parse(t, c.One(t, "TopicPolicy", "detection").Text("policy"))
	tls := false
	for _, s := range statements {
		if !slices.Equal(s.Action, []string{"sns:Publish"}) || !slices.Equal(s.Resource, []string{"arn:aws:sns:eu-central-1:123456789012:prod-alarms"}) {
			t.Errorf("%s: %v on %v", s.Sid, s.Action, s.Resource)
		}
		tls = tls || s.Effect == "Deny" && s.Principal == "*" && slices.Equal(s.Condition["Bool"]["aws:SecureTransport"], []string{"false"})
	}
	alarms := allows(statements, "cloudwatch.amazonaws.com", "sns:Publish")
	if !tls || len(statements) != 2 || len(alarms) != 1 || !slices.Equal(alarms[0].Condition["ArnLike"]["aws:SourceArn"], []string{"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:prod-*"}) ||
		!slices.Equal(alarms[0].Condition["StringEquals"]["aws:SourceAccount"], []string{"123456789012"}) {
		t.Errorf("policy %v", statements)
	}
	args.KeyArn, args.TopicArn = nil, pulumi.String("arn:aws:sns:eu-central-1:123456789012:pager")
	c = newTestDetection(t, args)
	if n := len(c.Of("Topic")) + len(c.Of("TopicPolicy")); n != 0 {
		t.Errorf("%d topics and policies beside the one that exists", n)
	}
	if got := texts(c.One(t, "MetricAlarm", "detection-pod-shell").Inputs["alarmActions"]); !slices.Equal(got, []string{"arn:aws:sns:eu-central-1:123456789012:pager"}) {
		t.Errorf("alarms go to %v", got)
	}
}

// M29: findings of medium severity and more go to the topic.
func TestGuardDuty(t *testing.T) {
	args := testDetection()
	if n := len(newTestDetection(t, args).Of("Detector")); n != 0 {
		t.Errorf("%d detectors without being asked for", n)
	}
	args.GuardDuty = &GuardDutyArgs{RuntimeMonitoring: true, EksManagesAgent: true}
	c := newTestDetection(t, args)
	if d := c.One(t, "Detector", "detection"); d.Inputs["enable"] != true || d.Text("findingPublishingFrequency") != "FIFTEEN_MINUTES" {
		t.Errorf("detector %v", d.Inputs)
	}
	var names []string
	for _, f := range c.Of("DetectorFeature") {
		names = append(names, f.Text("name"))
		if f.Text("detectorId") != "detection_id" || f.Text("status") != "ENABLED" {
			t.Errorf("feature %v", f.Inputs)
		}
	}
	if !slices.Equal(names, []string{"EKS_AUDIT_LOGS", "RUNTIME_MONITORING"}) {
		t.Errorf("features %v", names)
	}
	more := fmt.Sprint(c.One(t, "DetectorFeature", "detection-RUNTIME_MONITORING").Inputs["additionalConfigurations"])
	if more != "[map[name:EKS_ADDON_MANAGEMENT status:ENABLED]]" {
		t.Errorf("agent: %s", more)
	}
	rule, target := c.One(t, "EventRule", "detection-findings"), c.One(t, "EventTarget", "detection-findings")
	const medium = `{"detail":{"severity":[{"numeric":[">=",4]}]},"detail-type":["GuardDuty Finding"],"source":["aws.guardduty"]}`
	if rule.Text("eventPattern") != medium || rule.Text("state") != "ENABLED" || target.Text("arn") != "arn:detection_id" || target.Text("rule") != "prod-guardduty" ||
		target.Inputs["roleArn"] != nil || !target.WaitsFor(c.One(t, "TopicPolicy", "detection")) {
		t.Errorf("rule %v, target %v", rule.Inputs, target.Inputs)
	}
	published := allows(parse(t, c.One(t, "TopicPolicy", "detection").Text("policy")), "events.amazonaws.com", "sns:Publish")
	if len(published) != 1 || !slices.Equal(published[0].Condition["ArnEquals"]["aws:SourceArn"], []string{"arn:aws:events:eu-central-1:123456789012:rule/prod-guardduty"}) {
		t.Errorf("who publishes findings: %v", published)
	}

	args.GuardDuty = &GuardDutyArgs{DetectorID: testDetector}
	c = newTestDetection(t, args)
	if n := len(c.Of("Detector")); n != 0 || len(c.Of("DetectorFeature")) != 1 || c.Of("DetectorFeature")[0].Text("detectorId") != testDetector {
		t.Errorf("%d detectors beside the one that exists", n)
	}
}

// A key that is not for alarms lets in nobody of them; one that is, for this cluster's alarms.
func TestKeyOfAlarms(t *testing.T) {
	args := testKeys()
	read := func() []parsedStatement {
		return parse(t, newTestKeys(t, args).One(t, "Key", "keys-logs").Text("policy"))
	}
	if n := len(allows(read(), "cloudwatch.amazonaws.com", "kms:GenerateDataKey*")) + len(allows(read(), "events.amazonaws.com", "kms:GenerateDataKey*")); n != 0 {
		t.Errorf("%d statements for alarms without being asked for", n)
	}
	args.Alarms = true
	alarms, events := allows(read(), "cloudwatch.amazonaws.com", "kms:GenerateDataKey*"), allows(read(), "events.amazonaws.com", "kms:GenerateDataKey*")
	if len(alarms) != 1 || !slices.Equal(alarms[0].Condition["ArnLike"]["aws:SourceArn"], []string{"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:prod-*"}) {
		t.Errorf("alarms: %v", alarms)
	}
	if len(events) != 1 || len(events[0].Condition) != 0 || !slices.Equal(events[0].Action, []string{"kms:Decrypt", "kms:GenerateDataKey*"}) {
		t.Errorf("findings: %v: a condition would drop them all", events)
	}
}

func TestDetectionRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewDetection(ctx, "detection", &DetectionArgs{Cluster: "-", TrailLogGroupName: pulumi.String(""), BreakGlassArns: pulumi.ToStringArray([]string{"arn:aws:iam::123456789012:user/jane"}),
			Emails: []string{"nobody", "a@b.example", "a@b.example"}, GuardDuty: &GuardDutyArgs{DetectorID: "x", EksManagesAgent: true}, Tags: map[string]string{"Name": "x"}})
		return err
	}, "account.id", "account.region", "cluster", "clusterLogGroupName", "trailLogGroupName", "breakGlassArns[0]", "keyArn", "emails[0]", "emails[2]",
		"guardDuty.detectorId", "guardDuty.eksManagesAgent", "tags[Name]")
	var many []string
	for i := range 12 {
		many = append(many, fmt.Sprintf("arn:aws:iam::123456789012:role/break-glass-%02d", i))
	}
	for field, spoil := range map[string]func(*DetectionArgs){
		"breakGlassArns":      func(a *DetectionArgs) { a.BreakGlassArns = pulumi.ToStringArray(many) },
		"keyArn":              func(a *DetectionArgs) { a.TopicArn = pulumi.String("arn:aws:sns:eu-central-1:123456789012:pager") },
		"topicArn":            func(a *DetectionArgs) { a.KeyArn, a.TopicArn = nil, pulumi.String("pager") },
		"clusterLogGroupName": func(a *DetectionArgs) { a.ClusterLogGroupName = pulumi.String("/aws/eks/*") },
	} {
		args := testDetection()
		spoil(&args)
		if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{field}) {
			t.Errorf("%s: refused %v", field, got)
		}
	}
	args := testDetection()
	args.BreakGlassArns = pulumi.ToStringArray(many[:5])
	if err := args.Validate(time.Now()); err != nil {
		t.Errorf("five roles do not fit: %v", err)
	}
}

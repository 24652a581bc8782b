package aws

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// M38: what the control plane writes goes to the archive, all of it, encrypted, by default.
func TestAuditStream(t *testing.T) {
	c := newTestLogs(t, testLogs())
	stream := c.One(t, "FirehoseDeliveryStream", "logs-stream")
	to, _ := stream.Inputs["extendedS3Configuration"].(map[string]any)
	prefix, _ := to["prefix"].(string)
	failed, _ := to["errorOutputPrefix"].(string)
	if to["bucketArn"] != "arn:logs-archive_id" || to["kmsKeyArn"] != string(testKey) || to["compressionFormat"] != "UNCOMPRESSED" || to["bufferingInterval"] != 60.0 ||
		!strings.HasPrefix(prefix, "AWSLogs/123456789012/EKS/prod/") || !strings.HasPrefix(failed, "AWSLogs/123456789012/EKS/prod/errors/!{firehose:error-output-type}") {
		t.Errorf("to %v", to)
	}
	encryption, _ := stream.Inputs["serverSideEncryption"].(map[string]any)
	if encryption["enabled"] != true || encryption["keyType"] != "CUSTOMER_MANAGED_CMK" || encryption["keyArn"] != string(testKey) {
		t.Errorf("encryption %v", encryption)
	}
	subscription := c.One(t, "LogSubscriptionFilter", "logs-stream")
	if subscription.Text("logGroup") != "/aws/eks/prod/cluster" || subscription.Text("destinationArn") != "arn:logs-stream_id" || subscription.Text("filterPattern") != "" {
		t.Errorf("subscription %v", subscription.Inputs)
	}
	// Alarms know the stream and the subscription by one name.
	if stream.Text("name") != subscription.Text("name") {
		t.Errorf("the stream is %s, the subscription %s", stream.Text("name"), subscription.Text("name"))
	}
	// Both are tried when they are made.
	for _, each := range []struct{ after, before mocks.Resource }{
		{stream, c.One(t, "RolePolicy", "logs-stream")}, {stream, c.One(t, "BucketPolicy", "logs-archive-policy")}, {stream, c.One(t, "BucketObjectLockConfigurationV2", "logs-archive-lock")},
		{subscription, c.One(t, "RolePolicy", "logs-stream-source")}, {subscription, stream},
	} {
		if !each.after.WaitsFor(each.before) {
			t.Errorf("%s does not wait for %s %s", each.after.Name, each.before.Token, each.before.Name)
		}
	}
}

// Each role is for one service and one stream.
func TestStreamRolesAreLeastPrivilege(t *testing.T) {
	c := newTestLogs(t, testLogs())
	for name, want := range map[string]struct{ service, operator, source string }{
		"logs-stream":        {"firehose.amazonaws.com", "ArnLike", "arn:aws:firehose:eu-central-1:123456789012:deliverystream/prod-audit-stream"},
		"logs-stream-source": {"logs.amazonaws.com", "StringLike", "arn:aws:logs:eu-central-1:123456789012:*"},
	} {
		trusted := parse(t, c.One(t, "Role", name).Text("assumeRolePolicy"))
		if found := allows(trusted, want.service, "sts:AssumeRole"); len(trusted) != 1 || len(found) != 1 || !slices.Equal(found[0].Condition[want.operator]["aws:SourceArn"], []string{want.source}) {
			t.Errorf("%s trusts %v", name, trusted)
		}
		for _, s := range parse(t, c.One(t, "RolePolicy", name).Text("policy")) {
			for _, action := range s.Action {
				if strings.Contains(action, "*") || strings.HasPrefix(action, "s3:Delete") || strings.HasPrefix(action, "s3:PutBucket") {
					t.Errorf("%s may %s", name, action)
				}
			}
			for _, resource := range s.Resource {
				if object := strings.Contains(resource, "prod-audit-123456789012-eu-central-1/"); object && !strings.HasSuffix(resource, "/AWSLogs/123456789012/EKS/prod/*") || resource == "*" {
					t.Errorf("%s may %v on %s", name, s.Action, resource)
				}
			}
		}
	}
	args := testKeys()
	args.Archive = true
	narrowed := 0
	for _, s := range parse(t, newTestKeys(t, args).One(t, "Key", "keys-logs").Text("policy")) {
		if slices.Equal(s.Condition["ArnEquals"]["aws:PrincipalArn"], []string{"arn:aws:iam::123456789012:role/prod-audit-stream-eu-central-1"}) {
			narrowed++
			if s.Condition["StringEquals"]["kms:ViaService"] == nil {
				t.Errorf("%s is not for S3 alone", s.Sid)
			}
		}
	}
	if role := c.One(t, "Role", "logs-stream").Text("name"); narrowed != 1 || role != "prod-audit-stream-eu-central-1" {
		t.Errorf("%d statements of the key are for the stream's role %s", narrowed, role)
	}
}

// Who keeps the logs out of the archive says why.
func TestAuditStreamByChoice(t *testing.T) {
	args := testLogs()
	args.NoAuditStream = true
	if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{"noAuditStream"}) {
		t.Errorf("refused %v", got)
	}
	args.Exceptions = []hostconfig.Exception{{Control: "M38/audit-stream", Reason: "a collector takes the logs elsewhere", Expires: time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}}
	if n := len(newTestLogs(t, args).Of("FirehoseDeliveryStream")); n != 0 {
		t.Errorf("%d streams", n)
	}
	args = testLogs()
	args.Archive = nil
	if n := len(newTestLogs(t, args).Of("LogSubscriptionFilter")); n != 0 {
		t.Errorf("%d subscriptions without an archive", n)
	}
}

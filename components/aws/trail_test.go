package aws

import (
	"slices"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

// M17, M39: by choice, what is done in the account is recorded in all regions,
// signed, encrypted, in the archive and where alarms see it.
func TestTrail(t *testing.T) {
	args := testLogs()
	if n := len(newTestLogs(t, args).Of("Trail")); n != 0 {
		t.Errorf("%d trails without being asked for", n)
	}
	args.Trail = true
	c := newTestLogs(t, args)
	trail := c.One(t, "Trail", "logs-trail")
	for _, name := range []string{"enableLogging", "enableLogFileValidation", "isMultiRegionTrail", "includeGlobalServiceEvents"} {
		if trail.Inputs[name] != true {
			t.Errorf("%s is off", name)
		}
	}
	if trail.Text("kmsKeyId") != string(testKey) || trail.Text("s3BucketName") != "prod-audit-123456789012-eu-central-1" ||
		trail.Text("cloudWatchLogsGroupArn") != "arn:logs-trail_id:*" || trail.Text("cloudWatchLogsRoleArn") != "arn:logs-trail_id" {
		t.Errorf("trail %v", trail.Inputs)
	}
	// CloudTrail tries everything once, when the trail is made.
	for _, before := range []mocks.Resource{c.One(t, "BucketPolicy", "logs-archive-policy"), c.One(t, "RolePolicy", "logs-trail"), c.One(t, "BucketObjectLockConfigurationV2", "logs-archive-lock")} {
		if !trail.WaitsFor(before) {
			t.Errorf("the trail does not wait for %s", before.Name)
		}
	}
	group := c.One(t, "LogGroup", "logs-trail")
	if group.Text("name") != "/aws/cloudtrail/prod" || group.Text("kmsKeyId") != string(testKey) || group.Inputs["retentionInDays"] != 365.0 {
		t.Errorf("log group %v", group.Inputs)
	}
	args.Archive = nil
	if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{"trail"}) {
		t.Errorf("refused %v", got)
	}
}

// Nobody else's trail writes to the archive, or uses the key.
func TestTrailPoliciesNameTheTrail(t *testing.T) {
	logs, keys := testLogs(), testKeys()
	logs.Trail, keys.Trail = true, true
	key := newTestKeys(t, keys).One(t, "Key", "keys-logs").Text("policy")
	for name, text := range map[string]string{
		"bucket": newTestLogs(t, logs).One(t, "BucketPolicy", "logs-archive-policy").Text("policy"), "key": key,
	} {
		found := 0
		for _, s := range parse(t, text) {
			whom, _ := s.Principal.(map[string]any)
			if !slices.Contains(texts(whom["Service"]), "cloudtrail.amazonaws.com") {
				continue
			}
			found++
			if !slices.Equal(s.Condition["StringEquals"]["aws:SourceArn"], []string{"arn:aws:cloudtrail:eu-central-1:123456789012:trail/prod-account"}) {
				t.Errorf("%s: %s is for every trail", name, s.Sid)
			}
		}
		if found != 2 {
			t.Errorf("%s: %d statements for CloudTrail", name, found)
		}
	}
	contexts := allows(parse(t, key), "logs.eu-central-1.amazonaws.com", "kms:Encrypt")[0].Condition["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
	if !slices.Contains(contexts, "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/cloudtrail/prod") {
		t.Errorf("the key does not serve the trail's log group: %v", contexts)
	}
	trusted := parse(t, run(t, func(ctx *pulumi.Context) error { _, err := NewLogs(ctx, "logs", &logs); return err }).One(t, "Role", "logs-trail").Text("assumeRolePolicy"))
	if len(trusted) != 1 || !slices.Equal(trusted[0].Condition["ArnLike"]["aws:SourceArn"], []string{"arn:aws:cloudtrail:eu-central-1:123456789012:trail/prod-account"}) {
		t.Errorf("trust %v", trusted)
	}
}

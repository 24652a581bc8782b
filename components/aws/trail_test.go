package aws

import (
	"slices"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// M17, M39: by choice, what is done in the account is recorded in all regions,
// signed, encrypted, in the archive and where alarms see it.
func TestTrail(t *testing.T) {
	args := testLogs()
	if n := len(newTestLogs(t, args).of("Trail")); n != 0 {
		t.Errorf("%d trails without being asked for", n)
	}
	args.Trail = true
	c := newTestLogs(t, args)
	trail := c.one(t, "Trail", "logs-trail")
	for _, name := range []string{"enableLogging", "enableLogFileValidation", "isMultiRegionTrail", "includeGlobalServiceEvents"} {
		if trail.inputs[name] != true {
			t.Errorf("%s is off", name)
		}
	}
	if trail.text("kmsKeyId") != string(testKey) || trail.text("s3BucketName") != "prod-audit-123456789012-eu-central-1" ||
		trail.text("cloudWatchLogsGroupArn") != "arn:logs-trail_id:*" || trail.text("cloudWatchLogsRoleArn") != "arn:logs-trail_id" {
		t.Errorf("trail %v", trail.inputs)
	}
	// CloudTrail tries everything once, when the trail is made.
	for _, before := range []registered{c.one(t, "BucketPolicy", "logs-archive-policy"), c.one(t, "RolePolicy", "logs-trail"), c.one(t, "BucketObjectLockConfigurationV2", "logs-archive-lock")} {
		if !trail.waitsFor(before) {
			t.Errorf("the trail does not wait for %s", before.name)
		}
	}
	group := c.one(t, "LogGroup", "logs-trail")
	if group.text("name") != "/aws/cloudtrail/prod" || group.text("kmsKeyId") != string(testKey) || group.inputs["retentionInDays"] != 365.0 {
		t.Errorf("log group %v", group.inputs)
	}
	args.Archive = nil
	if got := refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{"trail"}) {
		t.Errorf("refused %v", got)
	}
}

// Nobody else's trail writes to the archive, or uses the key.
func TestTrailPoliciesNameTheTrail(t *testing.T) {
	logs, keys := testLogs(), testKeys()
	logs.Trail, keys.Trail = true, true
	key := newTestKeys(t, keys).one(t, "Key", "keys-logs").text("policy")
	for name, text := range map[string]string{
		"bucket": newTestLogs(t, logs).one(t, "BucketPolicy", "logs-archive-policy").text("policy"), "key": key,
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
	trusted := parse(t, run(t, func(ctx *pulumi.Context) error { _, err := NewLogs(ctx, "logs", &logs); return err }).one(t, "Role", "logs-trail").text("assumeRolePolicy"))
	if len(trusted) != 1 || !slices.Equal(trusted[0].Condition["ArnLike"]["aws:SourceArn"], []string{"arn:aws:cloudtrail:eu-central-1:123456789012:trail/prod-account"}) {
		t.Errorf("trust %v", trusted)
	}
}

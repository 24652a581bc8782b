package aws

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

func testLogs() LogsArgs {
	return LogsArgs{Account: testAccount, Cluster: "prod", KeyArn: testKey, Archive: &ArchiveArgs{}}
}

func newTestLogs(t *testing.T, args LogsArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewLogs(ctx, "logs", &args); return err })
}

// CIS-EKS-2.1.1, CIS-EKS-2.1.2, M17: the group of the control plane is there
// before the cluster, encrypted, and keeps a year.
func TestClusterLogGroup(t *testing.T) {
	group := newTestLogs(t, testLogs()).One(t, "LogGroup", "logs-cluster")
	if group.Text("name") != "/aws/eks/prod/cluster" || group.Text("kmsKeyId") != string(testKey) || group.Inputs["retentionInDays"] != 365.0 {
		t.Errorf("log group %v", group.Inputs)
	}
}

// M38: versions, a lock that nobody lifts, the customer's key, and no public access.
func TestArchive(t *testing.T) {
	c := newTestLogs(t, testLogs())
	bucket := c.One(t, "BucketV2", "logs-archive")
	if bucket.Text("bucket") != "prod-audit-123456789012-eu-central-1" || bucket.Inputs["objectLockEnabled"] != true || bucket.Inputs["forceDestroy"] != false {
		t.Errorf("bucket %v", bucket.Inputs)
	}
	access := c.One(t, "BucketPublicAccessBlock", "logs-archive-public-access")
	for _, name := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
		if access.Inputs[name] != true {
			t.Errorf("%s is off", name)
		}
	}
	at := func(kind, name string, path ...string) any {
		var value any = c.One(t, kind, name).Inputs
		for _, key := range path {
			if list, ok := value.([]any); ok {
				value = list[0]
			}
			value = value.(map[string]any)[key]
		}
		return value
	}
	for _, each := range []struct{ got, want any }{
		{at("BucketOwnershipControls", "logs-archive-ownership", "rule", "objectOwnership"), "BucketOwnerEnforced"},
		{at("BucketVersioningV2", "logs-archive-versions", "versioningConfiguration", "status"), "Enabled"},
		{at("BucketServerSideEncryptionConfigurationV2", "logs-archive-encryption", "rules", "applyServerSideEncryptionByDefault", "sseAlgorithm"), "aws:kms"},
		{at("BucketServerSideEncryptionConfigurationV2", "logs-archive-encryption", "rules", "applyServerSideEncryptionByDefault", "kmsMasterKeyId"), string(testKey)},
		{at("BucketObjectLockConfigurationV2", "logs-archive-lock", "rule", "defaultRetention", "mode"), "COMPLIANCE"},
		{at("BucketObjectLockConfigurationV2", "logs-archive-lock", "rule", "defaultRetention", "days"), 365.0},
	} {
		if each.got != each.want {
			t.Errorf("%v, want %v", each.got, each.want)
		}
	}
}

func TestArchivePolicy(t *testing.T) {
	bucket, objects := "arn:aws:s3:::prod-audit-123456789012-eu-central-1", "arn:aws:s3:::prod-audit-123456789012-eu-central-1/*"
	denied := map[string]bool{}
	for _, s := range parse(t, newTestLogs(t, testLogs()).One(t, "BucketPolicy", "logs-archive-policy").Text("policy")) {
		if s.Effect == "Allow" {
			whom, _ := s.Principal.(map[string]any)
			if !slices.Equal(texts(whom["Service"]), []string{"delivery.logs.amazonaws.com"}) || whom["AWS"] != nil {
				t.Errorf("%s lets %v in", s.Sid, s.Principal)
			}
			if !slices.Equal(s.Condition["StringEquals"]["aws:SourceAccount"], []string{testAccount.ID}) {
				t.Errorf("%s is for every customer of AWS", s.Sid)
			}
			for _, action := range s.Action {
				if !slices.Contains([]string{"s3:GetBucketAcl", "s3:ListBucket", "s3:PutObject"}, action) {
					t.Errorf("%s allows %s", s.Sid, action)
				}
			}
			continue
		}
		if s.Principal != "*" {
			t.Errorf("%s denies %v only", s.Sid, s.Principal)
		}
		everything := slices.Equal(s.Action, []string{"s3:*"}) && slices.Equal(s.Resource, []string{bucket, objects})
		denied["TLS"] = denied["TLS"] || everything && slices.Equal(s.Condition["Bool"]["aws:SecureTransport"], []string{"false"})
		denied["old TLS"] = denied["old TLS"] || everything && slices.Equal(s.Condition["NumericLessThan"]["s3:TlsVersion"], []string{"1.2"})
		denied["bypass"] = denied["bypass"] || slices.Contains(s.Action, "s3:BypassGovernanceRetention") && slices.Contains(s.Resource, objects) && len(s.Condition) == 0
	}
	for _, what := range []string{"TLS", "old TLS", "bypass"} {
		if !denied[what] {
			t.Errorf("nothing is denied about %s", what)
		}
	}
}

func TestArchiveByChoice(t *testing.T) {
	args := testLogs()
	args.Archive = nil
	if n := len(newTestLogs(t, args).Of("BucketV2")); n != 0 {
		t.Errorf("%d buckets without being asked for", n)
	}
	args.Archive = &ArchiveArgs{Bucket: "own-name", Lock: LockGovernance, LockDays: 730}
	lock := newTestLogs(t, args).One(t, "BucketObjectLockConfigurationV2", "logs-archive-lock")
	retention := lock.Inputs["rule"].(map[string]any)["defaultRetention"].(map[string]any)
	if retention["mode"] != "GOVERNANCE" || retention["days"] != 730.0 {
		t.Errorf("retention %v", retention)
	}
	args.Archive = &ArchiveArgs{Lock: LockNone}
	args.Exceptions = []hostconfig.Exception{{Control: "M38/object-lock", Reason: "a test environment is taken down daily", Expires: time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}}
	c := newTestLogs(t, args)
	if c.One(t, "BucketV2", "logs-archive").Inputs["objectLockEnabled"] != false || len(c.Of("BucketObjectLockConfigurationV2")) != 0 {
		t.Error("an archive without lock has one")
	}
}

func TestLogsRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewLogs(ctx, "logs", &LogsArgs{Account: testAccount, Cluster: strings.Repeat("x", 33), RetentionDays: 100,
			Archive: &ArchiveArgs{Bucket: "With.Dots", Lock: "paper", LockDays: -1}})
		return err
	}, "cluster", "keyArn", "retentionDays", "archive.bucket", "archive.lock", "archive.lockDays")
	for field, weaken := range map[string]func(*LogsArgs){
		"tags[aws:x]":      func(a *LogsArgs) { a.Tags = map[string]string{"aws:x": "y", "team": "blue"} },
		"tags[team]":       func(a *LogsArgs) { a.Tags = map[string]string{"team": "<blue>"} },
		"tags[Name]":       func(a *LogsArgs) { a.Tags = map[string]string{"Name": "own"} },
		"retentionDays":    func(a *LogsArgs) { a.RetentionDays = 90 },
		"archive.lock":     func(a *LogsArgs) { a.Archive = &ArchiveArgs{Lock: LockNone} },
		"archive.lockDays": func(a *LogsArgs) { a.Archive = &ArchiveArgs{LockDays: 30} },
	} {
		args := testLogs()
		weaken(&args)
		if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{field}) {
			t.Errorf("%s: refused %v", field, got)
		}
	}
}

package gcp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testLogs() LogsArgs {
	return LogsArgs{Project: testProject, Cluster: "prod", KeyID: testKey, Archive: &ArchiveArgs{}}
}

func newTestLogs(t *testing.T, args LogsArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewLogs(ctx, "logs", &args); return err })
}

// M17: logs are kept for a year and not for Google's month.
func TestLogBucket(t *testing.T) {
	args := testLogs()
	c := newTestLogs(t, args)
	c.One(t, "ProjectBucketConfig", "logs").Wants(t, map[string]any{"project": "shop-prod", "location": "europe-west3", "bucketId": "prod", "retentionDays": 365, "cmekSettings": nil})
	sink := c.One(t, "ProjectSink", "logs")
	sink.Wants(t, map[string]any{"destination": "logging.googleapis.com/logs_id", "disabled": nil, "exclusions": nil, "uniqueWriterIdentity": true})
	args.EncryptBucket = true
	newTestLogs(t, args).One(t, "ProjectBucketConfig", "logs").Wants(t, map[string]any{"cmekSettings.kmsKeyName": string(testKey)})
}

// M33, M38: what is kept, told by the records themselves.
func TestSinksTakeEvidence(t *testing.T) {
	c := newTestLogs(t, testLogs())
	record := func(log, kind, cluster string) map[string]any {
		return map[string]any{"logName": "projects/shop-prod/logs/" + strings.ReplaceAll(log, "/", "%2F"), "resource": map[string]any{"type": kind, "labels": map[string]any{"cluster_name": cluster}}}
	}
	for _, each := range []struct {
		record       map[string]any
		kept, locked bool
	}{
		{record("cloudaudit.googleapis.com/activity", "k8s_cluster", "prod"), true, true},
		{record("cloudaudit.googleapis.com/data_access", "gcs_bucket", ""), true, true},
		{record("cloudaudit.googleapis.com/system_event", "gce_instance", ""), true, true},
		{record("cloudaudit.googleapis.com/policy", "project", ""), true, true},
		{record("compute.googleapis.com/vpc_flows", "gce_subnetwork", ""), true, true},
		{record("compute.googleapis.com/firewall", "gce_subnetwork", ""), true, true},
		{record("compute.googleapis.com/nat_flows", "nat_gateway", ""), true, true},
		{record("dns.googleapis.com/dns_queries", "dns_query", ""), true, true},
		{record("container.googleapis.com/apiserver", "k8s_control_plane_component", "prod"), true, true},
		{record("stdout", "k8s_container", "prod"), true, false},
		{record("stdout", "k8s_container", "other"), false, false},
		{record("syslog", "gce_instance", ""), false, false},
	} {
		for name, want := range map[string]bool{"logs": each.kept, "logs-archive": each.locked} {
			if got := selects(t, c.One(t, "ProjectSink", name).Text("filter"), each.record); got != want {
				t.Errorf("%s takes %v: %v, want %v", name, each.record, got, want)
			}
		}
	}
}

// M38: a lock that nobody lifts, the customer's key, and no public access; the
// sink writes and does nothing else.
func TestArchive(t *testing.T) {
	c := newTestLogs(t, testLogs())
	c.One(t, "Bucket", "logs-archive").Wants(t, map[string]any{
		"name": "prod-audit-shop-prod-europe-west3", "location": "EUROPE-WEST3", "forceDestroy": false, "uniformBucketLevelAccess": true, "publicAccessPrevention": "enforced",
		"encryption.defaultKmsKeyName": string(testKey), "retentionPolicy.isLocked": true, "retentionPolicy.retentionPeriod": 31536000, "versioning": nil, "lifecycleRules": nil,
	})
	c.One(t, "ProjectSink", "logs-archive").Wants(t, map[string]any{"destination": "storage.googleapis.com/prod-audit-shop-prod-europe-west3", "uniqueWriterIdentity": true, "disabled": nil})
	grants := c.Of("BucketIAMMember")
	if len(grants) != 1 {
		t.Fatalf("%d grants", len(grants))
	}
	grants[0].Wants(t, map[string]any{"role": "roles/storage.objectCreator", "member": "serviceAccount:logs-archive@gcp-sa-logging.iam.gserviceaccount.com", "bucket": "prod-audit-shop-prod-europe-west3"})
}

func TestArchiveByChoice(t *testing.T) {
	args := testLogs()
	args.Archive = nil
	if n := len(newTestLogs(t, args).Of("Bucket")); n != 0 {
		t.Errorf("%d buckets without being asked for", n)
	}
	args.Archive, args.Exceptions = &ArchiveArgs{Bucket: "own-name", Lock: LockNone, LockDays: 7}, excepted("M38/object-lock")
	newTestLogs(t, args).One(t, "Bucket", "logs-archive").Wants(t, map[string]any{"name": "own-name", "retentionPolicy.isLocked": false, "retentionPolicy.retentionPeriod": 604800})
}

// M17: by choice, who reads and writes data is recorded, of every service.
func TestDataAccessByChoice(t *testing.T) {
	args := testLogs()
	if n := len(newTestLogs(t, args).Of("IAMAuditConfig")); n != 0 {
		t.Errorf("%d without being asked for", n)
	}
	args.DataAccess = true
	newTestLogs(t, args).One(t, "IAMAuditConfig", "logs-data-access").Wants(t, map[string]any{"service": "allServices", "project": "shop-prod",
		"auditLogConfigs": []any{map[string]any{"logType": "ADMIN_READ"}, map[string]any{"logType": "DATA_READ"}, map[string]any{"logType": "DATA_WRITE"}}})
}

func TestLogsRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewLogs(ctx, "logs", &LogsArgs{Project: testProject, RetentionDays: 4000, Archive: &ArchiveArgs{Bucket: "With.Dots", Lock: "paper", LockDays: -1}})
		return err
	}, "cluster", "keyId", "retentionDays", "archive.bucket", "archive.lock", "archive.lockDays")
	for field, weaken := range map[string]func(*LogsArgs){
		"retentionDays":    func(a *LogsArgs) { a.RetentionDays = 90 },
		"archive.lock":     func(a *LogsArgs) { a.Archive = &ArchiveArgs{Lock: LockNone} },
		"archive.lockDays": func(a *LogsArgs) { a.Archive = &ArchiveArgs{LockDays: 30} },
		"archive.bucket":   func(a *LogsArgs) { a.Archive = &ArchiveArgs{Bucket: "my-google-logs"} },
		"labels[X]":        func(a *LogsArgs) { a.Labels = map[string]string{"X": ""} },
	} {
		args := testLogs()
		weaken(&args)
		if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{field}) {
			t.Errorf("%s: refused %v", field, got)
		}
	}
}

package gcp

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testDetection() DetectionArgs {
	return DetectionArgs{Project: testProject, Cluster: "prod", Channels: pulumi.StringArray{pulumi.String("projects/shop-prod/notificationChannels/123")},
		BreakGlassMembers: []string{"serviceAccount:emergency@shop-prod.iam.gserviceaccount.com"}}
}

// audit is a record of Cloud Audit Logs, with changes.
func audit(kind, who, method string, payload map[string]any) map[string]any {
	record := map[string]any{"methodName": method, "authenticationInfo": map[string]any{"principalEmail": who}}
	for key, value := range payload {
		record[key] = value
	}
	return map[string]any{"logName": "projects/shop-prod/logs/cloudaudit.googleapis.com%2Factivity", "protoPayload": record,
		"resource": map[string]any{"type": kind, "labels": map[string]any{"cluster_name": "prod", "location": "europe-west3", "email_id": payload["email"]}}}
}

func object(path string, value any) map[string]any {
	name, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return map[string]any{name: value}
	}
	return map[string]any{name: object(rest, value)}
}

const (
	person  = "mallory@example.com"
	refused = 7 // PERMISSION_DENIED
)

// happenings are records by the event that they are; those of "" are none.
func happenings() map[string][]map[string]any {
	refusal := object("status.code", refused)
	other := audit("k8s_cluster", person, "io.k8s.core.v1.pods.exec.create", nil)
	other["resource"].(map[string]any)["labels"].(map[string]any)["cluster_name"] = "other"
	return map[string][]map[string]any{
		"anonymous-access": {audit("k8s_cluster", "system:anonymous", "io.k8s.core.v1.configmaps.list", map[string]any{"resourceName": "core/v1/namespaces/default/configmaps"})},
		"pod-shell": {audit("k8s_cluster", person, "io.k8s.core.v1.pods.exec.create", nil), audit("k8s_cluster", person, "io.k8s.core.v1.pods.exec.get", refusal),
			audit("k8s_cluster", person, "io.k8s.core.v1.pods.attach.create", nil), audit("k8s_cluster", person, "io.k8s.core.v1.pods.portforward.create", nil)},
		"node-proxy":   {audit("k8s_cluster", person, "io.k8s.core.v1.nodes.proxy.get", nil)},
		"secrets-read": {audit("k8s_cluster", person, "io.k8s.core.v1.secrets.list", nil), audit("k8s_cluster", person, "io.k8s.core.v1.secrets.get", nil)},
		"cluster-admin-granted": {
			audit("k8s_cluster", person, "io.k8s.authorization.rbac.v1.clusterrolebindings.create", object("request.roleRef.name", "cluster-admin")),
			audit("k8s_cluster", person, "io.k8s.authorization.rbac.v1.rolebindings.patch", object("response.roleRef.name", "cluster-admin"))},
		"guardrail-deleted": {audit("k8s_cluster", person, "io.k8s.admissionregistration.v1.validatingadmissionpolicybindings.delete", nil)},
		"keys-changed": {audit("cloudkms_cryptokeyversion", person, "DestroyCryptoKeyVersion", object("serviceName", "cloudkms.googleapis.com")),
			audit("cloudkms_cryptokeyversion", person, "UpdateCryptoKeyVersion", object("serviceName", "cloudkms.googleapis.com"))},
		"iam-changed": {audit("project", person, "SetIamPolicy", object("serviceData.policyDelta.bindingDeltas", []any{object("action", "ADD")}))},
		"cluster-changed": {audit("gke_cluster", person, "google.container.v1.ClusterManager.UpdateCluster", nil), audit("gke_cluster", person, "google.container.v1beta1.ClusterManager.SetLegacyAbac", nil),
			audit("gke_nodepool", person, "google.container.v1.ClusterManager.CreateNodePool", nil)},
		"audit-changed":               {audit("project", person, "SetIamPolicy", object("serviceData.policyDelta.auditConfigDeltas", []any{object("action", "REMOVE")}))},
		"logs-changed":                {audit("logging_sink", person, "google.logging.v2.ConfigServiceV2.DeleteSink", nil), audit("audited_resource", person, "google.logging.v2.ConfigServiceV2.UpdateBucket", nil)},
		"alarms-changed":              {audit("audited_resource", person, "google.monitoring.v3.AlertPolicyService.DeleteAlertPolicy", nil), audit("metric", person, "google.logging.v2.MetricsServiceV2.UpdateLogMetric", nil)},
		"firewall-changed":            {audit("gce_firewall_rule", person, "v1.compute.firewalls.insert", nil), audit("gce_firewall_rule", person, "beta.compute.firewalls.patch", nil)},
		"networks-changed":            {audit("gce_route", person, "v1.compute.routes.insert", nil), audit("gce_network", person, "v1.compute.networks.addPeering", nil)},
		"buckets-changed":             {audit("gcs_bucket", person, "storage.setIamPermissions", nil)},
		"service-account-key-created": {audit("service_account", person, "google.iam.admin.v1.CreateServiceAccountKey", nil)},
		"break-glass-used": {audit("gke_cluster", "emergency@shop-prod.iam.gserviceaccount.com", "google.container.v1.ClusterManager.GetCluster", nil),
			audit("service_account", person, "GenerateAccessToken", map[string]any{"serviceName": "iamcredentials.googleapis.com", "email": "emergency@shop-prod.iam.gserviceaccount.com"})},
		"": {
			audit("k8s_cluster", "system:anonymous", "io.k8s.get", map[string]any{"resourceName": "readyz"}),
			audit("k8s_cluster", "system:anonymous", "io.k8s.core.v1.secrets.list", refusal),
			audit("k8s_cluster", person, "io.k8s.core.v1.pods.create", nil), other,
			audit("k8s_cluster", "system:serviceaccount:kube-system:token-cleaner", "io.k8s.core.v1.secrets.list", nil),
			audit("k8s_cluster", "service-123456789012@container-engine-robot.iam.gserviceaccount.com", "io.k8s.core.v1.secrets.get", nil),
			audit("k8s_cluster", person, "io.k8s.authorization.rbac.v1.rolebindings.create", object("request.roleRef.name", "view")),
			audit("project", person, "GetIamPolicy", nil), audit("project", person, "SetIamPolicy", refusal),
			audit("gke_cluster", person, "google.container.v1.ClusterManager.GetCluster", nil),
			audit("cloudkms_cryptokey", person, "GetCryptoKey", object("serviceName", "cloudkms.googleapis.com")),
			audit("service_account", person, "google.iam.admin.v1.CreateServiceAccount", nil),
			audit("service_account", person, "GenerateAccessToken", map[string]any{"serviceName": "iamcredentials.googleapis.com", "email": "automation@shop-prod.iam.gserviceaccount.com"}),
		},
	}
}

// M39: each thing that happens raises its own alarm, and no other; what is
// ordinary raises none.
func TestEventsAreDetected(t *testing.T) {
	args := testDetection()
	c := run(t, func(ctx *pulumi.Context) error { _, err := NewDetection(ctx, "watch", &args); return err })
	records := happenings()
	for _, e := range args.events() {
		metric, alert := c.One(t, "Metric", "watch-"+e.name), c.One(t, "AlertPolicy", "watch-"+e.name)
		if len(records[e.name]) == 0 {
			t.Errorf("no record shows %s", e.name)
		}
		for happening, all := range records {
			for _, record := range all {
				for _, filter := range []string{metric.Text("filter"), alert.At("conditions.conditionMatchedLog.filter").(string)} {
					if selects(t, filter, record) != (happening == e.name) {
						t.Errorf("%s and %q: %v", e.name, happening, record)
					}
				}
			}
		}
	}
}

func TestAlerts(t *testing.T) {
	args := testDetection()
	c := run(t, func(ctx *pulumi.Context) error { _, err := NewDetection(ctx, "watch", &args); return err })
	if n := len(args.events()); n < 17 || len(c.Of("Metric")) != n || len(c.Of("AlertPolicy")) != n {
		t.Errorf("%d events, %d metrics, %d alerts", n, len(c.Of("Metric")), len(c.Of("AlertPolicy")))
	}
	c.One(t, "Metric", "watch-pod-shell").Wants(t, map[string]any{"name": "prod-pod-shell", "metricDescriptor.metricKind": "DELTA", "metricDescriptor.valueType": "INT64",
		"metricDescriptor.labels.key": "who", "labelExtractors.who": "EXTRACT(protoPayload.authenticationInfo.principalEmail)", "disabled": nil})
	for _, r := range c.Of("AlertPolicy") {
		r.Wants(t, map[string]any{"enabled": true, "combiner": "OR", "notificationChannels": []any{"projects/shop-prod/notificationChannels/123"}, "alertStrategy.notificationRateLimit.period": "300s"})
		if text, _ := r.At("documentation.content").(string); !strings.Contains(text, "M39") {
			t.Errorf("%s says nothing: %q", r.Name, text)
		}
	}
	c.One(t, "AlertPolicy", "watch-break-glass-used").Wants(t, map[string]any{"severity": "CRITICAL"})
	c.One(t, "AlertPolicy", "watch-iam-changed").Wants(t, map[string]any{"severity": "WARNING"})
	if n := len(c.Of("NotificationChannel")); n != 0 {
		t.Errorf("%d channels without addresses", n)
	}
	names := map[string]bool{}
	for _, e := range args.events() {
		if names[e.name] || e.reason == "" || !strings.HasPrefix(e.controls, "M39") || e.source == "" {
			t.Errorf("%+v", e)
		}
		names[e.name] = true
	}
	// An alarm is left out only where somebody accepts that.
	args.Without, args.Exceptions = []string{"iam-changed"}, excepted("M39/alarms")
	c = run(t, func(ctx *pulumi.Context) error { _, err := NewDetection(ctx, "watch", &args); return err })
	if slices.ContainsFunc(c.Of("AlertPolicy"), func(r mocks.Resource) bool { return r.Name == "watch-iam-changed" }) {
		t.Error("iam-changed is there")
	}
}

// Addresses get channels of their own, beside those that are there.
func TestEmails(t *testing.T) {
	args := testDetection()
	args.Emails = []string{"security@example.com"}
	c := run(t, func(ctx *pulumi.Context) error { _, err := NewDetection(ctx, "watch", &args); return err })
	c.One(t, "NotificationChannel", "watch-email-0").Wants(t, map[string]any{"type": "email", "labels.email_address": "security@example.com", "enabled": true})
	c.One(t, "AlertPolicy", "watch-pod-shell").Wants(t, map[string]any{"notificationChannels": []any{"projects/shop-prod/notificationChannels/123", "watch-email-0_id"}})
	args.Channels = nil
	c = run(t, func(ctx *pulumi.Context) error { _, err := NewDetection(ctx, "watch", &args); return err })
	c.One(t, "AlertPolicy", "watch-pod-shell").Wants(t, map[string]any{"notificationChannels": []any{"watch-email-0_id"}})
}

// M38: an archive that gets nothing is told of.
func TestSilentArchive(t *testing.T) {
	args := testDetection()
	args.Archive = true
	c := run(t, func(ctx *pulumi.Context) error { _, err := NewDetection(ctx, "watch", &args); return err })
	silent := c.One(t, "AlertPolicy", "watch-archive-silent")
	silent.Wants(t, map[string]any{"severity": "CRITICAL", "conditions.conditionAbsent.duration": "3600s", "alertStrategy.notificationRateLimit": nil,
		"conditions.conditionAbsent.filter": `metric.type="logging.googleapis.com/exports/log_entry_count" AND resource.type="logging_sink" AND resource.labels.name="prod-archive"`})
	sink := newTestLogs(t, testLogs()).One(t, "ProjectSink", "logs-archive")
	if !strings.Contains(silent.At("conditions.conditionAbsent.filter").(string), `"`+sink.Text("name")+`"`) {
		t.Errorf("the alarm is about another sink than %s", sink.Text("name"))
	}
}

func TestDetectionRefusals(t *testing.T) {
	refuse := func(a DetectionArgs, want ...string) {
		t.Helper()
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewDetection(ctx, "watch", &a); return err }, want...)
	}
	refuse(DetectionArgs{Project: testProject}, "cluster", "channels")
	args := testDetection()
	args.Channels = pulumi.StringArray{}
	refuse(args, "channels")
	args = testDetection()
	args.Channels, args.BreakGlassMembers, args.Without = pulumi.StringArray{pulumi.String("me@example.com")}, []string{"group:a@example.com"}, []string{"pod-shell", "no-event"}
	args.Emails = []string{"a@example.com", "a@example.com", "nobody"}
	refuse(args, "channels[0]", "emails[1]", "emails[2]", "breakGlassMembers[0]", "without[0]", "without[1]")
}

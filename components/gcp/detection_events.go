package gcp

import (
	"fmt"
	"strings"
)

// event is something that people should hear of.
type event struct {
	// name is, after the cluster's, that of the metric and of the alert.
	name string
	// filter is in the language of Cloud Logging.
	// https://cloud.google.com/logging/docs/view/logging-query-language
	filter string
	// critical events are answered at once; the others on the same day.
	critical bool
	// reason is why somebody should look; controls are the rows it stands for.
	reason, controls string
	// source is where the record is described.
	source string
}

const (
	cisGCP  = "CIS Google Cloud Platform Foundation Benchmark 3.0.0, section 2"
	gkeLogs = "https://cloud.google.com/kubernetes-engine/docs/how-to/audit-logging"
	nsaLogs = "NSA/CISA Kubernetes Hardening Guide 1.2, threat detection"
	kmsLogs = "https://cloud.google.com/kms/docs/audit-logging"
	iamLogs = "https://cloud.google.com/iam/docs/audit-logging"
)

// all joins conditions, and anyOf alternatives: AND binds closer than OR.
func all(conditions ...string) string { return strings.Join(conditions, " AND ") }

func anyOf(field string, values ...string) string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%s=(%s)", field, strings.Join(quoted, " OR "))
}

const (
	method = "protoPayload.methodName"
	caller = "protoPayload.authenticationInfo.principalEmail"
	// succeeded: a record of something that was refused has a status.
	succeeded = `NOT protoPayload.status.code>0`
	// people excludes what Kubernetes and GKE do themselves.
	people = `NOT ` + caller + `=~"^system:" AND NOT ` + caller + `=~"@container-engine-robot\.iam\.gserviceaccount\.com$"`
)

// clusterEvents are seen in what the API server of one cluster records. The
// records of reading are there where [LogsArgs] has DataAccess.
func clusterEvents(project Project, cluster string) []event {
	ours := all(`resource.type="k8s_cluster"`, fmt.Sprintf("resource.labels.cluster_name=%q", cluster), fmt.Sprintf("resource.labels.location=%q", project.Region))
	return []event{
		{name: "anonymous-access", critical: true, controls: "M39 M20", source: gkeLogs, reason: "somebody without a name was answered: a binding lets everybody in",
			filter: all(ours, caller+`="system:anonymous"`, succeeded, `NOT protoPayload.resourceName=~"^(healthz|livez|readyz|version)"`)},
		{name: "pod-shell", critical: true, controls: "M39 M29", source: gkeLogs, reason: "somebody went into a running pod, or tried to",
			filter: all(ours, method+`=~"^io\.k8s\.core\.v1\.pods\.(exec|attach|portforward|ephemeralcontainers)\."`)},
		{name: "node-proxy", critical: true, controls: "M39 M29", source: nsaLogs,
			reason: "somebody went through the API server to a kubelet, which runs commands in pods without a record of its own",
			filter: all(ours, method+`=~"^io\.k8s\.core\.v1\.nodes\.proxy\."`)},
		{name: "secrets-read", controls: "M39 M18", source: gkeLogs, reason: "a person, or automation with a person's access, read secrets",
			filter: all(ours, method+`=~"^io\.k8s\.core\.v1\.secrets\.(get|list|watch)$"`, succeeded, people)},
		{name: "cluster-admin-granted", critical: true, controls: "M39 M20", source: nsaLogs,
			reason: "somebody was made the administrator of a cluster or a namespace, or a binding to that role was changed",
			filter: all(ours, method+`=~"^io\.k8s\.authorization\.rbac\.v1\.(clusterrolebindings|rolebindings)\.(create|update|patch)$"`, succeeded,
				`(protoPayload.request.roleRef.name="cluster-admin" OR protoPayload.response.roleRef.name="cluster-admin")`)},
		{name: "guardrail-deleted", critical: true, controls: "M39 M25", source: nsaLogs, reason: "a policy of admission was removed",
			filter: all(ours, method+`=~"^io\.k8s\.admissionregistration\.v1\..*\.(delete|deletecollection)$"`, succeeded, people)},
	}
}

// projectEvents are seen in what Google records of the project.
var projectEvents = []event{
	{name: "keys-changed", critical: true, controls: "M39 M18", source: kmsLogs, reason: "a key was disabled or is to be destroyed: what it encrypts is lost with it",
		filter: all(`protoPayload.serviceName="cloudkms.googleapis.com"`, anyOf(method, "DestroyCryptoKeyVersion", "UpdateCryptoKeyVersion", "UpdateCryptoKeyPrimaryVersion"), succeeded)},
	{name: "iam-changed", controls: "M39 M20", source: iamLogs, reason: "who may do what in the project was changed",
		filter: all(`resource.type="project"`, method+`="SetIamPolicy"`, anyOf("protoPayload.serviceData.policyDelta.bindingDeltas.action", "ADD", "REMOVE"), succeeded)},
	{name: "cluster-changed", critical: true, controls: "M39 M11", source: gkeLogs, reason: "the settings of a cluster or of nodes were changed, past its stack perhaps",
		filter: all(anyOf("resource.type", "gke_cluster", "gke_nodepool"), method+`=~"^google\.container\.v1[a-z0-9]*\.ClusterManager\.(Create|Update|Set|Delete)"`, succeeded)},
	{name: "audit-changed", critical: true, controls: "M39 M17", source: cisGCP + ", 2.5", reason: "what is recorded was changed",
		filter: all(`resource.type="project"`, method+`="SetIamPolicy"`, `protoPayload.serviceData.policyDelta.auditConfigDeltas:*`, succeeded)},
	{name: "logs-changed", critical: true, controls: "M39 M38", source: "https://cloud.google.com/logging/docs/audit", reason: "where logs go, or for how long, was changed",
		filter: all(method+`=~"^google\.logging\.v2\.ConfigServiceV2\.(Create|Update|Delete)(Sink|Bucket|Exclusion|View)"`, succeeded)},
	{name: "alarms-changed", critical: true, controls: "M39", source: "https://cloud.google.com/monitoring/audit-logging", reason: "an alarm, or what it counts, was changed",
		filter: all(`(`+method+`=~"^google\.monitoring\.v3\.(AlertPolicyService\.(Update|Delete)AlertPolicy|NotificationChannelService\.(Update|Delete)NotificationChannel)$" OR `+
			method+`=~"^google\.logging\.v2\.MetricsServiceV2\.(Update|Delete)LogMetric$")`, succeeded)},
	{name: "firewall-changed", critical: true, controls: "M39 M08", source: cisGCP + ", 2.7", reason: "what the network lets through was changed",
		filter: all(`resource.type="gce_firewall_rule"`, method+`=~"\.compute\.firewalls\.(insert|patch|update|delete)$"`, succeeded)},
	{name: "networks-changed", controls: "M39 M07", source: cisGCP + ", 2.8 and 2.9", reason: "a network or a way out of it was changed",
		filter: all(anyOf("resource.type", "gce_network", "gce_route", "gce_router", "gce_subnetwork"),
			method+`=~"\.compute\.(networks|routes|routers|subnetworks)\.(insert|patch|update|delete|addPeering|removePeering)$"`, succeeded)},
	{name: "buckets-changed", controls: "M39 M38", source: cisGCP + ", 2.10", reason: "who may do what with a bucket, the archive perhaps, was changed",
		filter: all(`resource.type="gcs_bucket"`, anyOf(method, "storage.setIamPermissions", "storage.buckets.update", "storage.buckets.delete"), succeeded)},
	{name: "service-account-key-created", critical: true, controls: "M39 M34", source: iamLogs, reason: "a credential was made that does not expire",
		filter: all(`resource.type="service_account"`, method+`="google.iam.admin.v1.CreateServiceAccountKey"`, succeeded)},
}

// breakGlassEvent is the use of the way in for emergencies, anywhere: by the
// account itself, or by who becomes it.
// https://cloud.google.com/iam/docs/audit-logging/examples-service-accounts
func breakGlassEvent(emails []string) event {
	return event{name: "break-glass-used", critical: true, controls: "M39 M41", source: iamLogs, reason: "the way in for emergencies was used",
		filter: "(" + anyOf(caller, emails...) + " OR (" + all(`protoPayload.serviceName="iamcredentials.googleapis.com"`, anyOf("resource.labels.email_id", emails...)) + "))"}
}

package gcpflatcar_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	. "github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

const (
	firewalls = "gcp:compute/firewall:Firewall"
	rules     = "gcp:compute/forwardingRule:ForwardingRule"
	checksOf  = "gcp:compute/regionHealthCheck:RegionHealthCheck"
	services  = "gcp:compute/regionBackendService:RegionBackendService"
	subnets   = "gcp:compute/subnetwork:Subnetwork"
	buckets   = "gcp:storage/bucket:Bucket"
	bindings  = "gcp:storage/bucketIAMMember:BucketIAMMember"
	keyUsers  = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
	custom    = "gcp:projects/iAMCustomRole:IAMCustomRole"
	project   = "gcp:projects/iAMMember:IAMMember"

	planes = "10.66.64.0/28"
)

// opens says that a rule lets a port in from a range that is not one of some.
func opens(w World, port string, but ...string) (wrong []string) {
	found := false
	for _, o := range w.Of(firewalls) {
		if o.State.String("direction") != "INGRESS" || o.State.Bool("disabled") {
			continue
		}
		for _, allow := range o.State.List("allows") {
			ports := allow.Strings("ports")
			if allow.String("protocol") != "all" && (allow.String("protocol") != "tcp" || len(ports) > 0 && !slices.Contains(ports, port)) {
				continue
			}
			found = true
			for _, from := range o.State.Strings("sourceRanges") {
				if !slices.Contains(but, from) {
					wrong = append(wrong, o.ID+" lets "+from+" in")
				}
			}
		}
	}
	if !found && len(but) > 0 {
		wrong = append(wrong, "no rule is about the port "+port)
	}
	return wrong
}

func named(part string) func(simcloud.Values) bool {
	return func(v simcloud.Values) bool {
		return strings.Contains(v.String("name")+" "+v.String("bucket")+" "+v.String("member")+" "+v.String("role"), part)
	}
}

// without wants words to be nowhere in a property.
func without(path string, words ...string) Judge {
	return func(v simcloud.Values) string {
		for _, word := range words {
			if strings.Contains(v.String(path), word) {
				return path + " has " + word
			}
		}
		return ""
	}
}

// isolatedTaint is the taint as Ignition writes what a kubelet registers with.
const isolatedTaint = "effect%3A%20NoSchedule%0A%20%20key%3A%20redoubt.dev%2Fisolation%0A%20%20value%3A%20payments"

func customerKey(path string) Judge { return Holds(path, "/cryptoKeys/gcp-flatcar-") }

// shut are the ways past the cluster that metadata keeps shut.
func shut() []Judge {
	return []Judge{Is("metadata.block-project-ssh-keys", "TRUE"), Is("metadata.enable-oslogin", "FALSE"), Is("metadata.serial-port-enable", "FALSE"), Empty("metadata.ssh-keys"),
		Empty("networkInterfaces[0].accessConfigs"), Is("canIpForward", false)}
}

func shielded() []Judge {
	return []Judge{Is("shieldedInstanceConfig.enableSecureBoot", true), Is("shieldedInstanceConfig.enableVtpm", true), Is("shieldedInstanceConfig.enableIntegrityMonitoring", true)}
}

// ofWorkers tells that a binding is the one to delete workers, and names them.
func ofWorkers(v simcloud.Values) bool {
	where := v.String("condition.expression")
	return strings.HasSuffix(v.String("role"), "_replacement") && strings.Contains(where, `extract("/instances/{name}-control-plane-") == ""`) && strings.Contains(where, `.startsWith("gcp-flatcar-general-")`)
}

var checks = []Check{
	{IDs: []string{"M13"}, About: "etcd answers control planes alone", Wrong: func(w World) []string {
		return append(opens(w, "2379", planes), opens(w, "2380", planes)...)
	}},
	{IDs: []string{"M08", "M14"}, About: "the API is for machines, operators and health checks", Wrong: func(w World) []string {
		return opens(w, "6443", planes, "10.66.0.0/19", "10.200.16.0/24", "35.191.0.0/16", "130.211.0.0/22")
	}},
	{IDs: []string{"M12", "M14"}, About: "the API is inside the network", Wrong: All(
		Each(rules, Is("loadBalancingScheme", "INTERNAL"), Is("allowGlobalAccess", false), Is("ipAddress", "10.66.64.2")),
		Each(services, Is("loadBalancingScheme", "INTERNAL"), Holds("healthChecks", "/healthChecks/")), Each(checksOf, Is("httpsHealthCheck.requestPath", "/readyz"), Is("httpsHealthCheck.port", 6443)))},
	{IDs: []string{"M07", "M33"}, About: "control planes reach Google's interfaces without the internet, and every flow is recorded", Wrong: Each(subnets,
		Is("privateIpGoogleAccess", true), Is("logConfig.flowSampling", 1), Is("logConfig.metadata", "INCLUDE_ALL_METADATA"))},
	{IDs: []string{"M19"}, About: "every disk is under a customer key", Wrong: All(
		Each(disks, customerKey("diskEncryptionKey.kmsKeySelfLink")), Each(instances, customerKey("bootDisk.kmsKeySelfLink")), Each(templates, customerKey("disks[0].diskEncryptionKey.kmsKeySelfLink")))},
	{IDs: []string{"M03", "M09"}, About: "nobody logs in", Wrong: All(Each(instances, shut()...), Each(templates, shut()...), func(w World) []string { return opens(w, "22") })},
	{IDs: []string{"M02"}, About: "machines boot what is signed, and what they booted is measured", Wrong: All(Each(instances, shielded()...), Each(templates, shielded()...))},
	{IDs: []string{"M20"}, About: "machines run as accounts of their own, which see machines and delete workers at most", Wrong: All(
		Each(instances, Is("serviceAccount.email", "gcp-flatcar-control@redoubt-self-4713.iam.gserviceaccount.com")), Each(templates, Holds("serviceAccount.email", "gcp-flatcar-w-")),
		Each(custom, func(v simcloud.Values) string {
			for _, each := range v.Strings("permissions") {
				if !strings.HasSuffix(each, ".get") && !strings.HasSuffix(each, ".list") && (each != "compute.instances.delete" || v.String("roleId") != "gcp_flatcar_replacement") {
					return each
				}
			}
			return ""
		}),
		Each(project, func(v simcloud.Values) string {
			if strings.Contains(v.String("member"), "gcp-flatcar-w-") || strings.Contains(v.String("member"), "gcp-flatcar-control") && !strings.HasSuffix(v.String("role"), "_control_plane") && !ofWorkers(v) {
				return v.String("member") + " has " + v.String("role") + " in the project"
			}
			return ""
		}))},
	{IDs: []string{"M18"}, About: "only control planes use the key of secrets", Wrong: Each(keyUsers, func(v simcloud.Values) string {
		if strings.HasSuffix(v.String("cryptoKeyId"), "-secrets-g1") != (v.String("member") == "serviceAccount:gcp-flatcar-control@redoubt-self-4713.iam.gserviceaccount.com") {
			return v.String("member")
		}
		return ""
	})},
	{IDs: []string{"M18"}, About: "the store is private, encrypted, and keeps what was", Wrong: Some(buckets, named("-store-"),
		Is("uniformBucketLevelAccess", true), Is("publicAccessPrevention", "enforced"), Is("versioning.enabled", true), Is("forceDestroy", false), Holds("encryption.defaultKmsKeyName", "-store-g1"))},
	{IDs: []string{"M20"}, About: "who reads the store reads its part of it", Wrong: Some(bindings, named("-store-"), Holds("condition.expression", "resource.name"))},
	{IDs: []string{"M38"}, About: "copies of etcd outlive a break-in", Wrong: All(
		Some(buckets, named("-etcd-"), Is("retentionPolicy.isLocked", true), Least("retentionPolicy.retentionPeriod", 30*86400), Is("publicAccessPrevention", "enforced"), Is("forceDestroy", false),
			Holds("encryption.defaultKmsKeyName", "-snapshots-g1")),
		Some(bindings, named("-etcd-"), func(v simcloud.Values) string {
			if role := v.String("role"); role != "roles/storage.objectViewer" && role != "roles/storage.objectCreator" {
				return role
			}
			return ""
		}))},
	{IDs: []string{"M17", "M38"}, About: "what the API servers record outlives a break-in, and is read by no machine", Wrong: All(
		Some(buckets, named("-apilog-"), Is("retentionPolicy.isLocked", true), Least("retentionPolicy.retentionPeriod", 365*86400), Is("publicAccessPrevention", "enforced"), Is("forceDestroy", false),
			Holds("encryption.defaultKmsKeyName", "-audit-log-g1")),
		Some(bindings, named("-apilog-"), func(v simcloud.Values) string {
			adds := v.String("role") == "roles/storage.objectCreator" && strings.Contains(v.String("condition.expression"), "-europe-west3/objects/audit/")
			lists := v.String("role") == "roles/storage.objectViewer" && strings.HasPrefix(v.String("condition.expression"), "resource.name == ") && strings.HasSuffix(v.String("condition.expression"), "-europe-west3\"")
			if !adds && !lists {
				return v.String("role") + " where " + v.String("condition.expression")
			}
			return ""
		}))},
	{IDs: []string{"M05"}, About: "workers are replaced, new ones first", Wrong: Each(groups, Is("updatePolicy.type", "PROACTIVE"), Is("updatePolicy.minimalAction", "REPLACE"),
		Is("updatePolicy.maxUnavailableFixed", 0), Least("updatePolicy.maxSurgeFixed", 3), Is("waitForInstances", true), Is("instanceLifecyclePolicy.forceUpdateOnRepair", "YES"), Is("instanceLifecyclePolicy.defaultActionOnFailure", "REPAIR"))},
	{IDs: []string{"M24"}, About: "an isolated pool is for those who ask for it", Wrong: Some(objects, named("workers/isolated/"), Holds("content", isolatedTaint))},
	{IDs: []string{"M34"}, About: "no machine is handed a credential", Wrong: All(Each(instances, without("metadata.user-data", "PRIVATE KEY", "token")),
		Each(templates, without("metadata.user-data", "PRIVATE KEY", "token")), Some(objects, named("workers/"), without("content", "PRIVATE KEY", "token-secret")))},
}

var mutants = map[string][]Mutant{
	"etcd answers control planes alone": {
		Added(firewalls, simcloud.Values{"direction": "INGRESS", "sourceRanges": []any{"10.66.0.0/19"}, "allows": []any{map[string]any{"protocol": "tcp", "ports": []any{"2379"}}}}),
		Added(firewalls, simcloud.Values{"direction": "INGRESS", "sourceRanges": []any{"10.0.0.0/8"}, "allows": []any{map[string]any{"protocol": "all"}}}), Gone("Firewall", "-etcd-peer-in")},
	"the API is for machines, operators and health checks": {SetOf("Firewall", "-operators-api-in", "sourceRanges", []any{"10.200.0.0/16"}), SetOf("Firewall", "-workers-api-in", "sourceRanges", []any{"0.0.0.0/0"})},
	"the API is inside the network": {Set("ForwardingRule", "loadBalancingScheme", "EXTERNAL"), Set("ForwardingRule", "allowGlobalAccess", true), Set("RegionBackendService", "healthChecks", nil),
		Set("RegionHealthCheck", "httpsHealthCheck.requestPath", "/"), Gone("ForwardingRule", "")},
	"control planes reach Google's interfaces without the internet, and every flow is recorded": {SetOf("Subnetwork", "-control-plane", "privateIpGoogleAccess", false), SetOf("Subnetwork", "-control-plane", "logConfig", nil)},
	"every disk is under a customer key": {Without("Disk", "diskEncryptionKey"), Without("Instance", "bootDisk.kmsKeySelfLink"), Set("InstanceTemplate", "disks[0].diskEncryptionKey", nil)},
	"nobody logs in": {Set("Instance", "metadata.ssh-keys", "me:ssh-ed25519 AAAA"), Set("InstanceTemplate", "metadata.block-project-ssh-keys", "FALSE"), Set("Instance", "metadata.serial-port-enable", "TRUE"),
		Set("InstanceTemplate", "networkInterfaces[0].accessConfigs", []any{map[string]any{}}), Set("Instance", "metadata.enable-oslogin", "TRUE"),
		Added(firewalls, simcloud.Values{"direction": "INGRESS", "sourceRanges": []any{"35.235.240.0/20"}, "allows": []any{map[string]any{"protocol": "tcp", "ports": []any{"22"}}}})},
	"machines boot what is signed, and what they booted is measured": {Set("Instance", "shieldedInstanceConfig.enableSecureBoot", false), Without("InstanceTemplate", "shieldedInstanceConfig"),
		Set("Instance", "shieldedInstanceConfig.enableVtpm", false), Set("InstanceTemplate", "shieldedInstanceConfig.enableIntegrityMonitoring", false)},
	"machines run as accounts of their own, which see machines and delete workers at most": {Set("Instance", "serviceAccount.email", "471300000001-compute@developer.gserviceaccount.com"), Without("InstanceTemplate", "serviceAccount"),
		Set("IAMCustomRole", "permissions", []any{"compute.instances.setMetadata"}), Added(project, simcloud.Values{"member": "serviceAccount:gcp-flatcar-w-general@redoubt-self-4713.iam.gserviceaccount.com", "role": "roles/storage.objectViewer"}),
		Added(project, simcloud.Values{"member": "serviceAccount:gcp-flatcar-control@redoubt-self-4713.iam.gserviceaccount.com", "role": "roles/compute.viewer"}),
		SetOf("IAMCustomRole", "_control_plane", "permissions", []any{"compute.instances.list", "compute.instances.delete"}), SetOf("IAMMember", "replaces workers", "condition", nil)},
	"only control planes use the key of secrets": {SetOf("CryptoKeyIAMMember", "-secrets-g1/", "member", "serviceAccount:service-471300000001@container-engine-robot.iam.gserviceaccount.com"),
		SetOf("CryptoKeyIAMMember", "-disks-g1/", "member", "serviceAccount:gcp-flatcar-control@redoubt-self-4713.iam.gserviceaccount.com")},
	"the store is private, encrypted, and keeps what was": {SetOf("Bucket", "-store-", "publicAccessPrevention", "inherited"), SetOf("Bucket", "-store-", "versioning", nil), SetOf("Bucket", "-store-", "encryption", nil),
		SetOf("Bucket", "-store-", "uniformBucketLevelAccess", false), SetOf("Bucket", "-store-", "forceDestroy", true)},
	"who reads the store reads its part of it": {Without("BucketIAMMember", "condition")},
	"copies of etcd outlive a break-in": {SetOf("Bucket", "-etcd-", "retentionPolicy.isLocked", false), SetOf("Bucket", "-etcd-", "retentionPolicy.retentionPeriod", 86400), SetOf("BucketIAMMember", "-etcd-", "role", "roles/storage.objectAdmin"),
		SetOf("Bucket", "-etcd-", "encryption", nil)},
	"what the API servers record outlives a break-in, and is read by no machine": {SetOf("Bucket", "-apilog-", "retentionPolicy.isLocked", false),
		SetOf("Bucket", "-apilog-", "retentionPolicy.retentionPeriod", 86400), SetOf("Bucket", "-apilog-", "encryption", nil), SetOf("BucketIAMMember", "-apilog-", "role", "roles/storage.objectAdmin"),
		SetOf("BucketIAMMember", "-apilog-", "condition", nil)},
	"workers are replaced, new ones first": {Set("RegionInstanceGroupManager", "updatePolicy.type", "OPPORTUNISTIC"), Set("RegionInstanceGroupManager", "updatePolicy.maxUnavailableFixed", 3),
		Without("RegionInstanceGroupManager", "updatePolicy"), Set("RegionInstanceGroupManager", "waitForInstances", false),
		Set("RegionInstanceGroupManager", "instanceLifecyclePolicy.defaultActionOnFailure", "DO_NOTHING")},
	"an isolated pool is for those who ask for it": {SetOf("BucketObject", "workers/isolated", "content", [2]string{isolatedTaint, ""})},
	"no machine is handed a credential": {Set("Instance", "metadata.user-data", "-----BEGIN EC PRIVATE KEY-----"), Set("InstanceTemplate", "metadata.user-data", "-----BEGIN EC PRIVATE KEY-----"),
		SetOf("BucketObject", "workers/general", "content", "-----BEGIN EC PRIVATE KEY-----")},
}

// Every control is upheld by what exists, and the absence of each is seen (M45).
func TestControls(t *testing.T) {
	w := up(t)
	Prove(t, w.Cloud.Objects(), checks, mutants, []string{"M02", "M03", "M05", "M07", "M08", "M09", "M12", "M13", "M14", "M18", "M19", "M20", "M24", "M33", "M34", "M38"})
}

package controls

import (
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

const (
	day     = 86400
	archive = "storage.googleapis.com/"
)

var data = []judge.Check{
	{IDs: []string{"M18"}, About: "keys are kept in hardware, rotate within a year, and a destroyed one can be brought back for a month",
		Wrong: judge.Each(keyType, judge.Is("versionTemplate.protectionLevel", "HSM"), seconds("rotationPeriod", day, year*day), seconds("destroyScheduledDuration", 30*day, 120*day))},
	{IDs: []string{"M18"}, About: "the key of secrets encrypts nothing else, and only GKE uses it", Wrong: secretsKey},
	{IDs: []string{"M18"}, About: "only accounts with which Google acts use keys", Wrong: judge.Each(keyMemberType, judge.Is("role", "roles/cloudkms.cryptoKeyEncrypterDecrypter"), func(v simcloud.Values) string {
		if !strings.HasPrefix(v.String("member"), "serviceAccount:service-") {
			return v.String("member") + " encrypts and decrypts"
		}
		return ""
	})},
	{IDs: []string{"M17"}, About: "who reads and writes data is recorded, everywhere", Wrong: judge.Each(auditType, judge.Is("service", "allServices"), func(v simcloud.Values) string {
		var kinds []string
		for _, each := range v.List("auditLogConfigs") {
			kinds = append(kinds, each.String("logType"))
			if len(each.Strings("exemptedMembers")) > 0 {
				return "somebody is exempted"
			}
		}
		for _, want := range []string{"ADMIN_READ", "DATA_READ", "DATA_WRITE"} {
			if !slices.Contains(kinds, want) {
				return "no " + want
			}
		}
		return ""
	})},
	{IDs: []string{"M17"}, About: "logs are kept for a year", Wrong: judge.All(judge.Each(logBucketType, judge.Between("retentionDays", year, 10*year)), judge.Some(sinkType, func(v simcloud.Values) bool {
		return strings.HasPrefix(v.String("destination"), "logging.googleapis.com/")
	}, evidence...))},
	{IDs: []string{"M38"}, About: "the archive is locked for a year, for everybody", Wrong: judge.Each(bucketType, judge.Is("retentionPolicy.isLocked", true), judge.Between("retentionPolicy.retentionPeriod", year*day, 100*year*day), judge.Is("forceDestroy", false))},
	{IDs: []string{"M38"}, About: "the archive is not public, and is encrypted with a key of the customer", Wrong: judge.Each(bucketType, judge.Is("publicAccessPrevention", "enforced"),
		judge.Is("uniformBucketLevelAccess", true), judge.Holds("encryption.defaultKmsKeyName", "/cryptoKeys/"))},
	{IDs: []string{"M38"}, About: "the archive gets all evidence, from a writer that neither reads nor replaces", Wrong: judge.All(judge.Some(sinkType, func(v simcloud.Values) bool {
		return strings.HasPrefix(v.String("destination"), archive)
	}, append(slices.Clone(evidence), judge.Is("uniqueWriterIdentity", true))...), judge.Each(bucketRoleType, judge.Is("role", "roles/storage.objectCreator")))},
	{IDs: []string{"M39", "M29"}, About: "people hear of what must not go unnoticed", Wrong: alarms},
	{IDs: []string{"M19"}, About: "images are encrypted with a key of the customer", Wrong: judge.Each(repositoryType, judge.Holds("kmsKeyName", "/cryptoKeys/"))},
}

// evidence is what is asked for after an incident.
var evidence = []judge.Judge{judge.Holds("filter", `log_id("cloudaudit.googleapis.com/activity")`), judge.Holds("filter", `log_id("cloudaudit.googleapis.com/data_access")`),
	judge.Holds("filter", `log_id("compute.googleapis.com/vpc_flows")`), judge.Holds("filter", `log_id("dns.googleapis.com/dns_queries")`),
	judge.Holds("filter", `resource.type="k8s_control_plane_component"`), judge.Is("disabled", false)}

func secretsKey(w judge.World) []string {
	var out []string
	for _, c := range w.Of(clusterType) {
		secrets, users := c.State.String("databaseEncryption.keyName"), 0
		for _, o := range w {
			for _, path := range []string{"nodeConfig.bootDiskKmsKey", "bootDisk.kmsKeySelfLink", "encryption.defaultKmsKeyName", "cmekSettings.kmsKeyName", "kmsKeyName"} {
				if o.State.String(path) == secrets {
					out = append(out, o.ID+" uses the key of secrets")
				}
			}
			if o.Type == keyMemberType && o.State.String("cryptoKeyId") == secrets {
				users++
				if !strings.Contains(o.State.String("member"), "@container-engine-robot.") {
					out = append(out, o.State.String("member")+" uses the key of secrets")
				}
			}
		}
		if users == 0 {
			out = append(out, "nobody may use the key of secrets")
		}
	}
	return out
}

// heard are events that must raise an alarm.
var heard = []string{"anonymous-access", "pod-shell", "node-proxy", "secrets-read", "cluster-admin-granted", "guardrail-deleted", "keys-changed", "iam-changed", "cluster-changed", "audit-changed",
	"logs-changed", "alarms-changed", "firewall-changed", "networks-changed", "buckets-changed", "service-account-key-created", "break-glass-used"}

func alarms(w judge.World) []string {
	var out []string
	for _, event := range heard {
		found := false
		for _, o := range w.Of(alertType) {
			if !strings.HasSuffix(o.State.String("displayName"), "-"+event) {
				continue
			}
			found = true
			if !o.State.Bool("enabled") || len(o.State.Strings("notificationChannels")) == 0 || o.State.String("conditions[0].conditionMatchedLog.filter") == "" {
				out = append(out, "nobody hears of "+event)
			}
		}
		counted := slices.ContainsFunc(w.Of(metricType), func(o simcloud.Object) bool {
			return strings.HasSuffix(o.State.String("name"), "-"+event) && o.State.String("filter") != ""
		})
		if !found || !counted {
			out = append(out, "there is no alarm of "+event)
		}
	}
	return out
}

package controls

import (
	"fmt"
	"slices"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var data = []Check{
	{IDs: []string{"M17"}, About: "every log group is encrypted and kept", Wrong: each(logGroupType, least("retentionInDays", year), holds("kmsKeyId", ":key/"))},
	{IDs: []string{"M17"}, About: "what is done in the account is recorded, everywhere and so that a change shows", Wrong: each(trailType, is("isMultiRegionTrail", true), is("enableLogFileValidation", true),
		is("enableLogging", true), holds("kmsKeyId", ":key/"))},
	{IDs: []string{"M18"}, About: "keys rotate each year, and a deleted one can be brought back for a month", Wrong: each(keyType, is("enableKeyRotation", true), least("deletionWindowInDays", 30), func(v simcloud.Values) string {
		if days := v.Int("rotationPeriodInDays"); days == 0 || days > year {
			return fmt.Sprintf("rotates every %d days", days)
		}
		return ""
	})},
	{IDs: []string{"M18"}, About: "the key of secrets encrypts nothing else", Wrong: func(a Account) []string {
		var out []string
		for _, c := range a.Of(clusterType) {
			secrets := c.State.String("encryptionConfig.provider.keyArn")
			for _, o := range a {
				used := []string{o.State.String("kmsKeyId"), o.State.String("keyArn")}
				for _, disk := range o.State.List("blockDeviceMappings") {
					used = append(used, disk.String("ebs.kmsKeyId"))
				}
				if slices.Contains(used, secrets) {
					out = append(out, o.ID+" uses the key of secrets")
				}
			}
		}
		return out
	}},
	{IDs: []string{"M19"}, About: "every new volume of the account is encrypted", Wrong: each(defaultEBSType, is("enabled", true))},
	{IDs: []string{"M38"}, About: "the archive is locked for a year, for everybody", Wrong: both(each(bucketType, is("objectLockEnabled", true), is("forceDestroy", false)),
		each(lockType, is("rule.defaultRetention.mode", "COMPLIANCE"), least("rule.defaultRetention.days", year)))},
	{IDs: []string{"M38"}, About: "the archive is not public, and is encrypted", Wrong: both(
		each(blockType, is("blockPublicAcls", true), is("blockPublicPolicy", true), is("ignorePublicAcls", true), is("restrictPublicBuckets", true)),
		each(versionsType, is("versioningConfiguration.status", "Enabled")), each(bucketKeyType, is("rules[0].applyServerSideEncryptionByDefault.sseAlgorithm", "aws:kms")),
		each(bucketRuleType, holds("policy", "aws:SecureTransport"), holds("policy", "s3:BypassGovernanceRetention")))},
}

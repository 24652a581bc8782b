package controls

import (
	"fmt"
	"slices"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var data = []Check{
	{[]string{"M17"}, "every log group is encrypted and kept", each(logGroupType, least("retentionInDays", year), holds("kmsKeyId", ":key/"))},
	{[]string{"M17"}, "what is done in the account is recorded, everywhere and so that a change shows", each(trailType, is("isMultiRegionTrail", true), is("enableLogFileValidation", true),
		is("enableLogging", true), holds("kmsKeyId", ":key/"))},
	{[]string{"M18"}, "keys rotate each year, and a deleted one can be brought back for a month", each(keyType, is("enableKeyRotation", true), least("deletionWindowInDays", 30), func(v simcloud.Values) string {
		if days := v.Int("rotationPeriodInDays"); days == 0 || days > year {
			return fmt.Sprintf("rotates every %d days", days)
		}
		return ""
	})},
	{[]string{"M18"}, "the key of secrets encrypts nothing else", func(a Account) []string {
		var out []string
		for _, c := range a.of(clusterType) {
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
	{[]string{"M19"}, "every new volume of the account is encrypted", each(defaultEBSType, is("enabled", true))},
	{[]string{"M38"}, "the archive is locked for a year, for everybody", both(each(bucketType, is("objectLockEnabled", true), is("forceDestroy", false)),
		each(lockType, is("rule.defaultRetention.mode", "COMPLIANCE"), least("rule.defaultRetention.days", year)))},
	{[]string{"M38"}, "the archive is not public, and is encrypted", both(
		each(blockType, is("blockPublicAcls", true), is("blockPublicPolicy", true), is("ignorePublicAcls", true), is("restrictPublicBuckets", true)),
		each(versionsType, is("versioningConfiguration.status", "Enabled")), each(bucketKeyType, is("rules[0].applyServerSideEncryptionByDefault.sseAlgorithm", "aws:kms")),
		each(bucketRuleType, holds("policy", "aws:SecureTransport"), holds("policy", "s3:BypassGovernanceRetention")))},
}

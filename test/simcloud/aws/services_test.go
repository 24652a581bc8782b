package aws_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudtrail"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/guardduty"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func TestPlansOfServicesAreRefused(t *testing.T) {
	t.Parallel()
	simtest.Unplanned(t, account(t), settings, func(ctx *pulumi.Context) error {
		must(kms.NewKey(ctx, "window", &kms.KeyArgs{DeletionWindowInDays: pulumi.IntPtr(5)}))
		must(kms.NewKey(ctx, "period", &kms.KeyArgs{RotationPeriodInDays: pulumi.IntPtr(100)}))
		must(kms.NewKey(ctx, "rotation", &kms.KeyArgs{EnableKeyRotation: pulumi.Bool(true), RotationPeriodInDays: pulumi.IntPtr(30)}))
		must(kms.NewKey(ctx, "no-json", &kms.KeyArgs{Policy: str("{")}))
		must(kms.NewAlias(ctx, "alias", &kms.AliasArgs{TargetKeyId: pulumi.String("x")}))
		must(kms.NewAlias(ctx, "alias-bare", &kms.AliasArgs{Name: str("name"), TargetKeyId: pulumi.String("x")}))
		must(kms.NewAlias(ctx, "alias-aws", &kms.AliasArgs{Name: str("alias/aws/ebs"), TargetKeyId: pulumi.String("x")}))
		trusting := pulumi.String(trust("ec2.amazonaws.com"))
		must(iam.NewRole(ctx, "role", &iam.RoleArgs{AssumeRolePolicy: trusting}))
		must(iam.NewRole(ctx, strings.Repeat("r", 80), &iam.RoleArgs{AssumeRolePolicy: trusting})) // the automatic name is cut to fit
		must(iam.NewRole(ctx, "role-long", &iam.RoleArgs{Name: str(strings.Repeat("r", 65)), AssumeRolePolicy: trusting}))
		must(iam.NewRole(ctx, "role-chars", &iam.RoleArgs{Name: str("a/b"), AssumeRolePolicy: trusting}))
		must(iam.NewRole(ctx, "role-path", &iam.RoleArgs{Path: str("team"), AssumeRolePolicy: trusting}))
		must(iam.NewRole(ctx, "role-session", &iam.RoleArgs{MaxSessionDuration: pulumi.IntPtr(60), AssumeRolePolicy: trusting}))
		must(iam.NewPolicy(ctx, "policy-long", &iam.PolicyArgs{Name: str(strings.Repeat("p", 129)), Policy: pulumi.String("{}")}))
		must(cloudwatch.NewLogGroup(ctx, "retention", &cloudwatch.LogGroupArgs{RetentionInDays: pulumi.IntPtr(100)}))
		must(cloudwatch.NewLogGroup(ctx, "group-name", &cloudwatch.LogGroupArgs{Name: str("a b")}))
		filter := func(name, pattern string) {
			must(cloudwatch.NewLogMetricFilter(ctx, name, &cloudwatch.LogMetricFilterArgs{LogGroupName: pulumi.String("x"), Pattern: pulumi.String(pattern),
				MetricTransformation: &cloudwatch.LogMetricFilterMetricTransformationArgs{Name: pulumi.String("n"), Namespace: pulumi.String("s"), Value: pulumi.String("1")}}))
		}
		filter("filter", `{ ($.user.username = "system:anonymous") && ($.verb = "get") }`)
		filter("filter-open", `{ ($.verb = "get" }`)
		filter("filter-json", `{ verb = "get" }`)
		alarm := func(name string, change func(*cloudwatch.MetricAlarmArgs)) {
			args := &cloudwatch.MetricAlarmArgs{ComparisonOperator: pulumi.String("GreaterThanThreshold"), EvaluationPeriods: pulumi.Int(1), MetricName: str("m"), Namespace: str("n"), Period: pulumi.IntPtr(60), Statistic: str("Sum"), Threshold: pulumi.Float64Ptr(0)}
			change(args)
			must(cloudwatch.NewMetricAlarm(ctx, name, args))
		}
		alarm("alarm", func(*cloudwatch.MetricAlarmArgs) {})
		alarm("alarm-operator", func(a *cloudwatch.MetricAlarmArgs) { a.ComparisonOperator = pulumi.String("MoreThan") })
		alarm("alarm-period", func(a *cloudwatch.MetricAlarmArgs) { a.Period = pulumi.IntPtr(45) })
		alarm("alarm-statistic", func(a *cloudwatch.MetricAlarmArgs) { a.Statistic = nil })
		must(s3.NewBucketV2(ctx, "Bucket", nil)) // the automatic name is in lower case
		must(s3.NewBucketV2(ctx, "bucket-name", &s3.BucketV2Args{Bucket: str("Archive")}))
		must(s3.NewBucketV2(ctx, "bucket-ip", &s3.BucketV2Args{Bucket: str("10.0.0.1")}))
		must(s3.NewBucketObjectLockConfigurationV2(ctx, "lock", &s3.BucketObjectLockConfigurationV2Args{Bucket: pulumi.String("b"), Rule: &s3.BucketObjectLockConfigurationV2RuleArgs{
			DefaultRetention: &s3.BucketObjectLockConfigurationV2RuleDefaultRetentionArgs{Mode: str("LEGAL"), Days: pulumi.IntPtr(1), Years: pulumi.IntPtr(1)}}}))
		must(ecr.NewRepository(ctx, "repository-name", &ecr.RepositoryArgs{Name: str("Upper/case")}))
		must(ecr.NewPullThroughCacheRule(ctx, "cache-prefix", &ecr.PullThroughCacheRuleArgs{EcrRepositoryPrefix: pulumi.String("a-prefix-that-is-too-long-to-be-one"), UpstreamRegistryUrl: pulumi.String("quay.io")}))
		must(guardduty.NewDetectorFeature(ctx, "feature", &guardduty.DetectorFeatureArgs{DetectorId: pulumi.String("d"), Name: str("EKS_LOGS"), Status: pulumi.String("ENABLED")}))
		must(cloudtrail.NewTrail(ctx, "trail-group", &cloudtrail.TrailArgs{S3BucketName: pulumi.String("b"), CloudWatchLogsGroupArn: str("arn:aws:logs:eu-central-1:111122223333:log-group:x"), CloudWatchLogsRoleArn: str("r")}))
		must(ssm.NewParameter(ctx, "parameter-name", &ssm.ParameterArgs{Name: str("/aws/x"), Type: pulumi.String("String"), Value: str("x")}))
		must(ssm.NewParameter(ctx, "parameter-long", &ssm.ParameterArgs{Name: str("/x"), Type: pulumi.String("String"), Value: str(strings.Repeat("x", 5000))}))
		template := func(name string, args ec2.LaunchTemplateArgs) { must(ec2.NewLaunchTemplate(ctx, name, &args)) }
		template("template", ec2.LaunchTemplateArgs{UserData: str(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("#", 16<<10))))})
		template("template-name", ec2.LaunchTemplateArgs{Name: str("a b")})
		template("user-data-size", ec2.LaunchTemplateArgs{UserData: str(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("#", 16<<10+1))))})
		template("user-data-plain", ec2.LaunchTemplateArgs{UserData: str("[settings]\n")})
		device := func(ebs ec2.LaunchTemplateBlockDeviceMappingEbsArgs) ec2.LaunchTemplateArgs {
			return ec2.LaunchTemplateArgs{BlockDeviceMappings: ec2.LaunchTemplateBlockDeviceMappingArray{&ec2.LaunchTemplateBlockDeviceMappingArgs{DeviceName: str("/dev/xvda"), Ebs: &ebs}}}
		}
		template("key-unencrypted", device(ec2.LaunchTemplateBlockDeviceMappingEbsArgs{KmsKeyId: str("arn")}))
		template("encrypted-yes", device(ec2.LaunchTemplateBlockDeviceMappingEbsArgs{Encrypted: str("yes")}))
		template("throughput-gp2", device(ec2.LaunchTemplateBlockDeviceMappingEbsArgs{VolumeType: str("gp2"), Throughput: pulumi.IntPtr(200)}))
		template("iops-missing", device(ec2.LaunchTemplateBlockDeviceMappingEbsArgs{VolumeType: str("io2")}))
		template("hop-limit", ec2.LaunchTemplateArgs{MetadataOptions: &ec2.LaunchTemplateMetadataOptionsArgs{HttpPutResponseHopLimit: pulumi.IntPtr(65)}})
		return nil
	}, simtest.Refusals{
		"window": "(7 - 30)", "period": "a period needs rotation", "rotation": "(90 - 2560)", "no-json": "invalid JSON policy", "alias-bare": "must begin with 'alias/'", "alias-aws": "must begin with 'alias/'",
		"role-long": "(1 - 64)", "role-chars": `must match [\w+=,.@-]`, "role-path": "begins and ends with /", "role-session": "(3600 - 43200)", "policy-long": "(1 - 128)",
		"retention": "expected retentionInDays to be one of", "group-name": "isn't a valid log group name", "filter-open": ")\" is expected", "filter-json": "a selector such as $.name is expected",
		"alarm-operator": "expected comparisonOperator to be one of", "alarm-period": "divisible by 60", "alarm-statistic": "exactly one of `statistic", "bucket-name": "validating S3 Bucket", "bucket-ip": "validating S3 Bucket",
		"lock": "exactly one of", "repository-name": "failed to satisfy constraint", "cache-prefix": "2 to 30", "feature": "expected name to be one of", "trail-group": "ends with :*",
		"parameter-name": "can't be prefixed", "parameter-long": "maximum parameter value of 4096", "template-name": "MalformedException", "user-data-size": "limited to 16384 bytes", "user-data-plain": "Invalid BASE64",
		"key-unencrypted": "requires the parameter Encrypted", "encrypted-yes": "to be one of [true false]", "throughput-gp2": "only be set for gp3", "iops-missing": "iops must be specified", "hop-limit": "(1 - 64)",
	})
}

func TestServicesAreRefused(t *testing.T) {
	t.Parallel()
	trailBucket := func(bucket string) string {
		service := m{"Service": "cloudtrail.amazonaws.com"}
		return policyOf(m{"Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::" + bucket},
			m{"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::" + bucket + "/AWSLogs/" + aws.Account + "/*",
				"Condition": m{"StringEquals": m{"s3:x-amz-acl": "bucket-owner-full-control"}}})
	}
	simtest.Refused(t, account(t), settings, func(ctx *pulumi.Context) error {
		logs := m{"Service": "logs." + region + ".amazonaws.com"}
		use := []string{"kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"}
		key := func(name, policy string, options ...pulumi.ResourceOption) *kms.Key {
			return must(kms.NewKey(ctx, name, &kms.KeyArgs{Policy: str(policy)}, options...))
		}
		good := key("key", policyOf(accountRoot, allow(logs, use, m{"Condition": m{"ArnLike": m{"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:" + region + ":" + aws.Account + ":log-group:/ours/*"}}})))
		plain := must(kms.NewKey(ctx, "plain", nil))
		key("locked-out", policyOf(allow(logs, use)))
		key("nobody", policyOf(accountRoot, allow(m{"AWS": "arn:aws:iam::" + aws.Account + ":role/nobody"}, "kms:Decrypt")))
		key("malformed", policyOf(accountRoot, allow(logs, "kms:Encypt")))
		alias := must(kms.NewAlias(ctx, "alias", &kms.AliasArgs{Name: str("alias/ours"), TargetKeyId: good.KeyId}))
		must(kms.NewAlias(ctx, "alias-twice", &kms.AliasArgs{Name: str("alias/ours"), TargetKeyId: plain.KeyId}, after(alias)))
		must(kms.NewAlias(ctx, "alias-dangling", &kms.AliasArgs{TargetKeyId: pulumi.String("7a7a7a7a-0000-4000-a000-000000000000")}))

		group := func(name, path string, key *kms.Key, options ...pulumi.ResourceOption) *cloudwatch.LogGroup {
			return must(cloudwatch.NewLogGroup(ctx, name, &cloudwatch.LogGroupArgs{Name: str(path), KmsKeyId: key.Arn}, options...))
		}
		ours := group("group", "/ours/a", good)
		group("group-twice", "/ours/a", good, after(ours))
		group("group-of-others", "/others/a", good) // outside the encryption context that the key allows
		group("group-plain-key", "/ours/b", plain)

		role := must(iam.NewRole(ctx, "role", &iam.RoleArgs{Name: str("ours"), AssumeRolePolicy: pulumi.String(trust("ec2.amazonaws.com"))}))
		must(iam.NewRole(ctx, "role-twice", &iam.RoleArgs{Name: str("ours"), AssumeRolePolicy: pulumi.String(trust("ec2.amazonaws.com"))}, after(role)))
		must(iam.NewRole(ctx, "trust-resource", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(policyOf(allow(m{"Service": "ec2.amazonaws.com"}, "sts:AssumeRole")))}))
		must(iam.NewRole(ctx, "trust-nobody", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(policyOf(m{"Effect": "Allow", "Principal": m{"AWS": "arn:aws:iam::" + aws.Account + ":role/nobody"}, "Action": "sts:AssumeRole"}))}))
		must(iam.NewPolicy(ctx, "policy-unknown-action", &iam.PolicyArgs{Policy: pulumi.String(policyOf(allow(nil, "eks:DescribeClusters")))}))
		must(iam.NewPolicy(ctx, "policy-size", &iam.PolicyArgs{Policy: pulumi.String(policyOf(allow(nil, strings.Split(strings.Repeat("ec2:DescribeInstances ", 300)+"ec2:RunInstances", " "))))}))
		must(iam.NewRolePolicyAttachment(ctx, "attach-unknown", &iam.RolePolicyAttachmentArgs{Role: role.Name, PolicyArn: pulumi.String("arn:aws:iam::aws:policy/AmazonEKSClusterPolice")}))
		must(iam.NewRolePolicyAttachment(ctx, "attach-nobody", &iam.RolePolicyAttachmentArgs{Role: pulumi.String("nobody"), PolicyArn: pulumi.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}))
		must(iam.NewOpenIdConnectProvider(ctx, "issuer", &iam.OpenIdConnectProviderArgs{Url: pulumi.String("https://oidc.eks.eu-central-1.amazonaws.com/id/NONE"), ClientIdLists: pulumi.ToStringArray([]string{"sts.amazonaws.com"})}))

		bucket := func(name string, locked bool) *s3.BucketV2 {
			return must(s3.NewBucketV2(ctx, name, &s3.BucketV2Args{Bucket: str(name), ObjectLockEnabled: pulumi.Bool(locked)}))
		}
		archive, open := bucket("archive-of-ours", true), bucket("open-of-ours", false)
		must(s3.NewBucketV2(ctx, "bucket-twice", &s3.BucketV2Args{Bucket: str("archive-of-ours")}, after(archive)))
		must(s3.NewBucketVersioningV2(ctx, "suspend", &s3.BucketVersioningV2Args{Bucket: archive.ID(), VersioningConfiguration: &s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Suspended")}}))
		must(s3.NewBucketObjectLockConfigurationV2(ctx, "lock-unversioned", &s3.BucketObjectLockConfigurationV2Args{Bucket: open.ID()}))
		block := must(s3.NewBucketPublicAccessBlock(ctx, "block", &s3.BucketPublicAccessBlockArgs{Bucket: open.ID(), BlockPublicPolicy: pulumi.Bool(true)}))
		must(s3.NewBucketPolicy(ctx, "public", &s3.BucketPolicyArgs{Bucket: open.ID(), Policy: pulumi.String(policyOf(m{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::open-of-ours/*"}))}, after(block)))
		must(s3.NewBucketPolicy(ctx, "foreign", &s3.BucketPolicyArgs{Bucket: open.ID(), Policy: pulumi.String(trailBucket("another"))}))
		held := must(s3.NewBucketPolicy(ctx, "trail-policy", &s3.BucketPolicyArgs{Bucket: archive.ID(), Policy: pulumi.String(trailBucket("archive-of-ours"))}))
		must(cloudtrail.NewTrail(ctx, "trail", &cloudtrail.TrailArgs{S3BucketName: archive.ID()}, after(held)))
		must(cloudtrail.NewTrail(ctx, "trail-bucket", &cloudtrail.TrailArgs{S3BucketName: open.ID()}))
		must(cloudtrail.NewTrail(ctx, "trail-key", &cloudtrail.TrailArgs{S3BucketName: archive.ID(), KmsKeyId: plain.Arn}, after(held)))

		repository := must(ecr.NewRepository(ctx, "repository", &ecr.RepositoryArgs{Name: str("ours")}))
		must(ecr.NewRepository(ctx, "repository-twice", &ecr.RepositoryArgs{Name: str("ours")}, after(repository)))
		must(ecr.NewLifecyclePolicy(ctx, "lifecycle", &ecr.LifecyclePolicyArgs{Repository: repository.Name, Policy: pulumi.String(`{"rules":[{"rulePriority":1,"action":{"type":"keep"}}]}`)}))
		cache := func(name, url string) {
			must(ecr.NewPullThroughCacheRule(ctx, name, &ecr.PullThroughCacheRuleArgs{EcrRepositoryPrefix: pulumi.String(name), UpstreamRegistryUrl: pulumi.String(url)}))
		}
		cache("cache-k8s", "registry.k8s.io")
		cache("cache-hub", "registry-1.docker.io")
		cache("cache-unknown", "registry.example.org")

		detector := must(guardduty.NewDetector(ctx, "detector", nil))
		must(guardduty.NewDetector(ctx, "detector-twice", nil, after(detector)))
		feature := must(guardduty.NewDetectorFeature(ctx, "runtime", &guardduty.DetectorFeatureArgs{DetectorId: detector.ID(), Name: str("RUNTIME_MONITORING"), Status: pulumi.String("ENABLED")}))
		must(guardduty.NewDetectorFeature(ctx, "runtime-eks", &guardduty.DetectorFeatureArgs{DetectorId: detector.ID(), Name: str("EKS_RUNTIME_MONITORING"), Status: pulumi.String("ENABLED")}, after(feature)))
		must(cloudwatch.NewLogMetricFilter(ctx, "filter-dangling", &cloudwatch.LogMetricFilterArgs{LogGroupName: pulumi.String("/nowhere"), Pattern: pulumi.String("x"),
			MetricTransformation: &cloudwatch.LogMetricFilterMetricTransformationArgs{Name: pulumi.String("n"), Namespace: pulumi.String("s"), Value: pulumi.String("1")}}))
		return nil
	}, simtest.Refusals{
		"locked-out": "will not allow you to update the key policy in the future", "nobody": "invalid principals", "malformed": "Invalid Action: kms:Encypt", "alias-twice": "AlreadyExistsException", "alias-dangling": "NotFoundException",
		"group-twice": "ResourceAlreadyExistsException", "group-of-others": "not allowed to be used with Arn", "group-plain-key": "not allowed to be used with Arn",
		"role-twice": "EntityAlreadyExists", "trust-resource": "Has prohibited field Resource", "trust-nobody": "Invalid principal in policy", "policy-unknown-action": "Invalid Action", "policy-size": "at most 6144",
		"attach-unknown": "does not exist or is not attachable", "attach-nobody": "NoSuchEntity", "issuer": "issuer of no cluster", "bucket-twice": "StatusCode: 409", "suspend": "InvalidBucketState", "lock-unversioned": "InvalidBucketState",
		"public": "BlockPublicPolicy", "foreign": "Policy has invalid resource", "trail-bucket": "InsufficientS3BucketPolicyException", "trail-key": "InsufficientEncryptionPolicyException",
		"repository-twice": "RepositoryAlreadyExistsException", "lifecycle": "validation failure", "cache-hub": "needs a credentialArn", "cache-unknown": "UnsupportedUpstreamRegistryException",
		"detector-twice": "a detector already exists", "runtime-eks": "cannot be enabled together", "filter-dangling": "log group does not exist",
	})
}

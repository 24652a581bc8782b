package aws

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// bucket is a bucket that keeps every version, under a customer key, for those
// whom its policy lets in, and never for the public.
type bucket struct {
	Name   string
	KeyArn pulumi.StringInput
	// SharedKeys asks KMS once for many objects. Then a policy of the key sees the
	// bucket where it would see the object.
	SharedKeys bool
	// Lock is one of the locks of [ArchiveArgs], LockNone for none, and LockDays how
	// long it holds.
	Lock     string
	LockDays int
	Policy   pulumi.StringInput
	Tags     pulumi.StringMap
}

// madeBucket is a bucket: each output is known once all that guards it is in place.
type madeBucket struct{ ID, Arn pulumi.StringOutput }

// guarded are statements that every policy of a bucket begins with: nobody speaks
// without TLS, or with an old one, and nobody lifts a lock.
func guarded(account Account, name string) []statement {
	all := []string{account.s3ARN(name), account.s3ARN(name + "/*")}
	return []statement{
		{Sid: "DenyWithoutTLS", Effect: deny, Principal: anyone(), Action: []string{"s3:*"}, Resource: all,
			Condition: conditions{"Bool": {"aws:SecureTransport": {"false"}}}},
		{Sid: "DenyOldTLS", Effect: deny, Principal: anyone(), Action: []string{"s3:*"}, Resource: all,
			Condition: conditions{"NumericLessThan": {"s3:TlsVersion": {"1.2"}}}},
		{Sid: "DenyLiftingLocks", Effect: deny, Principal: anyone(),
			Action: []string{"s3:BypassGovernanceRetention"}, Resource: all[1:]},
	}
}

func (b bucket) register(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (madeBucket, error) {
	none := madeBucket{}
	locked := b.Lock != LockNone
	if locked {
		// AWS deletes no locked object, and what stays must stay guarded.
		opts = append(opts, pulumi.RetainOnDelete(true))
	}
	bucket, err := s3.NewBucketV2(ctx, name, &s3.BucketV2Args{
		Bucket: pulumi.String(b.Name), ObjectLockEnabled: pulumi.Bool(locked), ForceDestroy: pulumi.Bool(false), Tags: b.Tags,
	}, opts...)
	if err != nil {
		return none, err
	}
	block, err := s3.NewBucketPublicAccessBlock(ctx, name+"-public-access", &s3.BucketPublicAccessBlockArgs{
		Bucket: bucket.ID(), BlockPublicAcls: pulumi.Bool(true), BlockPublicPolicy: pulumi.Bool(true),
		IgnorePublicAcls: pulumi.Bool(true), RestrictPublicBuckets: pulumi.Bool(true),
	}, opts...)
	if err != nil {
		return none, err
	}
	ownership, err := s3.NewBucketOwnershipControls(ctx, name+"-ownership", &s3.BucketOwnershipControlsArgs{
		Bucket: bucket.ID(), Rule: s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, opts...)
	if err != nil {
		return none, err
	}
	versions, err := s3.NewBucketVersioningV2(ctx, name+"-versions", &s3.BucketVersioningV2Args{
		Bucket: bucket.ID(), VersioningConfiguration: s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, opts...)
	if err != nil {
		return none, err
	}
	encryption, err := s3.NewBucketServerSideEncryptionConfigurationV2(ctx, name+"-encryption", &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: bucket.ID(), Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			BucketKeyEnabled: pulumi.Bool(b.SharedKeys),
			ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
				SseAlgorithm: pulumi.String("aws:kms"), KmsMasterKeyId: b.KeyArn.ToStringOutput().ToStringPtrOutput(),
			},
		}},
	}, opts...)
	if err != nil {
		return none, err
	}
	access, err := s3.NewBucketPolicy(ctx, name+"-policy", &s3.BucketPolicyArgs{
		Bucket: bucket.ID(), Policy: b.Policy,
		// S3 takes one change of access at a time.
	}, append(opts, pulumi.DependsOn([]pulumi.Resource{block, ownership}))...)
	if err != nil {
		return none, err
	}
	ready := []any{access.ID(), versions.ID(), encryption.ID()}
	if locked {
		lock, err := s3.NewBucketObjectLockConfigurationV2(ctx, name+"-lock", &s3.BucketObjectLockConfigurationV2Args{
			Bucket: bucket.ID(), Rule: s3.BucketObjectLockConfigurationV2RuleArgs{
				DefaultRetention: s3.BucketObjectLockConfigurationV2RuleDefaultRetentionArgs{
					Mode: pulumi.String(map[string]string{LockCompliance: "COMPLIANCE", LockGovernance: "GOVERNANCE"}[b.Lock]),
					Days: pulumi.Int(b.LockDays),
				},
			},
		}, append(opts, pulumi.DependsOn([]pulumi.Resource{versions}))...)
		if err != nil {
			return none, err
		}
		ready = append(ready, lock.ID())
	}
	return madeBucket{ID: once(append([]any{bucket.ID()}, ready...)...), Arn: once(append([]any{bucket.Arn}, ready...)...)}, nil
}

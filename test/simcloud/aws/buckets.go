package aws

import (
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	ipAddress  = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)
)

// bucketTypes are buckets: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func bucketTypes() []*simcloud.ResourceType {
	t := kind(bucket, s3.BucketV2Args{}, s3.BucketV2{})
	t.Global = true // names are unique in all of AWS
	t.Naming = &simcloud.Naming{Property: "bucket", Automatic: true, Max: 63, Prefix: "bucketPrefix", Make: strings.ToLower}
	t.Defaults = simcloud.Values{"forceDestroy": false, "objectLockEnabled": false}
	t.Replace = []string{"bucket", "bucketPrefix", "objectLockEnabled"}
	t.Check = func(p *simcloud.Plan) {
		name := p.Values.String("bucket")
		switch {
		case name == "":
		case !bucketName.MatchString(name), strings.Contains(name, ".."), ipAddress.MatchString(name),
			strings.HasPrefix(name, "xn--"), strings.HasPrefix(name, "sthree-"), strings.HasSuffix(name, "-s3alias"), strings.HasSuffix(name, "--ol-s3"):
			p.Add("bucket", "validating S3 Bucket ("+name+") name: a name is 3 to 63 lower-case letters, digits, dots and hyphens, and no IP address")
		}
		for _, old := range []string{"acl", "policy", "versionings", "serverSideEncryptionConfigurations", "objectLockConfiguration", "lifecycleRules", "loggings"} {
			if p.Values.Has(old) {
				p.Add(old, "is read-only here: use the resource of its own for it")
			}
		}
	}
	t.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("bucket")
		if c.Cloud.Get("", bucket, c.ID) != nil {
			e := errorf("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
			e.Status = 409
			return e
		}
		c.Out = simcloud.Values{"arn": "arn:aws:s3:::" + c.ID, "region": c.Scope, "bucketDomainName": c.ID + ".s3.amazonaws.com",
			"bucketRegionalDomainName": c.ID + ".s3." + c.Scope + ".amazonaws.com", "hostedZoneId": "Z21DNDUVLTQW6Q"}
		return nil
	}
	return []*simcloud.ResourceType{t}
}

// bucketSettingTypes are what a bucket has of its own resources.
func bucketSettingTypes() []*simcloud.ResourceType {
	of := func(t *simcloud.ResourceType) *simcloud.ResourceType {
		t.Global = true
		t.Replace = []string{"bucket", "expectedBucketOwner"}
		t.References = []simcloud.Reference{to("bucket", "NoSuchBucket", "The specified bucket does not exist: %s", bucket)}
		t.Create = func(c *simcloud.Change) error {
			c.ID = c.New.String("bucket")
			return nil
		}
		return t
	}

	access := of(kind(bucketPolicy, s3.BucketPolicyArgs{}, s3.BucketPolicy{}, "policy"))
	access.Check = func(p *simcloud.Plan) { planDocument(p, "policy", iampolicy.Bucket) }
	access.Create, access.Update = judgeBucketPolicy, judgeBucketPolicy

	versioning := of(kind(bucketVersioning, s3.BucketVersioningV2Args{}, s3.BucketVersioningV2{}))
	versioning.Check = func(p *simcloud.Plan) {
		oneOf(p, "versioningConfiguration.status", "Enabled", "Suspended", "Disabled")
		oneOf(p, "versioningConfiguration.mfaDelete", "Enabled", "Disabled")
	}
	judgeVersioning := func(c *simcloud.Change) error {
		c.ID = c.New.String("bucket")
		if o := c.Cloud.Get("", bucket, c.ID); o.State.Bool("objectLockEnabled") && c.New.String("versioningConfiguration.status") != "Enabled" {
			e := errorf("InvalidBucketState", "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
			e.Status = 409
			return e
		}
		return nil
	}
	versioning.Create, versioning.Update = judgeVersioning, judgeVersioning

	encryption := of(kind(bucketEncryption, s3.BucketServerSideEncryptionConfigurationV2Args{}, s3.BucketServerSideEncryptionConfigurationV2{}, "rules"))
	encryption.Check = func(p *simcloud.Plan) {
		oneOf(p, "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm", "AES256", "aws:kms", "aws:kms:dsse")
	}
	judgeEncryption := func(c *simcloud.Change) error {
		c.ID = c.New.String("bucket")
		given := c.New.String("rules[0].applyServerSideEncryptionByDefault.kmsMasterKeyId")
		if given == "" {
			return nil
		}
		if !strings.HasPrefix(c.New.String("rules[0].applyServerSideEncryptionByDefault.sseAlgorithm"), "aws:kms") {
			return errorf("InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse")
		}
		if findKey(c.Cloud, c.Scope, given) == nil {
			return errorf("KMS.NotFoundException", "Invalid keyId %s", given)
		}
		return nil
	}
	encryption.Create, encryption.Update = judgeEncryption, judgeEncryption

	block := of(kind(bucketPublicBlock, s3.BucketPublicAccessBlockArgs{}, s3.BucketPublicAccessBlock{}))
	block.Defaults = simcloud.Values{"blockPublicAcls": false, "blockPublicPolicy": false, "ignorePublicAcls": false, "restrictPublicBuckets": false}

	lock := of(kind(bucketObjectLock, s3.BucketObjectLockConfigurationV2Args{}, s3.BucketObjectLockConfigurationV2{}))
	lock.Defaults = simcloud.Values{"objectLockEnabled": "Enabled"}
	lock.Check = func(p *simcloud.Plan) {
		oneOf(p, "rule.defaultRetention.mode", "GOVERNANCE", "COMPLIANCE")
		if p.Values.Has("rule") {
			exactlyOne(p, []string{"rule.defaultRetention.days", "rule.defaultRetention.years"})
		}
	}
	judgeLock := func(c *simcloud.Change) error {
		c.ID = c.New.String("bucket")
		on := c.Cloud.Get("", bucketVersioning, c.ID)
		held := c.Cloud.Get("", bucket, c.ID)
		if !held.State.Bool("objectLockEnabled") && (on == nil || on.State.String("versioningConfiguration.status") != "Enabled") {
			e := errorf("InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
			e.Status = 409
			return e
		}
		return nil
	}
	lock.Create, lock.Update = judgeLock, judgeLock

	lifecycle := of(kind(bucketLifecycle, s3.BucketLifecycleConfigurationV2Args{}, s3.BucketLifecycleConfigurationV2{}))
	lifecycle.Check = func(p *simcloud.Plan) {
		seen := map[string]bool{}
		for _, rule := range p.Values.List("rules") {
			if name := rule.String("id"); seen[name] {
				p.Add("rules", "InvalidArgument: Rule ID must be unique. Found same ID for more than one rule: "+name)
			} else {
				seen[name] = true
			}
			if status := rule.String("status"); status != "Enabled" && status != "Disabled" && status != "" {
				p.Add("rules", "expected status to be Enabled or Disabled, got "+status)
			}
		}
	}
	ownership := of(kind(bucketOwnership, s3.BucketOwnershipControlsArgs{}, s3.BucketOwnershipControls{}))
	ownership.Check = func(p *simcloud.Plan) {
		oneOf(p, "rule.objectOwnership", "BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
	}
	return []*simcloud.ResourceType{access, versioning, encryption, block, lock, lifecycle, ownership}
}

// judgeBucketPolicy judges a bucket's policy: its resources are the bucket's, and it is not public where that is
// blocked. https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
func judgeBucketPolicy(c *simcloud.Change) error {
	c.ID = c.New.String("bucket")
	doc, err := document(c.New, "policy", iampolicy.Bucket, "MalformedPolicy")
	if err != nil {
		return err
	}
	c.Out["policy"] = documentText(c.New.Get("policy"))
	if err := principals(c, doc, errorf("MalformedPolicy", "Invalid principal in policy")); err != nil {
		return err
	}
	block := c.Cloud.Get("", bucketPublicBlock, c.ID)
	for _, s := range doc.Statements {
		for _, resource := range append(s.Resource, s.NotResource...) {
			if own := "arn:aws:s3:::" + c.ID; resource != own && !strings.HasPrefix(resource, own+"/") && resource != own+"*" {
				return errorf("MalformedPolicy", "Policy has invalid resource: %s", resource)
			}
		}
		if s.Effect == "Allow" && s.Principal != nil && s.Principal.Anyone && len(s.Condition) == 0 && block != nil && block.State.Bool("blockPublicPolicy") {
			e := errorf("AccessDenied", "User: %s is not authorized to perform: s3:PutBucketPolicy because public policies are blocked by the BlockPublicPolicy block public access setting.", Caller)
			e.Status = 403
			return e
		}
	}
	return nil
}

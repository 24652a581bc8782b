package aws

import (
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudtrail"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

var trailName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{1,126}[a-zA-Z0-9]$`)

// trailTypes are trails: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
func trailTypes() []*simcloud.ResourceType {
	t := kind(trail, cloudtrail.TrailArgs{}, cloudtrail.Trail{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 128}
	t.Defaults = simcloud.Values{"enableLogging": true, "includeGlobalServiceEvents": true, "isMultiRegionTrail": false, "enableLogFileValidation": false}
	t.Replace = []string{"name"}
	t.References = []simcloud.Reference{holding(to("s3BucketName", "S3BucketDoesNotExistException", "S3 bucket %s does not exist!", bucket)),
		by(to("cloudWatchLogsRoleArn", "InvalidCloudWatchLogsRoleArnException", "Access denied. Verify in IAM that the role %s has adequate permissions.", role), "arn")}
	t.References[1].Patience = seconds(120)
	t.Check = func(p *simcloud.Plan) {
		if name := p.Values.String("name"); name != "" && !trailName.MatchString(name) {
			p.Add("name", "InvalidTrailNameException: a trail name is 3 to 128 of a-zA-Z0-9._-, beginning and ending with a letter or digit")
		}
		if group := p.Values.String("cloudWatchLogsGroupArn"); group != "" && !strings.HasSuffix(group, ":*") {
			p.Add("cloudWatchLogsGroupArn", "InvalidCloudWatchLogsLogGroupArnException: the ARN of a log group ends with :* here")
		}
		if p.Values.Has("cloudWatchLogsGroupArn") != p.Values.Has("cloudWatchLogsRoleArn") {
			p.Add("cloudWatchLogsRoleArn", "cloudWatchLogsGroupArn and cloudWatchLogsRoleArn go together")
		}
		if p.Values.Has("eventSelectors") && p.Values.Has("advancedEventSelectors") {
			p.Add("eventSelectors", "conflicts with advancedEventSelectors")
		}
		if p.Values.Bool("isMultiRegionTrail") && p.Values.Get("includeGlobalServiceEvents") == false {
			p.Add("includeGlobalServiceEvents", "InvalidParameterCombinationException: Multi-Region trail must include global service events.")
		}
	}
	judge := func(c *simcloud.Change) error {
		name := c.New.String("name")
		self := arn("cloudtrail", c.Scope, "trail/"+name)
		if err := judgeTrailBucket(c, self); err != nil {
			return err
		}
		if given := c.New.String("kmsKeyId"); given != "" {
			refused := errorf("InsufficientEncryptionPolicyException", "Insufficient permissions to access S3 bucket %s or KMS key %s.", c.New.String("s3BucketName"), given)
			k := findKey(c.Cloud, c.Scope, given)
			if k == nil || !mayUse(c.Cloud, k, iampolicy.Request{Principal: "cloudtrail.amazonaws.com", Action: "kms:GenerateDataKey",
				Context: map[string]string{"kms:EncryptionContext:aws:cloudtrail:arn": self, "aws:SourceArn": self, "aws:SourceAccount": Account}}) {
				return refused
			}
		}
		if group := c.New.String("cloudWatchLogsGroupArn"); group != "" {
			if c.Cloud.By(c.Scope, logGroup, "arn", strings.TrimSuffix(group, ":*")) == nil {
				return errorf("InvalidCloudWatchLogsLogGroupArnException", "CloudTrail cannot validate the specified log group ARN %s.", group)
			}
			if !trusts(c.Cloud, c.New.String("cloudWatchLogsRoleArn"), "cloudtrail.amazonaws.com", "sts:AssumeRole") {
				return errorf("InvalidCloudWatchLogsRoleArnException", "Access denied. Verify in IAM that the role has adequate permissions.")
			}
		}
		c.ID = self
		c.Out["arn"], c.Out["homeRegion"] = self, c.Scope
		return nil
	}
	t.Create = func(c *simcloud.Change) error {
		if c.Cloud.By(c.Scope, trail, "name", c.New.String("name")) != nil {
			return errorf("TrailAlreadyExistsException", "Trail %s already exists for customer: %s", c.New.String("name"), Account)
		}
		if len(c.Cloud.Find(c.Scope, trail, nil)) >= 5 {
			return errorf("MaximumNumberOfTrailsExceededException", "User: %s already has 5 trails in %s.", Account, c.Scope)
		}
		return judge(c)
	}
	t.Update = judge
	return []*simcloud.ResourceType{t}
}

// judgeTrailBucket judges that the service may write where a trail is to go.
func judgeTrailBucket(c *simcloud.Change, self string) error {
	name := c.New.String("s3BucketName")
	refused := errorf("InsufficientS3BucketPolicyException", "Incorrect S3 bucket policy is detected for bucket: %s", name)
	held := c.Cloud.Get("", bucketPolicy, name)
	if held == nil {
		return refused
	}
	doc, err := iampolicy.Parse(documentText(held.State.Get("policy")), iampolicy.Bucket)
	if err != nil {
		return refused
	}
	prefix := c.New.String("s3KeyPrefix")
	if prefix != "" {
		prefix += "/"
	}
	context := map[string]string{"aws:SourceArn": self, "aws:SourceAccount": Account, "s3:x-amz-acl": "bucket-owner-full-control", "aws:SecureTransport": "true"}
	for action, resource := range map[string]string{"s3:GetBucketAcl": "arn:aws:s3:::" + name,
		"s3:PutObject": "arn:aws:s3:::" + name + "/" + prefix + "AWSLogs/" + Account + "/CloudTrail/x"} {
		if !doc.Allows(iampolicy.Request{Principal: "cloudtrail.amazonaws.com", Action: action, Resource: resource, Context: context}) {
			return refused
		}
	}
	return nil
}

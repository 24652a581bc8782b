package aws

import (
	"maps"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kinesis"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/filterpattern"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

var deliveryName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

const errorType = "!{firehose:error-output-type}"

// streamTypes are streams of Data Firehose to buckets, and subscriptions of log groups:
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
func streamTypes() []*simcloud.ResourceType {
	t := kind(deliveryStream, kinesis.FirehoseDeliveryStreamArgs{}, kinesis.FirehoseDeliveryStream{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 64}
	t.Replace = []string{"name", "destination", "kinesisSourceConfiguration", "mskSourceConfiguration"}
	t.References = []simcloud.Reference{by(to("extendedS3Configuration.roleArn", "InvalidArgumentException", "Firehose is unable to assume role %s. Please check the role provided.", role), "arn")}
	t.References[0].Patience = seconds(120)
	t.Check = func(p *simcloud.Plan) {
		if name := p.Values.String("name"); name != "" && !deliveryName.MatchString(name) {
			p.Add("name", "must not be empty or longer than 64 characters, and hold only letters, digits, _ . and -: "+name)
		}
		oneOf(p, "destination", "extended_s3", "redshift", "elasticsearch", "splunk", "http_endpoint", "opensearch", "opensearchserverless", "snowflake", "iceberg")
		const s3 = "extendedS3Configuration"
		if p.Values.String("destination") == "extended_s3" && !p.Values.Has(s3) {
			p.Add(s3, "is required where the destination is extended_s3")
		}
		oneOf(p, s3+".compressionFormat", "UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY")
		oneOf(p, "serverSideEncryption.keyType", "AWS_OWNED_CMK", "CUSTOMER_MANAGED_CMK")
		if p.Values.String("serverSideEncryption.keyType") == "CUSTOMER_MANAGED_CMK" && !p.Values.Has("serverSideEncryption.keyArn") {
			p.Add("serverSideEncryption.keyArn", "is required where keyType is CUSTOMER_MANAGED_CMK")
		}
		between(p, s3+".bufferingInterval", 0, 900)
		between(p, s3+".bufferingSize", 1, 128)
	}
	t.Create = func(c *simcloud.Change) error {
		c.ID = arn("firehose", c.Scope, "deliverystream/"+c.New.String("name"))
		if c.Cloud.Get(c.Scope, deliveryStream, c.ID) != nil {
			return errorf("ResourceInUseException", "Firehose %s under accountId %s already exists", c.New.String("name"), Account)
		}
		c.Out["arn"], c.Out["versionId"], c.Out["destinationId"] = c.ID, "1", "destinationId-000000000001"
		return judgeStream(c, c.ID)
	}
	t.Update = func(c *simcloud.Change) error { return judgeStream(c, c.Object.ID) }

	subscription := kind(subscriptionFilter, cloudwatch.LogSubscriptionFilterArgs{}, cloudwatch.LogSubscriptionFilter{}, "logGroup")
	subscription.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 512}
	subscription.Defaults = simcloud.Values{"distribution": "ByLogStream"}
	subscription.Replace = []string{"name", "logGroup", "destinationArn"}
	subscription.References = []simcloud.Reference{to("logGroup", "ResourceNotFoundException", "The specified log group does not exist: %s", logGroup)}
	subscription.Check = func(p *simcloud.Plan) {
		oneOf(p, "distribution", "Random", "ByLogStream")
		planPattern(p, "filterPattern", "subscription")
		if strings.ContainsAny(p.Values.String("name"), ":*") {
			p.Add("name", "a name may hold no : and no *")
		}
	}
	subscription.Create = func(c *simcloud.Change) error {
		c.ID = "cwlsf-" + digits(c.Cloud, "subscription filter", 10)
		same := func(o *simcloud.Object) bool { return o.State.String("logGroup") == c.New.String("logGroup") }
		// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html
		if len(c.Cloud.Find(c.Scope, subscriptionFilter, same)) >= 2 {
			return errorf("LimitExceededException", "Resource limit exceeded.")
		}
		if err := filterable(c, c.New.String("logGroup")); err != nil {
			return err
		}
		return judgeSubscription(c)
	}
	subscription.Update = judgeSubscription
	return []*simcloud.ResourceType{t, subscription}
}

// judgeStream judges where a stream writes: the role, the bucket, and the keys. What its role may not do, Firehose finds
// out when it delivers, and what it cannot deliver for a day is lost: here that is refused.
// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
func judgeStream(c *simcloud.Change, self string) error {
	const at = "extendedS3Configuration."
	if given := c.New.String("serverSideEncryption.keyArn"); given != "" {
		k := findKey(c.Cloud, c.Scope, given)
		if k == nil || !grantable(k) {
			return errorf("InvalidKMSResourceException", "Firehose was not able to create a grant on the KMS key %s: User %s is not authorized to perform kms:CreateGrant", given, Caller)
		}
	}
	if c.New.String("destination") != "extended_s3" {
		return nil
	}
	prefix, failed := c.New.String(at+"prefix"), c.New.String(at+"errorOutputPrefix")
	switch { // https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
	case strings.Contains(prefix, errorType):
		return errorf("InvalidArgumentException", "Prefix cannot contain %s", errorType)
	case strings.Contains(prefix, "!{") && failed == "":
		return errorf("InvalidArgumentException", "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions")
	case strings.Contains(failed, "!{") && !strings.Contains(failed, errorType):
		return errorf("InvalidArgumentException", "ErrorOutputPrefix must contain at least one instance of %s", errorType)
	}
	to, writer := c.New.String(at+"bucketArn"), c.New.String(at+"roleArn")
	if c.Cloud.By("", bucket, "arn", to) == nil {
		return errorf("InvalidArgumentException", "Bucket %s does not exist", to)
	}
	context := map[string]string{"aws:SourceAccount": Account, "aws:SourceArn": self, "sts:ExternalId": Account}
	if !assumable(c.Cloud, writer, "firehose.amazonaws.com", context) {
		return errorf("InvalidArgumentException", "Firehose is unable to assume role %s. Please check the role provided.", writer)
	}
	fixed, _, _ := strings.Cut(prefix, "!{")
	for _, each := range []struct{ action, resource string }{{"s3:PutObject", to + "/" + fixed + "x"}, {"s3:AbortMultipartUpload", to + "/" + fixed + "x"}, {"s3:ListBucket", to},
		{"s3:GetBucketLocation", to}, {"s3:ListBucketMultipartUploads", to}} {
		if !roleMay(c.Cloud, writer, iampolicy.Request{Action: each.action, Resource: each.resource}) {
			return errorf("S3.AccessDenied", "Access was denied. The role %s may not do %s on %s: nothing would be delivered", writer, each.action, each.resource)
		}
	}
	for _, given := range keysOfDelivery(c, strings.TrimPrefix(to, "arn:aws:s3:::"), c.New.String(at+"kmsKeyArn")) {
		k := findKey(c.Cloud, c.Scope, given)
		q := iampolicy.Request{Principal: writer, Action: "kms:GenerateDataKey", Resource: given,
			Context: map[string]string{"kms:ViaService": "s3." + c.Scope + ".amazonaws.com", "aws:PrincipalArn": writer, "kms:CallerAccount": Account}}
		if k == nil || !keyLets(k, q) || !roleMay(c.Cloud, writer, q) {
			return errorf("S3.KMS.AccessDenied", "The role %s may not use the key %s: nothing would be delivered", writer, given)
		}
	}
	return nil
}

// keysOfDelivery are the keys an object is encrypted with: the stream's own, or the bucket's.
func keysOfDelivery(c *simcloud.Change, name, own string) []string {
	if own != "" {
		return []string{own}
	}
	if e := c.Cloud.Get("", bucketEncryption, name); e != nil {
		if given := e.State.String("rules[0].applyServerSideEncryptionByDefault.kmsMasterKeyId"); given != "" {
			return []string{given}
		}
	}
	return nil
}

// judgeSubscription judges where a subscription sends: CloudWatch Logs tries it with a record of its own.
func judgeSubscription(c *simcloud.Change) error {
	if c.ID == "" {
		c.ID = c.Object.ID
	}
	to, sender := c.New.String("destinationArn"), c.New.String("roleArn")
	if !strings.HasPrefix(to, "arn:aws:firehose:") {
		return errorf("InvalidParameterException", "destinationArn for vendor %s is not modelled here", to)
	}
	refused := errorf("InvalidParameterException", "Could not deliver test message to specified Firehose stream. Check if the given Firehose stream is in ACTIVE state.")
	if c.Cloud.Get(c.Scope, deliveryStream, to) == nil {
		return refused
	}
	if sender == "" {
		return errorf("InvalidParameterException", "destinationArn for vendor firehose cannot be used without roleArn")
	}
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#FirehoseExample names no other key.
	context := map[string]string{"aws:SourceArn": arn("logs", c.Scope, "log-group:"+c.New.String("logGroup")+":*")}
	if !assumable(c.Cloud, sender, "logs.amazonaws.com", context) && !assumable(c.Cloud, sender, "logs."+c.Scope+".amazonaws.com", context) {
		return errorf("InvalidParameterException", "Could not assume the role %s: CloudWatch Logs is not in its trust policy", sender).Within(seconds(300))
	}
	for _, action := range []string{"firehose:PutRecord", "firehose:PutRecordBatch"} {
		if !roleMay(c.Cloud, sender, iampolicy.Request{Action: action, Resource: to}) {
			return refused
		}
	}
	return nil
}

// assumable tells whether a role lets a service assume it with these values of condition keys, and no others.
func assumable(cloud *simcloud.Cloud, roleARN, service string, context map[string]string) bool {
	o := cloud.By("", role, "arn", roleARN)
	if o == nil {
		return false
	}
	doc, err := iampolicy.Parse(o.State.String("assumeRolePolicy"), iampolicy.Trust)
	return err == nil && doc.Allows(iampolicy.Request{Principal: service, Action: "sts:AssumeRole", Context: maps.Clone(context)})
}

// roleMay tells whether a role's own inline policies let it do something; what AWS manages is not looked into.
func roleMay(cloud *simcloud.Cloud, roleARN string, q iampolicy.Request) bool {
	o := cloud.By("", role, "arn", roleARN)
	if o == nil {
		return false
	}
	for _, p := range cloud.Find("", rolePolicy, func(p *simcloud.Object) bool { return p.State.String("role") == o.ID }) {
		if doc, err := iampolicy.Parse(documentText(p.State.Get("policy")), iampolicy.Inline); err == nil && doc.Allows(q) {
			return true
		}
	}
	return false
}

// keyLets tells whether a key's policy lets a role of the account use it, by name or through the account.
func keyLets(k *simcloud.Object, q iampolicy.Request) bool {
	doc, err := iampolicy.Parse(k.State.String("policy"), iampolicy.Key)
	q.Resource = ""
	return err == nil && k.State.Bool("isEnabled") && doc.Allows(q)
}

// grantable tells whether whoever makes a resource may give a service a grant on a key for it.
func grantable(k *simcloud.Object) bool {
	return keyLets(k, iampolicy.Request{Principal: Caller, Action: "kms:CreateGrant", Context: map[string]string{"kms:CallerAccount": Account, "kms:GrantIsForAWSResource": "true"}})
}

// planPattern judges a filter pattern as far as it is known.
func planPattern(p *simcloud.Plan, path, what string) {
	if !p.Values.Known(path) || !p.Values.Has(path) {
		return
	}
	if _, err := filterpattern.Parse(p.Values.String(path)); err != nil {
		p.Add(path, "InvalidParameterException: Invalid "+what+" filter pattern: "+err.Error())
	}
}

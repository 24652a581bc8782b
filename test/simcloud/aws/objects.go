package aws

import (
	"crypto/md5"
	"crypto/sha512"
	"encoding/hex"
	"os"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

// objectTypes are objects of buckets: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func objectTypes() []*simcloud.ResourceType {
	t := kind(bucketObject, s3.BucketObjectv2Args{}, s3.BucketObjectv2{})
	t.Global = true
	t.Replace = []string{"bucket", "key"}
	t.Renews = map[string][]string{"content": {"etag", "versionId"}, "source": {"etag", "versionId"}, "contentBase64": {"etag", "versionId"}}
	t.References = []simcloud.Reference{holding(to("bucket", "NoSuchBucket", "The specified bucket does not exist: %s", bucket)), toKey("kmsKeyId")}
	t.Check = func(p *simcloud.Plan) {
		exactlyOne(p, []string{"content", "contentBase64", "source"})
		oneOf(p, "serverSideEncryption", "AES256", "aws:kms", "aws:kms:dsse")
		if key := p.Values.String("key"); len(key) > 1024 {
			p.Add("key", "KeyTooLongError: Your key is too long")
		}
		if p.Values.Has("kmsKeyId") && p.Values.Known("serverSideEncryption") && p.Values.String("serverSideEncryption") == "AES256" {
			p.Add("kmsKeyId", "InvalidArgument: kmsKeyId goes with aws:kms")
		}
	}
	t.Create, t.Update = putObject, putObject
	return []*simcloud.ResourceType{t}
}

func putObject(c *simcloud.Change) error {
	name, key := c.New.String("bucket"), c.New.String("key")
	c.ID = name + "/" + key
	what := "arn:aws:s3:::" + c.ID
	forbidden := func(why string) error {
		e := errorf("AccessDenied", "User: %s is not authorized to perform: s3:PutObject on resource: %s %s", Caller, what, why)
		e.Status = 403
		return e
	}
	if denied(c.Cloud, name, iampolicy.Request{Principal: Caller, Action: "s3:PutObject", Resource: what, Context: map[string]string{"aws:SecureTransport": "true"}}) {
		return forbidden("with an explicit deny in a resource-based policy")
	}
	o := &simcloud.Object{State: c.New}
	if given := objectKey(c.Cloud, o); given != "" {
		k := findKey(c.Cloud, c.Scope, given)
		if k == nil {
			return errorf("KMS.NotFoundException", "Invalid keyId %s", given)
		}
		doc, err := iampolicy.Parse(k.State.String("policy"), iampolicy.Key)
		if err != nil || !doc.Allows(throughS3(c.Scope, Caller, "kms:GenerateDataKey", what)) {
			return forbidden("because no resource-based policy allows the kms:GenerateDataKey action")
		}
	}
	content := []byte(c.New.String("content"))
	if path := c.New.String("source.path"); path != "" {
		var err error
		if content, err = os.ReadFile(path); err != nil {
			return errorf("InvalidRequest", "reading %s: %v", path, err)
		}
		c.Out["metadata"] = map[string]string{"sha512": sum512(content)}
	}
	sum := md5.Sum(content) //nolint:gosec // what S3 calls an entity tag
	c.Out["etag"], c.Out["versionId"], c.Out["arn"] = hex.EncodeToString(sum[:]), digits(c.Cloud, "version", 32), what
	if v := c.Cloud.Get("", bucketVersioning, name); v == nil || v.State.String("versioningConfiguration.status") != "Enabled" {
		c.Out["versionId"] = ""
	}
	return nil
}

func sum512(content []byte) string {
	sum := sha512.Sum512(content)
	return hex.EncodeToString(sum[:])
}

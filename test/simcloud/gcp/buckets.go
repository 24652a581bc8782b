package gcp

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/storage"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]$`)
	multi      = map[string]string{"EU": "europe", "US": "us", "ASIA": "asia", "EUR4": "eur4", "NAM4": "nam4"} // and where their keys are
)

// bucketTypes are buckets and what is in them: https://cloud.google.com/storage/docs/buckets
func bucketTypes() []*simcloud.ResourceType {
	t := named(kind(bucket, "{name}", storage.BucketArgs{}, storage.Bucket{}), 63)
	t.Defaults = simcloud.Values{"forceDestroy": false, "storageClass": "STANDARD"}
	t.Replace = append(t.Replace, "location", "project", "enableObjectRetention", "customPlacementConfig")
	t.ReplaceIf = func(olds, news simcloud.Values) []string { // a lock is never undone
		if olds.Bool("retentionPolicy.isLocked") && !news.Bool("retentionPolicy.isLocked") {
			return []string{"retentionPolicy"}
		}
		return nil
	}
	t.Check = checkBucket
	judged(t, func(c *simcloud.Change) error {
		at := strings.ToUpper(c.New.String("location"))
		if regions[strings.ToLower(at)] == "" && multi[at] == "" {
			return badRequest("The specified location constraint is not valid: %s", at)
		}
		project := placeOf(c.Scope, c.New).project
		c.Out["project"], c.Out["location"], c.Out["url"], c.Out["selfLink"] = project, at, "gs://"+c.ID, "https://www.googleapis.com/storage/v1/b/"+c.ID
		return judgeBucket(c)
	}, func(c *simcloud.Change) error {
		c.Out["location"] = c.Old["location"]
		if was, is := c.Old.Int("retentionPolicy.retentionPeriod"), c.New.Int("retentionPolicy.retentionPeriod"); c.Old.Bool("retentionPolicy.isLocked") && is < was {
			return forbidden("Cannot reduce retention duration of a locked Retention Policy for bucket '%s'.", c.ID)
		}
		return judgeBucket(c)
	})
	t.Delete = func(c *simcloud.Change) error {
		for _, o := range objectsOf(c.Cloud, c.Object.ID) {
			if !c.Old.Bool("forceDestroy") {
				return provider("Error trying to delete bucket %s containing objects without `force_destroy` set to true", c.Object.ID)
			}
			if err := retained(c.Cloud, c.Object, o); err != nil {
				return err
			}
		}
		for _, o := range objectsOf(c.Cloud, c.Object.ID) {
			if err := c.Cloud.Release(o); err != nil {
				return err
			}
		}
		return nil
	}

	o := kind(bucketObject, "{bucket}-{name}", storage.BucketObjectArgs{}, storage.BucketObject{})
	o.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 200}
	o.References = []simcloud.Reference{to("bucket", bucket, "{name}")}
	o.Replace = append(o.Replace, "content", "source", "contentType", "storageClass", "kmsKeyName", "cacheControl") // the provider writes an object once
	o.Check = func(p *simcloud.Plan) {
		p.ExactlyOne("content", "source")
		if name := p.Values.String("name"); len(name) > 1024 || strings.ContainsAny(name, "\r\n") {
			p.Add("name", "the name of an object has 1 to 1024 bytes, without carriage returns and line feeds")
		}
	}
	judged(o, func(c *simcloud.Change) error {
		c.Out["selfLink"] = "https://www.googleapis.com/storage/v1/b/" + c.New.String("bucket") + "/o/" + c.New.String("name")
		c.Out["outputName"], c.Out["md5hash"] = c.New.String("name"), hexOf(c.New.String("content"))
		return nil
	}, nil)
	o.Delete = func(c *simcloud.Change) error {
		if in := c.Cloud.Get("", bucket, c.Old.String("bucket")); in != nil {
			return retained(c.Cloud, in, c.Object)
		}
		return nil
	}
	return []*simcloud.ResourceType{t, o}
}

func checkBucket(p *simcloud.Plan) {
	v := p.Values
	if name := v.String("name"); name != "" && (!bucketName.MatchString(name) || strings.Contains(name, "..") || strings.HasPrefix(name, "goog") || strings.Contains(name, "google")) {
		p.Add("name", fmt.Sprintf("%q is not a bucket name: 3 to 63 lower-case letters, digits, hyphens, underscores and dots, not beginning with goog nor containing google", name))
	}
	labelsAt(p, "labels")
	p.OneOf("publicAccessPrevention", "inherited", "enforced")
	p.OneOf("storageClass", "STANDARD", "MULTI_REGIONAL", "REGIONAL", "NEARLINE", "COLDLINE", "ARCHIVE")
	p.Between("retentionPolicy.retentionPeriod", 1, 3155759999) // 100 years
	if n, ok := v.Get("softDeletePolicy.retentionDurationSeconds").(float64); ok && n != 0 && (n < 604800 || n > 7776000) {
		p.Add("softDeletePolicy.retentionDurationSeconds", fmt.Sprintf("expected 0, or 7 to 90 days (604800 - 7776000), got %v", n))
	}
	for i, rule := range v.List("lifecycleRules") {
		at := fmt.Sprintf("lifecycleRules[%d].action.", i)
		p.OneOf(at+"type", "Delete", "SetStorageClass", "AbortIncompleteMultipartUpload")
		if (rule.String("action.type") == "SetStorageClass") != rule.Has("action.storageClass") && rule.String("action.type") != "" {
			p.Add(at+"storageClass", "a storage class belongs to SetStorageClass, and to nothing else")
		}
	}
}

func judgeBucket(c *simcloud.Change) error {
	if strings.Contains(c.ID, ".") {
		return forbidden("Another user owns the domain %s or a parent domain. You can either verify domain ownership or find another name.", c.ID)
	}
	location := strings.ToUpper(c.New.String("location"))
	where := multi[location]
	if where == "" {
		where = strings.ToLower(location)
	}
	if given := c.New.String("encryption.defaultKmsKeyName"); given != "" {
		if err := keyFor(c, given, agent(c.Cloud, placeOf(c.Scope, c.New).project, "storage"), where); err != nil {
			if e, ok := err.(*simcloud.Error); ok && e.Status == 403 {
				return forbidden("Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.")
			}
			return err
		}
	}
	if to := c.New.String("logging.logBucket"); to != "" && c.Cloud.Get("", bucket, to) == nil {
		return badRequest("The target bucket for logging, %s, does not exist.", to)
	}
	return nil
}

// objectsOf are the objects in a bucket.
func objectsOf(cloud *simcloud.Cloud, name string) []*simcloud.Object {
	return cloud.Find("", bucketObject, func(o *simcloud.Object) bool { return o.State.String("bucket") == name })
}

// retained refuses to remove an object before its time.
// https://cloud.google.com/storage/docs/bucket-lock
func retained(cloud *simcloud.Cloud, in, o *simcloud.Object) error {
	until := o.Usable.Add(time.Duration(in.State.Int("retentionPolicy.retentionPeriod")) * time.Second)
	if !cloud.Clock.Now().Before(until) {
		return nil
	}
	return coded(403, "retentionPolicyNotMet", "Object '%s/%s' is subject to bucket's retention policy or object retention and cannot be deleted or overwritten until %s; objects of the bucket have not met the retention period yet.",
		in.ID, o.State.String("name"), until.Format(time.RFC3339))
}

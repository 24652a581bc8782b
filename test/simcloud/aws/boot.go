package aws

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	ignition "github.com/coreos/ignition/v2/config/v3_4"
	igntypes "github.com/coreos/ignition/v2/config/v3_4/types"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

// boots judges whether a Flatcar machine gets through its first boot, as far as Ignition decides that: its configuration
// can be read, and so can what it names in the account's buckets, by the role that the machine has, with those hashes.
// EC2 itself starts such a machine, which then stands still; here it is refused, with the reason.
// https://coreos.github.io/ignition/configuration-v3_4/
func boots(c *simcloud.Change, data []byte, profile string) error {
	if len(data) > MaxUserData {
		return errorf("InvalidParameterValue", "User data is limited to %d bytes", MaxUserData)
	}
	if problem := bootProblem(c, data, profile); problem != "" {
		return errorf("BootFailure", "the machine would not get through its first boot: %s", problem)
	}
	return nil
}

func bootProblem(c *simcloud.Change, data []byte, profile string) string {
	config, problem := parsed(data)
	if problem != "" {
		return "its user data: " + problem
	}
	if source := config.Ignition.Config.Replace.Source; source != nil {
		content, problem := fetch(c, *source, config.Ignition.Config.Replace.Verification, profile)
		if problem != "" {
			return problem
		}
		if config, problem = parsed(content); problem != "" {
			return *source + ": " + problem
		}
	}
	for _, file := range config.Storage.Files {
		if source := file.Contents.Source; source != nil && strings.HasPrefix(*source, "s3://") {
			if file.Contents.Verification.Hash == nil {
				return file.Path + " comes from " + *source + " without a hash"
			}
			if _, problem := fetch(c, *source, file.Contents.Verification, profile); problem != "" {
				return file.Path + ": " + problem
			}
		}
	}
	return ""
}

func parsed(data []byte) (igntypes.Config, string) {
	config, report, err := ignition.Parse(data)
	if err != nil || report.IsFatal() {
		return config, strings.TrimSpace(fmt.Sprintf("is no configuration that Ignition reads: %v %s", err, report.String()))
	}
	return config, ""
}

// fetch reads an object as a machine of a role does. A bucket of another account is not looked into.
func fetch(c *simcloud.Change, source string, verification igntypes.Verification, profile string) ([]byte, string) {
	u, err := url.Parse(source)
	if err != nil || u.Scheme != "s3" {
		return nil, source + " is not an object of S3"
	}
	key := strings.TrimPrefix(u.Path, "/")
	held := c.Cloud.Get("", bucket, u.Host)
	if held == nil {
		if verification.Hash == nil {
			return nil, source + " has no hash"
		}
		return nil, "" // a mirror that is not this environment's
	}
	o := c.Cloud.Get("", bucketObject, u.Host+"/"+key)
	if o == nil {
		return nil, source + " does not exist (NoSuchKey)"
	}
	if problem := mayRead(c, o, profile); problem != "" {
		return nil, problem
	}
	if verification.Hash == nil {
		return nil, source + " has no hash: whatever lies there would be run"
	}
	if content, there := o.State.Get("content").(string); there {
		if problem := verified([]byte(content), *verification.Hash); problem != "" {
			return nil, source + ": " + problem
		}
		return []byte(content), ""
	}
	if got, want := o.State.Texts("metadata")["sha512"], strings.TrimPrefix(*verification.Hash, "sha512-"); got != "" && got != want {
		return nil, source + " has another hash"
	}
	return nil, ""
}

func verified(content []byte, hash string) string {
	function, want, _ := strings.Cut(hash, "-")
	got := ""
	switch function {
	case "sha512":
		sum := sha512.Sum512(content)
		got = hex.EncodeToString(sum[:])
	case "sha256":
		sum := sha256.Sum256(content)
		got = hex.EncodeToString(sum[:])
	}
	if got != want {
		return "has another hash than the one that is asked for"
	}
	return ""
}

// mayRead says why the role of a profile does not read an object, "" when it does: IAM, the bucket's policy and the key
// must agree.
func mayRead(c *simcloud.Change, o *simcloud.Object, profile string) string {
	p := c.Cloud.Get("", instanceProfile, profile)
	if p == nil {
		return "the machine has no instance profile, and so no role that reads " + o.ID
	}
	of := c.Cloud.Get("", role, p.State.String("role"))
	if of == nil {
		return "the instance profile " + profile + " has no role"
	}
	who, what := of.State.String("arn"), "arn:aws:s3:::"+o.ID
	if !roleAllows(c.Cloud, of, iampolicy.Request{Action: "s3:GetObject", Resource: what}) {
		return who + " may not do s3:GetObject on " + what
	}
	if denied(c.Cloud, o.State.String("bucket"), iampolicy.Request{Principal: who, Action: "s3:GetObject", Resource: what,
		Context: map[string]string{"aws:SecureTransport": "true"}}) {
		return "the policy of the bucket keeps " + who + " from " + what
	}
	if !trusts(c.Cloud, who, "ec2.amazonaws.com", "sts:AssumeRole") {
		return who + " is not for machines"
	}
	given := objectKey(c.Cloud, o)
	if given == "" {
		return ""
	}
	k := findKey(c.Cloud, c.Scope, given)
	if k == nil {
		return "the key of " + what + " does not exist"
	}
	if !mayUse(c.Cloud, k, throughS3(c.Scope, who, "kms:Decrypt", what)) {
		return "the policy of key " + k.ID + " does not let " + who + " decrypt " + what
	}
	return ""
}

func throughS3(scope, who, action, object string) iampolicy.Request {
	return iampolicy.Request{Principal: who, Action: action, Context: map[string]string{"kms:ViaService": "s3." + scope + ".amazonaws.com", "kms:CallerAccount": Account,
		"kms:EncryptionContext:aws:s3:arn": object}}
}

// objectKey is the key under which an object lies: its own, or the bucket's; "" where AWS holds it.
func objectKey(cloud *simcloud.Cloud, o *simcloud.Object) string {
	if given := o.State.String("kmsKeyId"); given != "" {
		return given
	}
	if e := cloud.Get("", bucketEncryption, o.State.String("bucket")); e != nil {
		return e.State.String("rules[0].applyServerSideEncryptionByDefault.kmsMasterKeyId")
	}
	return ""
}

// roleAllows asks the policies that a role has itself.
func roleAllows(cloud *simcloud.Cloud, of *simcloud.Object, q iampolicy.Request) bool {
	allowed := false
	for _, o := range cloud.Find("", rolePolicy, func(o *simcloud.Object) bool { return o.State.String("role") == of.ID }) {
		doc, err := iampolicy.Parse(documentText(o.State.Get("policy")), iampolicy.Inline)
		allowed = allowed || err == nil && doc.Allows(q)
	}
	return allowed
}

// denied tells whether a bucket's policy keeps somebody out.
func denied(cloud *simcloud.Cloud, name string, q iampolicy.Request) bool {
	o := cloud.Get("", bucketPolicy, name)
	if o == nil {
		return false
	}
	doc, err := iampolicy.Parse(o.State.String("policy"), iampolicy.Bucket)
	if err != nil {
		return true
	}
	for i := range doc.Statements {
		if doc.Statements[i].Effect == "Deny" {
			only := doc
			only.Statements = []iampolicy.Statement{doc.Statements[i]}
			only.Statements[0].Effect = "Allow" // which tells whether it is about the request
			if only.Allows(q) {
				return true
			}
		}
	}
	return false
}

package aws

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

var aliasName = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]{1,250}$`)

// kmsTypes are keys: https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html
func kmsTypes() []*simcloud.ResourceType {
	k := kind(key, kms.KeyArgs{}, kms.Key{})
	k.Defaults = simcloud.Values{"keyUsage": "ENCRYPT_DECRYPT", "customerMasterKeySpec": "SYMMETRIC_DEFAULT", "isEnabled": true, "multiRegion": false,
		"enableKeyRotation": false}
	k.Replace = []string{"customerMasterKeySpec", "keyUsage", "multiRegion", "customKeyStoreId", "xksKeyId"}
	k.Check = func(p *simcloud.Plan) {
		between(p, "deletionWindowInDays", 7, 30)
		between(p, "rotationPeriodInDays", 90, 2560)
		oneOf(p, "keyUsage", "ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT")
		if p.Values.Has("rotationPeriodInDays") && p.Values.Known("enableKeyRotation") && !p.Values.Bool("enableKeyRotation") {
			p.Add("rotationPeriodInDays", "all of `enableKeyRotation,rotationPeriodInDays` must be specified: a period needs rotation")
		}
		if len(p.Values.String("description")) > 8192 {
			p.Add("description", "expected length of description to be in the range (0 - 8192)")
		}
		planDocument(p, "policy", iampolicy.Key)
	}
	k.Create = func(c *simcloud.Change) error {
		if err := judgeKey(c); err != nil {
			return err
		}
		c.ID = uuid(c.Cloud, "key")
		c.Out["keyId"], c.Out["arn"] = c.ID, arn("kms", c.Scope, "key/"+c.ID)
		if !c.New.Has("policy") {
			c.Out["policy"] = defaultKeyPolicy
		}
		return nil
	}
	k.Update = judgeKey

	a := kind(alias, kms.AliasArgs{}, kms.Alias{})
	a.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 250, Prefix: "namePrefix", Make: func(name string) string { return "alias/" + name }}
	a.Replace = []string{"name", "namePrefix"}
	a.References = []simcloud.Reference{}
	a.Check = func(p *simcloud.Plan) {
		if name := p.Values.String("name"); name != "" && (!aliasName.MatchString(name) || strings.HasPrefix(name, "alias/aws/")) {
			p.Add("name", `name must begin with 'alias/', not with 'alias/aws/', and be comprised of only [a-zA-Z0-9/_-]`)
		}
	}
	target := func(c *simcloud.Change) error {
		found := findKey(c.Cloud, c.Scope, c.New.String("targetKeyId"))
		if found == nil {
			return errorf("NotFoundException", "Key '%s' does not exist", c.New.String("targetKeyId"))
		}
		c.Out["targetKeyArn"] = found.State["arn"]
		return nil
	}
	a.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("name")
		if c.Cloud.Get(c.Scope, alias, c.ID) != nil {
			return errorf("AlreadyExistsException", "An alias with the name %s already exists", arn("kms", c.Scope, c.ID))
		}
		c.Out["arn"] = arn("kms", c.Scope, c.ID)
		return target(c)
	}
	a.Update = target

	g := kind(grant, kms.GrantArgs{}, kms.Grant{}, "operations")
	g.Replace = []string{"constraints", "granteePrincipal", "keyId", "name", "operations", "retiringPrincipal"}
	g.Create = func(c *simcloud.Change) error {
		if findKey(c.Cloud, c.Scope, c.New.String("keyId")) == nil {
			return errorf("NotFoundException", "Key '%s' does not exist", c.New.String("keyId"))
		}
		if principal(c.Cloud, c.New.String("granteePrincipal")) {
			return errorf("InvalidArnException", "ARN does not refer to a valid principal: %s", c.New.String("granteePrincipal")).Within(seconds(180))
		}
		c.ID = c.New.String("keyId") + ":" + digits(c.Cloud, "grant", 64)
		c.Out["grantId"] = c.ID[strings.Index(c.ID, ":")+1:]
		c.Out["grantToken"] = digits(c.Cloud, "grant token", 32)
		return nil
	}
	return []*simcloud.ResourceType{k, a, g}
}

// defaultKeyPolicy leaves the use of a key to IAM: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
var defaultKeyPolicy = fmt.Sprintf(`{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"kms:*","Resource":"*"}]}`, Account)

// judgeKey judges a key's policy. The caller must be able to change it later, unless the program says that this may be
// given up: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
func judgeKey(c *simcloud.Change) error {
	if c.New.Bool("enableKeyRotation") && c.New.String("customerMasterKeySpec") != "SYMMETRIC_DEFAULT" {
		return errorf("UnsupportedOperationException", "automatic rotation is for symmetric keys only")
	}
	if !c.New.Has("policy") {
		return nil
	}
	doc, err := document(c.New, "policy", iampolicy.Key, "MalformedPolicyDocumentException")
	if err != nil {
		return err
	}
	if err := principals(c, doc, errorf("MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals.")); err != nil {
		return err
	}
	if !c.New.Bool("bypassPolicyLockoutSafetyCheck") && !doc.Allows(iampolicy.Request{Principal: Caller, Action: "kms:PutKeyPolicy"}) {
		return errorf("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
	}
	return nil
}

// findKey finds a key by its id or its ARN, or through an alias.
func findKey(cloud *simcloud.Cloud, scope, name string) *simcloud.Object {
	if o := cloud.Get(scope, key, name); o != nil {
		return o
	}
	if o := cloud.By(scope, key, "arn", name); o != nil {
		return o
	}
	for _, o := range cloud.Find(scope, alias, nil) {
		if o.ID == name || o.State.String("arn") == name {
			return findKey(cloud, scope, o.State.String("targetKeyId"))
		}
	}
	return nil
}

// mayUse tells whether a key's own policy lets a principal do something: a service has no policy of its own in the
// account, so that delegating to the account does not help it. A grant counts too.
func mayUse(cloud *simcloud.Cloud, k *simcloud.Object, q iampolicy.Request) bool {
	if !k.State.Bool("isEnabled") {
		return false
	}
	_, operation, _ := strings.Cut(q.Action, ":")
	for _, g := range cloud.Find(k.Scope, grant, nil) {
		if findKey(cloud, k.Scope, g.State.String("keyId")) == k && g.State.String("granteePrincipal") == q.Principal && slices.Contains(g.State.Strings("operations"), operation) {
			return true
		}
	}
	doc, err := iampolicy.Parse(k.State.String("policy"), iampolicy.Key)
	if err != nil {
		return false
	}
	direct := iampolicy.Document{}
	root := "arn:aws:iam::" + Account + ":root"
	for _, s := range doc.Statements {
		if s.Effect == "Allow" && s.Principal != nil {
			p := *s.Principal
			p.AWS = slices.DeleteFunc(slices.Clone(p.AWS), func(who string) bool { return who == root || who == Account })
			s.Principal = &p
		}
		direct.Statements = append(direct.Statements, s)
	}
	return direct.Allows(q)
}

// judgeSecretsKey judges that whoever makes a cluster may hand a key to EKS, which works with a grant from then on.
// https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html
func judgeSecretsKey(c *simcloud.Change, given string) error {
	k := findKey(c.Cloud, c.Scope, given)
	doc, err := iampolicy.Parse(k.State.String("policy"), iampolicy.Key)
	if err != nil {
		return errorf("InvalidParameterException", "%v", err)
	}
	for _, action := range []string{"kms:DescribeKey", "kms:CreateGrant"} {
		if !doc.Allows(iampolicy.Request{Principal: Caller, Action: action, Context: map[string]string{"kms:ViaService": "eks." + c.Scope + ".amazonaws.com",
			"kms:CallerAccount": Account, "kms:GrantIsForAWSResource": "true"}}) {
			return errorf("InvalidRequestException", "User not authorized to perform %s operation", action)
		}
	}
	if k.State.String("customerMasterKeySpec") != "SYMMETRIC_DEFAULT" {
		return errorf("InvalidParameterException", "The KMS key %s must be symmetric", given)
	}
	return nil
}

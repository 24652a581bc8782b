package aws

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var (
	parameterName = regexp.MustCompile(`^[a-zA-Z0-9_./-]+$`)
	// What Bottlerocket publishes: https://bottlerocket.dev/en/os/latest/ , install, EKS.
	bottlerocketParameter = regexp.MustCompile(`^/aws/service/bottlerocket/aws-k8s-(1\.\d+)(-fips|-nvidia)?/(x86_64|arm64)/(latest|\d+\.\d+\.\d+-[0-9a-f]{8})/(image_version|image_id)$`)
)

// bottlerocketVersion is what "latest" leads to.
const bottlerocketVersion = "1.66.0-9ca2b8e4"

// parameterTypes are parameters: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-parameter-name-constraints.html
func parameterTypes() []*simcloud.ResourceType {
	t := kind(parameter, ssm.ParameterArgs{}, ssm.Parameter{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 1011}
	t.Defaults = simcloud.Values{"tier": "Standard", "dataType": "text"}
	t.Replace = []string{"name", "dataType"}
	t.Check = func(p *simcloud.Plan) {
		name := p.Values.String("name")
		first := strings.ToLower(strings.TrimPrefix(name, "/"))
		if name != "" && (len(name) > 1011 || !parameterName.MatchString(name) || strings.HasPrefix(first, "aws") || strings.HasPrefix(first, "ssm") || strings.Contains(name, "/") && !strings.HasPrefix(name, "/")) {
			p.Add("name", "ValidationException: Parameter name: can't be prefixed with \"aws\" or \"ssm\"; a hierarchy begins with /; only a-zA-Z0-9_.-/ are allowed: "+name)
		}
		oneOf(p, "type", "String", "StringList", "SecureString")
		exactlyOne(p, []string{"value", "insecureValue"})
		if p.Values.String("type") == "SecureString" && p.Values.Has("insecureValue") {
			p.Add("insecureValue", "a SecureString has a value, not an insecureValue")
		}
		if longest := map[string]int{"Standard": 4096, "Advanced": 8192}[p.Values.String("tier")]; longest > 0 && len(p.Values.String("value")) > longest {
			p.Add("value", fmt.Sprintf("ValidationException: %s tier parameters support a maximum parameter value of %d characters.", p.Values.String("tier"), longest))
		}
	}
	t.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("name")
		if c.Cloud.Get(c.Scope, parameter, c.ID) != nil && !c.New.Bool("overwrite") {
			return errorf("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		}
		if given := c.New.String("keyId"); given != "" && findKey(c.Cloud, c.Scope, given) == nil {
			return errorf("InvalidKeyId", "Unable to find KMS key %s", given)
		}
		c.Out["arn"], c.Out["version"] = arn("ssm", c.Scope, "parameter/"+strings.TrimPrefix(c.ID, "/")), 1
		return nil
	}
	t.Update = func(c *simcloud.Change) error {
		c.Out["version"] = c.Old.Int("version") + 1
		return nil
	}
	return []*simcloud.ResourceType{t}
}

func lookupParameter(q *simcloud.Query) (simcloud.Values, error) {
	name := q.Args.String("name")
	out := simcloud.Values{"id": name, "name": name, "insecureValue": "", "version": 1, "type": "String",
		"arn": "arn:aws:ssm:" + q.Scope + "::parameter" + name, "withDecryption": true}
	if parts := bottlerocketParameter.FindStringSubmatch(name); parts != nil {
		version := parts[4]
		if version == "latest" {
			version = bottlerocketVersion
		}
		if _, offered := versions[parts[1]]; offered {
			out["value"] = version
			if parts[5] == "image_id" {
				out["value"] = "ami-" + hexOf(name + version)[:17]
			}
			return out, nil
		}
	} else if o := q.Cloud.Get(q.Scope, parameter, name); o != nil {
		for _, property := range []string{"arn", "type", "value", "version"} {
			out[property] = o.State[property]
		}
		return out, nil
	}
	return nil, errorf("ParameterNotFound", "%s", name)
}

package aws

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

var iamName = regexp.MustCompile(`^[\w+=,.@-]+$`)

// propagation is how long after its creation other services do not see a role.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency
var propagation = seconds(10)

// named judges a name of IAM at plan time. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func named(p *simcloud.Plan, longest int) {
	name := p.Values.String("name")
	if name == "" {
		return
	}
	if len(name) > longest {
		p.Add("name", fmt.Sprintf("expected length of name to be in the range (1 - %d), got %s", longest, name))
	}
	if !iamName.MatchString(name) {
		p.Add("name", `invalid value for name (must match [\w+=,.@-])`)
	}
	if path := p.Values.String("path"); path != "" && (!strings.HasPrefix(path, "/") || !strings.HasSuffix(path, "/")) {
		p.Add("path", "a path begins and ends with /")
	}
}

// roleTypes are roles: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
func roleTypes() []*simcloud.ResourceType {
	t := kind(role, iam.RoleArgs{}, iam.Role{}, "assumeRolePolicy")
	t.Global, t.Lag = true, propagation
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 64, Prefix: "namePrefix"}
	t.Defaults = simcloud.Values{"path": "/", "maxSessionDuration": 3600}
	t.Replace = []string{"name", "namePrefix", "path"}
	t.References = []simcloud.Reference{toPolicy("managedPolicyArns[]"), toPolicy("permissionsBoundary")}
	t.InUse = func(_, by *simcloud.Object) *simcloud.Error {
		if by.Type == instanceProfile {
			return errorf("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
		}
		return errorf("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	t.Check = func(p *simcloud.Plan) {
		named(p, 64)
		between(p, "maxSessionDuration", 3600, 43200)
		planDocument(p, "assumeRolePolicy", iampolicy.Trust)
		for i := range p.Values.List("inlinePolicies") {
			planDocument(p, fmt.Sprintf("inlinePolicies[%d].policy", i), iampolicy.Inline)
		}
	}
	t.Create = func(c *simcloud.Change) error {
		if err := judgeRole(c); err != nil {
			return err
		}
		c.ID = c.New.String("name")
		if c.Cloud.Get("", role, c.ID) != nil {
			return errorf("EntityAlreadyExists", "Role with name %s already exists.", c.ID)
		}
		c.Out["arn"] = arn("iam", "", "role"+c.New.String("path")+c.ID)
		c.Out["uniqueId"], c.Out["createDate"] = "AROA"+strings.ToUpper(digits(c.Cloud, "role", 17)), c.Cloud.Clock.Now().Format("2006-01-02T15:04:05Z")
		c.Out["assumeRolePolicy"] = documentText(c.New.Get("assumeRolePolicy"))
		return nil
	}
	t.Update = func(c *simcloud.Change) error {
		c.Out["assumeRolePolicy"] = documentText(c.New.Get("assumeRolePolicy"))
		return judgeRole(c)
	}

	linked := kind(serviceLinkedRole, iam.ServiceLinkedRoleArgs{}, iam.ServiceLinkedRole{})
	linked.Global, linked.Lag = true, propagation
	linked.Replace = []string{"awsServiceName", "customSuffix"}
	linked.Check = func(p *simcloud.Plan) {
		if name := p.Values.String("awsServiceName"); name != "" && !strings.HasSuffix(name, ".amazonaws.com") {
			p.Add("awsServiceName", "invalid value for awsServiceName (must be a service principal, such as autoscaling.amazonaws.com)")
		}
	}
	linked.Create = func(c *simcloud.Change) error {
		service := c.New.String("awsServiceName")
		name, known := linkedRoles[service]
		if !known {
			return errorf("InvalidInput", "%s has no service-linked role that is simulated", service)
		}
		c.ID = arn("iam", "", "role/aws-service-role/"+service+"/"+name)
		if c.Cloud.Get("", serviceLinkedRole, c.ID) != nil {
			return errorf("InvalidInput", "Service role name %s has been taken in this account, please try a different suffix.", name)
		}
		c.Out = simcloud.Values{"arn": c.ID, "name": name, "path": "/aws-service-role/" + service + "/", "uniqueId": "AROA" + strings.ToUpper(digits(c.Cloud, "role", 17)),
			"createDate": c.Cloud.Clock.Now().Format("2006-01-02T15:04:05Z")}
		return nil
	}
	return []*simcloud.ResourceType{t, linked}
}

// linkedRoles are the service-linked roles a program may make.
var linkedRoles = map[string]string{
	"autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling", "eks.amazonaws.com": "AWSServiceRoleForAmazonEKS",
	"eks-nodegroup.amazonaws.com": "AWSServiceRoleForAmazonEKSNodegroup", "spot.amazonaws.com": "AWSServiceRoleForEC2Spot",
	"elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing", "guardduty.amazonaws.com": "AWSServiceRoleForAmazonGuardDuty",
}

// LinkedRoleARN is the ARN of a service's linked role, as a key policy names it.
func LinkedRoleARN(service string) string {
	return arn("iam", "", "role/aws-service-role/"+service+"/"+linkedRoles[service])
}

func judgeRole(c *simcloud.Change) error {
	trust, err := document(c.New, "assumeRolePolicy", iampolicy.Trust, "MalformedPolicyDocument")
	if err != nil {
		return err
	}
	size := 0
	for i := range c.New.List("inlinePolicies") {
		doc, err := document(c.New, fmt.Sprintf("inlinePolicies[%d].policy", i), iampolicy.Inline, "MalformedPolicyDocument")
		if err != nil {
			return err
		}
		size += doc.Size
	}
	if size > 10240 {
		return errorf("LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role %s", c.New.String("name"))
	}
	for _, s := range trust.Statements {
		if s.Principal == nil {
			continue
		}
		for _, who := range s.Principal.AWS {
			if principal(c.Cloud, who) {
				return errorf("MalformedPolicyDocument", `Invalid principal in policy: "AWS":"%s"`, who).Within(seconds(120))
			}
		}
		for _, who := range s.Principal.Federated {
			if strings.HasPrefix(who, arn("iam", "", "oidc-provider/")) && c.Cloud.Get("", oidcProvider, who) == nil {
				return errorf("MalformedPolicyDocument", `Invalid principal in policy: "FEDERATED":"%s"`, who)
			}
		}
	}
	return nil
}

// trusts tells whether a role's trust policy lets a service assume it.
func trusts(cloud *simcloud.Cloud, roleARN, service string, actions ...string) bool {
	return trustsWith(cloud, roleARN, service, nil, actions...)
}

// trustsWith is [trusts] for a request that has values of condition keys besides.
func trustsWith(cloud *simcloud.Cloud, roleARN, service string, context map[string]string, actions ...string) bool {
	o := cloud.By("", role, "arn", roleARN)
	if o == nil {
		return false
	}
	doc, err := iampolicy.Parse(o.State.String("assumeRolePolicy"), iampolicy.Trust)
	if err != nil {
		return false
	}
	for _, action := range actions {
		// The confused-deputy conditions hold: it is this account that asks.
		q := iampolicy.Request{Principal: service, Action: action, Context: map[string]string{"aws:SourceAccount": Account}}
		maps.Copy(q.Context, context)
		for _, s := range doc.Statements {
			for _, keys := range s.Condition {
				for name, values := range keys {
					if strings.EqualFold(name, "aws:SourceArn") && len(values) > 0 {
						q.Context[name] = strings.ReplaceAll(values[0], "*", "x")
					}
				}
			}
		}
		if !doc.Allows(q) {
			return false
		}
	}
	return true
}

// attached are the ARNs of the managed policies of a role.
func attached(cloud *simcloud.Cloud, roleARN string) []string {
	o := cloud.By("", role, "arn", roleARN)
	if o == nil {
		return nil
	}
	out := o.State.Strings("managedPolicyArns")
	for _, a := range cloud.Find("", rolePolicyAttachment, func(a *simcloud.Object) bool { return a.State.String("role") == o.ID }) {
		out = append(out, a.State.String("policyArn"))
	}
	return out
}

// hasPolicy tells whether a role has a policy that AWS manages.
func hasPolicy(cloud *simcloud.Cloud, roleARN, name string) bool {
	return slices.ContainsFunc(attached(cloud, roleARN), func(each string) bool { return strings.HasSuffix(each, "/"+name) })
}

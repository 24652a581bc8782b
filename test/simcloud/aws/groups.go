package aws

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	awsvpc "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// What a description may hold: https://docs.aws.amazon.com/vpc/latest/userguide/creating-security-groups.html
var description = regexp.MustCompile(`^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*$`)

// sources of a rule: exactly one.
var sources = []string{"cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId"}

// groupTypes are security groups and their rules.
func groupTypes() []*simcloud.ResourceType {
	group := kind(securityGroup, ec2.SecurityGroupArgs{}, ec2.SecurityGroup{})
	group.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 255, Prefix: "namePrefix"}
	group.Defaults = simcloud.Values{"description": "Managed by Pulumi"}
	group.Replace = []string{"name", "namePrefix", "description", "vpcId"}
	group.References = []simcloud.Reference{holding(toVPC("vpcId")), holding(toGroup("ingress[].securityGroups[]")), holding(toGroup("egress[].securityGroups[]"))}
	group.DeletePatience = seconds(900)
	group.Check = func(p *simcloud.Plan) {
		describable(p, "description")
		if name := p.Values.String("name"); len(name) > 255 {
			p.Add("name", fmt.Sprintf("expected length of name to be in the range (0 - 255), got %s", name))
		} else if strings.HasPrefix(name, "sg-") {
			p.Add("name", `invalid value for name (cannot begin with "sg-")`)
		}
		for _, direction := range []string{"ingress", "egress"} {
			for i, rule := range p.Values.List(direction) {
				at := fmt.Sprintf("%s[%d]", direction, i)
				describable(p, at+".description")
				if !rule.Has("cidrBlocks") && !rule.Has("ipv6CidrBlocks") && !rule.Has("prefixListIds") && !rule.Has("securityGroups") && !rule.Bool("self") {
					p.Add(at, "a rule must name at least one of cidrBlocks, ipv6CidrBlocks, prefixListIds, securityGroups, self")
				}
			}
		}
	}
	group.Create = func(c *simcloud.Change) error {
		name, at := c.New.String("name"), c.New.String("vpcId")
		if at == "" {
			return errorf("VPCIdNotSpecified", "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.")
		}
		taken := c.Cloud.Find(c.Scope, securityGroup, func(o *simcloud.Object) bool {
			return o.State.String("vpcId") == at && o.State.String("name") == name
		})
		if len(taken) > 0 {
			return errorf("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", name, at)
		}
		c.ID = id(c, "sg")
		c.Out["arn"], c.Out["ownerId"] = arn("ec2", c.Scope, "security-group/"+c.ID), Account
		return nil
	}

	in := kind(ingressRule, awsvpc.SecurityGroupIngressRuleArgs{}, awsvpc.SecurityGroupIngressRule{})
	out := kind(egressRule, awsvpc.SecurityGroupEgressRuleArgs{}, awsvpc.SecurityGroupEgressRule{})
	for _, rule := range []*simcloud.ResourceType{in, out} {
		rule.Replace = []string{"securityGroupId"}
		rule.References = []simcloud.Reference{toGroup("securityGroupId"), holding(toGroup("referencedSecurityGroupId")), toPrefixList("prefixListId")}
		rule.Check = checkRule
		rule.Update = func(c *simcloud.Change) error { return judgeRule(rule.Token, c) }
		rule.Create = func(c *simcloud.Change) error {
			c.ID = id(c, "sgr")
			c.Out["securityGroupRuleId"], c.Out["arn"] = c.ID, arn("ec2", c.Scope, "security-group-rule/"+c.ID)
			return judgeRule(rule.Token, c)
		}
	}
	return []*simcloud.ResourceType{group, in, out}
}

func toPrefixList(path string) simcloud.Reference {
	r := to(path, "InvalidPrefixListID.NotFound", "The prefix list ID '%s' does not exist", vpcEndpoint)
	r.Ignore = func(value string) bool { return managedPrefixLists[value] }
	return r
}

// managedPrefixLists are those of gateway endpoints, by id; getPrefixList and the endpoints give them out.
var managedPrefixLists = func() map[string]bool {
	out := map[string]bool{}
	for region := range regions {
		for _, service := range []string{"s3", "dynamodb"} {
			out[prefixList(region, service)] = true
		}
	}
	return out
}()

// describable judges a description at plan time.
func describable(p *simcloud.Plan, path string) {
	text := p.Values.String(path)
	if len(text) > 255 {
		p.Add(path, fmt.Sprintf("expected length of %s to be in the range (0 - 255), got %d characters", path, len(text)))
	}
	if !description.MatchString(text) {
		p.Add(path, fmt.Sprintf("InvalidParameterValue: Value (%s) for parameter %s is invalid. Character sets beyond ASCII are not supported; use a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*", text, path))
	}
}

func checkRule(p *simcloud.Plan) {
	exactlyOne(p, sources)
	describable(p, "description")
	cidrAt(p, "cidrIpv4", 0, 32)
	cidrAt(p, "cidrIpv6", 0, 128)
	protocol := p.Values.String("ipProtocol")
	from, hasFrom := p.Values.Get("fromPort").(float64)
	to, hasTo := p.Values.Get("toPort").(float64)
	switch protocol {
	case "-1":
		if hasFrom || hasTo {
			p.Add("fromPort", "a rule for all protocols (-1) names no ports")
		}
	case "tcp", "udp", "6", "17":
		if !hasFrom && p.Values.Known("fromPort") || !hasTo && p.Values.Known("toPort") {
			p.Add("fromPort", "fromPort and toPort are required with protocol "+protocol)
		} else if from < 0 || to > 65535 || from > to {
			p.Add("fromPort", fmt.Sprintf("InvalidParameterValue: Invalid TCP/UDP port range (%v:%v)", from, to))
		}
	case "icmp", "icmpv6", "1", "58", "":
	default:
		p.Add("ipProtocol", fmt.Sprintf("InvalidParameterValue: Invalid value '%s' for IP protocol. Unknown protocol.", protocol))
	}
}

// judgeRule refuses a rule that is there already, that its group states itself, or that crosses networks.
// https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
func judgeRule(token string, c *simcloud.Change) error {
	for _, o := range c.Cloud.Find(c.Scope, token, nil) {
		if (c.Object == nil || o.ID != c.Object.ID) && ruleKey(o.State) == ruleKey(c.New) {
			return errorf("InvalidPermission.Duplicate", "the specified rule %q already exists", ruleKey(c.New))
		}
	}
	group := c.Cloud.Get(c.Scope, securityGroup, c.New.String("securityGroupId"))
	inline := map[string]string{ingressRule: "ingress", egressRule: "egress"}[token]
	if group.Inputs.Has(inline) {
		// The provider's documentation forbids the two ways together: each run would undo the other's rules.
		return errorf("InvalidParameterCombination", "security group %s states its %s rules itself: a rule of its own would conflict with them", group.ID, inline)
	}
	other := c.Cloud.Get(c.Scope, securityGroup, c.New.String("referencedSecurityGroupId"))
	if other != nil && other.State.String("vpcId") != group.State.String("vpcId") {
		return errorf("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
	}
	return nil
}

// ruleKey is what makes a rule the same as another.
func ruleKey(v simcloud.Values) string {
	source := ""
	for _, name := range sources {
		source += v.String(name)
	}
	return fmt.Sprintf("%s peer: %s, %s, from port: %d, to port: %d", v.String("securityGroupId"), source, v.String("ipProtocol"), v.Int("fromPort"), v.Int("toPort"))
}

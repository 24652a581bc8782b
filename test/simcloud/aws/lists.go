package aws

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// listTypes are network access lists: https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
func listTypes() []*simcloud.ResourceType {
	t := kind(networkACL, ec2.NetworkAclArgs{}, ec2.NetworkAcl{})
	t.Replace = []string{"vpcId"}
	t.References = []simcloud.Reference{holding(toVPC("vpcId")), toSubnet("subnetIds[]")}
	t.Check = func(p *simcloud.Plan) {
		for _, direction := range []string{"ingress", "egress"} {
			seen := map[int]bool{}
			for i := range p.Values.List(direction) {
				at := fmt.Sprintf("%s[%d]", direction, i)
				oneOf(p, at+".action", "allow", "deny")
				between(p, at+".ruleNo", 1, 32766)
				cidrAt(p, at+".cidrBlock", 0, 32)
				number := p.Values.Int(at + ".ruleNo")
				if number != 0 && seen[number] {
					p.Add(at+".ruleNo", fmt.Sprintf("NetworkAclEntryAlreadyExists: The network acl entry identified by %d already exists.", number))
				}
				seen[number] = true
				if p.Values.String(at+".protocol") == "-1" && (p.Values.Int(at+".fromPort") != 0 || p.Values.Int(at+".toPort") != 0) {
					p.Add(at+".fromPort", "to and from ports must both be 0 to use the 'all' \"-1\" protocol!")
				}
			}
		}
	}
	judge := func(c *simcloud.Change) error {
		for _, each := range c.New.Strings("subnetIds") {
			if o := c.Cloud.Get(c.Scope, subnet, each); o.State.String("vpcId") != c.New.String("vpcId") {
				return errorf("InvalidParameterValue", "Network ACL and subnet %s belong to different networks.", each)
			}
		}
		return nil
	}
	t.Create = func(c *simcloud.Change) error {
		c.ID = id(c, "acl")
		c.Out["arn"], c.Out["ownerId"] = arn("ec2", c.Scope, "network-acl/"+c.ID), Account
		return judge(c)
	}
	t.Update = judge
	return []*simcloud.ResourceType{t}
}

// listDrops says which of some flows with the rest of the network the access list of a subnet drops, "" when it lets
// all of them through.
func listDrops(cloud *simcloud.Cloud, at *simcloud.Object, flows []listFlow) string {
	network := at.State.String("vpcId")
	lists := cloud.Find(at.Scope, networkACL, func(o *simcloud.Object) bool { return slices.Contains(o.State.Strings("subnetIds"), at.ID) })
	if len(lists) == 0 {
		own := cloud.Get(at.Scope, vpc, network)
		lists = append(lists, cloud.Get(at.Scope, networkACL, own.State.String("defaultNetworkAclId")))
	}
	for _, local := range vpcRanges(cloud, at.Scope, network) {
		for _, flow := range flows {
			if !passes(lists[0].State.List(flow.direction), flow.port, local) {
				return "the network access list " + lists[0].ID + " of subnet " + at.ID + " drops " + flow.what
			}
		}
	}
	return ""
}

// listFlow is traffic with the rest of the network that a subnet's list must let through; answers need a rule too.
type listFlow struct {
	direction string
	port      int
	what      string
}

var (
	nodeFlows = []listFlow{{"egress", 443, "calls to the API server and to endpoints"}, {"egress", 32768, "answers to the control plane"},
		{"ingress", 10250, "calls to the kubelet"}, {"ingress", 32768, "answers to a node"}}
	controlFlows = []listFlow{{"ingress", 443, "what comes to the API server"}, {"egress", 32768, "answers of the API server"},
		{"egress", 10250, "calls of the API server to kubelets"}, {"ingress", 32768, "answers of kubelets"}}
)

// passes asks the rules of a list in their order; what none speaks of is dropped.
func passes(rules []simcloud.Values, port int, with netip.Prefix) bool {
	rules = slices.Clone(rules)
	slices.SortFunc(rules, func(a, b simcloud.Values) int { return a.Int("ruleNo") - b.Int("ruleNo") })
	for _, rule := range rules {
		protocol := rule.String("protocol")
		outer, err := netip.ParsePrefix(rule.String("cidrBlock"))
		if err != nil || !within(with, outer) {
			continue
		}
		if protocol == "-1" || (protocol == "tcp" || protocol == "6") && rule.Int("fromPort") <= port && port <= rule.Int("toPort") {
			return rule.String("action") == "allow"
		}
	}
	return false
}

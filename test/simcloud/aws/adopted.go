package aws

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// adoptedTypes are what AWS makes with every VPC and a program takes over: the rules it had are gone then, and removing
// it from the program leaves it where it is.
func adoptedTypes() []*simcloud.ResourceType {
	group := kind(defaultSecurityGroup, ec2.DefaultSecurityGroupArgs{}, ec2.DefaultSecurityGroup{})
	group.Replace = []string{"vpcId"}
	group.References = []simcloud.Reference{toVPC("vpcId"), toGroup("ingress[].securityGroups[]"), toGroup("egress[].securityGroups[]")}
	group.Create = func(c *simcloud.Change) error {
		network := c.Cloud.Get(c.Scope, vpc, c.New.String("vpcId"))
		if network == nil {
			return errorf("InvalidVpcID.NotFound", "there is no default VPC: name the vpcId")
		}
		return adopt(c, securityGroup, network.State.String("defaultSecurityGroupId"), "ingress", "egress")
	}
	group.Update = func(c *simcloud.Change) error { return adopt(c, securityGroup, c.Object.ID, "ingress", "egress") }

	acl := kind(defaultNetworkACL, ec2.DefaultNetworkAclArgs{}, ec2.DefaultNetworkAcl{})
	acl.Replace = []string{"defaultNetworkAclId"}
	acl.References = []simcloud.Reference{to("defaultNetworkAclId", "InvalidNetworkAclID.NotFound", "The networkAcl ID '%s' does not exist", networkACL), toSubnet("subnetIds[]")}
	acl.Create = func(c *simcloud.Change) error {
		return adopt(c, networkACL, c.New.String("defaultNetworkAclId"), "ingress", "egress")
	}
	acl.Update = func(c *simcloud.Change) error { return adopt(c, networkACL, c.Object.ID, "ingress", "egress") }

	table := kind(defaultRouteTable, ec2.DefaultRouteTableArgs{}, ec2.DefaultRouteTable{})
	table.Replace = []string{"defaultRouteTableId"}
	table.References = []simcloud.Reference{toTable("defaultRouteTableId")}
	table.Create = func(c *simcloud.Change) error {
		return adopt(c, routeTable, c.New.String("defaultRouteTableId"), "routes")
	}
	table.Update = func(c *simcloud.Change) error { return adopt(c, routeTable, c.Object.ID, "routes") }

	return []*simcloud.ResourceType{group, acl, table}
}

// adopt gives a default object the rules that the program states, and no others.
func adopt(c *simcloud.Change, token, id string, rules ...string) error {
	own := c.Cloud.Get(c.Scope, token, id)
	if own == nil {
		return errorf("InvalidParameterValue", "there is no default %s", id)
	}
	changed := *own
	changed.State = own.State.Copy()
	for _, name := range rules {
		delete(changed.State, name)
		if c.New.Has(name) {
			changed.State[name] = c.New[name]
		}
	}
	c.ID, c.Beside = id, []*simcloud.Object{&changed}
	for _, name := range []string{"arn", "ownerId", "vpcId", "name", "description"} {
		if _, known := changed.State[name]; known && !(token != securityGroup && (name == "name" || name == "description")) {
			c.Out[name] = changed.State[name]
		}
	}
	return nil
}

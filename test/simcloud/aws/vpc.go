package aws

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// vpcTypes are the network itself: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
func vpcTypes() []*simcloud.ResourceType {
	network := kind(vpc, ec2.VpcArgs{}, ec2.Vpc{})
	network.Defaults = simcloud.Values{"enableDnsSupport": true, "enableDnsHostnames": false, "instanceTenancy": "default"}
	network.Replace = []string{"cidrBlock", "ipv4IpamPoolId", "ipv4NetmaskLength"}
	network.Check = func(p *simcloud.Plan) {
		if !p.Values.Has("cidrBlock") && !p.Values.Has("ipv4IpamPoolId") {
			p.Add("cidrBlock", `one of cidrBlock, ipv4IpamPoolId must be specified`)
		}
		cidrAt(p, "cidrBlock", 16, 28)
		oneOf(p, "instanceTenancy", "default", "dedicated")
	}
	network.Renews = map[string][]string{"assignGeneratedIpv6CidrBlock": {"ipv6CidrBlock", "ipv6AssociationId"}}
	network.Create = createVPC
	network.Update = func(c *simcloud.Change) error {
		was, is := c.Old.Bool("assignGeneratedIpv6CidrBlock"), c.New.Bool("assignGeneratedIpv6CidrBlock")
		taken := c.Cloud.Find(c.Scope, subnet, func(o *simcloud.Object) bool {
			return o.State.String("vpcId") == c.Object.ID && o.State.String("ipv6CidrBlock") != ""
		})
		switch {
		case is && !was:
			giveIPv6(c)
		case was && !is && len(taken) > 0:
			return errorf("InvalidCidrBlock.InUse", "The vpc %s currently has a subnet within CIDR block %s", c.Object.ID, c.Old.String("ipv6CidrBlock"))
		case was && !is:
			c.Out["ipv6CidrBlock"], c.Out["ipv6AssociationId"] = "", ""
		}
		return nil
	}
	network.Delete = func(c *simcloud.Change) error {
		// A VPC goes with what AWS made for it, and with nothing else: interfaces that a service placed in it keep it.
		return nil
	}

	sub := kind(subnet, ec2.SubnetArgs{}, ec2.Subnet{})
	sub.Defaults = simcloud.Values{"mapPublicIpOnLaunch": false, "assignIpv6AddressOnCreation": false, "privateDnsHostnameTypeOnLaunch": "ip-name"}
	sub.Replace = []string{"cidrBlock", "availabilityZone", "availabilityZoneId", "vpcId", "ipv6Native", "outpostArn"}
	sub.References = []simcloud.Reference{holding(toVPC("vpcId"))}
	sub.Check = func(p *simcloud.Plan) {
		cidrAt(p, "cidrBlock", 16, 28)
		if p.Values.Has("availabilityZone") && p.Values.Has("availabilityZoneId") {
			p.Add("availabilityZone", `conflicts with availabilityZoneId`)
		}
		if !p.Values.Has("cidrBlock") && !p.Values.Bool("ipv6Native") {
			p.Add("cidrBlock", "a subnet that is not ipv6Native needs a cidrBlock")
		}
	}
	sub.Create = createSubnet
	sub.Update = func(c *simcloud.Change) error {
		if c.New.Bool("assignIpv6AddressOnCreation") && c.New.String("ipv6CidrBlock") == "" {
			return errorf("InvalidParameterValue", "The subnet %s has no IPv6 CIDR block", c.Object.ID)
		}
		return nil
	}

	second := kind(cidrAssociation, ec2.VpcIpv4CidrBlockAssociationArgs{}, ec2.VpcIpv4CidrBlockAssociation{})
	second.Replace = []string{"cidrBlock", "vpcId", "ipv4IpamPoolId", "ipv4NetmaskLength"}
	second.References = []simcloud.Reference{holding(toVPC("vpcId"))}
	second.Check = func(p *simcloud.Plan) { cidrAt(p, "cidrBlock", 16, 28) }
	second.Create = func(c *simcloud.Change) error {
		mine, err := netip.ParsePrefix(c.New.String("cidrBlock"))
		if err != nil {
			return errorf("InvalidParameterValue", "%v", err)
		}
		for _, other := range vpcRanges(c.Cloud, c.Scope, c.New.String("vpcId")) {
			if other.Overlaps(mine) {
				return errorf("InvalidVpc.Conflict", "The CIDR '%s' conflicts with an existing CIDR '%s' of the VPC", mine, other)
			}
		}
		c.ID = id(c, "vpc-cidr-assoc")
		return nil
	}

	gateway := kind(internetGateway, ec2.InternetGatewayArgs{}, ec2.InternetGateway{})
	gateway.References = []simcloud.Reference{holding(toVPC("vpcId"))}
	gateway.Create = func(c *simcloud.Change) error {
		if at := c.New.String("vpcId"); at != "" && c.Cloud.By(c.Scope, internetGateway, "vpcId", at) != nil {
			return errorf("InvalidParameterValue", "Network %s already has an internet gateway attached", at)
		}
		c.ID = id(c, "igw")
		c.Out["arn"], c.Out["ownerId"] = arn("ec2", c.Scope, "internet-gateway/"+c.ID), Account
		return nil
	}

	only := kind(egressOnlyGateway, ec2.EgressOnlyInternetGatewayArgs{}, ec2.EgressOnlyInternetGateway{})
	only.Replace = []string{"vpcId"}
	only.References = []simcloud.Reference{holding(toVPC("vpcId"))}
	only.Create = nothing("eigw")
	return []*simcloud.ResourceType{network, sub, second, gateway, only, interfaceType(), reservationType()}
}

// used is how many interfaces are in a subnet.
func used(cloud *simcloud.Cloud, in *simcloud.Object) int {
	return len(cloud.Find(in.Scope, networkInterface, func(o *simcloud.Object) bool { return o.State.String("subnetId") == in.ID }))
}

// free is how many addresses a subnet has left: AWS keeps five of each.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
func free(cloud *simcloud.Cloud, in *simcloud.Object) int {
	prefix, err := netip.ParsePrefix(in.State.String("cidrBlock"))
	if err != nil {
		return 0
	}
	return 1<<(32-prefix.Bits()) - 5 - used(cloud, in)
}

func createVPC(c *simcloud.Change) error {
	if n := len(c.Cloud.Find(c.Scope, vpc, nil)); n >= 50 {
		return errorf("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
	}
	c.ID = id(c, "vpc")
	group, acl, table := id(c, "sg"), id(c, "acl"), id(c, "rtb")
	c.Out = simcloud.Values{
		"arn": arn("ec2", c.Scope, "vpc/"+c.ID), "ownerId": Account, "defaultSecurityGroupId": group, "defaultNetworkAclId": acl,
		"defaultRouteTableId": table, "mainRouteTableId": table, "dhcpOptionsId": "dopt-0a1b2c3d4e5f60718",
	}
	if c.New.Bool("assignGeneratedIpv6CidrBlock") {
		giveIPv6(c)
	}
	all := []any{simcloud.Values{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": []string{"0.0.0.0/0"}}}
	everything := []any{simcloud.Values{"ruleNo": 100, "action": "allow", "protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlock": "0.0.0.0/0"}}
	c.Beside = []*simcloud.Object{
		{Scope: c.Scope, Type: securityGroup, ID: group, State: simcloud.Values{"name": "default", "description": "default VPC security group",
			"vpcId": c.ID, "ownerId": Account, "arn": arn("ec2", c.Scope, "security-group/"+group), "egress": all,
			"ingress": []any{simcloud.Values{"protocol": "-1", "fromPort": 0, "toPort": 0, "self": true}}}},
		{Scope: c.Scope, Type: routeTable, ID: table, State: simcloud.Values{"vpcId": c.ID, "ownerId": Account, "arn": arn("ec2", c.Scope, "route-table/"+table)}},
		{Scope: c.Scope, Type: networkACL, ID: acl, State: simcloud.Values{"vpcId": c.ID, "ownerId": Account, "arn": arn("ec2", c.Scope, "network-acl/"+acl),
			"ingress": everything, "egress": everything}},
	}
	return nil
}

// giveIPv6 gives a VPC a range of AWS's choice.
func giveIPv6(c *simcloud.Change) {
	c.Out["ipv6CidrBlock"] = fmt.Sprintf("2a05:d014:%x::/56", 0x1000+c.Cloud.Next("ipv6")<<8&0xff00)
	c.Out["ipv6AssociationId"] = id(c, "vpc-cidr-assoc")
}

// vpcRanges are the IPv4 ranges of a VPC.
func vpcRanges(cloud *simcloud.Cloud, scope, vpcID string) []netip.Prefix {
	var out []netip.Prefix
	add := func(text string) {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p)
		}
	}
	if o := cloud.Get(scope, vpc, vpcID); o != nil {
		add(o.State.String("cidrBlock"))
	}
	for _, o := range cloud.Find(scope, cidrAssociation, func(o *simcloud.Object) bool { return o.State.String("vpcId") == vpcID }) {
		add(o.State.String("cidrBlock"))
	}
	return out
}

func createSubnet(c *simcloud.Change) error {
	at := c.New.String("vpcId")
	zone := c.New.String("availabilityZone")
	if wanted := c.New.String("availabilityZoneId"); wanted != "" {
		for _, each := range zones(c.Scope) {
			if zoneID(each) == wanted {
				zone = each
			}
		}
		if zone == "" {
			return errorf("InvalidParameterValue", "Value (%s) for parameter availabilityZoneId is invalid.", wanted)
		}
	}
	if zone == "" {
		zone = zones(c.Scope)[0]
	}
	if !slices.Contains(zones(c.Scope), zone) {
		return errorf("InvalidParameterValue", "Value (%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %s.",
			zone, strings.Join(zones(c.Scope), ", "))
	}
	if text := c.New.String("cidrBlock"); text != "" {
		mine, err := netip.ParsePrefix(text)
		if err != nil {
			return errorf("InvalidParameterValue", "%v", err)
		}
		if !slices.ContainsFunc(vpcRanges(c.Cloud, c.Scope, at), func(p netip.Prefix) bool { return within(mine, p) }) {
			return errorf("InvalidSubnet.Range", "The CIDR '%s' is invalid.", text)
		}
		for _, other := range c.Cloud.Find(c.Scope, subnet, func(o *simcloud.Object) bool { return o.State.String("vpcId") == at }) {
			if p, err := netip.ParsePrefix(other.State.String("cidrBlock")); err == nil && p.Overlaps(mine) {
				return errorf("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", text)
			}
		}
	}
	if text := c.New.String("ipv6CidrBlock"); text != "" {
		mine, err := netip.ParsePrefix(text)
		outer, errOuter := netip.ParsePrefix(c.Cloud.Get(c.Scope, vpc, at).State.String("ipv6CidrBlock"))
		if err != nil || errOuter != nil || !within(mine, outer) {
			return errorf("InvalidSubnet.Range", "The CIDR '%s' is invalid.", text)
		}
	}
	c.ID = id(c, "subnet")
	c.Out["arn"], c.Out["ownerId"] = arn("ec2", c.Scope, "subnet/"+c.ID), Account
	c.Out["availabilityZone"], c.Out["availabilityZoneId"] = zone, zoneID(zone)
	return nil
}

package aws

import (
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// interfaceType are network interfaces, of services and of programs: an address that outlives the machine that has it.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html
func interfaceType() *simcloud.ResourceType {
	t := kind(networkInterface, ec2.NetworkInterfaceArgs{}, ec2.NetworkInterface{})
	t.References = []simcloud.Reference{holding(toSubnet("subnetId")), holding(toGroup("securityGroups[]"))}
	t.Defaults = simcloud.Values{"sourceDestCheck": true, "interfaceType": "interface"}
	t.Replace = []string{"subnetId", "interfaceType", "privateIps", "privateIp"}
	t.DeletePatience = seconds(300)
	t.InUse = func(o, _ *simcloud.Object) *simcloud.Error {
		return errorf("InvalidParameterValue", "Network interface '%s' is currently in use.", o.ID)
	}
	t.Check = func(p *simcloud.Plan) {
		describable(p, "description")
		if p.Values.Has("attachments") {
			p.Add("attachments", "the simulation attaches an interface where a machine names it")
		}
	}
	t.Create = func(c *simcloud.Change) error {
		in := c.Cloud.Get(c.Scope, subnet, c.New.String("subnetId"))
		addresses := c.New.Strings("privateIps")
		for _, text := range addresses {
			if err := judgeAddress(c, in, text); err != nil {
				return err
			}
		}
		if len(addresses) == 0 {
			addresses = []string{nextAddress(c, in)}
		}
		for _, group := range c.New.Strings("securityGroups") {
			if o := c.Cloud.Get(c.Scope, securityGroup, group); o.State.String("vpcId") != in.State.String("vpcId") {
				return errorf("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
			}
		}
		c.ID = id(c, "eni")
		c.Out = simcloud.Values{"arn": arn("ec2", c.Scope, "network-interface/"+c.ID), "ownerId": Account, "privateIp": addresses[0], "privateIps": addresses,
			"macAddress": "02:" + mac(digits(c.Cloud, "mac", 10))}
		if !c.New.Has("securityGroups") {
			c.Out["securityGroups"] = []string{c.Cloud.Get(c.Scope, vpc, in.State.String("vpcId")).State.String("defaultSecurityGroupId")}
		}
		return nil
	}
	return t
}

func mac(hex string) string {
	return hex[:2] + ":" + hex[2:4] + ":" + hex[4:6] + ":" + hex[6:8] + ":" + hex[8:10]
}

// judgeAddress judges an address that a program wants in a subnet.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
func judgeAddress(c *simcloud.Change, in *simcloud.Object, text string) error {
	address, err := netip.ParseAddr(text)
	prefix := netip.MustParsePrefix(in.State.String("cidrBlock"))
	if err != nil || !prefix.Contains(address) {
		return errorf("InvalidParameterValue", "Address %s does not fall within the subnet's address range", text)
	}
	if own := kept(prefix); slices.Contains(own, address) {
		return errorf("InvalidParameterValue", "Address %s is in subnet's reserved address range", text)
	}
	if taken(c, in, address) {
		return errorf("InvalidIPAddress.InUse", "Address %s is in use.", text)
	}
	return nil
}

// kept are the addresses of a subnet that AWS keeps: the first four and the last.
func kept(prefix netip.Prefix) []netip.Addr {
	var out []netip.Addr
	for at := prefix.Addr(); len(out) < 4; at = at.Next() {
		out = append(out, at)
	}
	last := prefix.Addr().As4()
	for bit := prefix.Bits(); bit < 32; bit++ {
		last[bit/8] |= 1 << (7 - bit%8)
	}
	return append(out, netip.AddrFrom4(last))
}

func taken(c *simcloud.Change, in *simcloud.Object, address netip.Addr) bool {
	has := func(o *simcloud.Object) bool {
		return o.State.String("subnetId") == in.ID && (o.State.String("privateIp") == address.String() || slices.Contains(o.State.Strings("privateIps"), address.String()))
	}
	return len(c.Cloud.Find(c.Scope, networkInterface, has)) > 0 || slices.ContainsFunc(c.Beside, func(o *simcloud.Object) bool { return o.Type == networkInterface && has(o) })
}

// nextAddress is the one that AWS gives away next: the lowest that is free, which is the worst for who wants a fixed one.
// It gives none from what a program has reserved.
func nextAddress(c *simcloud.Change, in *simcloud.Object) string {
	prefix := netip.MustParsePrefix(in.State.String("cidrBlock"))
	for at := prefix.Addr(); prefix.Contains(at); at = at.Next() {
		if !slices.Contains(kept(prefix), at) && !isReserved(c, in, at) && !taken(c, in, at) {
			return at.String()
		}
	}
	return ""
}

func isReserved(c *simcloud.Change, in *simcloud.Object, address netip.Addr) bool {
	return len(c.Cloud.Find(c.Scope, cidrReservation, func(o *simcloud.Object) bool {
		block, err := netip.ParsePrefix(o.State.String("cidrBlock"))
		return err == nil && o.State.String("subnetId") == in.ID && o.State.String("reservationType") == "explicit" && block.Contains(address)
	})) > 0
}

// newInterface is an interface that a service places in a subnet, beside the resource that is being made.
func newInterface(c *simcloud.Change, in *simcloud.Object, interfaceType, description string, groups []string) *simcloud.Object {
	eni := id(c, "eni")
	return &simcloud.Object{Scope: c.Scope, Type: networkInterface, ID: eni, State: simcloud.Values{
		"arn": arn("ec2", c.Scope, "network-interface/"+eni), "subnetId": in.ID, "securityGroups": groups, "description": description,
		"interfaceType": interfaceType, "ownerId": Account, "privateIp": nextAddress(c, in),
	}}
}

// reservationType are ranges of a subnet that AWS gives nobody by itself.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-cidr-reservation.html
func reservationType() *simcloud.ResourceType {
	t := kind(cidrReservation, ec2.SubnetCidrReservationArgs{}, ec2.SubnetCidrReservation{})
	t.Replace = []string{"cidrBlock", "description", "reservationType", "subnetId"}
	t.References = []simcloud.Reference{toSubnet("subnetId")}
	t.Check = func(p *simcloud.Plan) {
		oneOf(p, "reservationType", "explicit", "prefix")
		cidrAt(p, "cidrBlock", 16, 32)
	}
	t.Create = func(c *simcloud.Change) error {
		in := c.Cloud.Get(c.Scope, subnet, c.New.String("subnetId"))
		block, err := netip.ParsePrefix(c.New.String("cidrBlock"))
		if err != nil || !within(block, netip.MustParsePrefix(in.State.String("cidrBlock"))) {
			return errorf("InvalidParameterValue", "The CIDR '%s' is not within the subnet %s", c.New.String("cidrBlock"), in.ID)
		}
		for _, other := range c.Cloud.Find(c.Scope, cidrReservation, func(o *simcloud.Object) bool { return o.State.String("subnetId") == in.ID }) {
			if p, err := netip.ParsePrefix(other.State.String("cidrBlock")); err == nil && p.Overlaps(block) {
				return errorf("InvalidParameterValue", "The CIDR '%s' overlaps the reservation %s", block, other.ID)
			}
		}
		c.ID = id(c, "scr")
		c.Out["ownerId"] = Account
		return nil
	}
	return t
}

package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// natTypes are NAT gateways and their addresses: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html
func natTypes() []*simcloud.ResourceType {
	address := kind(eip, ec2.EipArgs{}, ec2.Eip{})
	address.Replace = []string{"domain", "networkBorderGroup", "publicIpv4Pool"}
	address.Check = func(p *simcloud.Plan) { oneOf(p, "domain", "vpc", "standard") }
	address.Create = func(c *simcloud.Change) error {
		if len(c.Cloud.Find(c.Scope, eip, nil)) >= 5 { // the quota an account begins with
			return errorf("AddressLimitExceeded", "The maximum number of addresses has been reached.")
		}
		c.ID = id(c, "eipalloc")
		n := c.Cloud.Next("address")
		c.Out["allocationId"], c.Out["publicIp"] = c.ID, fmt.Sprintf("203.0.113.%d", n%254+1)
		c.Out["arn"] = arn("ec2", c.Scope, "elastic-ip/"+c.ID)
		return nil
	}

	nat := kind(natGateway, ec2.NatGatewayArgs{}, ec2.NatGateway{})
	nat.Defaults = simcloud.Values{"connectivityType": "public"}
	nat.Replace = []string{"allocationId", "connectivityType", "privateIp", "subnetId"}
	nat.References = []simcloud.Reference{holding(toSubnet("subnetId")),
		holding(to("allocationId", "InvalidAllocationID.NotFound", "The allocation ID '%s' does not exist", eip))}
	nat.Check = func(p *simcloud.Plan) {
		oneOf(p, "connectivityType", "public", "private")
		switch private := p.Values.String("connectivityType") == "private"; {
		case private && p.Values.Has("allocationId"):
			p.Add("allocationId", "`allocationId` is not supported with connectivityType = \"private\"")
		case !private && !p.Values.Has("allocationId"):
			p.Add("allocationId", "`allocationId` is required with connectivityType = \"public\"")
		}
	}
	nat.Create = func(c *simcloud.Change) error {
		at := c.Cloud.Get(c.Scope, subnet, c.New.String("subnetId"))
		if c.New.String("connectivityType") == "public" {
			if network := at.State.String("vpcId"); c.Cloud.By(c.Scope, internetGateway, "vpcId", network) == nil {
				return errorf("Gateway.NotAttached", "Network %s has no Internet gateway attached", network)
			}
			if allocation := c.New.String("allocationId"); c.Cloud.By(c.Scope, natGateway, "allocationId", allocation) != nil {
				return errorf("Resource.AlreadyAssociated", "resource %s is already associated.", allocation)
			}
			c.Out["publicIp"] = c.Cloud.Get(c.Scope, eip, c.New.String("allocationId")).State.String("publicIp")
		}
		if free(c.Cloud, at) < 1 {
			return errorf("InsufficientFreeAddressesInSubnet", "The specified subnet %s does not have enough free addresses", at.ID)
		}
		c.ID = id(c, "nat")
		eni := newInterface(c, at, "nat_gateway", "Interface for NAT Gateway "+c.ID, nil)
		c.Beside = []*simcloud.Object{eni}
		c.Out["networkInterfaceId"], c.Out["privateIp"] = eni.ID, eni.State["privateIp"]
		return nil
	}
	return []*simcloud.ResourceType{address, nat}
}

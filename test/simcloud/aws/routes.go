package aws

import (
	"net/netip"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// destinations and targets of a route: exactly one of each.
var (
	destinations = []string{"destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"}
	targets      = []string{"gatewayId", "natGatewayId", "egressOnlyGatewayId", "networkInterfaceId", "vpcEndpointId", "transitGatewayId",
		"vpcPeeringConnectionId", "carrierGatewayId", "coreNetworkArn", "localGatewayId"}
)

// routeTypes are route tables: https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html
func routeTypes() []*simcloud.ResourceType {
	table := kind(routeTable, ec2.RouteTableArgs{}, ec2.RouteTable{})
	table.Replace = []string{"vpcId"}
	table.References = []simcloud.Reference{holding(toVPC("vpcId")),
		holding(to("routes[].natGatewayId", "InvalidNatGatewayID.NotFound", "The natGateway ID '%s' does not exist", natGateway)),
		holding(to("routes[].gatewayId", "InvalidInternetGatewayID.NotFound", "The gateway ID '%s' does not exist", internetGateway))}
	table.Create = func(c *simcloud.Change) error {
		c.ID = id(c, "rtb")
		c.Out["arn"], c.Out["ownerId"] = arn("ec2", c.Scope, "route-table/"+c.ID), Account
		return nil
	}

	single := kind(route, ec2.RouteArgs{}, ec2.Route{})
	single.Replace = append([]string{"routeTableId"}, destinations...)
	single.References = []simcloud.Reference{toTable("routeTableId"),
		holding(to("natGatewayId", "InvalidNatGatewayID.NotFound", "The natGateway ID '%s' does not exist", natGateway)),
		holding(to("gatewayId", "InvalidInternetGatewayID.NotFound", "The internetGateway ID '%s' does not exist", internetGateway)),
		holding(to("egressOnlyGatewayId", "InvalidGatewayID.NotFound", "The eigw ID '%s' does not exist", egressOnlyGateway)),
		holding(to("vpcEndpointId", "InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '%s' does not exist", vpcEndpoint))}
	single.Check = func(p *simcloud.Plan) {
		exactlyOne(p, destinations)
		exactlyOne(p, targets)
	}
	single.Create = createRoute

	association := kind(tableAssociation, ec2.RouteTableAssociationArgs{}, ec2.RouteTableAssociation{})
	association.Replace = []string{"subnetId", "gatewayId"}
	association.References = []simcloud.Reference{holding(toTable("routeTableId")), toSubnet("subnetId"),
		to("gatewayId", "InvalidInternetGatewayID.NotFound", "The internetGateway ID '%s' does not exist", internetGateway)}
	association.Check = func(p *simcloud.Plan) { exactlyOne(p, []string{"subnetId", "gatewayId"}) }
	association.Create = func(c *simcloud.Change) error {
		at := c.Cloud.Get(c.Scope, subnet, c.New.String("subnetId"))
		with := c.Cloud.Get(c.Scope, routeTable, c.New.String("routeTableId"))
		if at != nil && at.State.String("vpcId") != with.State.String("vpcId") {
			return errorf("InvalidParameterValue", "Route table %s and subnet %s belong to different networks.", with.ID, at.ID)
		}
		if at != nil && c.Cloud.By(c.Scope, tableAssociation, "subnetId", at.ID) != nil {
			return errorf("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", with.ID)
		}
		c.ID = id(c, "rtbassoc")
		return nil
	}
	return []*simcloud.ResourceType{table, single, association}
}

// exactlyOne judges at plan time that one of several properties is given.
func exactlyOne(p *simcloud.Plan, names []string) { p.ExactlyOne(names...) }

func createRoute(c *simcloud.Change) error {
	table := c.Cloud.Get(c.Scope, routeTable, c.New.String("routeTableId"))
	destination := ""
	for _, name := range destinations {
		destination += c.New.String(name)
	}
	for _, other := range c.Cloud.Find(c.Scope, route, func(o *simcloud.Object) bool { return o.State.String("routeTableId") == table.ID }) {
		for _, name := range destinations {
			if other.State.String(name) == destination {
				return errorf("RouteAlreadyExists", "The route identified by %s already exists.", destination)
			}
		}
	}
	if p, err := netip.ParsePrefix(destination); err == nil {
		if p.Masked() != p {
			return errorf("InvalidParameterValue", "Value (%s) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.", destination)
		}
		for _, local := range vpcRanges(c.Cloud, c.Scope, table.State.String("vpcId")) {
			if local == p {
				return errorf("RouteAlreadyExists", "The route identified by %s already exists: it is the local route.", destination)
			}
		}
	}
	for _, target := range []struct{ property, token string }{{"gatewayId", internetGateway}, {"egressOnlyGatewayId", egressOnlyGateway}} {
		if o := c.Cloud.Get(c.Scope, target.token, c.New.String(target.property)); o != nil && o.State.String("vpcId") != table.State.String("vpcId") {
			return errorf("InvalidParameterValue", "route table %s and network gateway %s belong to different networks", table.ID, o.ID)
		}
	}
	if nat := c.Cloud.Get(c.Scope, natGateway, c.New.String("natGatewayId")); nat != nil {
		if at := c.Cloud.Get(c.Scope, subnet, nat.State.String("subnetId")); at != nil && at.State.String("vpcId") != table.State.String("vpcId") {
			return errorf("InvalidParameterValue", "route table %s and NAT gateway %s belong to different networks", table.ID, nat.ID)
		}
	}
	// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html: the id of a Gateway Load Balancer endpoint
	if end := c.Cloud.Get(c.Scope, vpcEndpoint, c.New.String("vpcEndpointId")); end != nil {
		if kind := end.State.String("vpcEndpointType"); kind != "GatewayLoadBalancer" {
			return errorf("InvalidParameterValue", "Endpoint %s of type %s cannot be the target of a route", end.ID, kind)
		}
		if end.State.String("vpcId") != table.State.String("vpcId") {
			return errorf("InvalidParameterValue", "route table %s and VPC endpoint %s belong to different networks", table.ID, end.ID)
		}
	}
	c.ID = "r-" + table.ID + digits(c.Cloud, "route", 10)
	c.Out["origin"], c.Out["state"] = "CreateRoute", "active"
	return nil
}

// tableOf is the route table of a subnet: its own, or the main table of its VPC.
func tableOf(cloud *simcloud.Cloud, at *simcloud.Object) string {
	if own := cloud.By(at.Scope, tableAssociation, "subnetId", at.ID); own != nil {
		return own.State.String("routeTableId")
	}
	if network := cloud.Get(at.Scope, vpc, at.State.String("vpcId")); network != nil {
		return network.State.String("mainRouteTableId")
	}
	return ""
}

// routesOut tells whether a subnet has a way to the internet for what starts inside: a NAT gateway, or a firewall.
func routesOut(cloud *simcloud.Cloud, at *simcloud.Object) bool {
	table := tableOf(cloud, at)
	leads := func(v simcloud.Values, destination string) bool {
		return v.String(destination) == "0.0.0.0/0" && (v.Has("natGatewayId") || v.Has("networkInterfaceId") || v.Has("vpcEndpointId") || v.Has("transitGatewayId"))
	}
	for _, o := range cloud.Find(at.Scope, route, func(o *simcloud.Object) bool { return o.State.String("routeTableId") == table }) {
		if leads(o.State, "destinationCidrBlock") {
			return true
		}
	}
	if o := cloud.Get(at.Scope, routeTable, table); o != nil {
		for _, v := range o.State.List("routes") {
			if leads(v, "cidrBlock") {
				return true
			}
		}
	}
	return false
}

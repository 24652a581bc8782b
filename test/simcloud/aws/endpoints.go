package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

// endpointServices are the services with interface endpoints that clusters and their operators use.
// https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
var endpointServices = strings.Fields(`acm-pca autoscaling bedrock cloudformation cloudtrail cloudwatch codecommit config ec2 ec2messages ecr.api ecr.dkr
	ecs ecs-agent ecs-telemetry eks eks-auth elasticfilesystem elasticloadbalancing email-smtp events execute-api fsx glue guardduty
	guardduty-data imagebuilder inspector2 kinesis-firehose kinesis-streams kms lambda license-manager logs monitoring organizations
	rds route53resolver s3 secretsmanager securityhub sns sqs ssm ssmmessages sts synthetics xray ebs acm elasticache datasync rolesanywhere`)

// gatewayServices have gateway endpoints.
var gatewayServices = []string{"s3", "dynamodb"}

// prefixList is the id of a gateway service's prefix list.
func prefixList(region, service string) string {
	sum := sha256.Sum256([]byte("prefix list " + region + service))
	return "pl-" + hex.EncodeToString(sum[:])[:8]
}

// endpointTypes are VPC endpoints: https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
func endpointTypes() []*simcloud.ResourceType {
	t := kind(vpcEndpoint, ec2.VpcEndpointArgs{}, ec2.VpcEndpoint{})
	t.Defaults = simcloud.Values{"vpcEndpointType": "Gateway"}
	t.Replace = []string{"serviceName", "vpcEndpointType", "vpcId", "serviceRegion"}
	t.References = []simcloud.Reference{holding(toVPC("vpcId")), holding(toSubnet("subnetIds[]")), holding(toGroup("securityGroupIds[]")), toTable("routeTableIds[]")}
	t.Check = func(p *simcloud.Plan) {
		oneOf(p, "vpcEndpointType", "Gateway", "Interface", "GatewayLoadBalancer")
		oneOf(p, "ipAddressType", "ipv4", "dualstack", "ipv6")
		exactlyOne(p, []string{"serviceName", "resourceConfigurationArn", "serviceNetworkArn"})
		planDocument(p, "policy", iampolicy.Endpoint)
	}
	t.Create = func(c *simcloud.Change) error {
		if err := judgeEndpoint(c); err != nil {
			return err
		}
		c.ID = id(c, "vpce")
		c.Out["arn"], c.Out["ownerId"], c.Out["state"] = arn("ec2", c.Scope, "vpc-endpoint/"+c.ID), Account, "available"
		c.Out["requesterManaged"] = false
		if c.New.String("vpcEndpointType") != "Gateway" { // that is a route, and there at once
			c.Extra = seconds(114)
		}
		return placeEndpoint(c, c.ID)
	}
	t.Update = func(c *simcloud.Change) error {
		if err := judgeEndpoint(c); err != nil {
			return err
		}
		for _, o := range c.Cloud.Find(c.Scope, networkInterface, func(o *simcloud.Object) bool { return o.Owner == c.Object.Key() }) {
			if !slices.Contains(c.New.Strings("subnetIds"), o.State.String("subnetId")) {
				if err := c.Cloud.Release(o); err != nil {
					return err
				}
			}
		}
		return placeEndpoint(c, c.Object.ID)
	}
	return []*simcloud.ResourceType{t}
}

func judgeEndpoint(c *simcloud.Change) error {
	name, kind, at := c.New.String("serviceName"), c.New.String("vpcEndpointType"), c.New.String("vpcId")
	service, ours := strings.CutPrefix(name, "com.amazonaws."+c.Scope+".")
	known := endpointServices
	if kind == "Gateway" {
		known = gatewayServices
	}
	if kind == "GatewayLoadBalancer" {
		return judgeBalancerEndpoint(c)
	}
	if !ours || !slices.Contains(known, service) {
		return errorf("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", name)
	}
	network := c.Cloud.Get(c.Scope, vpc, at)
	subnets, groups := c.New.Strings("subnetIds"), c.New.Strings("securityGroupIds")
	if kind == "Gateway" {
		if len(subnets)+len(groups) > 0 || c.New.Bool("privateDnsEnabled") {
			return errorf("InvalidParameter", "Endpoint type (Gateway) takes route tables; subnets, security groups and private DNS cannot be set")
		}
		for _, table := range c.New.Strings("routeTableIds") {
			if o := c.Cloud.Get(c.Scope, routeTable, table); o.State.String("vpcId") != at {
				return errorf("InvalidParameter", "Route table %s does not belong to VPC %s", table, at)
			}
		}
		return nil
	}
	if c.New.Has("routeTableIds") {
		return errorf("InvalidParameter", "Endpoint type (Interface) does not take route tables")
	}
	seen := map[string]bool{}
	for _, each := range subnets {
		o := c.Cloud.Get(c.Scope, subnet, each)
		if o.State.String("vpcId") != at {
			return errorf("InvalidParameter", "Subnet %s does not belong to VPC %s", each, at)
		}
		if zone := o.State.String("availabilityZone"); seen[zone] {
			return errorf("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of %s", each)
		} else {
			seen[zone] = true
		}
	}
	for _, each := range groups {
		if o := c.Cloud.Get(c.Scope, securityGroup, each); o.State.String("vpcId") != at {
			return errorf("InvalidParameter", "Security group %s and VPC %s belong to different networks.", each, at)
		}
	}
	if !c.New.Bool("privateDnsEnabled") {
		return nil
	}
	if !network.State.Bool("enableDnsSupport") || !network.State.Bool("enableDnsHostnames") {
		return errorf("InvalidParameter", "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for %s", at)
	}
	if inbound, said := c.New.Get("dnsOptions.privateDnsOnlyForInboundResolverEndpoint").(bool); service == "s3" && (!said || inbound) {
		if len(c.Cloud.Find(c.Scope, vpcEndpoint, func(o *simcloud.Object) bool {
			return o.State.String("vpcId") == at && o.State.String("serviceName") == name && o.State.String("vpcEndpointType") == "Gateway"
		})) == 0 {
			// https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html#private-dns-s3
			return errorf("InvalidParameter", "To set PrivateDnsOnlyForInboundResolverEndpoint to true, the VPC %s must have a Gateway endpoint for the service.", at)
		}
	}
	for _, other := range c.Cloud.Find(c.Scope, vpcEndpoint, nil) {
		if (c.Object == nil || other.ID != c.Object.ID) && other.State.String("vpcId") == at && other.State.String("serviceName") == name &&
			other.State.Bool("privateDnsEnabled") && other.State.String("vpcEndpointType") == "Interface" {
			return errorf("InvalidParameter", "private-dns-enabled cannot be set because there is already a conflicting DNS domain for %s.%s.amazonaws.com in the VPC %s", service, c.Scope, at)
		}
	}
	return nil
}

// balancerService is the name of an endpoint service of a gateway load balancer, AWS Network Firewall's included.
var balancerService = regexp.MustCompile(`^com\.amazonaws\.vpce\.([a-z0-9-]+)\.vpce-svc-[0-9a-f]{17}$`)

// judgeBalancerEndpoint judges the endpoint of a firewall, to which routes may lead.
// https://docs.aws.amazon.com/vpc/latest/privatelink/create-gateway-load-balancer-endpoint.html
func judgeBalancerEndpoint(c *simcloud.Change) error {
	name, subnets := c.New.String("serviceName"), c.New.Strings("subnetIds")
	if parts := balancerService.FindStringSubmatch(name); parts == nil || parts[1] != c.Scope {
		return errorf("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", name)
	}
	if len(subnets) != 1 {
		return errorf("InvalidParameter", "Endpoint type (GatewayLoadBalancer) takes exactly one subnet")
	}
	if c.New.Has("securityGroupIds") || c.New.Has("policy") || c.New.Has("routeTableIds") || c.New.Bool("privateDnsEnabled") {
		return errorf("InvalidParameter", "Endpoint type (GatewayLoadBalancer) takes no security groups, policy, route tables or private DNS")
	}
	if o, at := c.Cloud.Get(c.Scope, subnet, subnets[0]), c.New.String("vpcId"); o.State.String("vpcId") != at {
		return errorf("InvalidParameter", "Subnet %s does not belong to VPC %s", o.ID, at)
	}
	return nil
}

// placeEndpoint makes what an endpoint has in its network.
func placeEndpoint(c *simcloud.Change, endpoint string) error {
	if c.New.String("vpcEndpointType") == "Gateway" {
		_, service, _ := strings.Cut(strings.TrimPrefix(c.New.String("serviceName"), "com.amazonaws."), ".")
		c.Out["prefixListId"] = prefixList(c.Scope, service)
		c.Out["cidrBlocks"] = []string{"198.51.100.0/24"}
		return nil
	}
	groups := c.New.Strings("securityGroupIds")
	if len(groups) == 0 && c.New.String("vpcEndpointType") == "Interface" {
		groups = []string{c.Cloud.Get(c.Scope, vpc, c.New.String("vpcId")).State.String("defaultSecurityGroupId")}
		c.Out["securityGroupIds"] = groups
	}
	var interfaces []string
	for _, each := range c.New.Strings("subnetIds") {
		there := c.Cloud.Find(c.Scope, networkInterface, func(o *simcloud.Object) bool {
			return c.Object != nil && o.Owner == c.Object.Key() && o.State.String("subnetId") == each
		})
		if len(there) > 0 {
			kept := *there[0]
			kept.State = kept.State.Copy()
			kept.State["securityGroups"] = groups
			c.Beside = append(c.Beside, &kept)
			interfaces = append(interfaces, kept.ID)
			continue
		}
		in := c.Cloud.Get(c.Scope, subnet, each)
		if free(c.Cloud, in) < 1 {
			return errorf("InsufficientFreeAddressesInSubnet", "The specified subnet %s does not have enough free addresses", each)
		}
		eni := newInterface(c, in, "vpc_endpoint", "VPC Endpoint Interface "+endpoint, groups)
		c.Beside = append(c.Beside, eni)
		interfaces = append(interfaces, eni.ID)
	}
	c.Out["networkInterfaceIds"] = interfaces
	if c.New.String("vpcEndpointType") == "GatewayLoadBalancer" {
		return nil // packets are routed to it: it has no name
	}
	c.Out["dnsEntries"] = []any{simcloud.Values{"dnsName": endpoint + "." + c.New.String("serviceName"), "hostedZoneId": "Z07654321"}}
	return nil
}

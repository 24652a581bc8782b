package aws_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2clientvpn"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	awsvpc "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

const region = "eu-central-1"

var settings = map[string]string{"aws:region": region}

// account is a fresh simulated account in which waiting is free.
func account(t *testing.T) *simcloud.Cloud {
	t.Helper()
	cloud, err := aws.Open(simcloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cloud
}

func str(text string) pulumi.StringPtrInput { return pulumi.StringPtr(text) }

func after(resources ...pulumi.Resource) pulumi.ResourceOption { return pulumi.DependsOn(resources) }

func newVPC(ctx *pulumi.Context, name, cidr string) *ec2.Vpc {
	return must(ec2.NewVpc(ctx, name, &ec2.VpcArgs{CidrBlock: str(cidr), EnableDnsHostnames: pulumi.Bool(true), EnableDnsSupport: pulumi.Bool(true)}))
}

func newSubnet(ctx *pulumi.Context, name string, in *ec2.Vpc, cidr, zone string, options ...pulumi.ResourceOption) *ec2.Subnet {
	return must(ec2.NewSubnet(ctx, name, &ec2.SubnetArgs{VpcId: in.ID(), CidrBlock: str(cidr), AvailabilityZone: str(region + zone)}, options...))
}

func tcp(group, from pulumi.StringInput, port int) *awsvpc.SecurityGroupIngressRuleArgs {
	return &awsvpc.SecurityGroupIngressRuleArgs{SecurityGroupId: group, ReferencedSecurityGroupId: from.ToStringOutput().ToStringPtrOutput(),
		IpProtocol: pulumi.String("tcp"), FromPort: pulumi.IntPtr(port), ToPort: pulumi.IntPtr(port)}
}

func TestPlansOfNetworksAreRefused(t *testing.T) {
	t.Parallel()
	simtest.Unplanned(t, account(t), settings, func(ctx *pulumi.Context) error {
		newVPC(ctx, "fine", "10.0.0.0/16")
		newVPC(ctx, "wide", "10.0.0.0/8")
		newVPC(ctx, "host-bits", "10.0.0.1/16")
		must(ec2.NewVpc(ctx, "no-range", &ec2.VpcArgs{}))
		id := pulumi.String("x")
		must(ec2.NewRoute(ctx, "route-twice", &ec2.RouteArgs{RouteTableId: id, DestinationCidrBlock: str("0.0.0.0/0"), DestinationIpv6CidrBlock: str("::/0"), GatewayId: str("igw")}))
		must(ec2.NewRoute(ctx, "route-nowhere", &ec2.RouteArgs{RouteTableId: id, DestinationCidrBlock: str("0.0.0.0/0")}))
		must(ec2.NewNatGateway(ctx, "nat-without-address", &ec2.NatGatewayArgs{SubnetId: id}))
		must(ec2.NewNatGateway(ctx, "private-nat-with-address", &ec2.NatGatewayArgs{SubnetId: id, ConnectivityType: str("private"), AllocationId: str("eipalloc")}))
		must(ec2.NewSecurityGroup(ctx, "accents", &ec2.SecurityGroupArgs{Description: str("für Knoten"), VpcId: id}))
		must(ec2.NewSecurityGroup(ctx, "long", &ec2.SecurityGroupArgs{Description: str(strings.Repeat("x", 256)), VpcId: id}))
		must(ec2.NewSecurityGroup(ctx, "sg-name", &ec2.SecurityGroupArgs{Name: str("sg-x"), VpcId: id}))
		rule := func(name string, change func(*awsvpc.SecurityGroupIngressRuleArgs)) {
			args := &awsvpc.SecurityGroupIngressRuleArgs{SecurityGroupId: id, CidrIpv4: str("10.0.0.0/16"), IpProtocol: pulumi.String("tcp"), FromPort: pulumi.IntPtr(443), ToPort: pulumi.IntPtr(443)}
			change(args)
			must(awsvpc.NewSecurityGroupIngressRule(ctx, name, args))
		}
		rule("rule", func(*awsvpc.SecurityGroupIngressRuleArgs) {})
		rule("two-sources", func(a *awsvpc.SecurityGroupIngressRuleArgs) { a.ReferencedSecurityGroupId = str("sg") })
		rule("no-ports", func(a *awsvpc.SecurityGroupIngressRuleArgs) { a.FromPort, a.ToPort = nil, nil })
		rule("ports-backwards", func(a *awsvpc.SecurityGroupIngressRuleArgs) { a.FromPort = pulumi.IntPtr(444) })
		rule("all-with-ports", func(a *awsvpc.SecurityGroupIngressRuleArgs) { a.IpProtocol = pulumi.String("-1") })
		rule("protocol", func(a *awsvpc.SecurityGroupIngressRuleArgs) { a.IpProtocol = pulumi.String("https") })
		rule("rule-range", func(a *awsvpc.SecurityGroupIngressRuleArgs) { a.CidrIpv4 = str("10.0.0.1/16") })
		must(ec2.NewFlowLog(ctx, "interval", &ec2.FlowLogArgs{VpcId: str("x"), TrafficType: str("ALL"), LogDestination: str("arn"), MaxAggregationInterval: pulumi.IntPtr(30)}))
		list := func(name string, rules ...*ec2.NetworkAclIngressArgs) {
			all := ec2.NetworkAclIngressArray{}
			for _, each := range rules {
				all = append(all, each)
			}
			must(ec2.NewNetworkAcl(ctx, name, &ec2.NetworkAclArgs{VpcId: id, Ingress: all}))
		}
		entry := func(number int, action, protocol string, port int) *ec2.NetworkAclIngressArgs {
			return &ec2.NetworkAclIngressArgs{RuleNo: pulumi.Int(number), Action: pulumi.String(action), Protocol: pulumi.String(protocol), CidrBlock: str("10.0.0.0/16"), FromPort: pulumi.Int(port), ToPort: pulumi.Int(port)}
		}
		list("list", entry(1, "allow", "tcp", 443), entry(2, "deny", "-1", 0))
		list("list-numbers", entry(1, "allow", "tcp", 443), entry(1, "deny", "-1", 0))
		list("list-action", entry(1, "permit", "tcp", 443))
		list("list-ports", entry(1, "allow", "-1", 443))
		must(ec2.NewVpcEndpoint(ctx, "endpoint-policy", &ec2.VpcEndpointArgs{VpcId: id, ServiceName: str("x"), Policy: str(policyOf(m{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}))}))
		vpn := func(name, clients string, options ...string) {
			kind := "certificate-authentication"
			if len(options) > 0 {
				kind = options[0]
			}
			must(ec2clientvpn.NewEndpoint(ctx, name, &ec2clientvpn.EndpointArgs{ClientCidrBlock: pulumi.String(clients), ServerCertificateArn: pulumi.String("arn:aws:acm:eu-central-1:111122223333:certificate/x"),
				ConnectionLogOptions:  &ec2clientvpn.EndpointConnectionLogOptionsArgs{Enabled: pulumi.Bool(false)},
				AuthenticationOptions: ec2clientvpn.EndpointAuthenticationOptionArray{&ec2clientvpn.EndpointAuthenticationOptionArgs{Type: pulumi.String(kind), RootCertificateChainArn: str("arn")}}}))
		}
		vpn("vpn", "10.100.0.0/22")
		vpn("vpn-small", "10.100.0.0/24")
		vpn("vpn-saml", "10.100.0.0/22", "federated-authentication")
		return nil
	}, simtest.Refusals{
		"wide": "between 16 and 28 significant bits", "host-bits": `did you mean "10.0.0.0/16"`, "no-range": "one of cidrBlock",
		"route-twice": "exactly one of `destinationCidrBlock", "route-nowhere": "exactly one of `gatewayId", "nat-without-address": "`allocationId` is required",
		"private-nat-with-address": "`allocationId` is not supported", "accents": "Character sets beyond ASCII are not supported", "long": "(0 - 255)",
		"sg-name": `cannot begin with "sg-"`, "two-sources": "exactly one of", "no-ports": "fromPort and toPort are required", "ports-backwards": "Invalid TCP/UDP port range",
		"all-with-ports": "names no ports", "protocol": "Unknown protocol", "rule-range": "did you mean", "interval": "one of [60 600]",
		"list-numbers": "NetworkAclEntryAlreadyExists", "list-action": "to be one of [allow deny]", "list-ports": "must both be 0",
		"endpoint-policy": "either Principal or NotPrincipal", "vpn-small": "between 12 and 22", "vpn-saml": "needs samlProviderArn",
	})
}

func TestNetworksAreRefused(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	simtest.Refused(t, cloud, settings, func(ctx *pulumi.Context) error {
		v, other := newVPC(ctx, "net", "10.0.0.0/16"), newVPC(ctx, "other", "10.9.0.0/16")
		s := newSubnet(ctx, "first", v, "10.0.0.0/20", "a")
		beyond := newSubnet(ctx, "beyond", other, "10.9.0.0/20", "a")
		newSubnet(ctx, "outside", v, "10.1.0.0/20", "b")
		newSubnet(ctx, "zone", v, "10.0.32.0/20", "z")
		must(ec2.NewSubnet(ctx, "overlap", &ec2.SubnetArgs{VpcId: v.ID(), CidrBlock: str("10.0.0.0/24")}, after(s)))
		must(ec2.NewSubnet(ctx, "dangling", &ec2.SubnetArgs{VpcId: pulumi.String("vpc-0123456789abcdef0"), CidrBlock: str("10.0.16.0/20")}))

		address := must(ec2.NewEip(ctx, "address", &ec2.EipArgs{Domain: str("vpc")}))
		must(ec2.NewNatGateway(ctx, "no-gateway", &ec2.NatGatewayArgs{SubnetId: beyond.ID(), AllocationId: address.ID().ToStringOutput().ToStringPtrOutput()}))
		gateway := must(ec2.NewInternetGateway(ctx, "gateway", &ec2.InternetGatewayArgs{VpcId: v.ID().ToStringOutput().ToStringPtrOutput()}))
		must(ec2.NewInternetGateway(ctx, "second-gateway", &ec2.InternetGatewayArgs{VpcId: v.ID().ToStringOutput().ToStringPtrOutput()}, after(gateway)))
		must(ec2.NewNatGateway(ctx, "nat", &ec2.NatGatewayArgs{SubnetId: s.ID(), AllocationId: address.ID().ToStringOutput().ToStringPtrOutput()}, after(gateway)))

		table, far := must(ec2.NewRouteTable(ctx, "table", &ec2.RouteTableArgs{VpcId: v.ID()})), must(ec2.NewRouteTable(ctx, "far", &ec2.RouteTableArgs{VpcId: other.ID()}))
		out := &ec2.RouteArgs{RouteTableId: table.ID(), DestinationCidrBlock: str("0.0.0.0/0"), GatewayId: gateway.ID().ToStringOutput().ToStringPtrOutput()}
		out1 := must(ec2.NewRoute(ctx, "out", out))
		must(ec2.NewRoute(ctx, "out-again", out, after(out1)))
		must(ec2.NewRoute(ctx, "far-gateway", &ec2.RouteArgs{RouteTableId: far.ID(), DestinationCidrBlock: str("0.0.0.0/0"), GatewayId: gateway.ID().ToStringOutput().ToStringPtrOutput()}))
		must(ec2.NewRoute(ctx, "local", &ec2.RouteArgs{RouteTableId: table.ID(), DestinationCidrBlock: str("10.0.0.0/16"), GatewayId: gateway.ID().ToStringOutput().ToStringPtrOutput()}))
		must(ec2.NewRouteTableAssociation(ctx, "far-table", &ec2.RouteTableAssociationArgs{RouteTableId: far.ID(), SubnetId: s.ID()}))

		group := must(ec2.NewSecurityGroup(ctx, "group", &ec2.SecurityGroupArgs{VpcId: v.ID(), Name: str("group")}))
		farGroup := must(ec2.NewSecurityGroup(ctx, "far-group", &ec2.SecurityGroupArgs{VpcId: other.ID(), Name: str("group")}))
		must(ec2.NewSecurityGroup(ctx, "group-twice", &ec2.SecurityGroupArgs{VpcId: v.ID(), Name: str("group")}, after(group)))
		inline := must(ec2.NewSecurityGroup(ctx, "inline", &ec2.SecurityGroupArgs{VpcId: v.ID(), Ingress: ec2.SecurityGroupIngressArray{&ec2.SecurityGroupIngressArgs{
			Protocol: pulumi.String("tcp"), FromPort: pulumi.Int(443), ToPort: pulumi.Int(443), CidrBlocks: pulumi.ToStringArray([]string{"10.0.0.0/16"})}}}))
		rule := must(awsvpc.NewSecurityGroupIngressRule(ctx, "rule", tcp(group.ID(), group.ID(), 443)))
		must(awsvpc.NewSecurityGroupIngressRule(ctx, "rule-twice", tcp(group.ID(), group.ID(), 443), after(rule)))
		must(awsvpc.NewSecurityGroupIngressRule(ctx, "rule-across", tcp(group.ID(), farGroup.ID(), 443)))
		must(awsvpc.NewSecurityGroupIngressRule(ctx, "rule-beside-inline", tcp(inline.ID(), group.ID(), 443)))
		must(awsvpc.NewSecurityGroupIngressRule(ctx, "rule-dangling", tcp(group.ID(), pulumi.String("sg-0123456789abcdef0"), 80)))

		endpoint := func(name, service string, in *ec2.Vpc, subnets []*ec2.Subnet, groups []*ec2.SecurityGroup, options ...pulumi.ResourceOption) *ec2.VpcEndpoint {
			args := &ec2.VpcEndpointArgs{VpcId: in.ID(), ServiceName: str("com.amazonaws." + region + "." + service), VpcEndpointType: str("Interface"), PrivateDnsEnabled: pulumi.Bool(true)}
			ids := pulumi.StringArray{}
			for _, each := range subnets {
				ids = append(ids, each.ID())
			}
			args.SubnetIds = ids
			with := pulumi.StringArray{}
			for _, each := range groups {
				with = append(with, each.ID())
			}
			args.SecurityGroupIds = with
			return must(ec2.NewVpcEndpoint(ctx, name, args, options...))
		}
		same := newSubnet(ctx, "same-zone", v, "10.0.48.0/20", "a")
		kms := endpoint("kms", "kms", v, []*ec2.Subnet{s}, []*ec2.SecurityGroup{group})
		endpoint("kms-twice", "kms", v, []*ec2.Subnet{s}, []*ec2.SecurityGroup{group}, after(kms))
		endpoint("no-service", "eks-nodes", v, []*ec2.Subnet{s}, nil)
		endpoint("one-zone-twice", "sts", v, []*ec2.Subnet{s, same}, nil)
		endpoint("far-endpoint-group", "ec2", v, []*ec2.Subnet{s}, []*ec2.SecurityGroup{farGroup})
		endpoint("far-endpoint-subnet", "logs", v, []*ec2.Subnet{beyond}, nil)
		mute := must(ec2.NewVpc(ctx, "mute", &ec2.VpcArgs{CidrBlock: str("10.8.0.0/16")})) // no DNS host names
		endpoint("no-names", "ec2", mute, nil, nil)
		must(ec2.NewVpcEndpoint(ctx, "gateway-of-ec2", &ec2.VpcEndpointArgs{VpcId: v.ID(), ServiceName: str("com.amazonaws." + region + ".ec2")}))

		guard := func(name string, service string, subnets ...*ec2.Subnet) *ec2.VpcEndpoint {
			ids := pulumi.StringArray{}
			for _, each := range subnets {
				ids = append(ids, each.ID())
			}
			return must(ec2.NewVpcEndpoint(ctx, name, &ec2.VpcEndpointArgs{VpcId: v.ID(), VpcEndpointType: str("GatewayLoadBalancer"), ServiceName: str("com.amazonaws.vpce." + service), SubnetIds: ids}))
		}
		through := func(name, destination string, from *ec2.RouteTable, to *ec2.VpcEndpoint) {
			must(ec2.NewRoute(ctx, name, &ec2.RouteArgs{RouteTableId: from.ID(), DestinationCidrBlock: str(destination), VpcEndpointId: to.ID().ToStringOutput().ToStringPtrOutput()}))
		}
		firewall := guard("firewall", region+".vpce-svc-0123456789abcdef0", s)
		guard("firewall-nowhere", "us-east-1.vpce-svc-0123456789abcdef0", s)
		guard("firewall-two-zones", region+".vpce-svc-0123456789abcdef0", s, same)
		guard("firewall-far", region+".vpce-svc-0123456789abcdef0", beyond)
		through("through", "192.0.2.0/25", table, firewall)
		through("through-kms", "192.0.2.128/25", table, kms)
		through("through-far", "192.0.2.0/24", far, firewall)

		trusted := must(iam.NewRole(ctx, "flow", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust("vpc-flow-logs.amazonaws.com"))}))
		wrong := must(iam.NewRole(ctx, "wrong", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust("ec2.amazonaws.com"))}))
		flow := func(name string, role pulumi.StringPtrInput) {
			must(ec2.NewFlowLog(ctx, name, &ec2.FlowLogArgs{VpcId: v.ID(), TrafficType: str("ALL"), IamRoleArn: role, LogDestination: str("arn:aws:logs:eu-central-1:111122223333:log-group:/flow")}))
		}
		flow("flow-no-role", nil)
		flow("flow-wrong-role", wrong.Arn)
		flow("flow-no-group", trusted.Arn)
		must(route53.NewResolverQueryLogConfig(ctx, "queries-nowhere", &route53.ResolverQueryLogConfigArgs{DestinationArn: pulumi.String("arn:aws:logs:eu-central-1:111122223333:log-group:/dns")}))
		kept := must(cloudwatch.NewLogGroup(ctx, "flows", &cloudwatch.LogGroupArgs{Name: str("/kept")}))
		args := &ec2.FlowLogArgs{VpcId: v.ID(), TrafficType: str("ALL"), IamRoleArn: trusted.Arn, LogDestination: kept.Arn}
		works := must(ec2.NewFlowLog(ctx, "flow", args))
		must(ec2.NewFlowLog(ctx, "flow-twice", args, after(works)))

		vpn := func(name, clients string) *ec2clientvpn.Endpoint {
			return must(ec2clientvpn.NewEndpoint(ctx, name, &ec2clientvpn.EndpointArgs{ClientCidrBlock: pulumi.String(clients), ServerCertificateArn: pulumi.String("arn:aws:acm:eu-central-1:111122223333:certificate/x"),
				ConnectionLogOptions:  &ec2clientvpn.EndpointConnectionLogOptionsArgs{Enabled: pulumi.Bool(true), CloudwatchLogGroup: kept.Name.ToStringPtrOutput()},
				AuthenticationOptions: ec2clientvpn.EndpointAuthenticationOptionArray{&ec2clientvpn.EndpointAuthenticationOptionArgs{Type: pulumi.String("certificate-authentication"), RootCertificateChainArn: str("arn")}}}))
		}
		associate := func(name string, of *ec2clientvpn.Endpoint, in *ec2.Subnet, options ...pulumi.ResourceOption) pulumi.Resource {
			return must(ec2clientvpn.NewNetworkAssociation(ctx, name, &ec2clientvpn.NetworkAssociationArgs{ClientVpnEndpointId: of.ID(), SubnetId: in.ID()}, options...))
		}
		clients := vpn("vpn", "10.100.0.0/22")
		first := associate("vpn-in", clients, s)
		associate("vpn-zone-twice", clients, same, after(first))
		associate("vpn-overlap", vpn("vpn-within", "10.0.0.0/22"), s)
		rule1 := &ec2clientvpn.AuthorizationRuleArgs{ClientVpnEndpointId: clients.ID(), TargetNetworkCidr: pulumi.String("10.0.0.0/16"), AuthorizeAllGroups: pulumi.Bool(true)}
		may := must(ec2clientvpn.NewAuthorizationRule(ctx, "vpn-rule", rule1))
		must(ec2clientvpn.NewAuthorizationRule(ctx, "vpn-rule-twice", rule1, after(may)))
		must(ec2.NewNetworkAcl(ctx, "far-list", &ec2.NetworkAclArgs{VpcId: v.ID(), SubnetIds: pulumi.StringArray{beyond.ID()}}))
		must(ec2.NewNetworkInterface(ctx, "interface-of-nobody", &ec2.NetworkInterfaceArgs{SubnetId: s.ID(), PrivateIps: pulumi.StringArray{pulumi.String("172.16.0.9")}}))
		return nil
	}, simtest.Refusals{
		"outside": "InvalidSubnet.Range", "zone": "parameter availabilityZone is invalid", "dangling": "InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist",
		"overlap": "operation error EC2: CreateSubnet, https response error StatusCode: 400", "no-gateway": "Gateway.NotAttached", "second-gateway": "already has an internet gateway",
		"out-again": "RouteAlreadyExists", "far-gateway": "belong to different networks", "local": "RouteAlreadyExists", "far-table": "belong to different networks",
		"group-twice": "InvalidGroup.Duplicate", "rule-twice": "InvalidPermission.Duplicate", "rule-across": "belong to different networks", "rule-beside-inline": "would conflict",
		"rule-dangling": "InvalidGroup.NotFound", "kms-twice": "conflicting DNS domain for kms", "no-service": "InvalidServiceName", "one-zone-twice": "DuplicateSubnetsInSameZone",
		"far-endpoint-group": "belong to different networks", "far-endpoint-subnet": "does not belong to VPC", "no-names": "Enabling private DNS requires both", "gateway-of-ec2": "InvalidServiceName",
		"firewall-nowhere": "InvalidServiceName", "firewall-two-zones": "exactly one subnet", "firewall-far": "does not belong to VPC",
		"through-kms": "cannot be the target of a route", "through-far": "belong to different networks",
		"flow-no-role": "DeliverLogsPermissionArn can't be empty", "flow-wrong-role": "Unable to assume given IAM role", "flow-no-group": "does not exist", "queries-nowhere": "does not exist",
		"flow-twice": "FlowLogAlreadyExists", "vpn-zone-twice": "InvalidClientVpnDuplicateAssociation", "vpn-overlap": "overlaps with the local CIDR",
		"vpn-rule-twice": "InvalidClientVpnDuplicateAuthorizationRule", "far-list": "belong to different networks", "interface-of-nobody": "does not fall within the subnet's address range",
	})
}

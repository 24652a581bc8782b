package aws_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/addressplan"
	"github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// lives takes a program through its life: planned, made as planned, made again without a change, found as it was made,
// taken down to what was there before.
func lives(t *testing.T, cloud *simcloud.Cloud, program pulumi.RunFunc, look func(map[string]string)) {
	t.Helper()
	before := keysOf(cloud)
	e := simtest.New(t, cloud, settings)
	planned, err := e.Preview(program)
	if err != nil {
		t.Fatal(err)
	}
	if made := keysOf(cloud); !slices.Equal(made, before) {
		t.Errorf("a preview made %v", made)
	}
	made := e.MustUp(program)
	if made.Creates() != planned.Creates() || made.Changed() != made.Creates() {
		t.Errorf("planned %v, did %v", planned.Changes, made.Changes)
	}
	if look != nil {
		out := map[string]string{}
		for name := range made.Outputs {
			out[name] = made.Output(name)
		}
		look(out)
	}
	if again := e.MustUp(program); again.Changed() != 0 || again.Same() != made.Creates() {
		t.Errorf("a second pass: %v", again.Changes)
	}
	if drift, err := e.Refresh(); err != nil || drift.Changed() != 0 {
		t.Errorf("drift where there is none: %v %v", drift.Changes, err)
	}
	if err := e.Destroy(); err != nil {
		t.Fatal(err)
	}
	if left := gone(cloud); !slices.Equal(left, before) {
		t.Errorf("left behind: %v, before: %v", left, before)
	}
}

// gone is what exists after a destroy beside the locked archive, which outlives its stack.
func gone(cloud *simcloud.Cloud) []string {
	return slices.DeleteFunc(keysOf(cloud), func(key string) bool { return strings.HasPrefix(key, " aws:s3/") })
}

// M05, M06: by default nothing has a public address or a way out, and what AWS makes with a network is empty.
func TestANetworkWithoutAWayOut(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	lives(t, cloud, foundation{}.program, func(map[string]string) {
		for _, token := range []string{"aws:ec2/internetGateway:InternetGateway", "aws:ec2/natGateway:NatGateway", "aws:ec2/eip:Eip", "aws:ec2/route:Route"} {
			if n := len(cloud.Objects(token)); n > 0 {
				t.Errorf("%d of %s", n, token)
			}
		}
		v := only(t, cloud, "aws:ec2/vpc:Vpc").State
		defaults := []string{v.String("defaultSecurityGroupId"), v.String("defaultNetworkAclId"), v.String("defaultRouteTableId")}
		seen := 0
		for _, o := range cloud.Objects("aws:ec2/securityGroup:SecurityGroup", "aws:ec2/networkAcl:NetworkAcl", "aws:ec2/routeTable:RouteTable") {
			if !slices.Contains(defaults, o.ID) {
				continue
			}
			seen++
			for _, rules := range []string{"ingress", "egress", "routes"} {
				if o.State.Has(rules) && len(o.State.List(rules)) > 0 {
					t.Errorf("%s has %s: %v", o.ID, rules, o.State[rules])
				}
			}
		}
		if seen != 3 {
			t.Errorf("%d of 3 defaults", seen)
		}
		for _, s := range cloud.Objects("aws:ec2/subnet:Subnet") {
			if s.State.Bool("mapPublicIpOnLaunch") {
				t.Errorf("%s gives out public addresses", s.ID)
			}
		}
		for _, g := range cloud.Objects("aws:cloudwatch/logGroup:LogGroup") {
			if g.State.Int("retentionInDays") != 365 || !strings.HasPrefix(g.State.String("kmsKeyId"), "arn:aws:kms:") {
				t.Errorf("log group %s: %v", g.ID, g.State)
			}
		}
	})
}

// Everything that can be chosen at once: NAT, IPv6, every endpoint, pods with interfaces of their own.
func TestANetworkWithNATAndIPv6(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	lives(t, cloud, foundation{
		network: func(a *aws.NetworkArgs) {
			a.IPv6, a.Egress, a.PeerCIDRs, a.Uses, a.ExtraEndpoints = true, aws.EgressNAT, []string{"10.9.0.0/16"}, aws.Uses(), []string{"sqs"}
		},
		firewall: everything,
	}.program, func(out map[string]string) {
		if n := len(cloud.Objects("aws:ec2/natGateway:NatGateway")); n != len(zones) {
			t.Errorf("%d NAT gateways for %d zones", n, len(zones))
		}
		seen := map[netip.Prefix]bool{}
		subnets := cloud.Objects("aws:ec2/subnet:Subnet")
		for _, s := range subnets {
			prefix, err := netip.ParsePrefix(s.State.String("ipv6CidrBlock"))
			if err != nil || prefix.Bits() != 64 || seen[prefix] {
				t.Errorf("IPv6 range %q: %v", s.State.String("ipv6CidrBlock"), err)
			}
			seen[prefix] = true
			if s.State.Bool("mapPublicIpOnLaunch") {
				t.Errorf("%s gives out public addresses", s.ID)
			}
		}
		if len(subnets) != 2*len(zones) {
			t.Errorf("%d subnets", len(subnets))
		}
		if out["pods"] == out["nodes"] {
			t.Error("pods share the group of nodes")
		}
	})
}

// everything chooses all that a firewall can be given.
func everything(a *aws.FirewallArgs) {
	a.Operators, a.Webhooks, a.SeparatePods = []string{"10.9.0.0/16"}, []int{9443}, true
	a.Network = []hostconfig.NetworkTraffic{hostconfig.CiliumVXLAN, hostconfig.CiliumHealth}
	a.Egress = []aws.EgressArgs{{Name: "mirror", CIDRs: []string{"192.0.2.0/28"}, Reason: "the company's images"}}
}

// A firewall's endpoints stand in the network itself: they are promised to it before they exist.
func TestANetworkBehindAFirewall(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	program := func(ctx *pulumi.Context) error {
		promised, keep := pulumi.DeferredOutput[map[string]string](ctx.Context())
		return foundation{
			network: func(a *aws.NetworkArgs) {
				a.Egress, a.FirewallEndpoints = aws.EgressFirewall, pulumi.StringMapOutput{OutputState: promised.OutputState}
			},
			guard: func(ctx *pulumi.Context, n *aws.Network) error {
				keep(firewallEndpoints(ctx, n).ToStringMapOutput())
				return nil
			},
		}.program(ctx)
	}
	lives(t, cloud, program, func(map[string]string) {
		routes := cloud.Objects("aws:ec2/route:Route")
		targets := map[string]bool{}
		for _, r := range routes {
			targets[r.State.String("vpcEndpointId")] = true
			if r.State.String("destinationCidrBlock") != "0.0.0.0/0" {
				t.Errorf("route %v", r.State)
			}
		}
		if len(routes) != len(zones) || len(targets) != len(zones) || targets[""] {
			t.Errorf("%d routes to %v: each zone leaves by its own endpoint", len(routes), targets)
		}
	})
}

// firewallEndpoints are a firewall's, each in a subnet of its zone among the edges of the plan.
func firewallEndpoints(ctx *pulumi.Context, n *aws.Network) pulumi.StringMap {
	plan, ids := must(addressplan.New("10.0.0.0/16")), pulumi.StringMap{}
	for i, zone := range zones {
		subnet := must(ec2.NewSubnet(ctx, "guard-"+zone, &ec2.SubnetArgs{VpcId: n.VpcID, AvailabilityZone: pulumi.StringPtr(zone), CidrBlock: pulumi.StringPtr(must(plan.Edge(i)).String())}))
		ids[zone] = must(ec2.NewVpcEndpoint(ctx, "guard-"+zone, &ec2.VpcEndpointArgs{VpcId: n.VpcID, VpcEndpointType: pulumi.StringPtr("GatewayLoadBalancer"),
			ServiceName: pulumi.StringPtr("com.amazonaws.vpce." + region + ".vpce-svc-0123456789abcdef0"), SubnetIds: pulumi.StringArray{subnet.ID()}})).ID().ToStringOutput()
	}
	return ids
}

// A network that somebody else made gets endpoints, logs and groups, and keeps its own parts.
func TestANetworkThatExists(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	existing := aws.ExistingNetwork{}
	vpc, subnets, tables := theirNetwork(t, cloud)
	existing.VpcID, existing.SubnetIDs, existing.RouteTableIDs = vpc, subnets[:3], tables[:1]
	f := foundation{network: func(a *aws.NetworkArgs) { a.Existing = &existing }, cluster: cluster{}.program}
	lives(t, cloud, f.program, func(out map[string]string) {
		if n := len(cloud.Objects("aws:ec2/vpc:Vpc")); n != 1 || out["vpc"] != existing.VpcID {
			t.Errorf("%d networks, nodes in %s", n, out["vpc"])
		}
	})
}

// theirNetwork is made by somebody else: a subnet in each zone and one more in the first, and two route tables, the
// second without a subnet.
func theirNetwork(t *testing.T, cloud *simcloud.Cloud) (vpc string, subnets, tables []string) {
	t.Helper()
	theirs := simtest.New(t, cloud, settings).MustUp(func(ctx *pulumi.Context) error {
		v := must(ec2.NewVpc(ctx, "theirs", &ec2.VpcArgs{CidrBlock: pulumi.StringPtr("10.20.0.0/16"), EnableDnsHostnames: pulumi.Bool(true), EnableDnsSupport: pulumi.Bool(true)}))
		table := must(ec2.NewRouteTable(ctx, "theirs", &ec2.RouteTableArgs{VpcId: v.ID()}))
		for i, zone := range append(zones, zones[0]) {
			name := fmt.Sprint("theirs-", i)
			s := must(ec2.NewSubnet(ctx, name, &ec2.SubnetArgs{VpcId: v.ID(), AvailabilityZone: pulumi.StringPtr(zone), CidrBlock: pulumi.StringPtr(must(must(addressplan.New("10.20.0.0/16")).Zone(i)).String())}))
			must(ec2.NewRouteTableAssociation(ctx, name, &ec2.RouteTableAssociationArgs{SubnetId: s.ID(), RouteTableId: table.ID()}))
			ctx.Export(name, s.ID())
		}
		ctx.Export("vpc", v.ID())
		ctx.Export("table", table.ID())
		ctx.Export("spare", must(ec2.NewRouteTable(ctx, "spare", &ec2.RouteTableArgs{VpcId: v.ID()})).ID())
		return nil
	})
	for i := range 4 {
		subnets = append(subnets, theirs.Output(fmt.Sprint("theirs-", i)))
	}
	return theirs.Output("vpc"), subnets, []string{theirs.Output("table"), theirs.Output("spare")}
}

package aws

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testNetwork() NetworkArgs {
	return NetworkArgs{Account: testAccount, Cluster: "prod", Zones: []string{"eu-central-1a", "eu-central-1b", "eu-central-1c"},
		LogsKeyArn: testKey, ServiceCIDR: "172.20.0.0/16"}
}

func newTestNetwork(t *testing.T, args NetworkArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewNetwork(ctx, "net", &args); return err })
}

// CIS-EKS-5.4.3, M06: no machine has a public address, and no route leads out.
func TestNetworkIsPrivate(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		args := testNetwork()
		args.IPv6 = ipv6
		c := newTestNetwork(t, args)
		vpc := c.One(t, "Vpc", "net")
		if vpc.Text("cidrBlock") != "10.0.0.0/16" || vpc.Inputs["enableDnsSupport"] != true || vpc.Inputs["enableDnsHostnames"] != true || vpc.Inputs["assignGeneratedIpv6CidrBlock"] != ipv6 {
			t.Errorf("vpc %v", vpc.Inputs)
		}
		subnets := c.Of("Subnet")
		if len(subnets) != 3 || len(c.Of("RouteTableAssociation")) != 3 {
			t.Errorf("%d subnets, %d associations", len(subnets), len(c.Of("RouteTableAssociation")))
		}
		for _, s := range subnets {
			if s.Inputs["mapPublicIpOnLaunch"] != false {
				t.Errorf("%s gives out public addresses", s.Name)
			}
		}
		for _, kind := range []string{"InternetGateway", "EgressOnlyInternetGateway", "NatGateway", "Eip", "Route"} {
			if n := len(c.Of(kind)); n != 0 {
				t.Errorf("%d of %s in a private network", n, kind)
			}
		}
		for _, table := range c.Of("RouteTable") {
			if len(table.List("routes")) != 0 {
				t.Errorf("%s has routes of its own: %v", table.Name, table.Inputs)
			}
		}
	}
}

// M06: what AWS gives each network is emptied.
func TestDefaultsAreEmpty(t *testing.T) {
	c := newTestNetwork(t, testNetwork())
	for _, each := range []struct{ kind, of, at string }{
		{"DefaultSecurityGroup", "vpcId", "net_id"}, {"DefaultNetworkAcl", "defaultNetworkAclId", "acl-default"}, {"DefaultRouteTable", "defaultRouteTableId", "rtb-default"},
	} {
		r := c.One(t, each.kind, "net-default")
		if r.Text(each.of) != each.at {
			t.Errorf("%s of %v", each.kind, r.Inputs)
		}
		lists := []string{"ingress", "egress"}
		if each.kind == "DefaultRouteTable" {
			lists = []string{"routes"}
		}
		for _, list := range lists {
			// Left out, the list would stay as AWS made it.
			if rules, given := r.Inputs[list].([]any); !given || len(rules) != 0 {
				t.Errorf("%s: %s = %v", each.kind, list, r.Inputs[list])
			}
		}
	}
}

// M33: every flow within a minute and every DNS query, encrypted, for a year.
func TestFlowsAndQueriesAreRecorded(t *testing.T) {
	args := testNetwork()
	args.ArchiveArn = pulumi.String("arn:aws:s3:::archive")
	c := newTestNetwork(t, args)
	for name, group := range map[string]string{"net-flows": "/aws/vpc/prod/flow-logs", "net-queries": "/aws/route53resolver/prod/queries"} {
		r := c.One(t, "LogGroup", name)
		if r.Text("name") != group || r.Text("kmsKeyId") != string(testKey) || r.Inputs["retentionInDays"] != 365.0 {
			t.Errorf("log group %v", r.Inputs)
		}
	}
	logs := c.Of("FlowLog")
	if len(logs) != 2 {
		t.Fatalf("%d flow logs", len(logs))
	}
	for _, r := range logs {
		if r.Text("vpcId") != "net_id" || r.Text("trafficType") != "ALL" || r.Inputs["maxAggregationInterval"] != 60.0 {
			t.Errorf("flow log %v", r.Inputs)
		}
	}
	if logs[0].Text("logDestination") != "arn:net-flows_id" || logs[0].Text("iamRoleArn") != "arn:net-flows_id" || logs[1].Text("logDestination") != "arn:aws:s3:::archive" || logs[1].Text("logDestinationType") != "s3" {
		t.Errorf("flow logs go to %v and %v", logs[0].Inputs, logs[1].Inputs)
	}
	if c.One(t, "ResolverQueryLogConfig", "net-queries").Text("destinationArn") != "arn:net-queries_id" || c.One(t, "ResolverQueryLogConfigAssociation", "net-queries").Text("resourceId") != "net_id" {
		t.Error("DNS queries are not recorded")
	}
	args.ArchiveArn = nil
	if n := len(newTestNetwork(t, args).Of("FlowLog")); n != 1 {
		t.Errorf("%d flow logs without archive", n)
	}
}

// The role of flow logs writes to one group, makes none, and serves one account.
func TestFlowLogRoleIsLeastPrivilege(t *testing.T) {
	c := newTestNetwork(t, testNetwork())
	trusted := parse(t, c.One(t, "Role", "net-flows").Text("assumeRolePolicy"))
	if len(trusted) != 1 || !slices.Equal(trusted[0].Condition["StringEquals"]["aws:SourceAccount"], []string{testAccount.ID}) || len(trusted[0].Condition["ArnLike"]["aws:SourceArn"]) != 1 {
		t.Errorf("trust %v", trusted)
	}
	for _, s := range parse(t, c.One(t, "RolePolicy", "net-flows").Text("policy")) {
		for _, action := range s.Action {
			if action == "logs:CreateLogGroup" || strings.Contains(action, "*") || strings.HasPrefix(action, "logs:Put") && slices.ContainsFunc(s.Resource, func(r string) bool {
				return !strings.Contains(r, ":log-group:/aws/vpc/prod/flow-logs")
			}) {
				t.Errorf("%s on %v", action, s.Resource)
			}
		}
	}
}

func subnetAddresses(c *mocks.Cloud) map[string]string {
	out := map[string]string{}
	for _, s := range c.Of("Subnet") {
		out[s.Name] = s.Text("cidrBlock")
	}
	return out
}

// Another zone, in any place of the list, renumbers no subnet that is there, and
// neither does a way out.
func TestGrowthNeverRenumbers(t *testing.T) {
	args := testNetwork()
	before := subnetAddresses(newTestNetwork(t, args))
	args.Zones = []string{"eu-central-1f", "eu-central-1c", "eu-central-1d", "eu-central-1a", "eu-central-1b"}
	args.Egress = EgressNAT
	after := subnetAddresses(newTestNetwork(t, args))
	for name, cidr := range before {
		if after[name] != cidr {
			t.Errorf("%s moves from %s to %s", name, cidr, after[name])
		}
	}
	if len(before) != 3 || len(after) != 10 {
		t.Errorf("%d subnets, then %d", len(before), len(after))
	}
}

func TestIPv6Subnets(t *testing.T) {
	args := testNetwork()
	args.IPv6, args.Egress = true, EgressNAT
	seen := map[string]bool{}
	for _, s := range newTestNetwork(t, args).Of("Subnet") {
		cidr := s.Text("ipv6CidrBlock")
		if !strings.HasPrefix(cidr, "2001:db8:0:1") || !strings.HasSuffix(cidr, "::/64") || seen[cidr] {
			t.Errorf("%s has %q", s.Name, cidr)
		}
		seen[cidr] = true
		if want := strings.HasPrefix(s.Name, "net-private-"); s.Inputs["assignIpv6AddressOnCreation"] != want {
			t.Errorf("%s assigns IPv6: %v", s.Name, s.Inputs["assignIpv6AddressOnCreation"])
		}
	}
}

// routes gives where each table leads, "table destination target".
func routes(c *mocks.Cloud) []string {
	var out []string
	for _, r := range c.Of("Route") {
		for _, target := range []string{"natGatewayId", "gatewayId", "vpcEndpointId", "egressOnlyGatewayId"} {
			if r.Text(target) != "" {
				out = append(out, fmt.Sprintf("%s %s%s %s", r.Text("routeTableId"), r.Text("destinationCidrBlock"), r.Text("destinationIpv6CidrBlock"), r.Text(target)))
			}
		}
	}
	return out
}

func TestEgressByChoice(t *testing.T) {
	args := testNetwork()
	args.Zones, args.IPv6, args.Egress = args.Zones[:2], true, EgressNAT
	c := newTestNetwork(t, args)
	want := []string{
		"net-edge-a_id 0.0.0.0/0 net_id", "net-edge-b_id 0.0.0.0/0 net_id",
		"net-private-a_id 0.0.0.0/0 net-nat-a_id", "net-private-a_id ::/0 net_id",
		"net-private-b_id 0.0.0.0/0 net-nat-b_id", "net-private-b_id ::/0 net_id",
	}
	if got := routes(c); !slices.Equal(got, want) {
		t.Errorf("routes %q", got)
	}
	for _, letter := range []string{"a", "b"} {
		nat := c.One(t, "NatGateway", "net-nat-"+letter)
		if nat.Text("subnetId") != "net-edge-"+letter+"_id" || nat.Text("allocationId") != "eipalloc-net-nat-"+letter {
			t.Errorf("nat %v", nat.Inputs)
		}
		if c.One(t, "Subnet", "net-edge-"+letter).Inputs["mapPublicIpOnLaunch"] != false {
			t.Error("an edge gives out public addresses")
		}
	}
	args.Egress, args.IPv6 = EgressFirewall, false
	args.FirewallEndpoints = pulumi.StringMap{"eu-central-1a": pulumi.String("vpce-0123456789abcdef0"), "eu-central-1b": pulumi.String("vpce-0123456789abcdef1")}
	c = newTestNetwork(t, args)
	if got := routes(c); !slices.Equal(got, []string{"net-private-a_id 0.0.0.0/0 vpce-0123456789abcdef0", "net-private-b_id 0.0.0.0/0 vpce-0123456789abcdef1"}) {
		t.Errorf("routes %q", got)
	}
	if len(c.Of("Subnet")) != 2 || len(c.Of("InternetGateway")) != 0 {
		t.Error("egress through a firewall makes public subnets")
	}
}

func TestExistingNetwork(t *testing.T) {
	args := testNetwork()
	args.Existing = &ExistingNetwork{VpcID: "vpc-0123456789abcdef0", SubnetIDs: []string{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1", "subnet-0123456789abcdef2"},
		RouteTableIDs: []string{"rtb-0123456789abcdef0"}}
	c := newTestNetwork(t, args)
	for _, kind := range []string{"Vpc", "Subnet", "RouteTable", "NetworkAcl", "DefaultNetworkAcl", "DefaultRouteTable", "DefaultSecurityGroup"} {
		if n := len(c.Of(kind)); n != 0 {
			t.Errorf("%d of %s in somebody else's network", n, kind)
		}
	}
	if got := c.One(t, "VpcEndpoint", "net-ec2"); len(got.List("subnetIds")) != 3 || got.Text("vpcId") != "vpc-0123456789abcdef0" {
		t.Errorf("endpoint %v", got.Inputs)
	}
	if c.One(t, "FlowLog", "net-flows").Text("vpcId") != "vpc-0123456789abcdef0" {
		t.Error("flows are not recorded")
	}
}

func TestNetworkRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewNetwork(ctx, "net", &NetworkArgs{Account: testAccount, Cluster: "prod", CIDR: "10.0.0.0/16", Zones: []string{"us-east-1a"},
			ServiceCIDR: "10.0.128.0/20", PodCIDRs: []string{"100.64.0.1/16"}, PeerCIDRs: []string{"10.0.0.0/8", "0.0.0.0/0"},
			Egress: "bus", EgressPorts: []int{22}, Uses: []Use{"mining"}, ExtraEndpoints: []string{"com.amazonaws.eu-central-1.sqs", "dynamodb"}, RetentionDays: 30})
		return err
	}, "zones", "zones[0]", "serviceCIDR", "podCIDRs[0]", "peerCIDRs[0]", "peerCIDRs[0]", "peerCIDRs[1]", "peerCIDRs[1]", "peerCIDRs[1]", "peerCIDRs[1]",
		"egress", "egressPorts[0]", "uses[0]", "extraEndpoints[0]", "extraEndpoints[1]", "logsKeyArn", "retentionDays")
	for name, each := range map[string]struct {
		spoil func(*NetworkArgs)
		want  []string
	}{
		"public range":     {func(a *NetworkArgs) { a.CIDR = "8.8.0.0/16" }, []string{"cidr"}},
		"range too small":  {func(a *NetworkArgs) { a.CIDR = "10.0.0.0/24" }, []string{"cidr"}},
		"zone twice":       {func(a *NetworkArgs) { a.Zones[1] = a.Zones[0] }, []string{"zones[1]"}},
		"zone out of plan": {func(a *NetworkArgs) { a.Zones[1] = "eu-central-1g" }, []string{"zones[1]"}},
		"stray firewall":   {func(a *NetworkArgs) { a.FirewallEndpoints = pulumi.StringMap{} }, []string{"firewallEndpoints"}},
		"firewall missing": {func(a *NetworkArgs) { a.Egress = EgressFirewall }, []string{"firewallEndpoints"}},
		"firewall in a few": {func(a *NetworkArgs) {
			a.Zones, a.Egress, a.FirewallEndpoints = a.Zones[:2], EgressFirewall, pulumi.StringMap{"eu-central-1a": pulumi.String("eni-1")}
		}, []string{"firewallEndpoints[eu-central-1a]", "firewallEndpoints"}},
		"existing": {func(a *NetworkArgs) {
			a.IPv6 = true
			a.Existing = &ExistingNetwork{VpcID: "vpc-1", SubnetIDs: []string{"subnet-01234567", "subnet-01234567"}}
		}, []string{"existing.vpcId", "existing.subnetIds", "existing.routeTableIds", "existing.subnetIds[1]", "ipv6"}},
	} {
		args := testNetwork()
		each.spoil(&args)
		if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, each.want) {
			t.Errorf("%s: refused %v, want %v", name, got, each.want)
		}
	}
}

package aws

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

func testFirewall() FirewallArgs {
	return FirewallArgs{Cluster: "prod", VpcID: pulumi.String("vpc-1"), EndpointSecurityGroupID: pulumi.String("wall-endpoints_id"), S3PrefixListID: pulumi.String("pl-s3")}
}

func newTestFirewall(t *testing.T, args FirewallArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewFirewall(ctx, "wall", &args); return err })
}

// peerOf is the other end of a mocks.Resource rule.
func peerOf(r mocks.Resource) string {
	var peers []string
	for _, name := range []string{"referencedSecurityGroupId", "cidrIpv4", "cidrIpv6", "prefixListId"} {
		if r.Text(name) != "" {
			peers = append(peers, strings.TrimSuffix(strings.TrimPrefix(r.Text(name), "wall-"), "_id"))
		}
	}
	return strings.Join(peers, "+")
}

// reachability computes, from nothing but the mocks.Resource rules, who may open a
// connection to whom: between two groups, where both agree; to and from what has
// no group, where the one group does.
func reachability(t *testing.T, c *mocks.Cloud) []string {
	t.Helper()
	ports := func(r mocks.Resource) string {
		from, to := r.Inputs["fromPort"], r.Inputs["toPort"]
		switch {
		case r.Text("ipProtocol") == "-1" && from == nil && to == nil:
			return "any"
		case from == to:
			return fmt.Sprintf("%s/%v", r.Text("ipProtocol"), from)
		}
		return fmt.Sprintf("%s/%v-%v", r.Text("ipProtocol"), from, to)
	}
	groups := map[string]bool{"endpoints": true}
	for _, g := range c.Of("SecurityGroup") {
		groups[strings.TrimPrefix(g.Name, "wall-")] = true
	}
	opens := func(kind string) map[string]bool {
		out := map[string]bool{}
		for _, r := range c.Of(kind) {
			own, other := strings.TrimSuffix(strings.TrimPrefix(r.Text("securityGroupId"), "wall-"), "_id"), peerOf(r)
			from, to := own, other
			if kind == "SecurityGroupIngressRule" {
				from, to = other, own
			}
			flow := from + " > " + to + " " + ports(r)
			if out[flow] {
				t.Errorf("%s is mocks.Resource twice, which AWS refuses", flow)
			}
			out[flow] = true
		}
		return out
	}
	out, in := opens("SecurityGroupEgressRule"), opens("SecurityGroupIngressRule")
	var reach []string
	for flow := range out {
		to, _, _ := strings.Cut(strings.SplitN(flow, " > ", 2)[1], " ")
		switch {
		case !groups[to]:
			reach = append(reach, flow)
		case in[flow]:
			reach = append(reach, flow)
		default:
			t.Errorf("%s leaves and is not admitted", flow)
		}
	}
	for flow := range in {
		from, _, _ := strings.Cut(flow, " > ")
		if !groups[from] {
			reach = append(reach, flow)
		} else if !out[flow] {
			t.Errorf("%s is admitted and never leaves", flow)
		}
	}
	slices.Sort(reach)
	return reach
}

// M08: what the groups let through is the port table as a managed cluster has
// it, and what nodes need of AWS; nothing more. The list is spelled out because a
// wider one must not come from a change elsewhere without anybody looking.
func TestReachability(t *testing.T) {
	args := testFirewall()
	args.Operators = []string{"10.99.0.0/24", "fd99::/64"}
	want := []string{
		"10.99.0.0/24 > cluster tcp/443",
		"cluster > nodes tcp/10250",
		"cluster > nodes tcp/443",
		"fd99::/64 > cluster tcp/443",
		"nodes > cluster tcp/443",
		"nodes > endpoints tcp/443",
		"nodes > nodes any",
		"nodes > nodes tcp/53",
		"nodes > nodes udp/53",
		"nodes > pl-s3 tcp/443",
	}
	if got := reachability(t, newTestFirewall(t, args)); !slices.Equal(got, want) {
		t.Errorf("reachable\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// With groups of their own, pods reach no kubelet.
	args.Network = []hostconfig.NetworkTraffic{hostconfig.CiliumVXLAN, hostconfig.CiliumHealth}
	args.SeparatePods, args.Operators, args.Webhooks = true, nil, []int{9443}
	args.Egress = []EgressArgs{
		{Name: "mirror", CIDRs: []string{"192.0.2.0/28"}, Port: 5000, Reason: "images of the company"},
		{Name: "vault", CIDRs: []string{"2001:db8::/48"}, Pods: true, Reason: "secrets of the company"},
		{Name: "time", CIDRs: []string{"192.0.2.123/32"}, Protocol: "udp", Port: 123, Reason: "the company's clock"},
	}
	want = []string{
		"cluster > nodes tcp/10250",
		"cluster > nodes tcp/443",
		"cluster > pods tcp/9443",
		"nodes > 192.0.2.0/28 tcp/5000",
		"nodes > 192.0.2.123/32 udp/123",
		"nodes > 2001:db8::/48 tcp/443",
		"nodes > cluster tcp/443",
		"nodes > endpoints tcp/443",
		"nodes > nodes icmp/8-0",
		"nodes > nodes tcp/4240",
		"nodes > nodes tcp/53",
		"nodes > nodes udp/53",
		"nodes > nodes udp/8472",
		"nodes > pl-s3 tcp/443",
		"pods > 2001:db8::/48 tcp/443",
		"pods > cluster tcp/443",
		"pods > endpoints tcp/443",
		"pods > pl-s3 tcp/443",
		"pods > pods any",
	}
	if got := reachability(t, newTestFirewall(t, args)); !slices.Equal(got, want) {
		t.Errorf("reachable\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Every flow of the port table is let through, or is one that no group can see:
// inside one machine, or answered by the network itself.
func TestPortTableIsCovered(t *testing.T) {
	args := testFirewall()
	args.Operators, args.Webhooks, args.SeparatePods = []string{"10.99.0.0/24"}, []int{9443}, true
	args.Network = []hostconfig.NetworkTraffic{hostconfig.CalicoVXLAN}
	names := map[hostconfig.Endpoint]string{
		hostconfig.Operators: "10.99.0.0/24", hostconfig.ControlPlanes: "cluster", hostconfig.Workers: "nodes", hostconfig.Nodes: "nodes", hostconfig.Pods: "pods",
		hostconfig.ServiceEndpoint("endpoints"): "endpoints", hostconfig.ServiceEndpoint("s3"): "pl-s3",
	}
	unseen := []hostconfig.Endpoint{hostconfig.Loopback, hostconfig.OwnPods, hostconfig.Resolvers, hostconfig.TimeServers, hostconfig.Metadata, hostconfig.DHCPServers}
	reach := reachability(t, newTestFirewall(t, args))
	for _, flow := range hostconfig.PortTable(topology(args)) {
		port := fmt.Sprintf("%s/%d", flow.Protocol, flow.Port)
		if flow.Protocol == hostconfig.ProtocolAny {
			port = "any"
		}
		let := names[flow.From] + " > " + names[flow.To] + " " + port
		switch hidden := slices.Contains(unseen, flow.From) || slices.Contains(unseen, flow.To); {
		case hidden && slices.Contains(reach, let), !hidden && !slices.Contains(reach, let):
			t.Errorf("%s: %s", flow.Name, let)
		}
	}
}

// M08: each rule says which flow it is and why, in words that AWS takes.
func TestRulesAreDescribed(t *testing.T) {
	args := testFirewall()
	args.Operators, args.Webhooks = []string{"10.99.0.0/24"}, []int{8443}
	args.Egress = []EgressArgs{{Name: "mirror", CIDRs: []string{"192.0.2.0/28"}, Reason: strings.Repeat("the company’s \"images\"; ", 30)}}
	accepted := regexp.MustCompile("^[a-z0-9-]+: [a-zA-Z0-9. _:/()#,@\\[\\]+=&;{}!$*-]+$")
	c := newTestFirewall(t, args)
	all := append(c.Of("SecurityGroupIngressRule"), c.Of("SecurityGroupEgressRule")...)
	if len(all) < 12 {
		t.Fatalf("%d rules", len(all))
	}
	for _, r := range all {
		if text := r.Text("description"); !accepted.MatchString(text) || len(text) > 255 {
			t.Errorf("%s: %d characters, %q", r.Name, len(text), text)
		}
		if strings.Contains(peerOf(r), "+") || peerOf(r) == "" {
			t.Errorf("%s has the peers %q", r.Name, peerOf(r))
		}
	}
	for _, g := range c.Of("SecurityGroup") {
		if g.Inputs["ingress"] != nil || g.Inputs["egress"] != nil || g.Text("description") == "" {
			t.Errorf("%s states rules itself: %v", g.Name, g.Inputs)
		}
	}
}

func TestFirewallRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewFirewall(ctx, "wall", &FirewallArgs{Cluster: "", Operators: []string{"0.0.0.0/0", "10.0.0.1/24", "::/0"}, Webhooks: []int{0}, Network: []hostconfig.NetworkTraffic{"pigeons"},
			Egress: []EgressArgs{{Name: "s3", CIDRs: []string{"10.0.0.0/7"}, Protocol: "icmp", Port: 70000}, {Name: "a", Reason: "x"}, {Name: "a", CIDRs: []string{"10.1.0.0/16"}, Reason: "x"}}})
		return err
	}, "cluster", "vpcId", "endpointSecurityGroupId", "s3PrefixListId", "operators[0]", "operators[1]", "operators[2]", "webhooks[0]", "network[0]",
		"egress[0].name", "egress[0].cidrs[0]", "egress[0].protocol", "egress[0].port", "egress[0].reason", "egress[1].cidrs", "egress[2].name")
	args := testFirewall()
	args.Egress = []EgressArgs{{Name: "world", CIDRs: []string{"0.0.0.0/0"}, Reason: "a proxy decides"}}
	if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{"egress[0].cidrs[0]"}) {
		t.Errorf("refused %v", got)
	}
	args.Exceptions = []hostconfig.Exception{{Control: "M08/open-egress", Reason: "the firewall behind it filters by name", Expires: time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}}
	if err := args.Validate(time.Now()); err != nil {
		t.Error(err)
	}
}

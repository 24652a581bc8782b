package gcp

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
	return FirewallArgs{Project: testProject, Cluster: "prod", NetworkID: pulumi.String("net_id"), NodeServiceAccount: testNodes,
		NodeCIDR: pulumi.String("10.0.0.0/19"), PodCIDR: pulumi.String("10.0.128.0/17"), ControlPlaneCIDR: pulumi.String("10.0.64.0/28")}
}

func newTestFirewall(t *testing.T, args FirewallArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewFirewall(ctx, "wall", &args); return err })
}

// rangeNames are the ranges of testFirewall by the name of their end.
var rangeNames = map[string]string{"10.0.0.0/19": "nodes", "10.0.128.0/17": "pods", "10.0.64.0/28": "control-plane"}

// reachability gives what the rules let nodes reach ("> x") and be reached by
// ("< x"), "protocol/port" behind.
func reachability(t *testing.T, c *mocks.Cloud) []string {
	t.Helper()
	var out []string
	for _, r := range c.Of("Firewall") {
		if len(r.List("denies")) > 0 {
			continue
		}
		if fmt.Sprint(r.List("targetServiceAccounts")) != "["+string(testNodes)+"]" || r.Inputs["targetTags"] != nil || r.Inputs["priority"] != 1000.0 || len(r.List("allows")) != 1 {
			t.Errorf("%s: %v", r.Name, r.Inputs)
		}
		arrow, ranges := "> ", r.List("destinationRanges")
		if r.Text("direction") == "INGRESS" {
			arrow, ranges = "< ", r.List("sourceRanges")
		}
		for _, each := range ranges {
			name := each.(string)
			if known := rangeNames[name]; known != "" {
				name = known
			}
			what := fmt.Sprint(r.At("allows.protocol"))
			if ports, _ := r.At("allows.ports").([]any); len(ports) == 1 {
				what += "/" + ports[0].(string)
			}
			out = append(out, arrow+name+" "+what)
		}
	}
	slices.Sort(out)
	return out
}

// CIS-GKE-5.6.6, M08: the rules are these, and no other.
func TestReachability(t *testing.T) {
	want := []string{
		"< control-plane tcp/10250", "< control-plane tcp/443", "< pods all", "< pods tcp/10250",
		"> 169.254.169.254/32 tcp/53", "> 169.254.169.254/32 tcp/80", "> 169.254.169.254/32 udp/123", "> 169.254.169.254/32 udp/53", "> 169.254.169.254/32 udp/67",
		"> 199.36.153.4/30 tcp/443", "> control-plane tcp/443", "> control-plane tcp/8132", "> nodes tcp/10250", "> pods all",
	}
	if got := reachability(t, newTestFirewall(t, testFirewall())); !slices.Equal(got, want) {
		t.Errorf("reachable\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	args := testFirewall()
	args.Webhooks = []int{9443}
	args.Egress = []EgressArgs{{Name: "mirror", CIDRs: []string{"192.0.2.0/28", "198.51.100.0/28"}, Port: 5000, Pods: true, Reason: "images of the company"},
		{Name: "time", CIDRs: []string{"192.0.2.123/32"}, Protocol: "udp", Port: 123, Reason: "the company's clock"}}
	want = append(want, "< control-plane tcp/9443", "> 192.0.2.0/28 tcp/5000", "> 198.51.100.0/28 tcp/5000", "> 192.0.2.123/32 udp/123")
	slices.Sort(want)
	if got := reachability(t, newTestFirewall(t, args)); !slices.Equal(got, want) {
		t.Errorf("reachable\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Every flow of the port table has its rule at nodes, or is one that no firewall
// of ours can see: inside one machine, or into the control plane from elsewhere.
func TestPortTableIsCovered(t *testing.T) {
	args := testFirewall()
	args.Webhooks = []int{9443}
	names := map[hostconfig.Endpoint][]string{
		hostconfig.ControlPlanes: {"control-plane"}, hostconfig.Workers: {"nodes"}, hostconfig.Nodes: {"nodes"}, hostconfig.Pods: {"pods"},
		hostconfig.ServiceEndpoint("googleapis"): {"199.36.153.4/30"},
		hostconfig.Resolvers:                     {"169.254.169.254/32"}, hostconfig.TimeServers: {"169.254.169.254/32"}, hostconfig.Metadata: {"169.254.169.254/32"}, hostconfig.DHCPServers: {"169.254.169.254/32"},
	}
	machine := []hostconfig.Endpoint{hostconfig.Workers, hostconfig.Nodes, hostconfig.Pods}
	unseen := []hostconfig.Endpoint{hostconfig.Loopback, hostconfig.OwnPods, hostconfig.Operators}
	wanted := map[string]bool{}
	for _, flow := range hostconfig.PortTable(topology(args)) {
		if slices.Contains(unseen, flow.From) || slices.Contains(unseen, flow.To) {
			continue
		}
		what := fmt.Sprintf("%s/%d", flow.Protocol, flow.Port)
		if flow.Protocol == hostconfig.ProtocolAny {
			what = "all"
		}
		if len(names[flow.From]) == 0 || len(names[flow.To]) == 0 {
			t.Errorf("%s: no range for %s or %s", flow.Name, flow.From, flow.To)
		}
		if slices.Contains(machine, flow.From) {
			for _, to := range names[flow.To] {
				wanted["> "+to+" "+what] = true
			}
		}
		if slices.Contains(machine, flow.To) {
			for _, from := range names[flow.From] {
				wanted["< "+from+" "+what] = true
			}
		}
	}
	if got, want := reachability(t, newTestFirewall(t, args)), sorted(wanted); !slices.Equal(got, want) {
		t.Errorf("rules\n%s\nport table\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// M16: nobody reaches the kubelet's port without authentication, whatever GKE
// allows later; and nothing else comes or goes, in a network that exists too.
func TestNever(t *testing.T) {
	args := testFirewall()
	args.NetworkProject = "host-prod"
	c := newTestFirewall(t, args)
	c.One(t, "Firewall", "wall-read-only-port").Wants(t, map[string]any{"denies": []any{map[string]any{"protocol": "tcp", "ports": []any{"10255"}}}, "priority": 900,
		"direction": "INGRESS", "sourceRanges": []any{"0.0.0.0/0"}, "targetServiceAccounts": []any{string(testNodes)}, "disabled": nil, "project": "host-prod"})
	for _, name := range []string{"wall-deny-in", "wall-deny-out"} {
		c.One(t, "Firewall", name).Wants(t, map[string]any{"denies.protocol": "all", "priority": 65000, "targetServiceAccounts": []any{string(testNodes)}, "project": "host-prod"})
	}
	if priorityNever >= 999 || priorityAllow >= priorityDefault || priorityDefault >= 65535 {
		t.Error("rules come in the wrong order: GKE allows tcp:10255 at 999, and 65535 lets everything out")
	}
}

// Each rule has a name that Google takes and says which flow it is and why.
func TestRulesAreDescribed(t *testing.T) {
	args := testFirewall()
	args.Cluster, args.Webhooks = "a-name-of-twenty-four-ch", []int{8443, 65535}
	args.Egress = []EgressArgs{{Name: "a-name-of-twenty-cha", CIDRs: []string{"192.0.2.0/28"}, Pods: true, Reason: strings.Repeat("the company's images ", 300)}}
	name := regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	for _, r := range newTestFirewall(t, args).Of("Firewall") {
		if text := r.Text("description"); len(text) < 10 || len(text) > 2048 || !name.MatchString(r.Text("name")) {
			t.Errorf("%s: name %q, %d characters", r.Name, r.Text("name"), len(text))
		}
		if (len(r.List("allows")) > 0) == (len(r.List("denies")) > 0) || (len(r.List("sourceRanges")) > 0) == (len(r.List("destinationRanges")) > 0) {
			t.Errorf("%s: %v", r.Name, r.Inputs)
		}
	}
}

// A node waits for every rule that lets it through.
func TestNodesWaitForRules(t *testing.T) {
	args := testFirewall()
	c := run(t, func(ctx *pulumi.Context) error {
		wall, err := NewFirewall(ctx, "wall", &args)
		if err != nil {
			return err
		}
		return consumer(ctx, "nodes", wall.NodeServiceAccount)
	})
	for _, r := range c.Of("Firewall") {
		if r.At("denies.protocol") != "all" && !c.One(t, "Account", "nodes").WaitsFor(r) {
			t.Errorf("nodes do not wait for %s", r.Name)
		}
	}
}

func TestFirewallRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewFirewall(ctx, "wall", &FirewallArgs{Project: testProject, Webhooks: []int{0, 10255}, NodeServiceAccount: pulumi.String("123-compute@developer.gserviceaccount.com"),
			NodeCIDR: pulumi.String("0.0.0.0/0"), ControlPlaneCIDR: pulumi.String("10.0.0.0/24"), NetworkProject: "X",
			Egress: []EgressArgs{{Name: "googleapis", CIDRs: []string{"10.0.0.0/7"}, Protocol: "icmp", Port: 70000}, {Name: "a", Reason: "x"}, {Name: "a", CIDRs: []string{"2001:db8::/32"}, Reason: "x"}}})
		return err
	}, "cluster", "networkId", "nodeCidr", "podCidr", "controlPlaneCidr", "nodeServiceAccount", "webhooks[0]", "webhooks[1]", "networkProject",
		"egress[0].name", "egress[0].cidrs[0]", "egress[0].protocol", "egress[0].port", "egress[0].reason", "egress[1].cidrs", "egress[2].name", "egress[2].cidrs[0]")
	args := testFirewall()
	args.Egress = []EgressArgs{{Name: "world", CIDRs: []string{"0.0.0.0/0"}, Reason: "a proxy decides"}}
	if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{"egress[0].cidrs[0]"}) {
		t.Errorf("refused %v", got)
	}
	args.Exceptions = excepted("M08/open-egress")
	if err := args.Validate(time.Now()); err != nil {
		t.Error(err)
	}
}

package gcp_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// Nodes that cannot reach what they need do not join, and GKE says so after half an hour and more.
func TestNodesThatCannotReachWhatTheyNeedDoNotJoin(t *testing.T) {
	t.Parallel()
	kubelet := func(priority int) func(x *made) *compute.FirewallArgs {
		return func(x *made) *compute.FirewallArgs {
			return &compute.FirewallArgs{Network: x.net.ID(), Priority: pulumi.IntPtr(priority), SourceRanges: texts("172.16.0.0/12"), Denies: compute.FirewallDenyArray{
				&compute.FirewallDenyArgs{Protocol: pulumi.String("tcp"), Ports: texts("10000-10999")}}}
		}
	}
	for name, test := range map[string]struct {
		environment environment
		want        string
	}{
		"api":           {environment{without: "api"}, "the firewall lets no node reach the control plane at 172.16.0.0/28 on 443/tcp"},
		"vip":           {environment{without: "vip"}, "the firewall lets no node reach storage.googleapis.com. at 199.36.153.4/32 on 443/tcp"},
		"route":         {environment{without: "route"}, "no route leads from the network to storage.googleapis.com. at 199.36.153.4/32"},
		"zone":          {environment{without: "zone"}, "the firewall lets no node reach storage.googleapis.com. at 142.250.0.0/15"},
		"pkg":           {environment{without: "pkg"}, "the firewall lets no node reach europe-west3-docker.pkg.dev. at 142.250.0.0/15"},
		"google access": {environment{without: "google access"}, "has neither Private Google Access nor a NAT"},
		"kubelet":       {environment{deny: kubelet(900)}, "does not let the control plane reach a kubelet on 10250/tcp"},
		"same priority": {environment{deny: kubelet(1000)}, "does not let the control plane reach a kubelet on 10250/tcp"},
		"later":         {environment{deny: kubelet(1001)}, ""}, // GKE's own rule comes first
		"nat":           {environment{internet: "nat", without: "google access"}, ""},
		"open":          {environment{internet: "open"}, ""},
		"no nat":        {environment{internet: "open", without: "google access"}, "has neither Private Google Access nor a NAT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := open(t)
			_, err := simtest.New(t, cloud, settings).Up(test.environment.program)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			says(t, err, "All cluster resources were brought up, but: only 0 nodes out of 3 have registered; cluster may be unhealthy.", test.want)
			if took := cloud.Clock.Now().Sub(simcloud.Epoch); took < 35*time.Minute {
				t.Errorf("it failed after %s", took)
			}
		})
	}
}

// A pool's own tags decide which rules are for it; one that does not join leaves its cluster as it was.
func TestAPoolJoinsByItsTags(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	shut := func(x *made) *compute.FirewallArgs {
		return &compute.FirewallArgs{Network: x.net.ID(), Priority: pulumi.IntPtr(10), Direction: str("EGRESS"), DestinationRanges: texts("172.16.0.0/28"), TargetTags: texts("isolated"),
			Denies: compute.FirewallDenyArray{&compute.FirewallDenyArgs{Protocol: pulumi.String("all")}}}
	}
	e := simtest.New(t, cloud, settings)
	_, err := e.Up(environment{deny: shut, changePool: func(a *container.NodePoolArgs) {
		a.NodeConfig.(*container.NodePoolNodeConfigArgs).Tags = texts("isolated")
	}}.program)
	says(t, err, "Error waiting for Creating NodePool", "only 0 nodes out of 3 have registered")
	for _, o := range cloud.Objects("gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool") {
		if ready := o.Type == "gcp:container/cluster:Cluster"; o.Ready != ready {
			t.Errorf("%s: ready %v", o.ID, o.Ready)
		}
	}
	_, err = e.Up(environment{deny: shut, changePool: func(a *container.NodePoolArgs) {
		a.NodeConfig.(*container.NodePoolNodeConfigArgs).Tags = texts("isolated")
	}}.program)
	says(t, err, "only 0 nodes out of 3 have registered") // trying again changes nothing
	e.MustUp(environment{deny: shut}.program)
}

func TestAllowsFollowsPriorityDirectionAndTargets(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.New(t, cloud, settings).MustUp(environment{withoutPool: true, late: func(x *made) {
		rule(x.ctx, "bastion", x.net.ID(), func(a *compute.FirewallArgs) {
			a.SourceRanges, a.TargetTags = texts("35.235.240.0/20"), texts("forwarder")
		})
		rule(x.ctx, "from-bastion", x.net.ID(), func(a *compute.FirewallArgs) {
			a.SourceRanges, a.SourceTags, a.Allows = nil, texts("forwarder"), allowing("tcp", "8443")
		})
		both := rule(x.ctx, "both", x.net.ID(), func(a *compute.FirewallArgs) { a.Allows = allowing("tcp", "8444") })
		must(compute.NewFirewall(x.ctx, "neither", &compute.FirewallArgs{Network: x.net.ID(), SourceRanges: texts("10.0.0.0/8"), Denies: compute.FirewallDenyArray{
			&compute.FirewallDenyArgs{Protocol: pulumi.String("tcp"), Ports: texts("8444")}}}, after(both)))
		rule(x.ctx, "off", x.net.ID(), func(a *compute.FirewallArgs) {
			a.Disabled, a.Priority, a.SourceRanges = yes(), pulumi.IntPtr(1), texts("0.0.0.0/0")
		})
	}}.program)
	flow := func(direction, remote string, port int, tags ...string) gcp.Flow {
		return gcp.Flow{Network: "projects/redoubt-test/global/networks/main", Direction: direction, Remote: netip.MustParsePrefix(remote), Protocol: "tcp", Port: port, Tags: tags}
	}
	from := flow(gcp.Ingress, "10.10.0.9/32", 8443)
	from.RemoteTags = []string{"forwarder"}
	for name, test := range map[string]struct {
		flow gcp.Flow
		want bool
	}{
		"IAP": {flow(gcp.Ingress, "35.235.240.0/20", 443, "forwarder"), true}, "IAP to others": {flow(gcp.Ingress, "35.235.240.0/20", 443), false},
		"IAP elsewhere": {flow(gcp.Ingress, "35.235.240.0/20", 22, "forwarder"), false}, "anybody": {flow(gcp.Ingress, "0.0.0.0/0", 443, "forwarder"), false},
		"denied as well": {flow(gcp.Ingress, "10.0.0.1/32", 8444), false},
		"by source tag":  {from, true}, "without the tag": {flow(gcp.Ingress, "10.10.0.9/32", 8443), false},
		"VIP": {flow(gcp.Egress, "199.36.153.4/30", 443), true}, "VIP on 80": {flow(gcp.Egress, "199.36.153.4/30", 80), false}, "more than the VIP": {flow(gcp.Egress, "199.36.153.0/24", 443), false},
	} {
		if got := gcp.Allows(cloud, test.flow); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

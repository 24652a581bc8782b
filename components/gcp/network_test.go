package gcp

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testNetwork() NetworkArgs { return NetworkArgs{Project: testProject, Cluster: "prod"} }

func newTestNetwork(t *testing.T, args NetworkArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewNetwork(ctx, "net", &args); return err })
}

// CIS-GKE-5.6.1, 5.6.2, 5.6.5, M07: custom mode, no route to the internet, ranges
// of one plan, flow logs of everything.
func TestNetworkIsPrivate(t *testing.T) {
	c := newTestNetwork(t, testNetwork())
	c.One(t, "Network", "net").Wants(t, map[string]any{"name": "prod", "project": "shop-prod", "autoCreateSubnetworks": false, "deleteDefaultRoutesOnCreate": true})
	nodes := c.One(t, "Subnetwork", "net-nodes")
	nodes.Wants(t, map[string]any{
		"network": "net_id", "region": "europe-west3", "ipCidrRange": "10.0.0.0/19", "privateIpGoogleAccess": true, "stackType": "IPV4_ONLY",
		"logConfig.flowSampling": 1, "logConfig.metadata": "INCLUDE_ALL_METADATA", "logConfig.aggregationInterval": "INTERVAL_5_SEC", "logConfig.filterExpr": nil,
		"secondaryIpRanges": []any{map[string]any{"rangeName": "pods", "ipCidrRange": "10.0.128.0/17"}, map[string]any{"rangeName": "services", "ipCidrRange": "10.0.32.0/19"}},
	})
	for _, kind := range []string{"Router", "RouterNat", "Address"} {
		if n := len(c.Of(kind)); n != 0 {
			t.Errorf("%d of %s in a private network", n, kind)
		}
	}
	if got := routes(c); !slices.Equal(got, []string{"199.36.153.4/30 default-internet-gateway"}) {
		t.Errorf("routes %v", got)
	}
	c.One(t, "Policy", "net-queries").Wants(t, map[string]any{"enableLogging": true, "networks.networkUrl": "net_id", "enableInboundForwarding": false})
}

func routes(c *mocks.Cloud) []string {
	var out []string
	for _, r := range c.Of("Route") {
		out = append(out, r.Text("destRange")+" "+r.Text("nextHopGateway"))
	}
	return out
}

// M07, M08: what no rule allows is dropped in both directions, and logged.
func TestDefaultDeny(t *testing.T) {
	c := newTestNetwork(t, testNetwork())
	for name, want := range map[string]map[string]any{
		"net-deny-in":  {"direction": "INGRESS", "sourceRanges": []any{"0.0.0.0/0"}, "destinationRanges": nil},
		"net-deny-out": {"direction": "EGRESS", "destinationRanges": []any{"0.0.0.0/0"}, "sourceRanges": nil},
	} {
		r := c.One(t, "Firewall", name)
		r.Wants(t, want)
		r.Wants(t, map[string]any{"denies": []any{map[string]any{"protocol": "all"}}, "allows": nil, "priority": 65000, "targetServiceAccounts": nil, "targetTags": nil,
			"disabled": nil, "logConfig.metadata": "INCLUDE_ALL_METADATA", "network": "net_id"})
	}
}

// Google's names lead to the restricted addresses, and nowhere else.
func TestRestrictedAddresses(t *testing.T) {
	args := testNetwork()
	args.Domains = []string{"run.app"}
	c := newTestNetwork(t, args)
	if n := len(c.Of("ManagedZone")); n != 4 {
		t.Errorf("%d zones", n)
	}
	for suffix, want := range map[string][2]string{
		"googleapis-com": {"googleapis.com.", "restricted.googleapis.com."}, "pkg-dev": {"pkg.dev.", "pkg.dev."}, "gcr-io": {"gcr.io.", "gcr.io."}, "run-app": {"run.app.", "run.app."},
	} {
		c.One(t, "ManagedZone", "net-"+suffix).Wants(t, map[string]any{"dnsName": want[0], "visibility": "private", "privateVisibilityConfig.networks.networkUrl": "net_id"})
		c.One(t, "RecordSet", "net-"+suffix).Wants(t, map[string]any{"name": want[1], "type": "A", "managedZone": "prod-" + suffix,
			"rrdatas": []any{"199.36.153.4", "199.36.153.5", "199.36.153.6", "199.36.153.7"}})
		c.One(t, "RecordSet", "net-"+suffix+"-all").Wants(t, map[string]any{"name": "*." + want[0], "type": "CNAME", "rrdatas": []any{want[1]}})
	}
}

func TestEgressByChoice(t *testing.T) {
	args := testNetwork()
	args.Egress = EgressNAT
	c := newTestNetwork(t, args)
	if got := routes(c); !slices.Equal(got, []string{"199.36.153.4/30 default-internet-gateway", "0.0.0.0/0 default-internet-gateway"}) {
		t.Errorf("routes %v", got)
	}
	c.One(t, "RouterNat", "net-nat").Wants(t, map[string]any{"natIpAllocateOption": "AUTO_ONLY", "sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS",
		"subnetworks.name": "net-nodes_id", "subnetworks.secondaryIpRangeNames": []any{"pods"}, "logConfig.enable": true, "logConfig.filter": "ALL", "router": "prod-nat"})
}

func testExisting() *ExistingNetwork {
	return &ExistingNetwork{Network: "projects/host-prod/global/networks/shared", Subnetwork: "projects/host-prod/regions/europe-west3/subnetworks/gke",
		PodRange: "gke-pods", ServiceRange: "gke-services", NodeCIDR: "10.8.0.0/22", PodCIDR: "10.16.0.0/16", ServiceCIDR: "10.9.0.0/20", ControlPlaneCIDR: "172.16.0.0/28"}
}

// A shared network keeps what is its own; names and a route are added, unless
// it has them.
func TestExistingNetwork(t *testing.T) {
	args := testNetwork()
	args.Existing = testExisting()
	outputs := map[string]string{}
	program := func(ctx *pulumi.Context) error {
		n, err := NewNetwork(ctx, "net", &args)
		if err != nil {
			return err
		}
		pulumi.All(n.NetworkID, n.NodeSubnetworkID, n.PodRangeName, n.ServiceRangeName, n.NodeCIDR, n.PodCIDR, n.ControlPlaneCIDR).ApplyT(func(v []any) string {
			outputs["all"] = fmt.Sprint(v)
			return ""
		})
		return nil
	}
	c := run(t, program)
	for _, kind := range []string{"Network", "Subnetwork", "Firewall", "Policy"} {
		if n := len(c.Of(kind)); n != 0 {
			t.Errorf("%d of %s in somebody else's network", n, kind)
		}
	}
	if len(c.Of("ManagedZone")) != 3 || c.One(t, "Route", "net-google").Text("project") != "host-prod" {
		t.Errorf("%d zones, route %v", len(c.Of("ManagedZone")), c.One(t, "Route", "net-google").Inputs)
	}
	want := "[projects/host-prod/global/networks/shared projects/host-prod/regions/europe-west3/subnetworks/gke gke-pods gke-services 10.8.0.0/22 10.16.0.0/16 172.16.0.0/28]"
	if outputs["all"] != want {
		t.Errorf("outputs %s", outputs["all"])
	}
	args.Existing.PrivateAccess = true
	if c := run(t, program); len(c.Of("ManagedZone"))+len(c.Of("Route"))+len(c.Of("RecordSet")) != 0 {
		t.Error("what the network has is made again")
	}
}

// Everything that is wrong is said at once, and nothing is registered.
func TestNetworkRefusals(t *testing.T) {
	refuse := func(change func(*NetworkArgs), want ...string) {
		t.Helper()
		args := testNetwork()
		change(&args)
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewNetwork(ctx, "net", &args); return err }, want...)
	}
	refuse(func(a *NetworkArgs) { *a = NetworkArgs{} }, "project.id", "project.number", "project.region", "cluster")
	refuse(func(a *NetworkArgs) { a.Cluster = "a-name-of-twenty-five-char" }, "cluster")
	refuse(func(a *NetworkArgs) { a.CIDR = "10.0.0.0/8" }, "cidr")
	refuse(func(a *NetworkArgs) { a.CIDR = "11.0.0.0/16" }, "cidr")
	refuse(func(a *NetworkArgs) { a.CIDR = "2001:db8::/48" }, "cidr")
	refuse(func(a *NetworkArgs) {
		a.PeerCIDRs = []string{"10.0.4.0/24", "0.0.0.0/0", "10.9.0.1/16", "2001:db8::/32"}
	}, "peerCIDRs[0]", "peerCIDRs[1]", "peerCIDRs[1]", "peerCIDRs[1]", "peerCIDRs[2]", "peerCIDRs[3]")
	refuse(func(a *NetworkArgs) {
		a.Egress, a.Domains, a.Labels = "open", []string{"pkg.dev", "x", "run.app", "run.app"}, map[string]string{"Team": "x", clusterLabel: "y"}
	}, "egress", "domains[0]", "domains[1]", "domains[3]", "labels[Team]", "labels["+clusterLabel+"]")
	refuse(func(a *NetworkArgs) {
		a.Existing, a.CIDR, a.Egress = &ExistingNetwork{}, "10.1.0.0/16", EgressNAT
	}, "existing.network", "existing.subnetwork", "existing.podRange", "existing.serviceRange", "existing.nodeCidr", "existing.podCidr", "existing.serviceCidr",
		"existing.controlPlaneCidr", "cidr", "egress")
	refuse(func(a *NetworkArgs) {
		a.Existing = testExisting()
		a.Existing.Subnetwork, a.Existing.ServiceRange = "projects/host-prod/regions/us-east1/subnetworks/gke", "gke-pods"
		a.Existing.ControlPlaneCIDR, a.Existing.ServiceCIDR = "172.16.0.0/27", "10.16.4.0/24"
	}, "existing.subnetwork", "existing.serviceRange", "existing.controlPlaneCidr", "existing.serviceCidr")
}

package gcpflatcar_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
	simgcp "github.com/redoubt-dev/redoubt/test/simcloud/gcp"
)

// places are where flows of the port table come from and go to in this environment. A packet of a pod that leaves the
// tunnels of its network has the address of its machine.
var places = map[hostconfig.Endpoint][]string{
	hostconfig.ControlPlanes: {planes}, hostconfig.Workers: {"10.66.0.0/19"}, hostconfig.Nodes: {planes, "10.66.0.0/19"}, hostconfig.Pods: {planes, "10.66.0.0/19"},
	hostconfig.Operators: {"10.200.16.0/24"}, hostconfig.LoadBalancers: {"35.191.0.0/16", "130.211.0.0/22"},
	hostconfig.ServiceEndpoint("googleapis"): {"199.36.153.4/30"}, hostconfig.ServiceEndpoint("registry"): {"10.200.32.0/28"}, hostconfig.ServiceEndpoint("login"): {"10.200.33.0/28"},
}

// roles are the accounts of machines by their range.
var roles = map[string][]string{
	planes:         {"gcp-flatcar-control@redoubt-self-4713.iam.gserviceaccount.com"},
	"10.66.0.0/19": {"gcp-flatcar-w-general@redoubt-self-4713.iam.gserviceaccount.com", "gcp-flatcar-w-isolated@redoubt-self-4713.iam.gserviceaccount.com"},
}

// opening is what a firewall lets through at a machine of a range.
type opening struct {
	direction, machine, remote, protocol string
	port                                 int
}

// table is what the port table has machines reach and be reached by.
func table() map[opening]bool {
	network := selfmanaged.Spec{Network: selfmanaged.Network{CNI: selfmanaged.CNICalico}}.WithDefaults().Network.Traffic
	t := hostconfig.Topology{Platform: hostconfig.PlatformGCP, Network: network, Services: []hostconfig.Service{hostconfig.RestrictedGoogleAPIs(),
		{Name: "registry", CIDRs: places["service-registry"], Reason: "r"}, {Name: "login", CIDRs: places["service-login"], Reason: "r"}}}
	want := map[opening]bool{}
	for _, flow := range hostconfig.PortTable(t) {
		if flow.To == hostconfig.Pods || flow.Protocol == hostconfig.ProtocolAny {
			continue // inside a tunnel
		}
		protocol := map[string]string{hostconfig.ProtocolEcho: "icmp"}[flow.Protocol]
		if protocol == "" {
			protocol = flow.Protocol
		}
		for _, from := range places[flow.From] {
			for _, to := range places[flow.To] {
				if roles[from] != nil {
					want[opening{simgcp.Egress, from, to, protocol, flow.Port}] = true
				}
				if roles[to] != nil {
					want[opening{simgcp.Ingress, to, from, protocol, flow.Port}] = true
				}
			}
		}
	}
	return want
}

// What the firewall lets through at each machine is the port table: every flow of it, and of the ports and ranges that the
// environment knows no other (M04, M08, M13).
func TestReachIsThePortTable(t *testing.T) {
	w := up(t)
	want := table()
	ports := map[string]bool{"tcp 22": true, "tcp 80": true, "tcp 443": true, "tcp 2379": true, "tcp 2380": true, "tcp 6443": true, "tcp 10250": true, "tcp 10255": true, "tcp 10257": true, "tcp 30000": true, "icmp 0": true, "udp 53": true}
	ranges := []string{"10.66.128.0/17", "10.66.96.0/20", "0.0.0.0/0", "35.235.240.0/20", "169.254.169.254/32", "10.200.0.0/16"}
	for o := range want {
		ports[fmt.Sprint(o.protocol, " ", o.port)] = true
		if !slices.Contains(ranges, o.remote) {
			ranges = append(ranges, o.remote)
		}
	}
	asked := 0
	for machine, accounts := range roles {
		for _, account := range accounts {
			for _, direction := range []string{simgcp.Ingress, simgcp.Egress} {
				for _, remote := range ranges {
					for each := range ports {
						o := opening{direction: direction, machine: machine, remote: remote}
						if _, err := fmt.Sscan(each, &o.protocol, &o.port); err != nil {
							t.Fatal(err)
						}
						got := simgcp.Allows(w.Cloud, simgcp.Flow{Network: "projects/redoubt-self-4713/global/networks/" + name, Direction: direction, ServiceAccount: account,
							Remote: netip.MustParsePrefix(remote), Protocol: o.protocol, Port: o.port})
						if remote == "169.254.169.254/32" && direction == simgcp.Egress { // which no rule can forbid
							continue
						}
						if asked++; got != want[o] {
							t.Errorf("%s of %s: %s %s/%d: the firewall says %v, the port table %v", direction, account, remote, o.protocol, o.port, got, want[o])
						}
					}
				}
			}
		}
	}
	if len(want) < 40 || asked < 1000 {
		t.Errorf("%d openings, %d questions: this test looks at nothing", len(want), asked)
	}
}

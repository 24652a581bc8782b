package gcp_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simgcp "github.com/redoubt-dev/redoubt/test/simcloud/gcp"
)

const (
	firewallToken   = "gcp:compute/firewall:Firewall"
	subnetworkToken = "gcp:compute/subnetwork:Subnetwork"
	clusterToken    = "gcp:container/cluster:Cluster"
	poolToken       = "gcp:container/nodePool:NodePool"
)

// opened are flows beside those that a cluster needs itself.
var opened = edit{"firewall": map[string]any{"webhooks": []int{9443}, "egress": []any{
	map[string]any{"name": "mirror", "cidrs": []string{"10.9.0.0/28", "10.9.1.0/28"}, "port": 5000, "pods": true, "reason": "images of the company"},
	map[string]any{"name": "time", "cidrs": []string{"10.9.2.1/32"}, "protocol": "udp", "port": 123, "reason": "the clock of the company"}}},
	"network.peerCIDRs": []string{"10.9.0.0/16"}}

// asked are the ports that are tried: those of the table, their neighbours, and what must stay shut.
func asked(flows []hostconfig.Flow) []int {
	ports := []int{1, 22, 53, 80, 443, 2379, 3389, 4194, 6443, 8080, 8443, 10249, 10250, 10255, 10256, 30000, 65535}
	for _, f := range flows {
		if f.Port > 0 {
			ports = append(ports, f.Port-1, f.Port, f.Port+1)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// wall is what the firewall does for nodes and pods, which share the interface of their machine.
type wall struct {
	cloud   *simcloud.Cloud
	network string
	account string
	tag     string
	// ends are who is at the other end, by name; outside are those of whom the port table knows nothing.
	ends  map[string]netip.Prefix
	table []hostconfig.Flow
}

// ranges are those of an end of the port table.
func (w wall) ranges(end hostconfig.Endpoint) []netip.Prefix {
	switch end {
	case hostconfig.ControlPlanes:
		return []netip.Prefix{w.ends["control plane"]}
	case hostconfig.Workers, hostconfig.Nodes:
		return []netip.Prefix{w.ends["nodes"]}
	case hostconfig.Pods:
		return []netip.Prefix{w.ends["pods"]}
	case hostconfig.ServiceEndpoint("mirror"):
		return []netip.Prefix{w.ends["mirror"], w.ends["second mirror"]}
	case hostconfig.ServiceEndpoint("time"):
		return []netip.Prefix{w.ends["time"]}
	case hostconfig.ServiceEndpoint(hostconfig.RestrictedGoogleAPIs().Name):
		return []netip.Prefix{w.ends["restricted"]}
	}
	if len(hostconfig.PlatformRanges(hostconfig.PlatformGCP, end)) > 0 && end != hostconfig.LoadBalancers {
		return []netip.Prefix{w.ends["metadata"]}
	}
	return nil // within a machine, or into the control plane from elsewhere
}

var machines = []hostconfig.Endpoint{hostconfig.Workers, hostconfig.Nodes, hostconfig.Pods}

// wanted are the flows of the port table that cross the interface: "> end protocol/port" out, "< end ..." in.
func (w wall) wanted() map[string]bool {
	out := map[string]bool{}
	for name, prefix := range w.ends {
		for _, f := range w.table {
			for _, protocol := range []string{"tcp", "udp"} {
				for _, port := range asked(w.table) {
					if f.Protocol != protocol && f.Protocol != hostconfig.ProtocolAny || f.Port != port && f.Port != 0 {
						continue
					}
					if slices.Contains(machines, f.From) && slices.Contains(w.ranges(f.To), prefix) {
						out[fmt.Sprintf("> %s %s/%d", name, protocol, port)] = true
					}
					if slices.Contains(machines, f.To) && slices.Contains(w.ranges(f.From), prefix) && (protocol == "udp" || port != 10255) {
						out[fmt.Sprintf("< %s %s/%d", name, protocol, port)] = true
					}
				}
			}
			if f.Protocol == hostconfig.ProtocolAny && slices.Contains(machines, f.From) && slices.Contains(w.ranges(f.To), prefix) {
				out["> "+name+" icmp/0"], out["> "+name+" esp/0"] = true, true
			}
			if f.Protocol == hostconfig.ProtocolAny && slices.Contains(machines, f.To) && slices.Contains(w.ranges(f.From), prefix) {
				out["< "+name+" icmp/0"], out["< "+name+" esp/0"] = true, true
			}
		}
	}
	return out
}

// reached are the flows that the rules let through.
func (w wall) reached() map[string]bool {
	out := map[string]bool{}
	for name, prefix := range w.ends {
		for arrow, direction := range map[string]string{"> ": simgcp.Egress, "< ": simgcp.Ingress} {
			try := func(protocol string, port int) {
				f := simgcp.Flow{Network: w.network, Direction: direction, Tags: []string{w.tag}, ServiceAccount: w.account, Remote: prefix, Protocol: protocol, Port: port}
				if simgcp.Allows(w.cloud, f) {
					out[fmt.Sprintf("%s%s %s/%d", arrow, name, protocol, port)] = true
				}
			}
			for _, port := range asked(w.table) {
				try("tcp", port)
				try("udp", port)
			}
			try("icmp", 0)
			try("esp", 0)
		}
	}
	return out
}

// wallOf finds the parts of an environment.
func wallOf(t *testing.T, e environment) wall {
	t.Helper()
	nodes, cluster := only(t, e.Cloud, subnetworkToken, "-nodes"), only(t, e.Cloud, clusterToken)
	w := wall{cloud: e.Cloud, network: cluster.State.String("network"), ends: map[string]netip.Prefix{}}
	for name, cidr := range map[string]string{
		"control plane": cluster.State.String("privateClusterConfig.masterIpv4CidrBlock"), "nodes": nodes.State.String("ipCidrRange"),
		"pods": nodes.State.String("secondaryIpRanges[0].ipCidrRange"), "services": nodes.State.String("secondaryIpRanges[1].ipCidrRange"),
		"entry": only(t, e.Cloud, subnetworkToken, "-entry").State.String("ipCidrRange"), "restricted": "199.36.153.4/30", "private": "199.36.153.8/30", "metadata": "169.254.169.254/32",
		"mirror": "10.9.0.0/28", "second mirror": "10.9.1.0/28", "time": "10.9.2.1/32", "peers": "10.9.3.0/24", "tunnels": "35.235.240.0/20", "health checks": "35.191.0.0/16",
		"internet": "203.0.113.0/24", "Google": "142.250.0.0/15",
	} {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w.ends[name] = prefix
	}
	pool := e.Cloud.Objects(poolToken)[0]
	w.account = pool.State.String("nodeConfig.serviceAccount")
	for _, o := range e.Cloud.Objects(firewallToken) { // GKE tags nodes for its own rules
		if tags := o.State.Strings("targetTags"); len(tags) > 0 {
			w.tag = tags[0]
		}
	}
	if w.account == "" || w.tag == "" {
		t.Fatalf("nodes have account %q and tag %q", w.account, w.tag)
	}
	w.table = hostconfig.PortTable(hostconfig.Topology{Platform: hostconfig.PlatformGCP, Managed: true, Ports: hostconfig.Ports{Webhooks: []int{9443}}, Services: []hostconfig.Service{
		hostconfig.RestrictedGoogleAPIs(), {Name: "mirror", CIDRs: []string{"10.9.0.0/28", "10.9.1.0/28"}, Protocol: "tcp", Port: 5000, Pods: true, Reason: "images"},
		{Name: "time", CIDRs: []string{"10.9.2.1/32"}, Protocol: "udp", Port: 123, Reason: "time"}}})
	return w
}

// covered are rules of a flow that another covers as well: a firewall sees no difference between nodes and pods.
var covered = map[string]string{"-pods-kubelet-in": "pods reach each other on every port, by the same interface"}

// M08, CIS-GKE-5.6.6: what the rules of production let through between nodes and everybody else is the port table, and
// every rule is needed for that. GKE's own rules beside them let other nodes in, and nobody else.
func TestReachabilityIsThePortTable(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-prod").edited(t, opened)
	e.mustUp()
	w := wallOf(t, e)
	var ours, google []simcloud.Object
	for _, o := range e.Cloud.Objects(firewallToken) {
		if strings.HasPrefix(o.State.String("name"), "gke-") {
			google = append(google, o)
			continue
		}
		ours = append(ours, o)
		if reason := o.State.String("description"); len(reason) < 10 {
			t.Errorf("%s does not say why: %q", o.ID, reason)
		}
	}
	want, got := w.wanted(), w.reached()
	for flow := range got {
		// Every port of other nodes is GKE's rule: they have no rule that lets them out to those ports.
		if !want[flow] && !strings.HasPrefix(flow, "< nodes ") {
			t.Errorf("reached, and not in the table: %s", flow)
		}
	}
	for _, port := range []string{"tcp/10255", "udp/22"} {
		if open := got["< pods "+port]; open != (port == "udp/22") {
			t.Errorf("pods reach %s: %v", port, open)
		}
	}
	if got["< nodes tcp/10255"] || got["> internet tcp/443"] || got["> nodes tcp/22"] {
		t.Error("what must never be is")
	}

	w.without(t, google, func() {
		compare(t, w.reached(), want)
		for _, rule := range ours {
			name := strings.TrimPrefix(rule.State.String("name"), "gcp-prod")
			if strings.HasPrefix(name, "-entry") || name == "-read-only-port" {
				continue // of another machine; see below
			}
			twins := []simcloud.Object{rule}
			if direction, deny := strings.CutPrefix(strings.TrimPrefix(name, "-nodes"), "-deny-"); deny {
				if direction == "in" {
					continue // what no rule lets in stays out by itself: this one records it
				}
				twins = slices.DeleteFunc(slices.Clone(ours), func(o simcloud.Object) bool { return !strings.HasSuffix(o.State.String("name"), "-deny-out") })
			}
			w.without(t, twins, func() {
				if needless := maps.Equal(w.reached(), want); needless != (covered[name] != "") {
					t.Errorf("nobody needs the rule %s: %v, covered by %q", name, needless, covered[name])
				}
			})
		}
	})
	w.without(t, []simcloud.Object{only(t, e.Cloud, firewallToken, "-read-only-port")}, func() {
		if !w.reached()["< pods tcp/10255"] {
			t.Error("nobody needs the rule of the read-only port")
		}
	})
}

// M09: tunnels reach one port of the forwarder, it reaches the API server, and a machine of no account reaches nothing.
func TestReachabilityOfOtherMachines(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-dev")
	e.mustUp()
	w := wallOf(t, e)
	w.tag = "" // no node
	w.account = only(t, e.Cloud, "gcp:serviceaccount/account:Account", "-entry").State.String("email")
	compare(t, w.reached(), map[string]bool{"< tunnels tcp/8443": true, "> control plane tcp/443": true})
	w.account = "somebody@redoubt-dev-4712.iam.gserviceaccount.com"
	compare(t, w.reached(), nil)
}

// without looks while objects are gone.
func (w wall) without(t *testing.T, objects []simcloud.Object, look func()) {
	t.Helper()
	for _, o := range objects {
		if err := w.cloud.Remove(o); err != nil {
			t.Fatal(err)
		}
	}
	look()
	for _, o := range objects {
		if err := w.cloud.Put(o); err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, got, want map[string]bool) {
	t.Helper()
	for _, flow := range slices.Sorted(maps.Keys(got)) {
		if !want[flow] {
			t.Errorf("reached, and not in the table: %s", flow)
		}
	}
	for _, flow := range slices.Sorted(maps.Keys(want)) {
		if !got[flow] {
			t.Errorf("in the table, and not reached: %s", flow)
		}
	}
}

package hostconfig

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

// topologies are those whose tables are recorded and judged.
func topologies() map[string]Topology {
	self := Topology{Platform: PlatformAWS, IPv6: true, Ports: Ports{Webhooks: []int{9443}},
		Network:  []NetworkTraffic{CalicoVXLAN, CalicoWireGuard, CalicoBGP, CalicoTypha},
		Services: []Service{{Name: "registry", CIDRs: []string{"10.90.0.0/28"}, Reason: "images"}}}
	return map[string]Topology{
		"flows":     {Ports: Ports{Webhooks: []int{9443}}},
		"flows-aws": self,
		"flows-eks": {Platform: PlatformAWS, Managed: true},
		"flows-gcp": {Platform: PlatformGCP, Network: []NetworkTraffic{CiliumGeneve, CiliumWireGuard, CiliumHealth},
			Services: []Service{RestrictedGoogleAPIs()}},
		"flows-gke":   {Platform: PlatformGCP, Managed: true, Services: []Service{RestrictedGoogleAPIs()}},
		"flows-metal": {Platform: PlatformMetal, Network: []NetworkTraffic{FlannelVXLAN}},
	}
}

func TestPortTableGolden(t *testing.T) {
	for name, topology := range topologies() {
		accepted(t, topology.Validate())
		rendered, err := json.MarshalIndent(PortTable(topology), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, name+".json", string(rendered)+"\n")
	}
}

func TestPortTable(t *testing.T) {
	for name, topology := range topologies() {
		api := topology.WithDefaults().Ports.APIServer
		names := map[string]bool{}
		for _, flow := range PortTable(topology) {
			if names[flow.Name] || flow.Reason == "" || len(flow.Controls) == 0 {
				t.Errorf("%s: repeated, or without reason or control: %+v", name, flow)
			}
			names[flow.Name] = true
			for _, control := range flow.Controls {
				if !controlPattern.MatchString(control) {
					t.Errorf("%s: %s: %q is not a control", name, flow.Name, control)
				}
			}
			// Operators and load balancers reach the API and nothing else.
			if (flow.From == Operators || flow.From == LoadBalancers) && (flow.To != ControlPlanes || flow.Port != api) || flow.To == Operators {
				t.Errorf("%s: operators: %+v", name, flow)
			}
			// etcd is for control planes, its metrics and the managers for the machine itself.
			if slices.Contains([]int{2379, 2380, 2381, 10257, 10259, 10248}, flow.Port) && flow.From != Loopback &&
				!(flow.From == ControlPlanes && flow.To == ControlPlanes && flow.Port < 2381) {
				t.Errorf("%s: too open: %+v", name, flow)
			}
			// GKE runs a metrics server that nobody can leave out; the kubelet asks it for an account.
			if flow.Port == 10250 && flow.From != ControlPlanes && !(name == "flows-gke" && flow.Name == "pods-kubelet") {
				t.Errorf("%s: kubelets answer to control planes only: %+v", name, flow)
			}
			if flow.To == Metadata && (flow.From != Nodes || flow.Port != 80) {
				t.Errorf("%s: metadata is for machines alone: %+v", name, flow)
			}
			if flow.Protocol == ProtocolUDP && flow.Port == 0 {
				t.Errorf("%s: UDP without a port: %+v", name, flow)
			}
		}
	}
}

// TestManagedControlPlaneIsNotOurs: no flow of a managed cluster is about what
// the cloud runs inside.
func TestManagedControlPlaneIsNotOurs(t *testing.T) {
	for _, name := range []string{"flows-eks", "flows-gke"} {
		for _, flow := range PortTable(topologies()[name]) {
			if strings.Contains(flow.Name, "etcd") || flow.From == ControlPlanes && flow.To == ControlPlanes {
				t.Errorf("%s: %+v", name, flow)
			}
		}
	}
}

// TestNetworkTable: every kind of traffic that has a name is in the table.
func TestNetworkTable(t *testing.T) {
	for traffic, kind := range networkTable {
		flows := networkFlows(Topology{Network: []NetworkTraffic{traffic}, IPv6: true})
		if len(flows) == 0 || flows[0].Port != kind.port || kind.reason == "" || kind.pods == "" || (kind.tunnel == "") != (kind.tunnel6 == "") {
			t.Errorf("%s: %+v", traffic, flows)
		}
	}
}

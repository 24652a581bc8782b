package hostconfig_test

import (
	"fmt"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Who may reach the machines of a cluster that AWS manages, and why.
func ExamplePortTable() {
	for _, flow := range hostconfig.PortTable(hostconfig.Topology{Platform: hostconfig.PlatformAWS, Managed: true}) {
		if flow.To == hostconfig.Workers {
			fmt.Printf("%s from %s: %s/%d: %s\n", flow.Name, flow.From, flow.Protocol, flow.Port, flow.Reason)
		}
	}
	// Output:
	// api-kubelet from control-plane: tcp/10250: the API server serves logs, exec and port-forward through the kubelet
	// api-nodes from control-plane: tcp/443: the API server asks aggregated APIs and webhooks that have the addresses of machines
	// coredns-udp from workers: udp/53: workloads resolve names with CoreDNS on another machine, by the addresses of machines
	// coredns-tcp from workers: tcp/53: workloads resolve names with CoreDNS on another machine, by the addresses of machines
}

// Where the flows of a group of machines end.
func ExampleFirewall_Ranges() {
	group := hostconfig.Firewall{Role: hostconfig.RoleWorker,
		ControlPlane: []string{"10.80.0.10"}, Workers: []string{"10.80.16.0/20"}, PodCIDR: "10.96.0.0/14",
		Surroundings: hostconfig.Surroundings{Platform: hostconfig.PlatformGCP, Services: []hostconfig.Service{hostconfig.RestrictedGoogleAPIs()}}}
	for _, endpoint := range []hostconfig.Endpoint{hostconfig.Workers, hostconfig.Metadata, hostconfig.LoadBalancers, hostconfig.ServiceEndpoint("googleapis")} {
		fmt.Println(endpoint, group.Ranges(endpoint))
	}
	// Output:
	// workers [10.80.16.0/20]
	// metadata [169.254.169.254]
	// load-balancers [35.191.0.0/16 130.211.0.0/22]
	// service-googleapis [199.36.153.4/30]
}

// A worker of a group that scales by itself, with Calico.
func ExampleNftables() {
	ruleset, err := hostconfig.Nftables(hostconfig.Firewall{
		Role: hostconfig.RoleWorker, ControlPlane: []string{"10.80.0.10"}, Workers: []string{"10.80.16.0/20"}, PodCIDR: "10.81.0.0/16",
		Surroundings: hostconfig.Surroundings{Platform: hostconfig.PlatformAWS, Network: []hostconfig.NetworkTraffic{hostconfig.CalicoVXLAN}},
	})
	fmt.Println(len(ruleset) > 0, err)
	_, err = hostconfig.Nftables(hostconfig.Firewall{
		Role: hostconfig.RoleWorker, PodCIDR: "10.81.0.0/16",
		ControlPlane: []string{"10.80.16.0/28"}, Workers: []string{"10.80.16.0/20"},
	})
	fmt.Println(err)
	// Output:
	// true <nil>
	// workers[0]: 10.80.16.0/20 overlaps 10.80.16.0/28 of controlPlane[0]: a worker could pass for a control plane and reach etcd (M13); give control planes a range of their own, or write their single addresses
}

package awsflatcar_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

// What machines reach is what the port table says, and nothing else: every pair of groups is tried at every port that
// the table has anywhere, and at some that it has nowhere (M04, M08, M13).
func TestReachIsThePortTable(t *testing.T) {
	w := up(t)
	groups := map[string]string{}
	network := ""
	for _, o := range w.Cloud.Objects("aws:ec2/securityGroup:SecurityGroup") {
		if short, own := strings.CutPrefix(o.State.String("name"), name+"-"); own {
			groups[short], network = o.ID, o.State.String("vpcId")
		}
	}
	traffic := []hostconfig.NetworkTraffic{hostconfig.CalicoVXLAN, hostconfig.CalicoWireGuard, hostconfig.CalicoTypha}
	table := hostconfig.PortTable(hostconfig.Topology{Platform: hostconfig.PlatformAWS, Network: traffic,
		Services: []hostconfig.Service{{Name: "endpoints", CIDRs: []string{"10.70.0.0/16"}, Pods: true, Reason: "aws"}}})
	api := hostconfig.DefaultPorts().APIServer
	tried := map[string][]int{hostconfig.ProtocolTCP: {22, 80, 179, 3389, 8080, 10255, 10257, 10259, 30000}, hostconfig.ProtocolUDP: {53, 111, 8472}}
	for _, flow := range table {
		if flow.Port != 0 && (flow.Protocol == hostconfig.ProtocolTCP || flow.Protocol == hostconfig.ProtocolUDP) {
			tried[flow.Protocol] = append(tried[flow.Protocol], flow.Port)
		}
	}
	// What pods send leaves their machine through a tunnel, or with the machine's address.
	ends := map[hostconfig.Endpoint][]string{
		hostconfig.ControlPlanes: {"cluster"}, hostconfig.Workers: {"nodes"}, hostconfig.Nodes: {"cluster", "nodes"}, hostconfig.LoadBalancers: {"load-balancer"},
		hostconfig.ServiceEndpoint("endpoints"): {"endpoints"},
	}
	wanted := func(from, to, protocol string, port int) bool {
		if to == "load-balancer" { // in front of the API servers, for whoever uses them
			return protocol == hostconfig.ProtocolTCP && port == api && (from == "cluster" || from == "nodes")
		}
		return slices.ContainsFunc(table, func(f hostconfig.Flow) bool {
			of := ends[f.From]
			if f.From == hostconfig.Pods {
				of = ends[hostconfig.Nodes]
			}
			return f.Protocol == protocol && f.Port == port && slices.Contains(of, from) && slices.Contains(ends[f.To], to)
		})
	}
	reached := 0
	for protocol, ports := range tried {
		slices.Sort(ports)
		for _, port := range slices.Compact(ports) {
			for from, a := range groups {
				for to, b := range groups {
					got, want := simaws.Reaches(w.Cloud, region, network, []string{a}, []string{b}, protocol, port), wanted(from, to, protocol, port)
					if got {
						reached++
					}
					if got != want {
						t.Errorf("%s to %s at %s: reaches %v, the table says %v", from, to, fmt.Sprint(port, "/", protocol), got, want)
					}
				}
			}
		}
	}
	if len(groups) != 4 || reached < 15 {
		t.Errorf("%d groups, %d ways: this test looks at nothing", len(groups), reached)
	}
}

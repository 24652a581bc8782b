package hostconfig

import (
	"maps"
	"slices"
	"strings"
)

// NetworkTraffic is one kind of traffic between the agents of a network plugin.
type NetworkTraffic string

// Traffic of network plugins. Which of them a cluster has is the plugin's
// configuration:
// https://docs.tigera.io/calico/latest/getting-started/kubernetes/requirements#network-requirements
// https://docs.cilium.io/en/stable/operations/system_requirements/#firewall-rules
const (
	CalicoVXLAN     NetworkTraffic = "calico-vxlan"
	CalicoWireGuard NetworkTraffic = "calico-wireguard"
	CalicoBGP       NetworkTraffic = "calico-bgp"
	CalicoTypha     NetworkTraffic = "calico-typha"
	CiliumVXLAN     NetworkTraffic = "cilium-vxlan"
	CiliumGeneve    NetworkTraffic = "cilium-geneve"
	CiliumWireGuard NetworkTraffic = "cilium-wireguard"
	CiliumHealth    NetworkTraffic = "cilium-health"
	FlannelVXLAN    NetworkTraffic = "flannel-vxlan"
)

// networkKind is what a kind of traffic needs of a machine.
type networkKind struct {
	protocol string
	port     int
	// port6 is the port of its own that IPv6 has, if any.
	port6 int
	// tunnel and tunnel6 are the interfaces from which the pods of other machines
	// come, for IPv4 and IPv6.
	tunnel, tunnel6 string
	// pods is the pattern of the interfaces of this machine's pods.
	pods   string
	echo   bool
	reason string
}

var networkTable = map[NetworkTraffic]networkKind{
	CalicoVXLAN: {protocol: ProtocolUDP, port: 4789, tunnel: "vxlan.calico", tunnel6: "vxlan-v6.calico", pods: "cali*",
		reason: "pods of different machines talk through Calico's VXLAN"},
	CalicoWireGuard: {protocol: ProtocolUDP, port: 51820, port6: 51821, tunnel: "wireguard.cali", tunnel6: "wg-v6.cali", pods: "cali*",
		reason: "pods of different machines talk through Calico's WireGuard"},
	CalicoBGP: {protocol: ProtocolTCP, port: 179, pods: "cali*",
		reason: "machines tell each other the routes to their pods"},
	CalicoTypha: {protocol: ProtocolTCP, port: 5473, pods: "cali*",
		reason: "agents of Calico learn policies from Typha, which runs on any machine"},
	CiliumVXLAN: {protocol: ProtocolUDP, port: 8472, tunnel: "cilium_vxlan", tunnel6: "cilium_vxlan", pods: "lxc*",
		reason: "pods of different machines talk through Cilium's VXLAN"},
	CiliumGeneve: {protocol: ProtocolUDP, port: 6081, tunnel: "cilium_geneve", tunnel6: "cilium_geneve", pods: "lxc*",
		reason: "pods of different machines talk through Cilium's Geneve"},
	CiliumWireGuard: {protocol: ProtocolUDP, port: 51871, tunnel: "cilium_wg0", tunnel6: "cilium_wg0", pods: "lxc*",
		reason: "pods of different machines talk through Cilium's WireGuard"},
	CiliumHealth: {protocol: ProtocolTCP, port: 4240, pods: "lxc*", echo: true,
		reason: "agents of Cilium tell a broken machine from a broken network"},
	FlannelVXLAN: {protocol: ProtocolUDP, port: 8472, tunnel: "flannel.1", tunnel6: "flannel-v6.1", pods: PodBridge,
		reason: "pods of different machines talk through Flannel's VXLAN"},
}

func networkNames() string {
	var names []string
	for _, name := range NetworkTraffics() {
		names = append(names, string(name))
	}
	return strings.Join(names, ", ")
}

// networkFlows are between all machines: any of them may run any agent, and
// which machine a pod is on nobody knows beforehand.
func networkFlows(t Topology) []Flow {
	var flows []Flow
	for i, traffic := range t.Network {
		kind, known := networkTable[traffic]
		if !known || slices.Contains(t.Network[:i], traffic) {
			continue
		}
		flow := Flow{Name: "nodes-" + string(traffic), From: Nodes, To: Nodes, Protocol: kind.protocol, Port: kind.port,
			Reason: kind.reason, Controls: []string{"M04"}}
		flows = append(flows, flow)
		if kind.port6 != 0 && t.IPv6 {
			flow.Name, flow.Port = flow.Name+"-ipv6", kind.port6
			flows = append(flows, flow)
		}
		if kind.echo {
			flow.Name, flow.Port, flow.Protocol = flow.Name+"-echo", 0, ProtocolEcho
			flows = append(flows, flow)
		}
	}
	return flows
}

// podInterfaces gives the patterns of the interfaces of a machine's own pods, as
// the traffic of the plugin tells them; the bridge of [PodBridge] otherwise.
func podInterfaces(network []NetworkTraffic) []string {
	var patterns []string
	for _, traffic := range network {
		if pattern := networkTable[traffic].pods; pattern != "" && !slices.Contains(patterns, pattern) {
			patterns = append(patterns, pattern)
		}
	}
	if len(patterns) == 0 {
		return []string{PodBridge}
	}
	return patterns
}

// tunnels gives the interfaces from which pods of other machines come.
func tunnels(network []NetworkTraffic, f family) []string {
	var interfaces []string
	for _, traffic := range network {
		name := networkTable[traffic].tunnel
		if f == familyIPv6 {
			name = networkTable[traffic].tunnel6
		}
		if name != "" && !slices.Contains(interfaces, name) {
			interfaces = append(interfaces, name)
		}
	}
	return interfaces
}

// Tunnelled tells whether pods of different machines talk through a tunnel, so
// that a network between machines sees none of their own packets.
func Tunnelled(network []NetworkTraffic) bool { return len(tunnels(network, familyIPv4)) > 0 }

// NetworkTraffics gives every kind of traffic, sorted.
func NetworkTraffics() []NetworkTraffic { return slices.Sorted(maps.Keys(networkTable)) }

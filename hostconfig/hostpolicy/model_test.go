package hostpolicy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

var roles = []hostconfig.Role{hostconfig.RoleControlPlane, hostconfig.RoleWorker}

func cluster() Cluster {
	return Cluster{Cluster: hostconfig.Cluster{Name: "prod",
		ControlPlanes: []hostconfig.Machine{{Name: "cp-1", Address: "10.80.0.10"}, {Name: "cp-2", Address: "10.80.0.20"}, {Name: "cp-3", Address: "10.80.0.30"}},
		Workers: []hostconfig.Machine{{Name: "worker-1", Address: "10.80.0.11", PodCIDR: "10.81.1.0/24"},
			{Name: "worker-2", Address: "10.80.0.12", PodCIDR: "10.81.2.0/24"}},
		Operators: []string{"10.83.0.0/29"}, PodCIDRs: []string{"10.81.0.0/16"}, Ports: hostconfig.Ports{Webhooks: []int{9443}}}}
}

// cloud is a dual-stack cluster with all that a cloud has around it.
func cloud() Cluster {
	c := cluster()
	c.PodCIDRs, c.Operators = append(c.PodCIDRs, "fd81::/56"), append(c.Operators, "fd83::/64")
	c.ControlPlanes = append(c.ControlPlanes, hostconfig.Machine{Name: "cp-6", Address: "fd80::10"})
	c.Workers = append(c.Workers, hostconfig.Machine{Name: "worker-6", Address: "fd80::11", PodCIDR: "fd81:0:0:6::/64"},
		hostconfig.Machine{Name: "worker-7", Address: "fd80::12", PodCIDR: "fd81:0:0:7::/64"})
	c.Surroundings = hostconfig.Surroundings{Platform: hostconfig.PlatformAWS, LoadBalancers: []string{"10.80.3.0/28", "fd80:3::/64"},
		DHCPServers: []string{"10.80.2.67"}, Network: []hostconfig.NetworkTraffic{hostconfig.CalicoWireGuard, hostconfig.CalicoTypha},
		Services: []hostconfig.Service{{Name: "registry", CIDRs: []string{"10.90.0.0/28", "fd90::/64"}, Pods: true, Reason: "images"},
			{Name: "logs", CIDRs: []string{"10.90.1.1"}, Protocol: hostconfig.ProtocolUDP, Port: 514, Reason: "audit records leave the machine"}}}
	return c
}

// group is the same with workers that come and go.
func group() Cluster {
	c := cloud()
	c.Workers, c.NodeCIDRs = nil, []string{"10.80.0.0/24", "fd80::/64"}
	for i, address := range []string{"10.80.8.10", "10.80.8.20", "10.80.8.30", "fd80:8::10"} {
		c.ControlPlanes[i].Address = address
	}
	return c
}

// widened is what the fail-safe of a group allows beside the port table: it is
// one for both roles, and no worker listens there.
func widened(c Cluster, table judge) judge {
	return func(p packet) bool {
		if c.grouped() && p.to.kind == hostconfig.Workers && p.from.kind == hostconfig.Operators {
			p.to.kind = hostconfig.ControlPlanes
		}
		return table(p)
	}
}

// known gives the machines that there are, whether or not the cluster knows them.
func known(c Cluster, role hostconfig.Role) []hostconfig.Machine {
	if role == hostconfig.RoleWorker && c.grouped() {
		return cloud().Workers
	}
	return c.machines(role)
}

// subject is one end of a packet.
type subject struct {
	name string
	kind hostconfig.Endpoint // or "outside" or "health"
	addr netip.Addr
	host string // of a pod
}

const outside, health hostconfig.Endpoint = "outside", "health"

func (s subject) isHost() bool {
	return s.kind == hostconfig.ControlPlanes || s.kind == hostconfig.Workers
}

func (s subject) role() hostconfig.Role {
	if s.kind == hostconfig.Workers {
		return hostconfig.RoleWorker
	}
	return hostconfig.RoleControlPlane
}

// is tells whether a subject is an endpoint, as seen from the other end.
func (s subject) is(e hostconfig.Endpoint, other subject) bool {
	switch e {
	case hostconfig.OwnPods:
		return s.kind == hostconfig.Pods && s.host == other.name
	case hostconfig.Nodes:
		return s.isHost()
	}
	return s.kind == e
}

func subjects(c Cluster) []subject {
	at := netip.MustParseAddr
	all := []subject{
		{name: "outsider", kind: outside, addr: at("203.0.113.7")},
		{name: "outsider-6", kind: outside, addr: at("2001:db8::7")},
		{name: "neighbour", kind: outside, addr: at("10.80.1.99")},
		{name: "neighbour-6", kind: outside, addr: at("fd80:1::99")},
	}
	seen := map[netip.Addr]bool{}
	stranger := func(kind hostconfig.Endpoint) {
		for _, net := range c.WithDefaults().nets(kind) {
			if address := netip.MustParsePrefix(net).Addr(); !seen[address] {
				seen[address] = true
				all = append(all, subject{name: string(kind) + " at " + net, kind: kind, addr: address})
			}
		}
	}
	for _, flow := range c.WithDefaults().flows() {
		for _, e := range []hostconfig.Endpoint{flow.From, flow.To} {
			switch e {
			case hostconfig.ControlPlanes, hostconfig.Workers, hostconfig.Nodes, hostconfig.Pods, hostconfig.OwnPods, hostconfig.Loopback:
			default:
				stranger(e)
			}
		}
	}
	for _, addr := range hostconfig.MetadataAddresses() {
		if !seen[at(addr)] {
			all = append(all, subject{name: addr, kind: outside, addr: at(addr)})
		}
	}
	for _, m := range known(c, hostconfig.RoleControlPlane) {
		all = append(all, subject{name: m.Name, kind: hostconfig.ControlPlanes, addr: at(m.Address)})
	}
	for _, m := range known(c, hostconfig.RoleWorker) {
		all = append(all, subject{name: m.Name, kind: hostconfig.Workers, addr: at(m.Address)},
			subject{name: "pod-on-" + m.Name, kind: hostconfig.Pods, addr: netip.MustParsePrefix(m.PodCIDR).Addr().Next().Next(), host: m.Name})
	}
	return all
}

// packet is the first one of a connection.
type packet struct {
	from, to     subject
	protocol     string // tcp, udp or echo
	port, source int
}

func (p packet) String() string {
	return fmt.Sprintf("%s to %s %s/%d from %d", p.from.name, p.to.name, p.protocol, p.port, p.source)
}

// anySource is a source port that no flow asks for.
const anySource = 40000

// packets are all that a machine sends or receives, on every port of the table
// and on some that are in no flow, from any port and from those of the table.
func packets(c Cluster) []packet {
	ports, sources := []int{22, 53, 80, 4240, 8443, 10255, 10256, 30000}, []int{anySource}
	for _, flow := range c.WithDefaults().flows() {
		if flow.Port != 0 && !slices.Contains(ports, flow.Port) {
			ports = append(ports, flow.Port)
		}
		if flow.SourcePort != 0 {
			sources = append(sources, flow.SourcePort)
		}
	}
	var all []packet
	for _, from := range subjects(c) {
		for _, to := range subjects(c) {
			if from.name == to.name || !from.isHost() && !to.isHost() || from.addr.Is4() != to.addr.Is4() {
				continue
			}
			if c.grouped() && to.kind == hostconfig.Pods && to.host == from.name {
				continue // decided by Felix before any policy
			}
			all = append(all, packet{from, to, "echo", 0, 0})
			for _, port := range ports {
				all = append(all, packet{from, to, "tcp", port, anySource})
				all = append(all, packet{from, to, "udp", port, anySource})
				if port == 67 || port > 500 && port < 600 { // DHCP
					for _, source := range sources[1:] {
						all = append(all, packet{from, to, "udp", port, source})
					}
				}
			}
		}
	}
	return all
}

// meant is what the port table says, read without any renderer.
func meant(c Cluster) judge {
	flows := c.WithDefaults().flows()
	return func(p packet) bool { return meantBy(flows, p) }
}

func meantBy(flows []hostconfig.Flow, p packet) bool {
	return slices.ContainsFunc(flows, func(f hostconfig.Flow) bool {
		if !p.from.is(f.From, p.to) || !p.to.is(f.To, p.from) || f.SourcePort != 0 && p.source != f.SourcePort {
			return false
		}
		switch f.Protocol {
		case hostconfig.ProtocolEcho:
			return p.protocol == "echo"
		case hostconfig.ProtocolTCP, hostconfig.ProtocolUDP:
			return p.protocol == f.Protocol && (f.Port == 0 || f.Port == p.port)
		default:
			return true
		}
	})
}

// judge is anything that decides about packets.
type judge func(packet) bool

// differences gives the packets about which two judges disagree.
func differences(c Cluster, a, b judge) []string {
	var found []string
	for _, p := range packets(c) {
		if got, want := a(p), b(p); got != want {
			found = append(found, fmt.Sprintf("%s: allowed %t, want %t", p, got, want))
		}
	}
	return found
}

// differ tells whether two judges disagree about any packet.
func differ(all []packet, a, b judge) bool {
	return slices.ContainsFunc(all, func(p packet) bool { return a(p) != b(p) })
}

// decode reads every document of a kind strictly.
func decode[T any](t testing.TB, stream string, kinds ...string) []T {
	t.Helper()
	var all []T
	for _, document := range strings.Split(stream, "---\n") {
		var kind typeMeta
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(kinds, kind.Kind) {
			continue
		}
		var object T
		if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
			t.Fatalf("%s: %v", kind.Kind, err)
		}
		all = append(all, object)
	}
	return all
}

// parsed are the ranges that were read before: millions of packets ask for few.
var parsed sync.Map

// contains tells whether one of the ranges holds the address.
func contains(ranges []string, address netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(text string) bool {
		prefix, found := parsed.Load(text)
		if !found {
			prefix, _ = parsed.LoadOrStore(text, netip.MustParsePrefix(text))
		}
		return prefix.(netip.Prefix).Contains(address)
	})
}

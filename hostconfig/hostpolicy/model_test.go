package hostpolicy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

var roles = []hostconfig.Role{hostconfig.RoleControlPlane, hostconfig.RoleWorker}

func cluster() Cluster {
	return Cluster{
		ControlPlanes: []Machine{{Name: "cp-1", Address: "10.80.0.10"}, {Name: "cp-2", Address: "10.80.0.20"}, {Name: "cp-3", Address: "10.80.0.30"}},
		Workers: []Machine{{Name: "worker-1", Address: "10.80.0.11", PodCIDR: "10.81.1.0/24"},
			{Name: "worker-2", Address: "10.80.0.12", PodCIDR: "10.81.2.0/24"}},
		Operators: []string{"10.83.0.0/29"}, PodCIDR: "10.81.0.0/16", Ports: hostconfig.Ports{Webhooks: []int{9443}},
	}
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

func subjects(c Cluster) []subject {
	at := netip.MustParseAddr
	all := []subject{
		{name: "operator", kind: hostconfig.Operators, addr: at("10.83.0.2")},
		{name: "outsider", kind: outside, addr: at("203.0.113.7")},
		{name: "neighbour", kind: outside, addr: at("10.80.0.99")},
		{name: "metadata", kind: outside, addr: at("169.254.169.254")},
	}
	if len(c.Operators) == 0 {
		all[0].kind = outside // nobody is an operator
	}
	for _, m := range c.ControlPlanes {
		all = append(all, subject{name: m.Name, kind: hostconfig.ControlPlanes, addr: at(m.Address)})
	}
	for _, m := range c.Workers {
		all = append(all, subject{name: m.Name, kind: hostconfig.Workers, addr: at(m.Address)},
			subject{name: "pod-on-" + m.Name, kind: hostconfig.Pods, addr: netip.MustParsePrefix(m.PodCIDR).Addr().Next().Next(), host: m.Name})
	}
	return all
}

// packet is the first one of a connection.
type packet struct {
	from, to subject
	protocol string // tcp, udp or echo
	port     int
}

func (p packet) String() string {
	return fmt.Sprintf("%s to %s %s/%d", p.from.name, p.to.name, p.protocol, p.port)
}

// packets are all that a machine sends or receives, on every port of the table
// and on some that are in no flow.
func packets(c Cluster) []packet {
	ports := []int{22, 53, 80, 4240, 8443, 10255, 10256, 30000}
	for _, flow := range hostconfig.PortTable(hostconfig.Topology{Ports: c.Ports}) {
		if flow.Port != 0 && !slices.Contains(ports, flow.Port) {
			ports = append(ports, flow.Port)
		}
	}
	var all []packet
	for _, from := range subjects(c) {
		for _, to := range subjects(c) {
			if from.name == to.name || !from.isHost() && !to.isHost() {
				continue
			}
			all = append(all, packet{from, to, "echo", 0})
			for _, port := range ports {
				all = append(all, packet{from, to, "tcp", port}, packet{from, to, "udp", port})
			}
		}
	}
	return all
}

// meant is what the port table says, read without any renderer.
func meant(c Cluster, p packet) bool {
	is := func(e hostconfig.Endpoint, s, other subject) bool {
		if e == hostconfig.OwnPods {
			return s.kind == hostconfig.Pods && s.host == other.name
		}
		return s.kind == e
	}
	return slices.ContainsFunc(hostconfig.PortTable(hostconfig.Topology{Ports: c.Ports}), func(f hostconfig.Flow) bool {
		if !is(f.From, p.from, p.to) || !is(f.To, p.to, p.from) {
			return false
		}
		switch f.Protocol {
		case hostconfig.ProtocolEcho:
			return p.protocol == "echo"
		case hostconfig.ProtocolTCP:
			return p.protocol == "tcp" && (f.Port == 0 || f.Port == p.port)
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

// contains tells whether one of the ranges holds the address.
func contains(ranges []string, address netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(text string) bool { return netip.MustParsePrefix(text).Contains(address) })
}

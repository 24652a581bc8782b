package hostconfig

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// actor is one end of a probe: an address of each family in a namespace.
type actor struct {
	name, space string
	kind        Endpoint
	v4, v6      string
	host        string // of a pod
}

func (a actor) isMachine() bool { return a.kind == ControlPlanes || a.kind == Workers }

// passes tells whether the packets of an actor pass a machine.
func (a actor) passes(machine string) bool { return a.space == machine || a.host == machine }

// is tells whether the actor is an endpoint, as seen from the other end.
func (a actor) is(e Endpoint, other actor) bool {
	switch e {
	case Nodes:
		return a.isMachine()
	case OwnPods:
		return a.kind == Pods && a.host == other.name
	}
	return a.kind == e
}

// site is a cluster of namespaces in which every endpoint of a table exists:
//
//	podc1, podc2 ── cp ──┐
//	pod1, pod2 ──── w1 ──┤
//	pod3 ────────── w2 ──┼─ bridge in sw ── ext: an outsider and every service
//	                cp2 ─┘
//
// In the local form, operators are behind an interface of their own on cp, pods
// behind a bridge, and control planes have none. In the cloud form, operators are
// on the node network, pods behind an interface each, and the pods of w2 behind
// VXLAN tunnels, as Calico makes them; the others are routed.
type site struct {
	*lab
	cloud  bool
	actors []actor
}

const gateway4, gateway6 = "10.81.%d.1", "fd81:0:0:%d::1"

func newSite(t *testing.T, cloud bool) *site {
	needsNamespaces(t)
	form := "l"
	if cloud {
		form = "c"
	}
	s := &site{lab: &lab{t: t, prefix: fmt.Sprintf("rd%s%d-", form, os.Getpid())}, cloud: cloud}
	s.actors = []actor{
		{"cp", "cp", ControlPlanes, "10.80.0.10", "fd80::10", ""},
		{"cp2", "cp2", ControlPlanes, "10.80.0.20", "fd80::20", ""},
		{"w1", "w1", Workers, "10.80.1.11", "fd80::1:11", ""},
		{"w2", "w2", Workers, "10.80.1.12", "fd80::1:12", ""},
		{"pod1", "pod1", Pods, "10.81.1.2", "fd81:0:0:1::2", "w1"},
		{"pod2", "pod2", Pods, "10.81.1.3", "fd81:0:0:1::3", "w1"},
		{"pod3", "pod3", Pods, "10.81.2.2", "fd81:0:0:2::2", "w2"},
		{"op", "op", Operators, "10.83.0.1", "fd83::1", ""},
		{"outsider", "ext", "outside", "10.80.0.99", "fd80::99", ""},
		{"resolver", "ext", Resolvers, "10.80.2.53", "fd80:2::53", ""},
		{"time", "ext", TimeServers, "10.80.2.123", "fd80:2::123", ""},
		{"metadata", "ext", Metadata, "169.254.169.254", "fd00:ec2::254", ""},
		{"dhcp", "ext", DHCPServers, "10.80.2.67", "", ""},
		{"balancer", "ext", LoadBalancers, "10.80.3.1", "fd80:3::1", ""},
		{"registry", "ext", ServiceEndpoint("registry"), "10.90.0.10", "fd90::10", ""},
		{"objects", "ext", ServiceEndpoint("objects"), "10.91.0.10", "fd91::10", ""},
		{"logs", "ext", ServiceEndpoint("logs"), "10.90.0.11", "", ""},
	}
	if cloud {
		s.actors = append(s.actors,
			actor{"podc1", "podc1", Pods, "10.81.3.2", "fd81:0:0:3::2", "cp"},
			actor{"podc2", "podc2", Pods, "10.81.3.3", "fd81:0:0:3::3", "cp"})
	}
	s.build()
	return s
}

// number is the third part of the pods' range of a machine.
var podRange = map[string]int{"w1": 1, "w2": 2, "cp": 3}

func (s *site) build() {
	s.space("sw")
	s.in("sw", "ip", "link", "add", "nodes", "type", "bridge", "mcast_snooping", "0")
	s.in("sw", "ip", "link", "set", "nodes", "up")
	for i, name := range []string{"cp", "cp2", "w1", "w2", "ext", "op"} {
		s.space(name)
		if name == "op" && !s.cloud {
			s.link("op", "eth0", "cp", "op0")
			s.address("cp", "op0", "10.83.0.2/29")
			s.address("cp", "op0", "fd83::2/64")
			s.address("op", "eth0", "10.83.0.1/29")
			s.address("op", "eth0", "fd83::1/64")
			s.in("op", "ip", "route", "add", "default", "via", "10.83.0.2")
			s.in("op", "ip", "-6", "route", "add", "default", "via", "fd83::2")
			continue
		}
		port := fmt.Sprintf("p%d", i)
		s.link("sw", port, name, "eth0")
		s.in("sw", "ip", "link", "set", port, "master", "nodes")
		for _, a := range s.actors {
			if a.space == name {
				s.address(name, "eth0", a.v4+"/32")
				if a.v6 != "" {
					s.address(name, "eth0", a.v6+"/128")
				}
			}
		}
		s.in(name, "ip", "route", "add", "default", "dev", "eth0")
		s.in(name, "ip", "-6", "route", "add", "default", "dev", "eth0")
	}
	for _, host := range []string{"cp", "w1", "w2"} {
		s.pods(host)
	}
	for _, at := range []string{"cp", "cp2", "w1", "w2", "ext", "op"} {
		if at == "op" && !s.cloud {
			continue
		}
		for host, number := range podRange {
			if at != host && (host != "cp" || s.cloud) {
				s.route(at, host, number)
			}
		}
	}
}

// space makes a namespace that routes, and whose connections of UDP are soon forgotten.
func (s *site) space(name string) {
	s.run("ip", "netns", "add", s.prefix+name)
	s.t.Cleanup(func() { s.remove(name) })
	s.in(name, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0",
		"net.ipv4.conf.default.rp_filter=0", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
		"net.netfilter.nf_conntrack_udp_timeout=1", "net.netfilter.nf_conntrack_udp_timeout_stream=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0")
	s.in(name, "ip", "link", "set", "lo", "up")
}

// pods attaches the pods of a machine. Every pod has its machine as only
// neighbour, so that traffic between two pods of a machine is forwarded.
func (s *site) pods(host string) {
	number := podRange[host]
	four, six := fmt.Sprintf(gateway4, number), fmt.Sprintf(gateway6, number)
	if !s.cloud {
		s.in(host, "ip", "link", "add", "cni0", "type", "bridge")
		s.in(host, "ip", "link", "set", "cni0", "up")
	}
	for _, a := range s.actors {
		if a.host != host {
			continue
		}
		s.space(a.space)
		side, on := "cali"+a.name, "cali"+a.name
		s.link(host, side, a.space, "eth0")
		if !s.cloud {
			on = "cni0"
			s.in(host, "ip", "link", "set", side, "master", on)
		}
		_ = s.try(host, "ip", "address", "add", four+"/32", "dev", on)
		_ = s.try(host, "ip", "address", "add", six+"/128", "dev", on)
		s.address(a.space, "eth0", a.v4+"/32")
		s.address(a.space, "eth0", a.v6+"/128")
		s.in(a.space, "ip", "route", "add", "default", "via", four, "dev", "eth0", "onlink")
		s.in(a.space, "ip", "-6", "route", "add", "default", "via", six, "dev", "eth0", "onlink")
		s.in(host, "ip", "route", "add", a.v4+"/32", "dev", on)
		s.in(host, "ip", "-6", "route", "add", a.v6+"/128", "dev", on)
	}
}

// route leads to the pods of a machine, through a tunnel between w2 and the others.
func (s *site) route(at, host string, number int) {
	four, six := fmt.Sprintf("10.81.%d.0/24", number), fmt.Sprintf("fd81:0:0:%d::/64", number)
	_, tunnels := podRange[at]
	if s.cloud && tunnels && (at == "w2" || host == "w2") {
		s.tunnel(at, host, "vxlan.calico", "4096", s.actor(at).v4, s.actor(host).v4, "10.81.%d.254", four)
		s.tunnel(at, host, "vxlan-v6.calico", "4097", s.actor(at).v6, s.actor(host).v6, "fd81:0:0:%d::fe", six)
		return
	}
	s.in(at, "ip", "route", "add", four, "via", s.actor(host).v4, "dev", "eth0", "onlink")
	s.in(at, "ip", "-6", "route", "add", six, "via", s.actor(host).v6, "dev", "eth0", "onlink")
}

func (s *site) tunnel(at, host, device, id, local, remote, format, pods string) {
	mac := func(machine string) string { return fmt.Sprintf("66:00:00:00:%s:%02x", id[2:], podRange[machine]) }
	if s.try(at, "ip", "link", "add", device, "address", mac(at), "type", "vxlan", "id", id, "dev", "eth0", "local", local, "dstport", "4789", "nolearning") == nil {
		length := "/32"
		if strings.Contains(format, "::") {
			length = "/128"
		}
		s.in(at, "ip", "link", "set", device, "up")
		s.address(at, device, fmt.Sprintf(format, podRange[at])+length)
	}
	far := fmt.Sprintf(format, podRange[host])
	s.in(at, "ip", "neighbour", "replace", far, "lladdr", mac(host), "dev", device, "nud", "permanent")
	s.in(at, "bridge", "fdb", "append", mac(host), "dev", device, "dst", remote)
	s.in(at, "ip", "route", "add", pods, "via", far, "dev", device, "onlink")
}

func (s *site) actor(name string) actor {
	for _, a := range s.actors {
		if a.name == name {
			return a
		}
	}
	s.t.Fatalf("no actor %s", name)
	return actor{}
}

// firewall is that of the site's machines of a role.
func (s *site) firewall(role Role) Firewall {
	f := Firewall{Role: role, ControlPlane: []string{"10.80.0.10", "10.80.0.20"}, Workers: []string{"10.80.1.11", "10.80.1.12"},
		Operators: []string{"10.83.0.0/29"}, PodCIDR: "10.81.0.0/16", Ports: Ports{Webhooks: []int{9443}}}
	if s.cloud {
		f = cloudFirewall(role)
		f.Resolvers, f.TimeServers = []string{"10.80.2.53", "fd80:2::53"}, []string{"10.80.2.123", "fd80:2::123"}
		f.DHCPServers, f.LoadBalancers = []string{"10.80.2.67"}, []string{"10.80.3.0/28", "fd80:3::/64"}
	}
	return f
}

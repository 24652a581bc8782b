package hostconfig

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Messages of neighbour discovery, RFC 4861.
const (
	routerSolicit, routerAdvert, neighbourSolicit, neighbourAdvert, redirect = 133, 134, 135, 136, 137

	allHosts, dhcpGroup = "ff02::1", "ff02::1:2"
)

// linkProbe is a packet between a machine and its neighbour: a datagram, or a
// message of neighbour discovery.
type linkProbe struct {
	out                 bool // from the machine
	source, destination string
	message, hops       int // of neighbour discovery
	fromPort, toPort    int
	want                bool
}

func (p linkProbe) String() string {
	way := "in"
	if p.out {
		way = "out"
	}
	if p.message != 0 {
		return fmt.Sprintf("%s: message %d with hop limit %d from %s", way, p.message, p.hops, p.source)
	}
	return fmt.Sprintf("%s: datagram from %s port %d to %s port %d", way, p.source, p.fromPort, p.destination, p.toPort)
}

// linkProbes are what a machine may say and hear on its link, and next to each
// what it may not. The neighbour answers DHCPv6 from another address than the
// group that was asked, so no connection of the request covers the answer.
func linkProbes() []linkProbe {
	const own, own6, peer, peer6 = "fe80::1", "fd80::1", "fe80::2", "fd80::2"
	datagram := func(out bool, source string, from int, destination string, to int, want bool) linkProbe {
		return linkProbe{out: out, source: source, destination: destination, fromPort: from, toPort: to, want: want}
	}
	probes := []linkProbe{
		datagram(true, own, 546, dhcpGroup, 547, true),
		datagram(true, own, 5353, dhcpGroup, 547, false),
		datagram(true, own, 546, dhcpGroup, 5353, false),
		datagram(true, own, 546, allHosts, 547, false),
		datagram(false, peer, 547, own, 546, true),
		datagram(false, peer6, 547, own6, 546, false),
		datagram(false, peer, 5353, own, 546, false),
		datagram(false, peer, 547, own, 5353, false),
	}
	message := func(out bool, kind int, source string, want bool) {
		probes = append(probes, linkProbe{out: out, source: source, destination: allHosts, message: kind, hops: 255, want: want})
		if want { // from beyond the link
			probes = append(probes, linkProbe{out: out, source: source, destination: allHosts, message: kind, hops: 64})
		}
	}
	for _, kind := range []int{neighbourSolicit, neighbourAdvert} {
		message(true, kind, own, true)
		message(false, kind, peer, true)
		message(false, kind, peer6, true)
	}
	message(true, routerSolicit, own, true)
	message(true, routerAdvert, own, false)
	message(true, redirect, own, false)
	message(false, routerAdvert, peer, true)
	message(false, routerAdvert, peer6, false)
	message(false, routerSolicit, peer, false)
	message(false, redirect, peer, false)
	return probes
}

// linkEnd has the sockets of one end: by port, and 0 for neighbour discovery.
type linkEnd struct {
	device  int
	sockets map[int]int
}

func (l *lab) linkEnd(space string) *linkEnd {
	l.t.Helper()
	end := &linkEnd{sockets: map[int]int{}}
	err := l.enter(space, func() error {
		device, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		end.device = device.Index
		for _, port := range []int{0, 546, 547, 5353} {
			kind, protocol := unix.SOCK_DGRAM, unix.IPPROTO_UDP
			if port == 0 {
				kind, protocol = unix.SOCK_RAW, unix.IPPROTO_ICMPV6
			}
			fd, err := unix.Socket(unix.AF_INET6, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
			if err != nil {
				return err
			}
			l.t.Cleanup(func() { unix.Close(fd) })
			end.sockets[port] = fd
			group := netip.MustParseAddr(dhcpGroup).As16()
			for _, err := range []error{
				unix.Bind(fd, &unix.SockaddrInet6{Port: port}),
				unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: group, Interface: uint32(device.Index)}),
				unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0),
			} {
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		l.t.Fatalf("sockets in %s: %v", space, err)
	}
	return end
}

// send gives the packet its number, in the target address of neighbour discovery.
// What the machine's own firewall drops is an error of the call, and no answer.
func (e *linkEnd) send(p linkProbe, number int) error {
	fd, packet := e.sockets[p.fromPort], []byte("redoubt-0000")
	if p.message != 0 {
		fd = e.sockets[0]
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, p.hops); err != nil {
			return err
		}
		packet = append(make([]byte, 12), packet...)
		packet[0] = byte(p.message)
	}
	copy(packet[len(packet)-4:], fmt.Sprintf("%04d", number))
	source := unix.PktInfo6(&unix.Inet6Pktinfo{Addr: netip.MustParseAddr(p.source).As16(), Ifindex: uint32(e.device)})
	to := &unix.SockaddrInet6{Port: p.toPort, Addr: netip.MustParseAddr(p.destination).As16(), ZoneId: uint32(e.device)}
	if _, err := unix.SendmsgN(fd, packet, source, to, 0); err != nil && err != unix.EPERM {
		return fmt.Errorf("%s: %w", p, err)
	}
	return nil
}

// received takes what arrived, and marks the numbers of the packets.
func (e *linkEnd) received(answers []bool) {
	buffer := make([]byte, 128)
	for _, fd := range e.sockets {
		for {
			n, _, err := unix.Recvfrom(fd, buffer, unix.MSG_DONTWAIT)
			if err != nil {
				break
			}
			var number int
			if _, text, found := strings.Cut(string(buffer[:n]), "redoubt-"); found {
				if _, err := fmt.Sscanf(text, "%04d", &number); err == nil && number < len(answers) {
					answers[number] = true
				}
			}
		}
	}
}

// linkDifferences sends every probe and gives those that did not arrive although
// they were meant to, or the other way round.
func linkDifferences(t *testing.T, machine, peer *linkEnd, probes []linkProbe, patience time.Duration) []linkProbe {
	t.Helper()
	answers := make([]bool, len(probes))
	machine.received(nil)
	peer.received(nil)
	for i, p := range probes {
		from := peer
		if p.out {
			from = machine
		}
		if err := from.send(p, i); err != nil {
			t.Fatal(err)
		}
	}
	complete := func() bool {
		for i, p := range probes {
			if p.want && !answers[i] {
				return false
			}
		}
		return true
	}
	take := func() { machine.received(answers); peer.received(answers) }
	for end := time.Now().Add(patience); time.Now().Before(end) && !complete(); time.Sleep(10 * time.Millisecond) {
		take()
	}
	time.Sleep(50 * time.Millisecond) // for what was not meant to arrive
	take()
	var found []linkProbe
	for i, p := range probes {
		if answers[i] != p.want {
			found = append(found, p)
		}
	}
	return found
}

// TestLinkBetweenNamespaces sends DHCPv6 and neighbour discovery to and from a
// machine's real ruleset, and wants a probe to notice each rule, and each part of
// a rule, that is taken away.
func TestLinkBetweenNamespaces(t *testing.T) {
	needsNamespaces(t)
	t.Parallel()
	l := &lab{t: t, prefix: fmt.Sprintf("rdk%d-", os.Getpid())}
	for _, name := range []string{"machine", "peer"} {
		l.run("ip", "netns", "add", l.prefix+name)
		t.Cleanup(func() { l.remove(name) })
		l.in(name, "ip", "link", "set", "lo", "up")
		// Only the addresses below: those that the kernel makes come late.
		l.in(name, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.addr_gen_mode=1",
			"net.ipv6.conf.default.accept_ra=0", "net.ipv6.conf.default.accept_redirects=0")
	}
	l.link("machine", "eth0", "peer", "eth0")
	for i, name := range []string{"machine", "peer"} {
		// Known from the start: whether neighbours are found is what is on trial.
		l.in(name, "ip", "link", "set", "eth0", "address", fmt.Sprintf("66:00:00:00:00:0%d", i+1))
		for _, prefix := range []string{"fe80::", "fd80::"} {
			l.address(name, "eth0", fmt.Sprintf("%s%d/64", prefix, i+1), "nodad")
			l.in(name, "ip", "neighbour", "replace", fmt.Sprintf("%s%d", prefix, 2-i), "lladdr", fmt.Sprintf("66:00:00:00:00:0%d", 2-i), "dev", "eth0", "nud", "permanent")
		}
	}
	machine, peer, probes := l.linkEnd("machine"), l.linkEnd("peer"), linkProbes()

	open := slices.Clone(probes)
	for i := range open {
		open[i].want = true
	}
	for _, p := range linkDifferences(t, machine, peer, open, patient) {
		t.Errorf("without firewall: %s does not arrive", p)
	}
	for _, role := range []Role{RoleWorker, RoleControlPlane} {
		ruleset, err := Nftables(cloudFirewall(role))
		if err != nil {
			t.Fatal(err)
		}
		l.load("machine", ruleset)
		for _, p := range linkDifferences(t, machine, peer, probes, patient) {
			t.Errorf("%s: %s: want %t", role, p, p.want)
		}
		if t.Failed() {
			return
		}
		tried := 0
		for i, line := range strings.Split(ruleset, "\n") {
			for _, mutated := range linkMutations(line) {
				lines := strings.Split(ruleset, "\n")
				lines[i] = mutated
				l.load("machine", strings.Join(lines, "\n"))
				if len(linkDifferences(t, machine, peer, probes, brief/2)) == 0 {
					t.Errorf("%s: no probe noticed that %q became %q", role, strings.TrimSpace(line), strings.TrimSpace(mutated))
				}
				tried++
			}
		}
		if tried != 20 {
			t.Errorf("%s: %d changes of rules were tried", role, tried)
		}
		// A machine without IPv6 says and hears nothing of it.
		f := cloudFirewall(role)
		f.ControlPlane, f.Workers, f.Operators, f.PodCIDRs = f.ControlPlane[:2], f.Workers[:1], f.Operators[:1], nil
		l.apply("machine", f)
		closed := slices.Clone(probes)
		for i := range closed {
			closed[i].want = false
		}
		for _, p := range linkDifferences(t, machine, peer, closed, brief) {
			t.Errorf("%s without IPv6: %s arrives", role, p)
		}
	}
}

var (
	linkTypes = regexp.MustCompile(`\{ (nd-[a-z, -]+) \}`)
	linkParts = regexp.MustCompile(`ip6 (hoplimit|saddr|daddr) \S+ |udp [sd]port \S+ `)
)

// linkMutations gives a rule of the link without each of its parts, and none.
func linkMutations(line string) []string {
	if !strings.Contains(line, "icmpv6 type nd-") && !linkTypes.MatchString(line) && !strings.Contains(line, "dhcpv6-nodes") && !strings.Contains(line, "nodes-dhcpv6") {
		return nil
	}
	mutated := []string{""}
	if types := linkTypes.FindStringSubmatch(line); types != nil {
		all := strings.Split(types[1], ", ")
		for i := range all {
			mutated = append(mutated, strings.Replace(line, types[1], strings.Join(slices.Delete(slices.Clone(all), i, i+1), ", "), 1))
		}
	}
	for _, part := range linkParts.FindAllString(line, -1) {
		mutated = append(mutated, strings.Replace(line, part, "", 1))
	}
	return mutated
}

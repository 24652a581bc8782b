package hostconfig

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// kind is what a probe sends.
type kind struct {
	protocol   string // tcp, udp or icmp-echo
	port, from int    // from is the source port; 0 means any
}

func (k kind) String() string { return fmt.Sprintf("%s/%d from %d", k.protocol, k.port, k.from) }

// probe is a first packet and whether it is meant to be answered.
type probe struct {
	from, to actor
	of       family
	kind     kind
	want     bool
}

func (p probe) String() string {
	version := "IPv4"
	if p.of == familyIPv6 {
		version = "IPv6"
	}
	return fmt.Sprintf("%s to %s by %s, %s", p.from.name, p.to.name, version, p.kind)
}

func (a actor) at(of family) string {
	if of == familyIPv6 {
		return a.v6
	}
	return a.v4
}

// shared lets a probe be sent from a port that is served.
var shared = net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { share(int(fd)) })
}}

func share(fd int) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
}

// serveAll answers every kind at every address. The kernel answers echoes, and takes
// connections that nobody accepts as long as there is room.
func (s *site) serveAll(kinds []kind) {
	s.t.Helper()
	hold := func(closer interface{ Close() error }, err error) error {
		if err == nil {
			s.t.Cleanup(func() { closer.Close() })
		}
		return err
	}
	spaces, served := map[string]bool{}, map[string]bool{}
	for _, a := range s.actors {
		err := s.enter(a.space, func() error {
			for _, k := range kinds {
				if k.protocol == ProtocolTCP && !served[a.space+k.protocol+itoa(k.port)] {
					served[a.space+k.protocol+itoa(k.port)] = true
					listener, err := net.Listen("tcp", ":"+itoa(k.port))
					if hold(listener, err) != nil {
						return err
					}
				}
				for _, of := range families {
					key := a.at(of) + k.protocol + itoa(k.port)
					if k.protocol != ProtocolUDP || a.at(of) == "" || served[key] {
						continue
					}
					served[key] = true
					// Bound to the address, so that it answers from where it was asked.
					packets, err := shared.ListenPacket(context.Background(), "udp", net.JoinHostPort(a.at(of), itoa(k.port)))
					if hold(packets, err) != nil {
						return err
					}
					go echoPackets(packets)
				}
			}
			return nil
		})
		if err != nil {
			s.t.Fatalf("listen in %s: %v", a.space, err)
		}
		spaces[a.space] = true
	}
}

func echoPackets(packets net.PacketConn) {
	buffer := make([]byte, 64)
	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			return
		}
		_, _ = packets.WriteTo(buffer[:n], from)
	}
}

// sweep sends probes and gives for each whether it was answered. Those of one
// namespace go out together, and those of a few namespaces at once.
//
// With eager, the first answer that is not wanted ends it.
func (s *site) sweep(probes []probe, patience time.Duration, eager bool) []bool {
	s.t.Helper()
	var enough atomic.Bool
	answers := make([]bool, len(probes))
	bySpace := map[string][]int{}
	for i, p := range probes {
		bySpace[p.from.space] = append(bySpace[p.from.space], i)
	}
	var wait sync.WaitGroup
	turns := make(chan struct{}, 4) // bounds the sockets and the work of a small machine
	for space, own := range bySpace {
		wait.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			const most = 600 // packets that wait for one neighbour to be resolved are few
			for len(own) > 0 && !enough.Load() {
				part := own[:min(most, len(own))]
				own = own[len(part):]
				if err := s.enter(space, func() error { return ask(probes, part, answers, patience, eager, &enough) }); err != nil {
					s.t.Errorf("probes from %s: %v", space, err)
				}
			}
		})
	}
	wait.Wait()
	return answers
}

// ask sends the probes of one namespace. What is not answered is sent again,
// because the first packets to a new neighbour can be lost.
func ask(probes []probe, own []int, answers []bool, patience time.Duration, eager bool, enough *atomic.Bool) error {
	sockets := make([]unix.PollFd, len(own))
	for i, at := range own {
		fd, err := open(probes[at])
		if err != nil {
			return fmt.Errorf("%s: %w", probes[at], err)
		}
		defer unix.Close(fd)
		sockets[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		if probes[at].kind.protocol == ProtocolTCP {
			sockets[i].Events = unix.POLLOUT
		}
	}
	const every = 250 * time.Millisecond
	end := time.Now().Add(patience)
	for next := (time.Time{}); time.Now().Before(end) && !enough.Load(); {
		if now := time.Now(); now.After(next) {
			next = now.Add(every)
			for i, at := range own {
				if !answers[at] && sockets[i].Fd >= 0 && probes[at].kind.protocol != ProtocolTCP {
					_, _ = unix.Write(int(sockets[i].Fd), message(probes[at], at))
				}
			}
		}
		if _, err := unix.Poll(sockets, 50); err != nil && err != unix.EINTR {
			return err
		}
		open := false
		for i, at := range own {
			if sockets[i].Revents != 0 {
				if fd := int(sockets[i].Fd); isAnswer(probes[at], at, fd) {
					answers[at] = true
					if eager && !probes[at].want {
						enough.Store(true)
					}
					sockets[i].Fd = -1 // poll leaves it alone
				} else if probes[at].kind.protocol == ProtocolTCP {
					sockets[i].Fd = -1 // refused or unreachable
				}
			}
			open = open || sockets[i].Fd >= 0
		}
		if !open {
			break
		}
	}
	return nil
}

func open(p probe) (int, error) {
	domain, kind, protocol := unix.AF_INET, unix.SOCK_STREAM, 0
	if p.of == familyIPv6 {
		domain = unix.AF_INET6
	}
	switch {
	case p.kind.protocol == ProtocolUDP:
		kind = unix.SOCK_DGRAM
	case p.kind.protocol == ProtocolEcho && p.of == familyIPv6:
		kind, protocol = unix.SOCK_RAW, unix.IPPROTO_ICMPV6
	case p.kind.protocol == ProtocolEcho:
		kind, protocol = unix.SOCK_RAW, unix.IPPROTO_ICMP
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return 0, err
	}
	if p.kind.from != 0 {
		share(fd)
	}
	// A machine leaves the choice of its address to the kernel, as its programs do:
	// through a tunnel it has the tunnel's.
	if !p.from.isMachine() || p.kind.from != 0 {
		if err := unix.Bind(fd, socketAddress(p.from.at(p.of), p.kind.from)); err != nil {
			return 0, err
		}
	}
	port := p.kind.port
	if p.kind.protocol == ProtocolEcho {
		port = 0
	}
	_ = unix.Connect(fd, socketAddress(p.to.at(p.of), port)) // a failure shows as no answer
	return fd, nil
}

func socketAddress(text string, port int) unix.Sockaddr {
	address := netip.MustParseAddr(text)
	if address.Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: address.As4()}
	}
	return &unix.SockaddrInet6{Port: port, Addr: address.As16()}
}

// message is a datagram, or an echo request that carries its number.
func message(p probe, number int) []byte {
	if p.kind.protocol != ProtocolEcho {
		return []byte("hello")
	}
	m := []byte{8, 0, 0, 0, byte(number >> 8), byte(number), 0, 1}
	if p.of == familyIPv6 {
		m[0] = 128
		return m // the kernel fills in the checksum
	}
	sum := uint32(8<<8) + uint32(number&0xffff) + 1
	sum = ^(sum&0xffff + sum>>16)
	m[2], m[3] = byte(sum>>8), byte(sum)
	return m
}

func isAnswer(p probe, number, fd int) bool {
	if p.kind.protocol == ProtocolTCP {
		failure, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		return err == nil && failure == 0
	}
	buffer := make([]byte, 128)
	n, err := unix.Read(fd, buffer)
	if err != nil || p.kind.protocol == ProtocolUDP {
		return err == nil && n == 5
	}
	reply, at := byte(129), 0
	if p.of == familyIPv4 {
		reply, at = 0, 20 // the kernel hands over the IP header too
	}
	return n >= at+8 && buffer[at] == reply && buffer[at+4] == byte(number>>8) && buffer[at+5] == byte(number)
}

func (k kind) matches(flow Flow) bool {
	switch {
	case flow.Protocol == ProtocolAny:
		return true
	case flow.Protocol != k.protocol:
		return false
	case flow.Protocol == ProtocolEcho:
		return true
	}
	return (flow.Port == 0 || flow.Port == k.port) && (flow.SourcePort == 0 || flow.SourcePort == k.from)
}

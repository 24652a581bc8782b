package hostconfig

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lab is a small cluster of network namespaces:
//
//	op ──op0── cp ──eth0──┐
//	pod1 ──cni0── w1 ─eth0┼─ bridge in sw
//	pod2 ──cni0── w2 ─eth0┤
//	              out ────┘   an outsider on the node network
type lab struct {
	t      *testing.T
	prefix string
}

func needsNamespaces(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, name := range []string{"ip", "bridge", "nft", "sysctl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: install iproute2, nftables and procps", name)
		}
	}
}

func newLab(t *testing.T) *lab {
	needsNamespaces(t)
	l := &lab{t: t, prefix: fmt.Sprintf("rdhc%d-", os.Getpid())}
	for _, name := range []string{"sw", "op", "cp", "w1", "w2", "pod1", "pod2", "out"} {
		l.run("ip", "netns", "add", l.prefix+name)
		t.Cleanup(func() { l.remove(name) })
		l.in(name, "ip", "link", "set", "lo", "up")
	}
	l.in("sw", "ip", "link", "add", "nodes", "type", "bridge")
	l.in("sw", "ip", "link", "set", "nodes", "up")
	for i, node := range []struct{ name, address string }{{"cp", "10"}, {"w1", "11"}, {"w2", "12"}, {"out", "99"}} {
		port := "p" + strconv.Itoa(i)
		l.link("sw", port, node.name, "eth0")
		l.in("sw", "ip", "link", "set", port, "master", "nodes")
		l.address(node.name, "eth0", "10.80.0."+node.address+"/24")
		l.address(node.name, "eth0", "fd80::"+node.address+"/64", "nodad")
	}
	l.link("op", "eth0", "cp", "op0")
	l.address("op", "eth0", "10.83.0.1/29")
	l.address("cp", "op0", "10.83.0.2/29")
	for i, node := range []string{"w1", "w2"} {
		pod, subnet := "pod"+strconv.Itoa(i+1), fmt.Sprintf("10.81.%d.", i+1)
		l.link(node, "cni0", pod, "eth0")
		l.address(node, "cni0", subnet+"1/24")
		l.address(pod, "eth0", subnet+"2/24")
		l.in(pod, "ip", "route", "add", "default", "via", subnet+"1")
		for _, other := range []string{"cp", "w1", "w2", "out"} {
			if other != node {
				l.in(other, "ip", "route", "add", subnet+"0/24", "via", "10.80.0.1"+strconv.Itoa(i+1))
			}
		}
		l.in(node, "ip", "route", "add", "169.254.169.254", "dev", "eth0")
	}
	// The outsider also plays the instance-metadata service, and every machine
	// routes, so that only the firewall stands in the way.
	l.address("out", "eth0", "169.254.169.254/32")
	l.in("out", "ip", "route", "add", "10.83.0.0/29", "via", "10.80.0.10")
	l.in("op", "ip", "route", "add", "default", "via", "10.83.0.2")
	for _, name := range []string{"cp", "w1", "w2"} {
		l.in(name, "sysctl", "-qw", "net.ipv4.ip_forward=1")
	}
	for _, name := range []string{"op", "cp", "w1", "w2", "pod1", "pod2", "out"} {
		l.serve(name)
	}
	return l
}

func (l *lab) run(name string, arguments ...string) {
	l.t.Helper()
	if output, err := exec.Command(name, arguments...).CombinedOutput(); err != nil {
		l.t.Fatalf("%s %s: %v: %s", name, strings.Join(arguments, " "), err, output)
	}
}

func (l *lab) remove(namespace string) {
	_ = exec.Command("ip", "netns", "del", l.prefix+namespace).Run()
}

// try runs a command that may have been run before.
func (l *lab) try(namespace string, command ...string) error {
	return exec.Command("ip", append([]string{"netns", "exec", l.prefix + namespace}, command...)...).Run()
}

func (l *lab) in(namespace string, command ...string) {
	l.t.Helper()
	l.run("ip", append([]string{"netns", "exec", l.prefix + namespace}, command...)...)
}

func (l *lab) link(a, aName, b, bName string) {
	l.t.Helper()
	l.in(a, "ip", "link", "add", aName, "type", "veth", "peer", "name", bName, "netns", l.prefix+b)
	l.in(a, "ip", "link", "set", aName, "up")
	l.in(b, "ip", "link", "set", bName, "up")
}

func (l *lab) address(namespace, link string, address ...string) {
	l.t.Helper()
	l.in(namespace, append([]string{"ip", "address", "add"}, append(address, "dev", link)...)...)
}

// enter runs something in a namespace, on a thread of its own that ends with it.
func (l *lab) enter(namespace string, do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is in another namespace
		file, err := os.Open("/var/run/netns/" + l.prefix + namespace)
		if err == nil {
			defer file.Close()
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// labPorts have a listener everywhere: a port that does not answer is blocked.
var labPorts = []int{22, 80, 2379, 2380, 2381, 6443, 8080, 9443, 10250, 10255, 10257, 10259}

func (l *lab) serve(namespace string) {
	l.t.Helper()
	err := l.enter(namespace, func() error {
		for _, port := range labPorts {
			listener, err := net.Listen("tcp", ":"+strconv.Itoa(port))
			if err != nil {
				return err
			}
			l.t.Cleanup(func() { listener.Close() })
			go func() {
				for {
					connection, err := listener.Accept()
					if err != nil {
						return
					}
					_, _ = io.WriteString(connection, "hello")
					connection.Close()
				}
			}()
		}
		packets, err := net.ListenPacket("udp4", ":5353")
		if err != nil {
			return err
		}
		l.t.Cleanup(func() { packets.Close() })
		go func() {
			buffer := make([]byte, 64)
			for {
				n, from, err := packets.ReadFrom(buffer)
				if err != nil {
					return
				}
				_, _ = packets.WriteTo(buffer[:n], from)
			}
		}()
		return nil
	})
	if err != nil {
		l.t.Fatalf("listen in %s: %v", namespace, err)
	}
}

// patience is far above a round trip between namespaces, and short enough for a
// hundred blocked probes at once.
const patience = 1500 * time.Millisecond

// reaches tries one connection. A target is "tcp/address/port", "udp/address" or
// "echo/address".
func (l *lab) reaches(from, target string) bool {
	kind, rest, _ := strings.Cut(target, "/")
	err := l.enter(from, func() error {
		var connection net.Conn
		var err error
		message := []byte("hello")
		switch kind {
		case "tcp":
			address, port, _ := strings.Cut(rest, "/")
			connection, err = net.DialTimeout("tcp", net.JoinHostPort(address, port), patience)
			message = nil
		case "udp":
			connection, err = net.Dial("udp4", net.JoinHostPort(rest, "5353"))
		case "echo":
			connection, err = net.Dial("ip4:icmp", rest)
			message = []byte{8, 0, 0xf7, 0xfc, 0, 1, 0, 2} // echo request, id 1, sequence 2, with its checksum
		}
		if err != nil {
			return err
		}
		defer connection.Close()
		if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := connection.Write(message); err != nil {
			return err
		}
		answer := make([]byte, 64)
		n, err := connection.Read(answer)
		// The kernel hands over the IP header, of 20 octets, too.
		if kind == "echo" && err == nil && (n < 21 || answer[20] != 0) {
			return errors.New("not an echo reply")
		}
		return err
	})
	return err == nil
}

func (l *lab) apply(namespace string, f Firewall) {
	l.t.Helper()
	ruleset, err := Nftables(f)
	if err != nil {
		l.t.Fatal(err)
	}
	l.load(namespace, ruleset)
}

func (l *lab) load(namespace, ruleset string) {
	l.t.Helper()
	file := l.t.TempDir() + "/ruleset.nft"
	if err := os.WriteFile(file, []byte(ruleset), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.in(namespace, "nft", "-f", file)
}

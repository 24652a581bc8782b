package gcp

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// in runs a function in a network namespace. Its thread ends with it.
func in(t *testing.T, namespace string, do func() error) error {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		at, err := unix.Open("/run/netns/"+namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(at, unix.CLONE_NEWNET)
			_ = unix.Close(at)
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// M09: the commands of the forwarder, run by a kernel: a tunnel reaches the API
// server by the one port; nothing else is passed on, from tunnels or from others.
func TestForwarderInAKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, name := range []string{"ip", "sysctl", "iptables"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: install iproute2, procps and iptables", name)
		}
	}
	command := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	prefix := fmt.Sprintf("rdgcp%d", os.Getpid())
	// tunnel and stranger are on the forwarder's own side, api on the other.
	forwarder, api := prefix+"f", prefix+"a"
	command("ip", "netns", "add", forwarder)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", forwarder).Run() })
	for _, side := range []struct{ name, ours, theirs, gateway string }{
		{"a", "10.0.64.17/28", "10.0.64.18/28", ""}, {"t", "35.235.240.2/20", "35.235.240.1/20", "35.235.240.2"}, {"s", "10.0.0.1/19", "10.0.0.9/19", "10.0.0.1"},
	} {
		namespace := prefix + side.name
		command("ip", "netns", "add", namespace)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", namespace).Run() })
		command("ip", "-n", forwarder, "link", "add", "to-"+side.name, "type", "veth", "peer", "name", "eth0", "netns", namespace)
		command("ip", "-n", forwarder, "addr", "add", side.ours, "dev", "to-"+side.name)
		command("ip", "-n", forwarder, "link", "set", "to-"+side.name, "up")
		command("ip", "-n", namespace, "addr", "add", side.theirs, "dev", "eth0")
		command("ip", "-n", namespace, "link", "set", "eth0", "up")
		if side.gateway != "" {
			command("ip", "-n", namespace, "route", "add", "default", "via", side.gateway)
		}
	}
	const server = "10.0.64.18"
	config, err := forwarderConfig("https://" + server)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range regexp.MustCompile(`(?m)^ +ExecStart=/sbin/(.*)$`).FindAllStringSubmatch(config, -1) {
		command(append([]string{"ip", "netns", "exec", forwarder}, strings.Fields(line[1])...)...)
	}
	peers := make(chan string, 10)
	for _, port := range []string{"443", "8443", "10250"} {
		if err := in(t, api, func() error {
			listener, err := net.Listen("tcp4", server+":"+port)
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = listener.Close() })
			go func() {
				for {
					connection, err := listener.Accept()
					if err != nil {
						return
					}
					peers <- connection.RemoteAddr().(*net.TCPAddr).IP.String()
					_ = connection.Close()
				}
			}()
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	dial := func(from, to string) error {
		return in(t, prefix+from, func() error {
			connection, err := net.DialTimeout("tcp4", to, time.Second)
			if err == nil {
				_ = connection.Close()
			}
			return err
		})
	}
	if err := dial("t", fmt.Sprintf("35.235.240.2:%d", forwardPort)); err != nil {
		t.Fatalf("a tunnel does not reach the API server: %v", err)
	}
	// The control plane authorizes the forwarder's own address, and sees no other.
	if peer := <-peers; peer != "10.0.64.17" {
		t.Errorf("the API server sees %s", peer)
	}
	for _, each := range [][2]string{
		{"t", server + ":8443"}, {"t", server + ":10250"}, {"t", "10.0.0.9:443"}, {"t", "35.235.240.2:443"}, {"t", "35.235.240.2:22"},
		{"s", server + ":443"}, {"s", fmt.Sprintf("10.0.0.1:%d", forwardPort)},
	} {
		if err := dial(each[0], each[1]); err == nil {
			t.Errorf("%s reaches %s", each[0], each[1])
		}
	}
}

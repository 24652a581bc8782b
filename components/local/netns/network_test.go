//go:build linux

package netns

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// topology is a network of its own for a test, removed when the test ends.
func topology(t *testing.T, third int) Topology {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	top := Topology{
		Environment: fmt.Sprintf("t%d-%d", os.Getpid(), third), NodeCIDR: "10.80.0.0/24",
		OperatorCIDR: fmt.Sprintf("10.83.%d.0/29", third),
		Members: []Member{
			{Machine: "control-plane", NodeAddress: "10.80.0.10", OperatorAddress: fmt.Sprintf("10.83.%d.2", third)},
			{Machine: "worker-1", NodeAddress: "10.80.0.11", PodCIDR: "10.81.1.0/24"},
			{Machine: "worker-2", NodeAddress: "10.80.0.12", PodCIDR: "10.81.2.0/24"},
		},
	}
	t.Cleanup(func() {
		if err := Remove(context.Background(), top); err != nil {
			t.Errorf("Remove: %v", err)
		}
	})
	return top
}

func ensure(t *testing.T, top Topology) {
	t.Helper()
	if err := Ensure(t.Context(), top); err != nil {
		t.Fatal(err)
	}
	if drift := check(t, top); len(drift) > 0 {
		t.Fatalf("after Ensure: %q", drift)
	}
}

func check(t *testing.T, top Topology) []string {
	t.Helper()
	drift, err := Check(t.Context(), top)
	if err != nil {
		t.Fatal(err)
	}
	return drift
}

// inMachine runs a command in the namespace of a machine.
func inMachine(t *testing.T, top Topology, machine string, argv ...string) (string, error) {
	t.Helper()
	var out []byte
	err := inside(Namespace(top.Environment, machine), func() (err error) {
		out, err = exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput()
		return err
	})
	return string(out), err
}

func mustIn(t *testing.T, top Topology, machine string, argv ...string) string {
	t.Helper()
	out, err := inMachine(t, top, machine, argv...)
	if err != nil {
		t.Fatalf("%s: %v: %v: %s", machine, argv, err, out)
	}
	return out
}

// listen serves TCP in a namespace until the test ends.
func listen(t *testing.T, top Topology, machine, address string) {
	t.Helper()
	var listener net.Listener
	err := inside(Namespace(top.Environment, machine), func() (err error) {
		listener, err = net.Listen("tcp4", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
}

func reach(namespace, address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	conn, err := DialContext(ctx, namespace, "tcp4", address)
	if err == nil {
		conn.Close()
	}
	return err
}

func TestMembersReachEachOtherAndNothingElse(t *testing.T) {
	top := topology(t, 201)
	ensure(t, top)
	for _, m := range top.Members {
		listen(t, top, m.Machine, "0.0.0.0:7777")
	}
	for _, from := range top.Members {
		for _, to := range top.Members {
			if err := reach(Namespace(top.Environment, from.Machine), to.NodeAddress+":7777"); err != nil {
				t.Errorf("%s does not reach %s: %v", from.Machine, to.Machine, err)
			}
		}
		for _, outside := range []string{"192.0.2.1:53", "8.8.8.8:53", "10.83.201.1:22"} {
			if from.OperatorAddress != "" && strings.HasPrefix(outside, "10.83.") {
				continue // The host is its neighbour there; the firewall is another matter.
			}
			err := reach(Namespace(top.Environment, from.Machine), outside)
			if err == nil || !strings.Contains(err.Error(), "unreachable") {
				t.Errorf("%s must have no route to %s, but: %v", from.Machine, outside, err)
			}
		}
	}
	if err := reach("", top.Members[0].OperatorAddress+":7777"); err != nil {
		t.Errorf("the host does not reach the control plane: %v", err)
	}
	// The node network is not the host's to reach.
	out, err := exec.Command("ip", "route", "get", "10.80.0.10").CombinedOutput()
	if err == nil && strings.Contains(string(out), HostInterface(top.Environment)) {
		t.Errorf("the host routes the node network into the environment: %s", out)
	}
}

func TestPodsAreRoutedBetweenWorkers(t *testing.T) {
	top := topology(t, 202)
	ensure(t, top)
	// What the bridge of CNI would be.
	for i, worker := range []string{"worker-1", "worker-2"} {
		mustIn(t, top, worker, "ip", "link", "add", "cni0", "type", "bridge")
		mustIn(t, top, worker, "ip", "address", "add", fmt.Sprintf("10.81.%d.1/24", i+1), "dev", "cni0")
		mustIn(t, top, worker, "ip", "link", "set", "cni0", "up")
	}
	listen(t, top, "worker-2", "10.81.2.1:7778")
	for _, from := range []string{"control-plane", "worker-1"} {
		if err := reach(Namespace(top.Environment, from), "10.81.2.1:7778"); err != nil {
			t.Errorf("%s does not reach a pod of worker-2: %v", from, err)
		}
	}
	if drift := check(t, top); len(drift) > 0 {
		t.Errorf("what CNI makes counts as drift: %q", drift)
	}
}

func TestSettings(t *testing.T) {
	top := topology(t, 203)
	ensure(t, top)
	for machine, want := range map[string]string{"control-plane": "0", "worker-1": "1", "switch": "0"} {
		got := strings.TrimSpace(mustIn(t, top, machine, "cat", "/proc/sys/net/ipv4/ip_forward"))
		if got != want {
			t.Errorf("ip_forward of %s is %s", machine, got)
		}
	}
	if out := mustIn(t, top, "worker-1", "ip", "-6", "address"); strings.Contains(out, "fe80") || !strings.Contains(out, "::1") {
		t.Errorf("IPv6 must be on lo only: %s", out)
	}
	if out, _ := exec.Command("ip", "-6", "address", "show", "dev", HostInterface(top.Environment)).CombinedOutput(); len(out) > 0 {
		t.Errorf("IPv6 is on at the host's interface: %s", out)
	}
	// An interface that appears later inherits.
	mustIn(t, top, "worker-1", "ip", "link", "add", "late", "type", "bridge")
	for name, want := range map[string]string{"ipv4/conf/late/accept_redirects": "0", "ipv4/conf/late/rp_filter": "1", "ipv6/conf/late/disable_ipv6": "1"} {
		if got := strings.TrimSpace(mustIn(t, top, "worker-1", "cat", "/proc/sys/net/"+name)); got != want {
			t.Errorf("%s is %s", name, got)
		}
	}
}

// TestDriftIsToldAndRepaired breaks the network in every way that it knows of.
func TestDriftIsToldAndRepaired(t *testing.T) {
	top := topology(t, 204)
	ensure(t, top)
	hub, worker := Switch(top.Environment), Namespace(top.Environment, "worker-1")
	for said, damage := range map[string][]string{
		"network namespace " + worker + " is missing":                    {"ip", "netns", "delete", worker},
		"network namespace " + hub + " is missing":                       {"ip", "netns", "delete", hub},
		"bridge operators is missing":                                    {"ip", "-n", hub, "link", "delete", "operators"},
		"eth0 of " + worker + " is not connected":                        {"ip", "-n", worker, "link", "delete", "eth0"},
		HostInterface(top.Environment) + " of the host is not connected": {"ip", "link", "delete", HostInterface(top.Environment)},
		"is not plugged into nodes":                                      {"ip", "-n", hub, "link", "set", "n" + short("worker-1"), "nomaster"},
		"eth0 of " + worker + " is down":                                 {"ip", "-n", worker, "link", "set", "eth0", "down"},
		"10.80.0.99/24":                                                  {"ip", "-n", worker, "address", "add", "10.80.0.99/24", "dev", "eth0"},
		"has lost its label":                                             {"ip", "-n", hub, "link", "set", "n" + short("worker-1"), "alias", "x"},
		"a route to default":                                             {"ip", "-n", worker, "route", "add", "default", "via", "10.80.0.1"},
		"a route to 198.51.100.0/24":                                     {"ip", "-n", worker, "route", "add", "198.51.100.0/24", "dev", "eth0"},
		"no route to the pods of worker-2":                               {"ip", "-n", worker, "route", "delete", "10.81.2.0/24"},
		"ipv4/conf/eth0/rp_filter is 0":                                  {"nsenter", "--net=/run/netns/" + worker, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter"},
		"ipv4/ip_forward is 1":                                           {"nsenter", "--net=/run/netns/" + hub, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"},
		"ipv6/conf/eth0/disable_ipv6 is 0":                               {"nsenter", "--net=/run/netns/" + worker, "sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6"},
	} {
		if out, err := exec.Command(damage[0], damage[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", damage, err, out)
		}
		if drift := check(t, top); !strings.Contains(strings.Join(drift, "\n"), said) {
			t.Errorf("after %v Check does not say %q but %q", damage, said, drift)
		}
		ensure(t, top)
	}
}

func TestMemberThatLeaves(t *testing.T) {
	top := topology(t, 205)
	ensure(t, top)
	smaller := top
	smaller.Members = top.Members[:2]
	if drift := check(t, smaller); len(drift) != 1 || !strings.Contains(drift[0], "worker-2 is connected and should not be") {
		t.Errorf("drift: %q", drift)
	}
	ensure(t, smaller)
	if exists(Namespace(top.Environment, "worker-2")) {
		t.Error("the namespace of a machine that left is still there")
	}
}

func TestRemoveLeavesNothing(t *testing.T) {
	top := topology(t, 206)
	ensure(t, top)
	// Remove knows the environment only, as after the loss of all settings.
	if err := Remove(t.Context(), Topology{Environment: top.Environment}); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command("sh", "-c", "ls /run/netns 2>/dev/null; ip -br link").CombinedOutput()
	if strings.Contains(string(out), top.Environment) || strings.Contains(string(out), HostInterface(top.Environment)) {
		t.Errorf("left: %s", out)
	}
	if err := Remove(t.Context(), top); err != nil {
		t.Errorf("a second Remove: %v", err)
	}
}

func TestForeignRouteOnOperatorCIDR(t *testing.T) {
	top := topology(t, 207)
	// A route of somebody else's, through an interface of somebody else's.
	t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", "rdtest207").Run() })
	for _, command := range []string{"ip link add rdtest207 type bridge", "ip link set rdtest207 up", "ip route add 10.83.207.0/28 dev rdtest207"} {
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
	err := Ensure(t.Context(), top)
	if err == nil || !strings.Contains(err.Error(), "redoubt:operatorCIDR") || !strings.Contains(err.Error(), "rdtest207") {
		t.Fatalf("Ensure: %v", err)
	}
	if exists(Switch(top.Environment)) {
		t.Error("a refused network left something behind")
	}
}

func TestTwoEnvironmentsSideBySide(t *testing.T) {
	one, two := topology(t, 208), topology(t, 209)
	ensure(t, one)
	ensure(t, two)
	listen(t, one, "control-plane", "0.0.0.0:7779")
	if err := reach("", "10.83.208.2:7779"); err != nil {
		t.Errorf("the first environment is out of reach: %v", err)
	}
	if err := reach("", "10.83.209.2:7779"); err == nil {
		t.Error("the second environment answers for the first")
	}
	if err := Remove(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	if drift := check(t, one); len(drift) > 0 {
		t.Errorf("removing one environment disturbed the other: %q", drift)
	}
}

package local

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var firewallChecks = []check{
	{"M04_operator_reaches_the_api_and_nothing_else", isolation, operatorReachesTheAPIOnly},
	{"M04_outsider_on_the_operator_network_reaches_nothing", isolation, foreignOperatorReachesNothing},
	{"M04_outsider_on_the_node_network_reaches_nothing", isolation, foreignNodeReachesNothing},
	{"M04_outsider_over_IPv6_reaches_nothing", isolation, outsiderOverIPv6ReachesNothing},
	{"M04_worker_reaches_only_the_ports_of_the_table", worker, workerReachesTheTableOnly},
	{"M04_control_plane_reaches_only_the_ports_of_the_table", worker, controlPlaneReachesTheTableOnly},
	{"M04_host_reaches_the_api_and_nothing_else", isolation, hostReachesTheAPIOnly},
	{"M06_machines_have_no_way_out", isolation, machinesHaveNoWayOut},
	{"M21_instance_metadata_is_out_of_reach", isolation, metadataIsOutOfReach},
}

// addresses are all addresses of the machines on the node network.
func (c *Cluster) addresses() []string {
	taken := []string{c.ControlPlane.Address}
	for _, node := range c.Nodes {
		taken = append(taken, node.Address)
	}
	return taken
}

// onlyOpen demands that exactly these ports answer and that all others stay
// silent: a reset would tell that a machine is there.
func onlyOpen(t *testing.T, dial dialer, host string, want ...int) {
	t.Helper()
	found, err := scan(t.Context(), dial, host, componentPorts)
	require.NoError(t, err)
	assert.Equal(t, want, found[open], "%s: open ports; all: %s", host, describe(found))
	assert.Empty(t, found[refused], "%s: answers with a reset instead of dropping", host)
}

// plugged proves that the outsider shares a wire with the address.
func plugged(t *testing.T, o outsider, address string) {
	t.Helper()
	known, err := o.neighbour(t.Context(), address)
	require.NoError(t, err)
	require.True(t, known, "the outsider does not even see %s on the wire: its attempts prove nothing", address)
}

func operatorReachesTheAPIOnly(t *testing.T, c *Cluster) {
	address, err := freeAddress(c.Network.OperatorCIDR, c.ControlPlane.OperatorAddress)
	require.NoError(t, err)
	o := c.newOutsider(t, operatorsBridge, address)
	onlyOpen(t, o.dial(), c.ControlPlane.OperatorAddress, 6443)
}

// foreignOperatorReachesNothing comes over the operator's wire with addresses
// that are not an operator's: one of a documentation range (RFC 5737), and one
// of the node network, to which the control plane has a route back.
func foreignOperatorReachesNothing(t *testing.T, c *Cluster) {
	target := netip.MustParseAddr(c.ControlPlane.OperatorAddress)
	node, err := freeAddress(c.Network.NodeCIDR, c.addresses()...)
	require.NoError(t, err)
	for _, address := range []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.PrefixFrom(node.Addr(), 32)} {
		o := c.newOutsider(t, operatorsBridge, address, netip.PrefixFrom(target, 32))
		onlyOpen(t, o.dial(), target.String())
	}
}

// foreignNodeReachesNothing has an address of the node network that belongs to
// no machine of the cluster.
func foreignNodeReachesNothing(t *testing.T, c *Cluster) {
	address, err := freeAddress(c.Network.NodeCIDR, c.addresses()...)
	require.NoError(t, err)
	o := c.newOutsider(t, nodesBridge, address)
	for _, target := range c.addresses() {
		onlyOpen(t, o.dial(), target)
		plugged(t, o, target)
	}
	// The control plane's other address must not be reachable around the corner.
	route := netip.PrefixFrom(netip.MustParseAddr(c.ControlPlane.OperatorAddress), 32)
	_, err = ip(t.Context(), "-n", o.namespace, "route", "replace", route.String(), "via", c.ControlPlane.Address)
	require.NoError(t, err)
	onlyOpen(t, o.dial(), c.ControlPlane.OperatorAddress)
}

// outsiderOverIPv6ReachesNothing uses the addresses that every interface gives
// itself, which rules for IPv4 alone would leave open.
func outsiderOverIPv6ReachesNothing(t *testing.T, c *Cluster) {
	operator, err := freeAddress(c.Network.OperatorCIDR, c.ControlPlane.OperatorAddress)
	require.NoError(t, err)
	node, err := freeAddress(c.Network.NodeCIDR, c.addresses()...)
	require.NoError(t, err)
	attempts := 0
	try := func(o outsider, machine, device string) {
		address, err := c.linkLocal(t.Context(), machine, device)
		require.NoError(t, err)
		if address == "" {
			return // the interface has no IPv6 at all
		}
		attempts++
		index, err := o.interfaceIndex(t.Context())
		require.NoError(t, err)
		onlyOpen(t, o.dial(), address+"%"+index)
	}
	try(c.newOutsider(t, operatorsBridge, operator), c.ControlPlane.Name, "op0")
	onNodes := c.newOutsider(t, nodesBridge, node)
	for _, machine := range c.Machines() {
		try(onNodes, machine, "eth0")
	}
	t.Logf("%d of %d interfaces have an IPv6 address", attempts, len(c.Machines())+1)
}

// workerReachesTheTableOnly states the port table anew, on purpose: a port that
// is added to the table must be added here too, by somebody who thinks.
func workerReachesTheTableOnly(t *testing.T, c *Cluster) {
	for _, node := range c.Nodes {
		onlyOpen(t, c.DialFrom(node.Name), c.ControlPlane.Address, 6443)
		for _, other := range c.Nodes {
			if other.Name != node.Name {
				onlyOpen(t, c.DialFrom(node.Name), other.Address)
			}
		}
	}
}

func controlPlaneReachesTheTableOnly(t *testing.T, c *Cluster) {
	for _, node := range c.Nodes {
		onlyOpen(t, c.DialFrom(c.ControlPlane.Name), node.Address, 10250)
	}
}

func hostReachesTheAPIOnly(t *testing.T, c *Cluster) {
	onlyOpen(t, dialHost, c.ControlPlane.OperatorAddress, 6443)
}

// machinesHaveNoWayOut looks for a route and then tries one: the host's own
// operator address, a public resolver's, and documentation ranges.
func machinesHaveNoWayOut(t *testing.T, c *Cluster) {
	for _, machine := range c.Machines() {
		for _, family := range []string{"-4", "-6"} {
			out, err := ip(t.Context(), "-n", c.NamespaceName(machine), family, "route", "show", "default")
			require.NoError(t, err)
			assert.Empty(t, strings.TrimSpace(out), "%s has a default route", machine)
		}
		for _, target := range []string{"192.0.2.1:443", "198.51.100.1:443", "1.1.1.1:53"} {
			result, err := probe(t.Context(), c.DialFrom(machine), target)
			require.NoError(t, err)
			assert.Equal(t, unreachable, result, "%s has a way to %s", machine, target)
		}
	}
	host, err := hostOperatorAddress(c)
	require.NoError(t, err)
	found, err := scan(t.Context(), c.DialFrom(c.ControlPlane.Name), host, []int{22, 80, 443, 6443, 8080})
	require.NoError(t, err)
	assert.Empty(t, found[open], "the control plane connects to the host")
	assert.Empty(t, found[refused], "the control plane's packets reach the host")
}

// hostOperatorAddress is the first address of the operator network.
func hostOperatorAddress(c *Cluster) (string, error) {
	prefix, err := netip.ParsePrefix(c.Network.OperatorCIDR)
	if err != nil {
		return "", fmt.Errorf("network.operatorCIDR: %w", err)
	}
	return prefix.Masked().Addr().Next().String(), nil
}

// metadataIsOutOfReach tries the address at which clouds hand out credentials,
// from every machine and, where there is one, from inside a pod.
func metadataIsOutOfReach(t *testing.T, c *Cluster) {
	dialers := map[string]dialer{}
	for _, machine := range c.Machines() {
		dialers[machine] = c.DialFrom(machine)
	}
	if len(c.Nodes) > 0 {
		dialers["a pod"] = c.helloPod(t).dial()
	}
	for place, dial := range dialers {
		for _, target := range []string{"169.254.169.254:80", "169.254.170.2:80", "169.254.170.23:80", "169.254.169.252:988"} {
			result, err := probe(t.Context(), dial, target)
			require.NoError(t, err)
			assert.Contains(t, []answer{unreachable, filtered}, result, "%s reaches %s", place, target)
		}
	}
}

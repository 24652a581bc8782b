package local

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Bridges of the environment's switch.
const (
	nodesBridge     = "nodes"
	operatorsBridge = "operators"
)

// outsider is a machine of nobody, plugged into a bridge of the environment.
type outsider struct {
	namespace string
	address   netip.Addr
}

// newOutsider plugs a network namespace of its own into a bridge, with one
// address, and unplugs it with the test.
func (c *Cluster) newOutsider(t testing.TB, bridge string, address netip.Prefix, routes ...netip.Prefix) outsider {
	t.Helper()
	name := randomName("rd-outsider")
	port := "out" + name[len(name)-8:] // an interface's name has at most 15 bytes
	o := outsider{namespace: name, address: address.Addr()}
	// Registered first: whatever fails below, nothing stays behind. The port in
	// the switch goes with its peer.
	t.Cleanup(func() {
		if out, err := ip(cleanupContext(t), "netns", "delete", name); err != nil && !strings.Contains(out, "No such file") {
			t.Errorf("removing the outsider: %v", err)
		}
	})
	steps := [][]string{
		{"netns", "add", name},
		{"-n", name, "link", "set", "lo", "up"},
		{"-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", c.NamespaceName("switch")},
		{"-n", c.NamespaceName("switch"), "link", "set", port, "master", bridge, "up"},
		{"-n", name, "addr", "add", address.String(), "dev", "eth0"},
		{"-n", name, "link", "set", "eth0", "up"},
	}
	for _, route := range routes {
		steps = append(steps, []string{"-n", name, "route", "replace", route.String(), "dev", "eth0"})
	}
	for _, step := range steps {
		_, err := ip(t.Context(), step...)
		require.NoError(t, err)
	}
	return o
}

func (o outsider) dial() dialer { return dialIn(namespacePath(o.namespace)) }

// interfaceIndex is the number of the outsider's interface: the zone of an IPv6
// address must be given by number, because names are resolved outside.
func (o outsider) interfaceIndex(ctx context.Context) (string, error) {
	out, err := ip(ctx, "-n", o.namespace, "-oneline", "link", "show", "dev", "eth0")
	index, _, _ := strings.Cut(out, ":")
	return strings.TrimSpace(index), err
}

// neighbour tells whether the outsider has learned the link-layer address of
// another: then the cable is plugged in, and silence comes from a firewall.
func (o outsider) neighbour(ctx context.Context, address string) (bool, error) {
	out, err := ip(ctx, "-n", o.namespace, "neigh", "show", "to", address)
	return strings.Contains(out, "lladdr"), err
}

// ip runs iproute2.
func ip(ctx context.Context, arguments ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "ip", arguments...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("ip %s: %w: %s", strings.Join(arguments, " "), err, out)
	}
	return string(out), nil
}

// freeAddress is the last usable address of a range that no machine has.
func freeAddress(cidr string, taken ...string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return netip.Prefix{}, err
	}
	used := map[string]bool{}
	for _, address := range taken {
		used[address] = true
	}
	last := lastAddress(prefix)
	for address := last.Prev(); prefix.Contains(address) && address != prefix.Masked().Addr(); address = address.Prev() {
		if !used[address.String()] {
			return netip.PrefixFrom(address, prefix.Bits()), nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("%s has no free address", cidr)
}

// lastAddress is the broadcast address of an IPv4 range.
func lastAddress(prefix netip.Prefix) netip.Addr {
	raw := prefix.Masked().Addr().As4()
	mask := net.CIDRMask(prefix.Bits(), 32)
	for i := range raw {
		raw[i] |= ^mask[i]
	}
	return netip.AddrFrom4(raw)
}

// linkLocal is the IPv6 link-local address of a machine's interface, or "" when
// it has none.
func (c *Cluster) linkLocal(ctx context.Context, machine, device string) (string, error) {
	out, err := ip(ctx, "-n", c.NamespaceName(machine), "-6", "-oneline", "addr", "show", "dev", device, "scope", "link")
	if err != nil {
		return "", err
	}
	for _, word := range strings.Fields(out) {
		if prefix, err := netip.ParsePrefix(word); err == nil {
			return prefix.Addr().String(), nil
		}
	}
	return "", nil
}

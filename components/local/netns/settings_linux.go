package netns

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// hardening are the settings of each interface in a namespace, and of those
// that appear later (CIS Distribution Independent Linux 2.0.0, 3.1 and 3.2):
// no redirects, no routes chosen by the sender, and no packet from where its
// answer would not go.
var hardening = [][2]string{
	{"rp_filter", "1"}, {"accept_redirects", "0"}, {"secure_redirects", "0"},
	{"send_redirects", "0"}, {"accept_source_route", "0"},
}

// settings compares everything about interfaces that are there.
func (i *inspector) settings(ctx context.Context) error {
	hub := Switch(i.t.Environment)
	owned := map[string][]string{hub: {"lo"}}
	for _, name := range []string{nodeBridge, operatorBridge} {
		i.mustBeUp(hub, name)
	}
	i.mustBeUp(hub, "lo")
	for _, m := range i.t.Members {
		namespace := Namespace(i.t.Environment, m.Machine)
		owned[namespace] = []string{"lo"}
		i.mustBeUp(namespace, "lo")
	}
	for _, c := range i.t.cables() {
		port, end := i.observed[hub][c.port], i.observed[c.namespace][c.name]
		if port.Master != c.bridge {
			i.foundIP(hub, []string{"link", "set", c.port, "master", c.bridge}, "%s of %s is not plugged into %s", c.name, where(c.namespace), c.bridge)
		}
		if alias := c.alias(i.t.Environment); port.Alias != strings.TrimSpace(alias) && port.Alias != alias {
			i.foundIP(hub, []string{"link", "set", c.port, "alias", alias}, "port %s of %s has lost its label", c.port, hub)
		}
		owned[c.namespace] = append(owned[c.namespace], c.name)
		if got := end.addresses(); !slices.Equal(got, []string{c.address}) {
			i.found(func(ctx context.Context) error {
				if err := ip(ctx, c.namespace, "-4", "address", "flush", "dev", c.name); err != nil {
					return err
				}
				return ip(ctx, c.namespace, "address", "add", c.address, "dev", c.name)
			}, "%s of %s has the addresses %v, not %s", c.name, where(c.namespace), got, c.address)
		}
	}
	for namespace, names := range owned {
		if err := i.sysctls(namespace, names); err != nil {
			return err
		}
	}
	// Up last, when the settings hold.
	for _, c := range i.t.cables() {
		i.mustBeUp(hub, c.port)
		i.mustBeUp(c.namespace, c.name)
	}
	if len(i.findings) > 0 {
		return nil // Routes come and go with what is being repaired.
	}
	for _, m := range i.t.Members {
		if err := i.routes(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (i *inspector) mustBeUp(namespace, name string) {
	if !i.observed[namespace][name].up() {
		i.foundIP(namespace, []string{"link", "set", name, "up"}, "%s of %s is down", name, where(namespace))
	}
}

// sysctls compares the network settings of a namespace, in the order in which
// they must be written: a change of ip_forward resets others.
func (i *inspector) sysctls(namespace string, names []string) error {
	var wanted [][2]string
	if namespace == "" {
		// The host's settings are the host's; only our interface is ours.
		wanted = append(wanted, [2]string{"ipv6/conf/" + names[0] + "/disable_ipv6", "1"})
		return i.compare(namespace, wanted)
	}
	forward := "0"
	for _, m := range i.t.Members {
		if Namespace(i.t.Environment, m.Machine) == namespace && m.PodCIDR != "" {
			forward = "1" // Between the pods and the other machines.
		}
	}
	wanted = append(wanted, [2]string{"ipv4/ip_forward", forward})
	for _, name := range append([]string{"all", "default"}, names...) {
		for _, setting := range hardening {
			wanted = append(wanted, [2]string{"ipv4/conf/" + name + "/" + setting[0], setting[1]})
		}
	}
	// "all" writes to every interface, so the exception comes after it.
	for _, name := range append([]string{"all", "default"}, names...) {
		value := "1"
		if name == "lo" {
			value = "0"
		}
		wanted = append(wanted, [2]string{"ipv6/conf/" + name + "/disable_ipv6", value})
	}
	return inside(namespace, func() error { return i.compare(namespace, wanted) })
}

// compare runs on a thread in the namespace. When anything differs, everything
// is written, in order.
func (i *inspector) compare(namespace string, wanted [][2]string) error {
	var differ []string
	for _, setting := range wanted {
		value, err := sysctl(setting[0])
		if os.IsNotExist(err) && strings.HasPrefix(setting[0], "ipv6/") {
			continue // A kernel without IPv6 has nothing to turn off.
		}
		if err != nil {
			return err
		}
		if value != setting[1] {
			differ = append(differ, fmt.Sprintf("%s is %s, not %s", setting[0], value, setting[1]))
		}
	}
	if len(differ) == 0 {
		return nil
	}
	write := func() error {
		for _, setting := range wanted {
			if _, err := sysctl(setting[0]); os.IsNotExist(err) {
				continue
			}
			if err := setSysctl(setting[0], setting[1]); err != nil {
				return err
			}
		}
		return nil
	}
	i.found(func(context.Context) error {
		if namespace == "" {
			return write()
		}
		return inside(namespace, write)
	}, "network settings of %s: %s", where(namespace), strings.Join(differ, ", "))
	return nil
}

// routes compares the routes of a member: to the pods of every other member,
// and nowhere else.
func (i *inspector) routes(ctx context.Context, m Member) error {
	namespace := Namespace(i.t.Environment, m.Machine)
	all, err := routes(ctx, namespace)
	if err != nil {
		return err
	}
	wanted := map[string]string{}
	for _, other := range i.t.Members {
		if other.PodCIDR != "" && other.Machine != m.Machine {
			wanted[other.PodCIDR] = other.NodeAddress
		}
	}
	for _, r := range all {
		if wanted[r.Destination] == r.Gateway && r.Gateway != "" && r.Interface == NodeInterface {
			delete(wanted, r.Destination)
			continue
		}
		if r.Destination == "default" || r.Protocol == protocol || r.Gateway != "" || r.foreign(i.t) {
			i.foundIP(namespace, []string{"route", "delete", r.Destination, "dev", r.Interface},
				"%s has a route to %s through %s that it should not have", namespace, r.Destination, r.Interface)
		}
	}
	for _, other := range i.t.Members {
		if gateway := wanted[other.PodCIDR]; gateway != "" {
			i.foundIP(namespace, []string{"route", "replace", other.PodCIDR, "via", gateway, "dev", NodeInterface, "protocol", protocol},
				"%s has no route to the pods of %s", namespace, other.Machine)
		}
	}
	return nil
}

// foreign tells whether a route leads, through one of our interfaces, to where
// that interface has no network.
func (r route) foreign(t Topology) bool {
	networks := map[string]string{NodeInterface: t.NodeCIDR, OperatorInterface: t.OperatorCIDR}
	network, ours := networks[r.Interface]
	if !ours {
		return false
	}
	prefix := r.prefix()
	parsed := netip.MustParsePrefix(network)
	return !prefix.IsValid() || !parsed.Overlaps(prefix) || prefix.Bits() < parsed.Bits()
}

package netns

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
)

// Names in the switch.
const (
	nodeBridge     = "nodes"
	operatorBridge = "operators"
	// hostPort is the switch's end of the cable to the host.
	hostPort = "host"
)

// protocol marks the routes that are ours (any number that rt_protos does not
// name), so that those of the kernel and of CNI are left alone.
const protocol = "187"

// cable is a veth pair between an interface and a port of a bridge.
type cable struct {
	// namespace and name are the machine's end; namespace "" is the host.
	namespace, name string
	// port is the switch's end and bridge what it is plugged into.
	port, bridge string
	// address is that of the machine's end, with its length.
	address string
	// machine is whose cable it is, "" for the host.
	machine string
}

// alias labels a port with its owner, so that a machine that is no longer in
// the Topology is found. A prefix of names could not tell environment "a" with
// machine "b-c" from environment "a-b" with machine "c".
func (c cable) alias(environment string) string {
	return "redoubt " + environment + " " + c.machine
}

func (t Topology) cables() []cable {
	all := []cable{{name: HostInterface(t.Environment), port: hostPort, bridge: operatorBridge, address: in(t.hostAddress().String(), t.OperatorCIDR)}}
	for _, m := range t.Members {
		namespace := Namespace(t.Environment, m.Machine)
		all = append(all, cable{namespace, NodeInterface, "n" + short(m.Machine), nodeBridge, in(m.NodeAddress, t.NodeCIDR), m.Machine})
		if m.OperatorAddress != "" {
			all = append(all, cable{namespace, OperatorInterface, "o" + short(m.Machine), operatorBridge, in(m.OperatorAddress, t.OperatorCIDR), m.Machine})
		}
	}
	return all
}

// finding is one difference between the Topology and what is there.
type finding struct {
	words  string
	repair func(context.Context) error
}

// inspector collects findings. Check tells them and Ensure repairs them, so
// that the two cannot disagree.
type inspector struct {
	t        Topology
	observed map[string]map[string]*link
	findings []finding
}

func (i *inspector) found(repair func(context.Context) error, format string, args ...any) {
	i.findings = append(i.findings, finding{fmt.Sprintf(format, args...), repair})
}

// foundIP is a finding that one call of ip(8) repairs.
func (i *inspector) foundIP(namespace string, args []string, format string, words ...any) {
	i.found(func(ctx context.Context) error { return ip(ctx, namespace, args...) }, format, words...)
}

// inspect compares in three stages, each of which needs the one before:
// namespaces, then interfaces, then everything about them.
func inspect(ctx context.Context, t Topology) ([]finding, error) {
	i := &inspector{t: t, observed: map[string]map[string]*link{}}
	if err := checkHost(ctx, t); err != nil {
		return nil, err
	}
	stages := []func(context.Context) error{i.namespaces, i.cabling, i.settings}
	for _, stage := range stages {
		if err := stage(ctx); err != nil {
			return nil, err
		}
		if len(i.findings) > 0 {
			break
		}
	}
	return i.findings, nil
}

func (i *inspector) namespaces(ctx context.Context) error {
	names := []string{Switch(i.t.Environment)}
	for _, m := range i.t.Members {
		names = append(names, Namespace(i.t.Environment, m.Machine))
	}
	for _, name := range names {
		if !exists(name) {
			i.found(func(ctx context.Context) error { return create(ctx, name) }, "network namespace %s is missing", name)
		}
	}
	if len(i.findings) > 0 {
		return nil
	}
	for _, name := range append(names, "") {
		all, err := links(ctx, name)
		if err != nil {
			return err
		}
		i.observed[name] = all
	}
	return nil
}

func (i *inspector) cabling(context.Context) error {
	hub := Switch(i.t.Environment)
	bridges := i.observed[hub]
	for _, name := range []string{nodeBridge, operatorBridge} {
		if l := bridges[name]; l == nil || l.Info.Kind != "bridge" {
			i.found(func(ctx context.Context) error {
				if l != nil {
					if err := unlink(ctx, hub, name); err != nil {
						return err
					}
				}
				return ip(ctx, hub, "link", "add", name, "type", "bridge")
			}, "bridge %s is missing in %s", name, hub)
		}
	}
	ports := map[string]bool{}
	for _, c := range i.t.cables() {
		ports[c.port] = true
		end, port := i.observed[c.namespace][c.name], bridges[c.port]
		if end != nil && port != nil && peers(end, port) {
			continue
		}
		i.found(func(ctx context.Context) error { return plug(ctx, hub, c, end, port) },
			"%s of %s is not connected to the %s network", c.name, where(c.namespace), c.bridge)
	}
	for _, name := range slices.Sorted(maps.Keys(bridges)) {
		machine, ours := strings.CutPrefix(bridges[name].Alias, cable{}.alias(i.t.Environment))
		if !ours || ports[name] {
			continue
		}
		// A machine that leaves takes its namespace along when it has stopped.
		if machine != "" && !i.wants(machine) && busy(Namespace(i.t.Environment, machine)) {
			continue
		}
		i.found(func(ctx context.Context) error {
			if i.wants(machine) || machine == "" || !exists(Namespace(i.t.Environment, machine)) {
				return unlink(ctx, hub, name)
			}
			return destroy(ctx, Namespace(i.t.Environment, machine))
		}, "%s is connected and should not be", where(Namespace(i.t.Environment, machine)))
	}
	return nil
}

func (i *inspector) wants(machine string) bool {
	return slices.ContainsFunc(i.t.Members, func(m Member) bool { return m.Machine == machine })
}

// plug makes the veth pair of a cable, after removing what is left of one.
func plug(ctx context.Context, hub string, c cable, end, port *link) error {
	if end != nil {
		if err := unlink(ctx, c.namespace, c.name); err != nil {
			return err
		}
	}
	// The other end of a pair goes with the first.
	if port != nil && (end == nil || !peers(end, port)) {
		if err := unlink(ctx, hub, c.port); err != nil {
			return err
		}
	}
	// Made in place, and down: it carries nothing before its settings are right.
	return ip(ctx, c.namespace, "link", "add", c.name, "address", c.hardwareAddress(), "type", "veth", "peer", "name", c.port, "netns", hub)
}

// hardwareAddress is the same each time the cable is made: neighbours remember
// it for half a minute, during which another one would be out of reach. It is
// unicast and locally administered (IEEE 802, section 8).
func (c cable) hardwareAddress() string {
	sum := sha256.Sum256([]byte(c.namespace + "/" + c.name + "/" + c.address))
	sum[0] = 0x02
	return net.HardwareAddr(sum[:6]).String()
}

func where(namespace string) string {
	if namespace == "" {
		return "the host"
	}
	return namespace
}

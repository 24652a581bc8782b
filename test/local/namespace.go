package local

import (
	"context"
	"net"
	"path/filepath"
	"time"
)

// dialer connects from one place in the network.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// NamespaceName is the name of a machine's network namespace.
func (c *Cluster) NamespaceName(machine string) string { return "rd-" + c.Environment + "-" + machine }

// namespacePath is the file of a named network namespace.
func namespacePath(name string) string { return filepath.Join("/run/netns", name) }

// DialFrom connects as a process of the machine would. Without isolation all
// machines are this host.
func (c *Cluster) DialFrom(machine string) dialer {
	if c.booted != nil {
		return c.dialBooted(machine)
	}
	if !c.Isolated || machine == "" {
		return dialHost
	}
	return dialIn(namespacePath(c.NamespaceName(machine)))
}

// dialHost connects from the host itself.
func dialHost(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	return d.DialContext(ctx, network, address)
}

// dialIn connects from inside a network namespace. Addresses must be numeric:
// a name would be resolved outside of it.
func dialIn(path string) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var conn net.Conn
		err := inNamespace(path, func() error {
			var err error
			conn, err = dialHost(ctx, network, address)
			return err
		})
		return conn, err
	}
}

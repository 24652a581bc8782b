package netns

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// DialContext connects from inside a named network namespace, or from the
// host's own when the name is empty. The address must be numeric: a name would
// be resolved on another thread, outside the namespace.
func DialContext(ctx context.Context, namespace, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	if namespace == "" {
		return dialer.DialContext(ctx, network, address)
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// The thread is never unlocked: it ends with this goroutine, so that no
		// other goroutine can inherit the namespace.
		runtime.LockOSThread()
		conn, err := dialFrom(ctx, namespace, network, address, dialer)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

func dialFrom(ctx context.Context, namespace, network, address string, dialer net.Dialer) (net.Conn, error) {
	file, err := os.Open(filepath.Join("/run/netns", namespace))
	if err != nil {
		return nil, fmt.Errorf("network namespace %s: %w", namespace, err)
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("entering network namespace %s: %w", namespace, err)
	}
	return dialer.DialContext(ctx, network, address)
}

//go:build !linux

package netns

import (
	"context"
	"fmt"
	"net"
)

// DialContext connects from the host; there are no network namespaces here.
func DialContext(ctx context.Context, namespace, network, address string) (net.Conn, error) {
	if namespace != "" {
		return nil, fmt.Errorf("network namespace %s: this needs Linux", namespace)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, address)
}

package boot

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// LoadBalancer is the internal load balancer of the control plane: TCP only, with
// a health check. As a network load balancer of AWS it takes connections itself.
type LoadBalancer struct {
	// Address is its own in the NodeCIDR.
	Address string
	// Port is that of the API server, "6443" when it is empty.
	Port string
	// Backends are the addresses of the control-plane nodes.
	Backends []string
	// Passthrough leaves packets as they are, as that of Google Cloud does: see
	// passthrough.go.
	Passthrough bool
}

func (l LoadBalancer) port() string { return cmp.Or(l.Port, "6443") }

type balancer struct {
	LoadBalancer
	relay
	namespace string
	listener  net.Listener
	cancel    context.CancelFunc
	healthy   []atomic.Bool
	next      atomic.Uint32
}

func balance(ctx context.Context, namespace string, settings LoadBalancer) (*balancer, error) {
	listener, err := Listen(namespace, "tcp", net.JoinHostPort(settings.Address, settings.Port))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &balancer{LoadBalancer: settings, namespace: namespace, listener: listener, cancel: cancel,
		healthy: make([]atomic.Bool, len(settings.Backends))}
	for i := range settings.Backends {
		go b.check(ctx, i)
	}
	go b.accept(ctx)
	return b, nil
}

func (b *balancer) dial(ctx context.Context, backend int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return netns.DialContext(ctx, b.namespace, "tcp", net.JoinHostPort(b.Backends[backend], b.Port))
}

// check asks a node's API server every second whether it is ready.
func (b *balancer) check(ctx context.Context, backend int) {
	client := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return b.dial(ctx, backend) },
		// A health check of a load balancer verifies no certificate, and learns nothing but a status.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
	for {
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(b.Backends[backend], b.Port)+"/readyz", nil)
		response, err := client.Do(request)
		if err == nil {
			response.Body.Close()
		}
		b.healthy[backend].Store(err == nil && response.StatusCode == http.StatusOK)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// pick gives a healthy backend's connection, in turn; where none is healthy, one
// that answers at all, as network load balancers do.
func (b *balancer) pick(ctx context.Context) net.Conn {
	first := int(b.next.Add(1))
	for _, onlyHealthy := range []bool{true, false} {
		for i := range b.Backends {
			backend := (first + i) % len(b.Backends)
			if b.healthy[backend].Load() != onlyHealthy {
				continue
			}
			if conn, err := b.dial(ctx, backend); err == nil {
				return conn
			}
		}
	}
	return nil
}

func (b *balancer) accept(ctx context.Context) {
	for {
		client, err := b.listener.Accept()
		if err != nil {
			return
		}
		go func() {
			server := b.pick(ctx)
			if server == nil {
				client.Close()
				return
			}
			b.join(client, server)
		}()
	}
}

func (b *balancer) close() {
	b.cancel()
	b.listener.Close()
	b.relay.close()
}

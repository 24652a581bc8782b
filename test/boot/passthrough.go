package boot

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// A passthrough load balancer sends packets on as they are: with the client's
// address as source and its own as destination, which a machine that serves must
// have taken for its own. The machine answers the client directly.
// https://cloud.google.com/load-balancing/docs/internal

// Where health checks of Google Cloud come from, and the range that they are of.
// They are sent to the load balancer's address, as connections are.
// https://cloud.google.com/load-balancing/docs/health-check-concepts#ip-ranges
const (
	healthSource = "35.191.0.1"
	healthRange  = "35.191.0.0/16"
)

type passthrough struct {
	LoadBalancer
	namespace string
	cancel    context.CancelFunc
	healthy   []bool
	done      chan struct{}
}

// vpc makes a machine's namespace part of a network in which nobody answers for
// an address but who was given it: on Google Cloud the network itself does (a
// machine's own address is a /32), and several have the load balancer's.
func (r *Rehearsal) vpc(ctx context.Context, namespace string) error {
	for _, arguments := range [][]string{
		{"sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"},
		{"ip", "route", "add", healthRange, "dev", netns.NodeInterface},
	} {
		if err := in(ctx, namespace, arguments...); err != nil {
			return err
		}
	}
	return nil
}

func passOn(ctx context.Context, namespace string, settings LoadBalancer) (*passthrough, error) {
	b := &passthrough{LoadBalancer: settings, namespace: namespace, healthy: make([]bool, len(settings.Backends)), done: make(chan struct{})}
	steps := [][]string{
		{"sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf." + netns.NodeInterface + ".send_redirects=0",
			"net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf." + netns.NodeInterface + ".rp_filter=0",
			// Answers to health checks come from its own address.
			"net.ipv4.conf.all.accept_local=1"},
		{"ip", "address", "add", healthSource + "/32", "dev", netns.NodeInterface},
		// Marked packets are for a machine, whatever the address says.
		{"ip", "rule", "add", "pref", "32000", "lookup", "local"}, {"ip", "rule", "delete", "pref", "0"},
	}
	for i, backend := range settings.Backends {
		mark := fmt.Sprint(i + 1)
		steps = append(steps, []string{"ip", "rule", "add", "pref", "100", "fwmark", mark, "lookup", "10" + mark},
			[]string{"ip", "route", "add", "default", "via", backend, "dev", netns.NodeInterface, "table", "10" + mark})
	}
	for _, arguments := range steps {
		if err := in(ctx, namespace, arguments...); err != nil {
			return nil, err
		}
	}
	if err := b.rules(ctx, fmt.Sprintf(passthroughRules, settings.Address, settings.Port)+b.chains()); err != nil {
		return nil, err
	}
	if err := b.choose(ctx); err != nil {
		return nil, err
	}
	ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go b.check(ctx)
	return b, nil
}

// passthroughRules give a connection to a machine when it begins, and keep it
// there whatever becomes of the machine. What a machine without the address would
// send back is dropped: Google Cloud takes no packet with another's source.
const passthroughRules = `table ip balancer {
	map connections {
		type ipv4_addr . inet_service : mark
		size 65535
		flags dynamic,timeout
		timeout 10m
	}
	chain pick {
	}
	chain prerouting {
		type filter hook prerouting priority -150; policy accept;
		ip daddr != %[1]s accept
		tcp dport != %[2]s drop
		ip ttl < 63 drop
		tcp flags & (syn | ack) == syn jump pick
		meta mark set ip saddr . tcp sport map @connections
		meta mark 0 drop
		update @connections { ip saddr . tcp sport : meta mark }
	}
}
`

func (b *passthrough) chains() string {
	var text strings.Builder
	for i := range b.Backends {
		fmt.Fprintf(&text, "add chain ip balancer to%[1]d\nadd rule ip balancer to%[1]d update @connections { ip saddr . tcp sport : %[1]d }\n", i+1)
	}
	return text.String()
}

// choose lets new connections go to the healthy machines in turn, and to all when
// none is: https://cloud.google.com/load-balancing/docs/internal/failover-overview
func (b *passthrough) choose(ctx context.Context) error {
	all := !slices.Contains(b.healthy, true)
	var to []string
	for i, healthy := range b.healthy {
		if healthy || all {
			to = append(to, fmt.Sprintf("%d : jump to%d", len(to), i+1))
		}
	}
	return b.rules(ctx, fmt.Sprintf("flush chain ip balancer pick\nadd rule ip balancer pick numgen inc mod %d vmap { %s }\n", len(to), strings.Join(to, ", ")))
}

func (b *passthrough) rules(ctx context.Context, text string) error {
	command := exec.CommandContext(ctx, "nsenter", "--net=/run/netns/"+b.namespace, "--", "nft", "-f", "-")
	command.Stdin = strings.NewReader(text)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("the load balancer's rules: %w: %s", err, output)
	}
	return nil
}

// check asks every machine's API server each second whether it is ready, at the
// load balancer's address.
func (b *passthrough) check(ctx context.Context) {
	defer close(b.done)
	for {
		found := make([]bool, len(b.Backends))
		answers := make(chan struct{}, len(b.Backends))
		for i := range b.Backends {
			go func() { found[i] = b.ready(ctx, i); answers <- struct{}{} }()
		}
		for range b.Backends {
			<-answers
		}
		if !slices.Equal(found, b.healthy) && ctx.Err() == nil {
			b.healthy = found
			_ = b.choose(ctx) // nft refuses nothing that it took before
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (b *passthrough) ready(ctx context.Context, backend int) bool {
	dialer := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.ParseIP(healthSource)},
		Control: func(_, _ string, raw syscall.RawConn) error {
			var failed error
			err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, backend+1) })
			if err == nil {
				err = failed
			}
			return err
		},
	}
	address := net.JoinHostPort(b.Address, b.Port)
	client := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			return inNamespace(b.namespace, func() (net.Conn, error) { return dialer.DialContext(ctx, "tcp4", address) })
		},
		// A health check verifies no certificate, and learns nothing but a status.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/readyz", nil)
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

func (b *passthrough) close() {
	b.cancel()
	<-b.done
}

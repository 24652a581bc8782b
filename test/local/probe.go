package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// answer is how a port behaves towards a connection attempt.
type answer string

const (
	// open accepts.
	open answer = "open"
	// refused answers with a reset: nothing listens, and no firewall hides it.
	refused answer = "refused"
	// filtered does not answer at all, which is what a dropping firewall does.
	filtered answer = "filtered"
	// unreachable has no route.
	unreachable answer = "unreachable"
)

// probeTimeout is long for a network of one machine, where an answer takes
// microseconds, and covers one retransmission of the SYN after a second.
const probeTimeout = 1500 * time.Millisecond

// classify turns the outcome of a connection attempt into an answer.
func classify(err error) (answer, error) {
	var timeout net.Error
	switch {
	case err == nil:
		return open, nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused, nil
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH),
		// A dropping output chain answers the sender with EPERM.
		errors.Is(err, syscall.EPERM):
		return unreachable, nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return filtered, nil
	}
	return "", err
}

// probe tries to connect once.
func probe(ctx context.Context, dial dialer, address string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := dial(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	return classify(err)
}

// scan tries many ports of one host at the same time and groups them by answer.
func scan(ctx context.Context, dial dialer, host string, ports []int) (map[answer][]int, error) {
	var (
		mutex  sync.Mutex
		wait   sync.WaitGroup
		faults []error
		found  = map[answer][]int{}
		slots  = make(chan struct{}, 64) // threads: each attempt from a namespace holds one
	)
	for _, port := range ports {
		wait.Add(1)
		slots <- struct{}{}
		go func() {
			defer wait.Done()
			defer func() { <-slots }()
			result, err := probe(ctx, dial, net.JoinHostPort(host, strconv.Itoa(port)))
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				faults = append(faults, fmt.Errorf("port %d: %w", port, err))
				return
			}
			found[result] = append(found[result], port)
		}()
	}
	wait.Wait()
	for _, list := range found {
		sort.Ints(list)
	}
	return found, errors.Join(faults...)
}

// componentPorts are the ports on which any program of a cluster listens or
// used to listen, and those of services that a node must not have at all.
var componentPorts = []int{
	22,                                  // SSH
	53, 111, 179, 443, 4149, 5000, 5473, // DNS, RPC, BGP, HTTPS, cAdvisor, registry, Typha
	2379, 2380, 2381, // etcd
	6443, 8080, 8443, // API server, and its insecure port of old
	9099, 9100, 9153, 9345, // CNI health, node exporter, CoreDNS metrics
	10248, 10249, 10250, 10251, 10252, 10255, 10256, 10257, 10259, // kubelet, proxy, controllers, scheduler
	30000, 31000, 32767, // NodePorts
}

// describe renders a scan for an error message.
func describe(found map[answer][]int) string {
	var parts []string
	for _, a := range []answer{open, refused, unreachable, filtered} {
		if len(found[a]) > 0 {
			parts = append(parts, fmt.Sprintf("%s %v", a, found[a]))
		}
	}
	return strings.Join(parts, "; ")
}

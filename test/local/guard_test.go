package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/retry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/policies/incident"
)

// openConn is a connection that somebody keeps open, as an intruder does; the other end gives back what it hears.
type openConn struct{ net.Conn }

// keepOpen connects from a pod to a listener in the other, on a port of its own.
func keepOpen(t *testing.T, from, to runningPod, port int) openConn {
	t.Helper()
	listener, err := echoIn(fmt.Sprintf("/proc/%d/ns/net", to.pid), net.JoinHostPort(to.Status.PodIP, fmt.Sprint(port)))
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	var s openConn
	_, err = retry.DoWithRetryContextE(t, t.Context(), "a connection", 80, 250*time.Millisecond, func() (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s.Conn, err = from.dial()(ctx, "tcp", listener.Addr().String())
		return "", err
	})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	require.True(t, s.answers(5*time.Second), "the other end is silent from the start")
	return s
}

// echoIn gives back what it hears, inside a network namespace.
func echoIn(path, address string) (net.Listener, error) {
	return serveIn(path, address, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
}

// answers tells whether what is said comes back in time. What was said in vain before comes back first.
func (s openConn) answers(within time.Duration) bool {
	said := []byte(fmt.Sprintf("%d\n", time.Now().UnixNano()))
	_ = s.SetDeadline(time.Now().Add(within))
	if _, err := s.Write(said); err != nil {
		return false
	}
	heard, buffer := "", make([]byte, 256)
	for !strings.Contains(heard, string(said)) {
		n, err := s.Read(buffer)
		heard += string(buffer[:n])
		if err != nil {
			return false
		}
	}
	return true
}

// quarantineCutsConnections isolates a pod that has connections open, to and from it, on its own node and across nodes:
// they are silent from then on, and those of others go on. After its release they go on as well, so that it was the
// isolation that was seen (M40).
func quarantineCutsConnections(t *testing.T, c *Cluster, pods policyPods) {
	victim, near, far := pods["free-1"], pods["free-2"], pods["free-3"]
	cut := map[string]openConn{
		"from it, on its node": keepOpen(t, victim, near, 9101), "to it, on its node": keepOpen(t, near, victim, 9102),
		"from it, across nodes": keepOpen(t, victim, far, 9103), "to it, across nodes": keepOpen(t, far, victim, 9104),
	}
	others := map[string]openConn{"from its node": keepOpen(t, near, far, 9105), "to its node": keepOpen(t, far, near, 9106)}
	client := c.client(t, c.masters(t))
	target := incident.Target{Kind: incident.Pod, Namespace: victim.Namespace, Name: victim.Name}
	isolated := time.Now()
	_, err := incident.Impose(t.Context(), client, target, incident.Notice{Reason: "ticket 4711: a shell to an address that nobody knows", Now: isolated})
	require.NoError(t, err)
	_, err = retry.DoWithRetryContextE(t, t.Context(), "silence", 60, 250*time.Millisecond, func() (string, error) {
		var still []error
		for name, s := range cut {
			if s.answers(300 * time.Millisecond) {
				still = append(still, errors.New(name+" still answers"))
			}
		}
		return "", errors.Join(still...)
	})
	require.NoError(t, err)
	t.Logf("silent %s after it was isolated", time.Since(isolated).Round(time.Millisecond))
	for name, s := range others {
		assert.True(t, s.answers(10*time.Second), "another's connection %s was cut", name)
	}
	// The node still asks after its pod: evidence must not be restarted.
	pods.from(t, c.DialFrom("worker-1"), "worker-1", pods.address("free-1"), true)

	_, err = incident.Release(t.Context(), client, target)
	require.NoError(t, err)
	for name, s := range cut {
		assert.True(t, s.answers(2*time.Minute), "%s is silent after its release", name) // TCP waits longer each time
	}
}

// guardRepairs takes away what the guard wrote: a machine that knows none of its pods
// lets none of them send until it is back (M21, M40).
func guardRepairs(t *testing.T, c *Cluster, pods policyPods) {
	name := c.NamespaceName("worker-1")
	to := pods.address("free-3")
	require.True(t, reaches(t.Context(), pods["free-1"].dial(), to))
	out, err := exec.CommandContext(t.Context(), "ip", "netns", "exec", name, "nft", "flush", "set", "inet", "redoubt_pods", "known").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.False(t, reaches(t.Context(), pods["free-1"].dial(), to), "a pod that nobody knows sends")
	pods.flows(t, c, "the rules are back", map[string]bool{"free-1 " + to: true})
}

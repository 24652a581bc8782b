package local

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var tlsChecks = []check{
	{"M14_TLS_below_1.2_is_refused_on_every_port", nothing, oldTLSIsRefused},
	{"M14_TLS_non_AEAD_suites_are_refused_on_every_port", nothing, weakSuitesAreRefused},
	{"M14_TLS_1.2_AEAD_and_1.3_are_spoken_on_every_port", nothing, strongTLSIsSpoken},
}

// tlsServers are all listeners of the cluster that speak TLS.
func (c *Cluster) tlsServers(t testing.TB) []tlsServer {
	t.Helper()
	machine := c.ControlPlane.Name
	etcd := c.pairOf(t, machine, "/etc/kubernetes/pki/apiserver-etcd-client")
	servers := []tlsServer{
		{name: "kube-apiserver", from: machine, address: c.local(6443)},
		{name: "etcd client", from: machine, address: c.local(2379), certificate: etcd},
		{name: controllerManager, from: machine, address: c.local(10257)},
		{name: scheduler, from: machine, address: c.local(10259)},
	}
	for _, node := range c.Nodes {
		servers = append(servers, tlsServer{name: "kubelet of " + node.Name, from: machine, address: node.Address + ":10250"})
	}
	return servers
}

func oldTLSIsRefused(t *testing.T, c *Cluster) {
	for _, server := range c.tlsServers(t) {
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			// Every suite is offered, so that only the version can be the reason.
			suite, err := server.offer(t.Context(), c.DialFrom(server.from), version, append(weakSuites(), aeadSuites()...)...)
			require.Empty(t, suite, "%s speaks %s", server.name, tls.VersionName(version))
			require.True(t, refusedByNegotiation(err), "%s, %s: not a refusal: %v", server.name, tls.VersionName(version), err)
		}
	}
}

// weakSuitesAreRefused offers each suite alone: a list would hide one behind
// another.
func weakSuitesAreRefused(t *testing.T, c *Cluster) {
	for _, server := range c.tlsServers(t) {
		for _, suite := range weakSuites() {
			agreed, err := server.offer(t.Context(), c.DialFrom(server.from), tls.VersionTLS12, suite)
			if assert.Empty(t, agreed, "%s speaks a suite that is no AEAD or has no forward secrecy", server.name) {
				assert.True(t, refusedByNegotiation(err), "%s, %s: not a refusal: %v", server.name, tls.CipherSuiteName(suite), err)
			}
		}
	}
}

// strongTLSIsSpoken is the positive control of the two refusals.
func strongTLSIsSpoken(t *testing.T, c *Cluster) {
	for _, server := range c.tlsServers(t) {
		agreed, err := server.offer(t.Context(), c.DialFrom(server.from), tls.VersionTLS12, aeadSuites()...)
		require.NoError(t, err, server.name)
		assert.NotEmpty(t, agreed, server.name)
		_, err = server.offer(t.Context(), c.DialFrom(server.from), tls.VersionTLS13)
		assert.NoError(t, err, server.name)
	}
}

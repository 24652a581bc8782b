package local

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var kubeletChecks = []check{
	{"M16_kubelet_answers_the_authorized", worker, kubeletAnswersTheAuthorized},
	{"M16_kubelet_refuses_anonymous", worker, kubeletRefusesAnonymous},
	{"M16_kubelet_refuses_a_foreign_authority", worker, kubeletRefusesForeignAuthority},
	{"M16_kubelet_refuses_a_forged_token", worker, kubeletRefusesForgedToken},
	{"M16_kubelet_refuses_without_rights", worker, kubeletRefusesWithoutRights},
	{"M16_kubelet_has_no_read_only_port", worker, kubeletHasNoReadOnlyPort},
	{"M16_kubelet_serving_certificate_is_the_clusters", worker, kubeletServingCertificate},
	{"M16_kubelet_profiling_is_off", worker, kubeletProfilingIsOff},
	{"M16_kernel_defaults_are_protected", worker, kernelDefaults},
}

// kubeletPaths are the endpoints of the kubelet that give away or take over
// most: cAdvisor and the other metrics, the pods, their logs, and exec.
var kubeletPaths = []struct{ method, path string }{
	{http.MethodGet, "/metrics"},
	{http.MethodGet, "/metrics/cadvisor"},
	{http.MethodGet, "/metrics/resource"},
	{http.MethodGet, "/metrics/probes"},
	{http.MethodGet, "/stats/summary"},
	{http.MethodGet, "/pods"},
	{http.MethodGet, "/runningpods/"},
	{http.MethodGet, "/configz"},
	{http.MethodGet, "/logs/"},
	{http.MethodGet, "/containerLogs/kube-system/any/any"},
	{http.MethodPost, "/exec/kube-system/any/any?command=id&output=1"},
	{http.MethodPost, "/run/kube-system/any/any?cmd=id"},
	{http.MethodPost, "/attach/kube-system/any/any?output=1"},
	{http.MethodPost, "/portForward/kube-system/any"},
	{http.MethodPost, "/checkpoint/kube-system/any/any"},
}

// kubeletURL is an endpoint of a node's kubelet, which the checks call from the
// control plane's place in the network, the only one that may connect at all.
func kubeletURL(node Node, path string) string {
	return fmt.Sprintf("https://%s%s", net.JoinHostPort(node.Address, "10250"), path)
}

// refusedEverywhere demands one status for every endpoint of every kubelet.
func refusedEverywhere(t *testing.T, c *Cluster, who caller, status int) {
	t.Helper()
	who.from = c.ControlPlane.Name
	for _, node := range c.Nodes {
		for _, target := range kubeletPaths {
			r, err := c.do(t.Context(), who, target.method, kubeletURL(node, target.path), nil)
			if assert.NoError(t, err, "%s %s", target.method, target.path) {
				assert.Equal(t, status, r.status, "%s: %s %s: %.120s", node.Name, target.method, target.path, r.body)
			}
		}
	}
}

// kubeletAnswersTheAuthorized is the positive control: the refusals below mean
// something only because the same request succeeds with the right credential.
func kubeletAnswersTheAuthorized(t *testing.T, c *Cluster) {
	who := caller{from: c.ControlPlane.Name, certificate: c.pairOf(t, c.ControlPlane.Name, "/etc/kubernetes/pki/apiserver-kubelet-client")}
	for _, node := range c.Nodes {
		r, err := c.do(t.Context(), who, http.MethodGet, kubeletURL(node, "/pods"), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, r.status, r.body)
	}
}

func kubeletRefusesAnonymous(t *testing.T, c *Cluster) {
	refusedEverywhere(t, c, caller{}, http.StatusUnauthorized)
}

func kubeletRefusesForeignAuthority(t *testing.T, c *Cluster) {
	refusedEverywhere(t, c, c.forger(t, "kube-apiserver-kubelet-client", mastersGroup), http.StatusUnauthorized)
}

func kubeletRefusesForgedToken(t *testing.T, c *Cluster) {
	for _, token := range []string{"static-token", forgeToken(t, c, forgery{foreignKey: true})} {
		refusedEverywhere(t, c, caller{token: token}, http.StatusUnauthorized)
	}
}

// kubeletRefusesWithoutRights uses identities that the cluster knows: a user
// without rights, and the node itself, whose credential an intruder finds there.
func kubeletRefusesWithoutRights(t *testing.T, c *Cluster) {
	refusedEverywhere(t, c, c.stranger(t), http.StatusForbidden)
	refusedEverywhere(t, c, caller{certificate: c.nodeCredential(t, c.Nodes[0].Name)}, http.StatusForbidden)
}

// kubeletHasNoReadOnlyPort looks from the node itself, where no firewall is in
// the way, at every address: a listener would answer.
func kubeletHasNoReadOnlyPort(t *testing.T, c *Cluster) {
	for _, node := range c.Nodes {
		for _, host := range []string{"127.0.0.1", node.Address} {
			found, err := scan(t.Context(), c.DialFrom(node.Name), host, []int{10255, 4194})
			require.NoError(t, err)
			assert.Empty(t, found[open], "%s: the read-only port or cAdvisor's own is open on %s", node.Name, host)
		}
	}
}

func kubeletServingCertificate(t *testing.T, c *Cluster) {
	pool, err := c.authorityPool("ca")
	require.NoError(t, err)
	for _, node := range c.Nodes {
		r, err := c.do(t.Context(), caller{from: c.ControlPlane.Name}, http.MethodGet, kubeletURL(node, "/healthz"), nil)
		require.NoError(t, err, "the serving certificate does not chain to the cluster's authority or lacks %s", node.Address)
		certificate := r.certificate
		_, err = certificate.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		assert.NoError(t, err)
		assert.Equal(t, "system:node:"+node.Name, certificate.Subject.CommonName)
		assert.Equal(t, []string{"system:nodes"}, certificate.Subject.Organization)
		for _, name := range certificate.DNSNames {
			assert.Equal(t, node.Name, name, "the certificate serves a name that is not the node's")
		}
		for _, address := range certificate.IPAddresses {
			assert.Equal(t, node.Address, address.String(), "the certificate serves an address that is not the node's")
		}
		assertShort(t, certificate, "kubelet serving certificate of "+node.Name)
		// The API server connects only to what chains to the cluster: an empty
		// pool must refuse what the cluster's pool accepted above.
		_, err = c.doWith(t.Context(), caller{from: c.ControlPlane.Name}, &tls.Config{RootCAs: x509.NewCertPool()},
			http.MethodGet, kubeletURL(node, "/healthz"), nil)
		assert.Error(t, err, "the negative control passed: certificates are not verified")
	}
}

func kubeletProfilingIsOff(t *testing.T, c *Cluster) {
	who := c.masters(t)
	who.from = c.ControlPlane.Name
	for _, node := range c.Nodes {
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/profile?seconds=1", "/debug/flags/v"} {
			r, err := c.do(t.Context(), who, http.MethodGet, kubeletURL(node, path), nil)
			require.NoError(t, err)
			assert.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, r.status,
				"%s: a caller with every right reads %s: %.80s", node.Name, path, r.body)
		}
	}
}

// kernelDefaults reads the live kernel: with protectKernelDefaults the kubelet
// does not start when one of them differs.
func kernelDefaults(t *testing.T, c *Cluster) {
	for _, node := range c.Nodes {
		for setting, want := range map[string]string{
			"vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1", "vm/panic_on_oom": "0",
		} {
			out, err := c.exec(t.Context(), node.Name, "cat", "/proc/sys/"+setting)
			require.NoError(t, err)
			assert.Equal(t, want, out, "%s: %s", node.Name, setting)
		}
	}
}

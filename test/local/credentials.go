package local

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/components/local/pki"
)

// mastersGroup passes every authorizer: with it, a refusal can only come from
// the control under test and never from missing rights.
const mastersGroup = "system:masters"

// randomName gives a name that no other run uses.
func randomName(prefix string) string {
	raw := make([]byte, 4)
	if _, err := rand.Read(raw); err != nil {
		panic(err) // the operating system's random source never fails (crypto/rand)
	}
	return prefix + "-" + hex.EncodeToString(raw)
}

// mint issues a client certificate with one of the control plane's own
// authorities, for ten minutes, in memory only.
func (c *Cluster) mint(t testing.TB, authority, user string, groups ...string) *tls.Certificate {
	t.Helper()
	ca, err := pki.ReadAuthority(c.authority(authority))
	require.NoError(t, err)
	return issue(t, ca, user, groups)
}

// masters is a caller with every right.
func (c *Cluster) masters(t testing.TB) caller {
	return caller{certificate: c.mint(t, "ca", "redoubt:verify", mastersGroup)}
}

// stranger is a caller whom the cluster knows and who has no rights.
func (c *Cluster) stranger(t testing.TB) caller {
	return caller{certificate: c.mint(t, "ca", randomName("stranger"))}
}

// forger is a caller with a certificate of an authority that only looks like
// the cluster's: same name, another key.
func (c *Cluster) forger(t testing.TB, user string, groups ...string) caller {
	t.Helper()
	genuine, err := pki.ReadAuthority(c.authority("ca"))
	require.NoError(t, err)
	certificate, key, err := pki.NewAuthority(genuine.Certificate.Subject.CommonName, time.Hour)
	require.NoError(t, err)
	forged, err := pki.ParseAuthority(certificate, key)
	require.NoError(t, err)
	return caller{certificate: issue(t, forged, user, groups)}
}

func issue(t testing.TB, authority *pki.Authority, user string, groups []string) *tls.Certificate {
	t.Helper()
	certificate, key, err := pki.Issue(authority, pki.LeafRequest{
		CommonName: user, Organizations: groups, Client: true, Validity: 10 * time.Minute,
	})
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(certificate, key)
	require.NoError(t, err)
	return &pair
}

// nodeCredential is what an intruder on a worker finds there: the kubelet's
// own client certificate and key.
func (c *Cluster) nodeCredential(t testing.TB, node string) *tls.Certificate {
	t.Helper()
	path := c.Path(node, "/var/lib/kubelet/pki/kubelet-client-current.pem")
	pair, err := tls.LoadX509KeyPair(path, path)
	require.NoError(t, err, "the kubelet's client certificate")
	return &pair
}

// pairOf reads a certificate and its key from a machine.
func (c *Cluster) pairOf(t testing.TB, machine, prefix string) *tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(c.Path(machine, prefix+".crt"), c.Path(machine, prefix+".key"))
	require.NoError(t, err)
	return &pair
}

// client is a Kubernetes client for a caller, from where the caller stands.
func (c *Cluster) client(t testing.TB, who caller) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.restConfig(t, who))
	require.NoError(t, err)
	return client
}

// restConfig is the caller's configuration of client-go. From a worker, the API
// server is asked at its node address, as its kubelet does.
func (c *Cluster) restConfig(t testing.TB, who caller) *rest.Config {
	t.Helper()
	authority, err := os.ReadFile(c.authority("ca") + ".crt")
	require.NoError(t, err)
	config := &rest.Config{
		Host: c.endpointFor(who.from), BearerToken: who.token, Timeout: 30 * time.Second,
		// The default of 5 requests a second would slow the quota checks; the
		// API server's own fairness protects it.
		QPS: 100, Burst: 200,
		Dial:            c.DialFrom(who.from),
		WarningHandler:  rest.NoWarnings{}, // refusals are what is asked for
		TLSClientConfig: rest.TLSClientConfig{CAData: authority},
	}
	if who.certificate != nil {
		config.CertData, config.KeyData = encodePair(t, who.certificate)
	}
	return config
}

// endpointFor is the API server's URL as seen from a machine.
func (c *Cluster) endpointFor(machine string) string {
	if !c.Isolated || machine == "" {
		return c.APIEndpoint
	}
	return "https://" + c.ControlPlane.Address + ":6443"
}

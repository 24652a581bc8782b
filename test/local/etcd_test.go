package local

import (
	"context"
	"crypto/tls"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/components/local/pki"
)

var etcdChecks = []check{
	{"M13_etcd_answers_the_api_server_only", nothing, etcdAnswersTheAPIServer},
	{"M13_etcd_refuses_foreign_clients", nothing, etcdRefusesForeignClients},
	{"M13_etcd_peer_and_metrics_ports_refuse_clients", nothing, etcdOtherPortsRefuse},
	{"M13_etcd_is_out_of_reach_of_workers", worker, etcdIsOutOfReach},
	{"M13_etcd_data_belongs_to_its_user_alone", isolation, etcdDataIsProtected},
}

func etcdAnswersTheAPIServer(t *testing.T, c *Cluster) {
	values, err := stored(t.Context(), c.etcdClient(t, c.apiServersEtcdCertificate(t)), "/registry/namespaces/")
	require.NoError(t, err, "the positive control failed")
	assert.NotEmpty(t, values)
}

// foreignEtcdClients are credentials that etcd must not know.
func foreignEtcdClients(t *testing.T, c *Cluster) map[string]*tls.Certificate {
	t.Helper()
	genuine, err := pki.ReadAuthority(c.authority("etcd-ca"))
	require.NoError(t, err)
	certificate, key, err := pki.NewAuthority(genuine.Certificate.Subject.CommonName, time.Hour)
	require.NoError(t, err)
	forged, err := pki.ParseAuthority(certificate, key)
	require.NoError(t, err)
	admin, err := tls.LoadX509KeyPair(filepath.Join(c.AdminDir(), "client.crt"), filepath.Join(c.AdminDir(), "client.key"))
	require.NoError(t, err)
	return map[string]*tls.Certificate{
		"without certificate":                     nil,
		"the administrator of the cluster":        &admin,
		"a certificate of the cluster's CA":       c.mint(t, "ca", "kube-apiserver-etcd-client", mastersGroup),
		"a certificate of the front proxy's CA":   c.mint(t, "front-proxy-ca", "kube-apiserver-etcd-client"),
		"a certificate of a CA of the same name":  issue(t, forged, "kube-apiserver-etcd-client", nil),
		"the API server's certificate to kubelet": c.pairOf(t, c.ControlPlane.Name, "/etc/kubernetes/pki/apiserver-kubelet-client"),
	}
}

func etcdRefusesForeignClients(t *testing.T, c *Cluster) {
	for name, certificate := range foreignEtcdClients(t, c) {
		assert.Error(t, mutualTLS(t, c, c.local(2379), certificate), "%s is let in", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := c.etcdClient(t, nil).Get(ctx, "/registry/")
	assert.Error(t, err, "a client without certificate reads etcd")
	assert.NoError(t, mutualTLS(t, c, c.local(2379), c.apiServersEtcdCertificate(t)), "the positive control failed")
}

// mutualTLS completes a handshake and then waits for the server's verdict on
// the client's certificate, which TLS 1.3 gives only afterwards: a refusal is
// an alert, and silence is consent.
func mutualTLS(t *testing.T, c *Cluster, address string, certificate *tls.Certificate) error {
	t.Helper()
	raw, err := c.DialFrom(c.ControlPlane.Name)(t.Context(), "tcp", address)
	require.NoError(t, err, "nothing listens on %s", address)
	defer raw.Close()
	config := &tls.Config{InsecureSkipVerify: true} // the server is not what is under test
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(t.Context()); err != nil {
		return err
	}
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Second)))
	_, err = conn.Read(make([]byte, 1))
	if os.IsTimeout(err) {
		return nil
	}
	return err
}

// etcdOtherPortsRefuse tries the peer port with the certificate of the API
// server, which comes from the same authority and is no peer's, and both other
// ports with what must not open them.
func etcdOtherPortsRefuse(t *testing.T, c *Cluster) {
	for _, address := range []string{c.etcdPeer(), c.local(2381)} {
		for name, certificate := range foreignEtcdClients(t, c) {
			assert.Error(t, mutualTLS(t, c, address, certificate), "%s opens %s", name, address)
		}
	}
	assert.Error(t, mutualTLS(t, c, c.etcdPeer(), c.apiServersEtcdCertificate(t)), "the API server's certificate opens the peer port")
}

func etcdIsOutOfReach(t *testing.T, c *Cluster) {
	for _, node := range c.Nodes {
		found, err := scan(t.Context(), c.DialFrom(node.Name), c.ControlPlane.Address, []int{2379, 2380, 2381})
		require.NoError(t, err)
		assert.Empty(t, found[open], describe(found))
		assert.Empty(t, found[refused], "a worker's packets reach the control plane: %s", describe(found))
	}
}

// etcdDataIsProtected looks at every file, as the host sees it, and then tries
// to read as another user of the machine.
func etcdDataIsProtected(t *testing.T, c *Cluster) {
	root := c.Path(c.ControlPlane.Name, "/var/lib/etcd")
	info, err := os.Stat(root)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	user := ownerOf(info)
	assert.NotZero(t, user, "etcd's data belongs to root")
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		assert.Equal(t, user, ownerOf(info), path)
		assert.Zero(t, info.Mode().Perm()&0o077, "%s is readable by others", path)
		return nil
	}))
	_, err = c.exec(t.Context(), c.ControlPlane.Name, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ls", "/var/lib/etcd/member")
	assert.ErrorContains(t, err, "Permission denied")
}

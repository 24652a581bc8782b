package local

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// etcdClient connects to etcd from the control plane's network. A nil
// certificate presents none.
func (c *Cluster) etcdClient(t testing.TB, certificate *tls.Certificate) *clientv3.Client {
	t.Helper()
	pool, err := c.authorityPool("etcd-ca")
	require.NoError(t, err)
	config := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	dial, address := c.DialFrom(c.ControlPlane.Name), c.local(2379)
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{"https://" + address}, DialTimeout: 5 * time.Second, TLS: config, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return dial(ctx, "tcp", address)
		})},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// etcdPeer is where etcd hears other members: on loopback where there is none.
func (c *Cluster) etcdPeer() string {
	if c.booted != nil {
		return net.JoinHostPort(c.ControlPlane.Address, "2380")
	}
	return c.local(2380)
}

// apiServersEtcdCertificate is the one certificate that may read etcd.
func (c *Cluster) apiServersEtcdCertificate(t testing.TB) *tls.Certificate {
	t.Helper()
	return c.pairOf(t, c.ControlPlane.Name, "/etc/kubernetes/pki/apiserver-etcd-client")
}

// stored reads the bytes that etcd holds under a prefix.
func stored(ctx context.Context, client *clientv3.Client, prefix string) (map[string][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	response, err := client.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("reading %s from etcd: %w", prefix, err)
	}
	values := map[string][]byte{}
	for _, kv := range response.Kvs {
		values[string(kv.Key)] = kv.Value
	}
	return values, nil
}

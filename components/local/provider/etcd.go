package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/redoubt-dev/redoubt/components/local/netns"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// etcdClient connects as the API server does, from inside the machine's network.
func (m Machine) etcdClient(endpoint string) (*clientv3.Client, error) {
	paths := hostconfig.Paths{}
	if !m.Isolated {
		paths.Root = m.Directory
	}
	pair, err := tls.LoadX509KeyPair(
		m.hostPath(filepath.Join(paths.PKI(), "apiserver-etcd-client.crt")),
		m.hostPath(filepath.Join(paths.PKI(), "apiserver-etcd-client.key")))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(m.hostPath(filepath.Join(paths.PKI(), "etcd-ca.crt")))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{"https://" + endpoint},
		DialTimeout: 10 * time.Second,
		Logger:      zap.NewNop(),
		TLS:         &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, MinVersion: tls.VersionTLS12},
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return netns.DialContext(ctx, deref(m.NetworkNamespace), "tcp", endpoint)
		})},
	})
}

package boot

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// Members gives the names of etcd's members as the machine's own has them, those
// that have not started as "".
func (r *Rehearsal) Members(ctx context.Context, machine string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := r.etcd(ctx, machine)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	list, err := client.MemberList(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, member := range list.Members {
		names = append(names, member.Name)
	}
	return names, nil
}

// etcd asks a machine's own, with a certificate that the machine has.
func (r *Rehearsal) etcd(ctx context.Context, machine string) (*clientv3.Client, error) {
	m := r.machines[machine]
	const dir = "/etc/kubernetes/pki/etcd/"
	pair, err := tls.LoadX509KeyPair(m.root(dir+"healthcheck-client.crt"), m.root(dir+"healthcheck-client.key"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(m.root(dir + "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return clientv3.New(clientv3.Config{
		Endpoints: []string{"https://127.0.0.1:2379"}, Context: ctx, Logger: zap.NewNop(),
		TLS: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return netns.DialContext(ctx, m.namespace(), "tcp", "127.0.0.1:2379")
		})},
	})
}

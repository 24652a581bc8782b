package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/redoubt-dev/redoubt/components/local/netns"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// proveStored reads the stored bytes of a resource from etcd and fails when an
// object is not encrypted with the key that writes.
func (in ControlPlaneInputs) proveStored(ctx context.Context, resource string) error {
	client, err := in.Machine.etcdClient(in.EtcdEndpoint)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	name, _, _ := strings.Cut(resource, ".")
	key, want := "/registry/"+name+"/", in.Encryption.storedPrefix()
	end := clientv3.GetPrefixRangeEnd(key)
	for {
		page, err := client.Get(ctx, key, clientv3.WithRange(end), clientv3.WithLimit(500))
		if err != nil {
			return fmt.Errorf("reading %s from etcd: %w", name, err)
		}
		for _, kv := range page.Kvs {
			if !strings.HasPrefix(string(kv.Value), want) {
				return fmt.Errorf("%s is still stored under another key after the rewrite; the old key stays: run the update again", kv.Key)
			}
		}
		if !page.More {
			return nil
		}
		key = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}

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

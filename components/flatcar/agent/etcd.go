package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

const (
	etcdTimeout = 15 * time.Second
	// etcdUser is what etcd's log shows for what redoubt-node does.
	etcdUser = "redoubt-node"
)

func etcdURL(c nodeconfig.ControlPlane) string { return c.URL(hostconfig.DefaultPorts().EtcdClient) }

func peerURL(c nodeconfig.ControlPlane) string { return c.URL(hostconfig.DefaultPorts().EtcdPeer) }

// etcdConfig is how redoubt-node reaches etcd: with a certificate of etcd's
// authority that it mints for this run and keeps in memory.
func (a *Agent) etcdConfig(endpoints ...string) (clientv3.Config, error) {
	authority, trusted, err := pki.ReadSigner(filepath.Join(a.config.PKI, "etcd", "ca"))
	if err != nil {
		return clientv3.Config{}, err
	}
	certificate, key, err := pki.IssueAt(authority, pki.LeafRequest{CommonName: etcdUser, Client: true, Validity: clientValidity}, time.Now())
	if err != nil {
		return clientv3.Config{}, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return clientv3.Config{}, err
	}
	return clientv3.Config{
		Endpoints: endpoints, DialTimeout: etcdTimeout, Logger: zap.NewNop(),
		TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted, Certificates: []tls.Certificate{pair}},
	}, nil
}

func (a *Agent) etcdClient(endpoints ...string) (*clientv3.Client, error) {
	config, err := a.etcdConfig(endpoints...)
	if err != nil {
		return nil, err
	}
	return clientv3.New(config)
}

// ForgetEtcd removes the member that this machine had before it lost its data, so
// that it can join as a new one. It asks the other control planes. A machine that
// has data is never forgotten: it is recovered.
func (a *Agent) ForgetEtcd(ctx context.Context, dataDirectory string) error {
	if err := a.controlPlane(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dataDirectory, "member")); err == nil {
		return fmt.Errorf("%s holds the data of a member: recover this control plane with it, or move it away first", dataDirectory)
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	own, _ := a.config.Own()
	var others []string
	for _, each := range a.config.ControlPlanes {
		if each.Name != own.Name {
			others = append(others, etcdURL(each))
		}
	}
	if len(others) == 0 {
		return errors.New("there is no other control plane that could forget this one: restore a snapshot")
	}
	return a.until(ctx, "removing this machine's member from etcd", func() error { return a.forget(ctx, own, others) })
}

func (a *Agent) forget(ctx context.Context, own nodeconfig.ControlPlane, others []string) error {
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	client, err := a.etcdClient(others...)
	if err != nil {
		return err
	}
	defer client.Close()
	list, err := client.MemberList(ctx)
	if err != nil {
		return fmt.Errorf("listing the members: %w", err)
	}
	index := slices.IndexFunc(list.Members, func(m *etcdserverpb.Member) bool {
		// A member that never started has no name yet.
		return m.Name == own.Name || slices.Contains(m.PeerURLs, peerURL(own))
	})
	if index < 0 {
		a.log.Info("etcd has no member of this machine", "node", own.Name)
		return nil
	}
	stale := list.Members[index]
	// etcd itself refuses what would cost it its quorum (strict-reconfig-check).
	if _, err := client.MemberRemove(ctx, stale.ID); err != nil {
		return fmt.Errorf("removing the member %x (%s): %w", stale.ID, stale.Name, err)
	}
	a.log.Warn("member removed from etcd", "id", fmt.Sprintf("%x", stale.ID), "name", stale.Name, "peers", stale.PeerURLs)
	return nil
}

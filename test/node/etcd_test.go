//go:build linux

package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// members are three real etcds, each on a loopback address of its own with the
// usual ports, as control planes are.
type members struct {
	*site
	t         *testing.T // with which they end
	bin       string
	directory string
	nodes     []nodeconfig.ControlPlane
	running   map[string]*exec.Cmd
	agents    map[string]*agent.Agent
}

func newMembers(t *testing.T, s *site) *members {
	t.Helper()
	m := &members{site: s, t: t, bin: programs(t, "etcd"), directory: t.TempDir(), running: map[string]*exec.Cmd{}, agents: map[string]*agent.Agent{}}
	network := fmt.Sprintf("127.%d.%d", 100+rand.IntN(100), rand.IntN(250))
	s.config.ControlPlanes = nil
	for i := range 3 {
		m.nodes = append(m.nodes, nodeconfig.ControlPlane{Name: fmt.Sprintf("control-plane-%d", i+1), Address: fmt.Sprintf("%s.%d", network, i+1)})
	}
	s.config.ControlPlanes = m.nodes
	for i, node := range m.nodes {
		id := s.id(fmt.Sprint(i + 1))
		s.instance(t, fakecloud.Instance{ID: id, Name: "prod-" + node.Name, Role: roleControlPlane, Addresses: []string{node.Address}})
		config := s.config
		config.Node = node.Name
		m.agents[node.Name] = s.on(t, id, config, nil)
		ca, err := pki.ReadAuthority(filepath.Join(s.pki, "etcd/ca"))
		require.NoError(t, err)
		// On loopback the kernel gives connections the address 127.0.0.1.
		certificate, key, err := pki.Issue(ca, pki.LeafRequest{CommonName: node.Name, IPAddresses: []string{node.Address, "127.0.0.1"}, Server: true, Client: true, Validity: time.Hour})
		require.NoError(t, err)
		write(t, m.path(node.Name+".crt"), certificate)
		write(t, m.path(node.Name+".key"), key)
	}
	return m
}

func (m *members) path(name string) string    { return filepath.Join(m.directory, name) }
func (m *members) data(node string) string    { return m.path(node + ".data") }
func client(n nodeconfig.ControlPlane) string { return "https://" + n.Address + ":2379" }
func peer(n nodeconfig.ControlPlane) string   { return "https://" + n.Address + ":2380" }

// start starts a member; state is "new" or "existing".
func (m *members) start(i int, state string) {
	node := m.nodes[i]
	var initial []string
	for _, each := range m.nodes {
		initial = append(initial, each.Name+"="+peer(each))
	}
	ca := m.pki + "/etcd/ca.crt"
	m.running[node.Name] = start(m.t, filepath.Join(m.bin, "etcd"), "--name="+node.Name, "--data-dir="+m.data(node.Name), "--unsafe-no-fsync",
		"--listen-client-urls="+client(node), "--advertise-client-urls="+client(node), "--listen-peer-urls="+peer(node),
		"--initial-advertise-peer-urls="+peer(node), "--initial-cluster="+strings.Join(initial, ","), "--initial-cluster-state="+state,
		"--cert-file="+m.path(node.Name+".crt"), "--key-file="+m.path(node.Name+".key"), "--client-cert-auth", "--trusted-ca-file="+ca,
		"--peer-cert-file="+m.path(node.Name+".crt"), "--peer-key-file="+m.path(node.Name+".key"), "--peer-client-cert-auth", "--peer-trusted-ca-file="+ca)
}

// etcd is a client of the given members.
func (m *members) etcd(t *testing.T, which ...int) *clientv3.Client {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(m.path(m.nodes[0].Name+".crt"), m.path(m.nodes[0].Name+".key"))
	require.NoError(t, err)
	authority, err := os.ReadFile(m.pki + "/etcd/ca.crt")
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	var endpoints []string
	for _, i := range which {
		endpoints = append(endpoints, client(m.nodes[i]))
	}
	made, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop(), TLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = made.Close() })
	return made
}

func brief(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestEtcd loses a member, snapshots, all data, and comes back.
func TestEtcd(t *testing.T) {
	t.Parallel()
	m := newMembers(t, newAWS(t))
	for i := range m.nodes {
		m.start(i, "new")
	}
	etcd := m.etcd(t, 0)
	var revision int64
	eventually(t, "etcd", func() error {
		answer, err := etcd.Put(brief(t), "/registry/x", "before")
		if err == nil {
			revision = answer.Header.Revision
		}
		return err
	})
	t.Run("forget", func(t *testing.T) { testForget(t, m) })
	t.Run("snapshot", func(t *testing.T) { testSnapshot(t, m, revision) })
}

// testForget loses a machine's data and lets the machine join as a new member.
func testForget(t *testing.T, m *members) {
	lost := m.nodes[2]
	assert.ErrorContains(t, m.agents[lost.Name].ForgetEtcd(t.Context(), m.data(lost.Name)), "recover", "it has data")
	worker := m.on(t, m.id("1"), m.worker("general"), nil)
	assert.ErrorContains(t, worker.ForgetEtcd(t.Context(), m.data(lost.Name)), "for control planes")
	kill(m.running[lost.Name])
	require.NoError(t, os.RemoveAll(m.data(lost.Name)))
	require.NoError(t, m.agents[lost.Name].ForgetEtcd(t.Context(), m.data(lost.Name)))
	etcd := m.etcd(t, 0)
	list, err := etcd.MemberList(brief(t))
	require.NoError(t, err)
	var names []string
	for _, each := range list.Members {
		names = append(names, each.Name)
	}
	assert.ElementsMatch(t, []string{m.nodes[0].Name, m.nodes[1].Name}, names)
	require.NoError(t, m.agents[lost.Name].ForgetEtcd(t.Context(), m.data(lost.Name)), "again: nothing is left to forget")

	// A member that was added and never started has no name; it goes too.
	add := func() {
		eventually(t, "a new member", func() error { // etcd wants its peers to be connected for five seconds
			_, err := etcd.MemberAdd(brief(t), []string{peer(lost)})
			return err
		})
	}
	add()
	require.NoError(t, m.agents[lost.Name].ForgetEtcd(t.Context(), m.data(lost.Name)))
	add()
	m.start(2, "existing")
	eventually(t, "the new member's data", func() error {
		answer, err := m.etcd(t, 2).Get(brief(t), "/registry/x")
		if err == nil && answer.Count != 1 {
			err = fmt.Errorf("%d keys", answer.Count)
		}
		return err
	})
	// With two of three gone nobody can forget anybody.
	kill(m.running[m.nodes[1].Name])
	kill(m.running[lost.Name])
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	assert.Error(t, m.agents[lost.Name].ForgetEtcd(ctx, t.TempDir()))
	m.start(1, "existing")
	m.start(2, "existing")
	eventually(t, "the quorum", func() error { _, err := m.etcd(t, 0).Get(brief(t), "/registry/x"); return err })
}

// testSnapshot stores snapshots that nobody can take away, refuses damaged ones
// and restores a good one on all machines.
func testSnapshot(t *testing.T, m *members, revision int64) {
	ctx, first := t.Context(), m.agents[m.nodes[0].Name]
	out := m.path("copy.db")
	key, err := first.Snapshot(ctx, out)
	require.NoError(t, err)
	assert.Regexp(t, `^etcd/\d{8}T\d{6}Z-control-plane-1\.db$`, key)
	stored, _ := m.Get(snapshots, key)
	copied, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Equal(t, copied, stored)

	// The same second, the same name: what is there is not overwritten.
	frozen := func() time.Time {
		at, err := time.Parse("20060102T150405Z", strings.TrimPrefix(key, "etcd/")[:16])
		require.NoError(t, err)
		return at
	}
	config := m.config
	config.Node = m.nodes[0].Name
	_, err = m.at(t, m.id("1"), config, nil, frozen).Snapshot(ctx, "")
	assert.ErrorContains(t, err, "changed in between")
	_, err = m.on(t, m.id("1"), m.worker("general"), nil).Snapshot(ctx, "")
	assert.ErrorContains(t, err, "for control planes")
	m.Fail("s3", fakecloud.Fault{Status: 503})
	_, err = first.Snapshot(ctx, "")
	assert.Error(t, err, "a snapshot that nobody has counts as taken")
	m.Heal("s3")

	eventually(t, "a later write", func() error { _, err := m.etcd(t, 0).Put(brief(t), "/registry/x", "after"); return err })
	for _, each := range m.running {
		kill(each)
	}
	testDamage(t, m, stored)

	for i, node := range m.nodes {
		fresh := m.path("restored-" + node.Name)
		from := key
		if i == 2 {
			from = out // a file does as well
		}
		// A volume of its own, on which an earlier run was killed.
		require.NoError(t, os.MkdirAll(fresh, 0o700))
		require.NoError(t, os.MkdirAll(filepath.Join(fresh, ".redoubt-restore-1", "data"), 0o700))
		require.NoError(t, os.MkdirAll(filepath.Join(fresh, "lost+found"), 0o700))
		require.NoError(t, m.agents[node.Name].Restore(ctx, from, fresh))
		assert.NoDirExists(t, filepath.Join(fresh, ".redoubt-restore-1"))
		info, err := os.Stat(fresh)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "CIS 1.1.11")
		assert.ErrorContains(t, m.agents[node.Name].Restore(ctx, from, fresh), "not empty")
		require.NoError(t, os.RemoveAll(m.data(node.Name)))
		require.NoError(t, os.Rename(fresh, m.data(node.Name)))
	}
	for i := range m.nodes {
		m.start(i, "existing")
	}
	eventually(t, "the restored etcd", func() error {
		answer, err := m.etcd(t, 0, 1, 2).Get(brief(t), "/registry/x")
		if err != nil {
			return err
		}
		assert.Equal(t, "before", string(answer.Kvs[0].Value))
		assert.Greater(t, answer.Header.Revision, revision+1_000_000, "clients that saw later revisions would be misled")
		return nil
	})
	list, err := m.etcd(t, 1).MemberList(brief(t))
	require.NoError(t, err)
	assert.Len(t, list.Members, 3)
}

// testDamage stores snapshots that are damaged in one way each.
func testDamage(t *testing.T, m *members, good []byte) {
	first, fresh := m.agents[m.nodes[0].Name], m.path("damaged")
	for name, damage := range map[string]func([]byte) []byte{
		"a flipped bit":  func(data []byte) []byte { data[len(data)/2] ^= 1; return data },
		"cut off":        func(data []byte) []byte { return data[:len(data)-1024] },
		"without a hash": func(data []byte) []byte { return data[:len(data)-32] },
		"empty":          func([]byte) []byte { return nil },
		"something else": func([]byte) []byte { return []byte(strings.Repeat("x", 5*512+32)) },
	} {
		m.Put(snapshots, "etcd/99991231T235959Z-control-plane-1.db", damage([]byte(string(good))))
		assert.Error(t, first.Restore(t.Context(), "", fresh), name+": the newest one is taken without a name")
		assert.NoDirExists(t, filepath.Join(fresh, "member"), name)
	}
	leftovers, err := os.ReadDir(fresh)
	require.NoError(t, err)
	assert.Empty(t, leftovers)
}

//go:build linux

package node

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// TestCluster goes through a cluster's life on one real API server, on AWS; what
// differs on GCP is behind the interface that the other tests judge.
func TestCluster(t *testing.T) {
	t.Parallel()
	s := newAWS(t)
	s.instance(t, fakecloud.Instance{ID: s.id("1"), Name: "prod-control-plane-1", Role: roleControlPlane, Addresses: []string{"127.77.0.1"}})
	s.config.NetworkAgent = &nodeconfig.NetworkAgent{Namespace: "kube-system", Labels: map[string]string{"k8s-app": "network-agent"}}
	s.config.ControlPlanes = append(s.config.ControlPlanes, nodeconfig.ControlPlane{Name: "control-plane-2", Address: "127.77.0.2"})
	l := newLab(t, s, s.id("1"))
	log := &logBuffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("redoubt-node's log:\n%s", log)
		}
	})
	first := s.on(t, s.id("1"), s.config, log)

	plugin := serve(t, func(ctx context.Context) error { return first.ServeKMS(ctx) })
	l.ready(t)
	serve(t, func(ctx context.Context) error { return first.Approve(ctx, t.TempDir()) })
	eventually(t, "redoubt-node's rights", func() error {
		_, err := kubernetes.NewForConfigOrDie(l.as(t, nodeconfig.UserTokens)).CoreV1().Secrets("kube-system").List(t.Context(), metav1.ListOptions{})
		return err
	})

	t.Run("initialized", func(t *testing.T) { testInitialized(t, l) })
	t.Run("rotation", func(t *testing.T) { testRotation(t, l, log) })
	t.Run("joining", func(t *testing.T) { testJoining(t, l) })
	t.Run("nodes", func(t *testing.T) { testNodes(t, l) })
	t.Run("repair", func(t *testing.T) { testRepair(t, l) })
	t.Run("refused", func(t *testing.T) {
		eventually(t, "the refusal of the token before the last", func() error {
			if l.accepted(t, l.refusedLater) { // the API server remembers for ten seconds whom it let in
				return errors.New("it is accepted")
			}
			return nil
		})
	})
	t.Run("rights", func(t *testing.T) { testRights(t, l) })
	t.Run("kms", func(t *testing.T) { testKMS(t, l, plugin, first) })
}

// serve runs something until the test ends or it is stopped.
func serve(t *testing.T, do func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- do(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			assert.NoError(t, <-ended)
		})
	}
	t.Cleanup(stop)
	return stop
}

// testInitialized: the cluster exists when the store says so or an API server of
// its authority answers; a store that cannot be asked is no answer.
func testInitialized(t *testing.T, l *lab) {
	nobody := l.config
	nobody.Endpoint = "https://127.0.0.1:1"
	alone := l.on(t, l.id("1"), nobody, nil)
	exists, err := alone.Initialized(t.Context())
	require.NoError(t, err)
	assert.False(t, exists)
	exists, err = l.on(t, l.id("1"), l.config, nil).Initialized(t.Context())
	require.NoError(t, err)
	assert.True(t, exists, "an API server answers")
	l.Fail("s3", fakecloud.Fault{Status: 503, Match: "GetObject"})
	_, err = alone.Initialized(t.Context())
	assert.Error(t, err, "nobody may make a cluster when the store is down")
	l.Heal("s3")
	require.NoError(t, alone.MarkInitialized(t.Context()))
	require.NoError(t, alone.MarkInitialized(t.Context()), "again")
	exists, err = alone.Initialized(t.Context())
	require.NoError(t, err)
	assert.True(t, exists, "the store says so")
}

// tokens gives the token Secrets of a pool.
func (l *lab) tokens(t *testing.T, pool string) []corev1.Secret {
	t.Helper()
	list, err := l.admin.CoreV1().Secrets("kube-system").List(t.Context(), metav1.ListOptions{LabelSelector: nodeconfig.LabelPool + "=" + pool})
	require.NoError(t, err)
	return list.Items
}

// joinToken reads the token out of a pool's join configuration.
func (l *lab) joinToken(t *testing.T, pool string) string {
	t.Helper()
	data, found := l.Get(store, nodeconfig.JoinConfigKey(pool))
	require.True(t, found)
	config, err := clientcmd.Load(data)
	require.NoError(t, err)
	return config.AuthInfos["joiner"].Token
}

// accepted tells whether the API server knows a token; it then forbids what a
// joining machine may not do.
func (l *lab) accepted(t *testing.T, token string) bool {
	t.Helper()
	_, err := kubernetes.NewForConfigOrDie(l.holding(token)).CoreV1().Secrets("kube-system").List(t.Context(), metav1.ListOptions{})
	require.Error(t, err, "a join token lists secrets")
	require.True(t, apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err), "%v", err)
	return apierrors.IsForbidden(err)
}

func testRotation(t *testing.T, l *lab, log *logBuffer) {
	config, ctx := l.config, t.Context()
	// Time is what the rotation decides by; the API server's own clock is real.
	later := func(hours float64) func() time.Time {
		return func() time.Time { return time.Now().Add(time.Duration(hours * float64(time.Hour))) }
	}
	rotate := func(hours float64) error { return l.at(t, l.id("1"), config, log, later(hours)).RotateJoinConfig(ctx) }
	require.NoError(t, rotate(0))
	one := l.joinToken(t, "general")
	assert.True(t, l.accepted(t, one))
	assert.NotEqual(t, one, l.joinToken(t, "isolated"), "each pool has its own")
	assert.Equal(t, "system:bootstrappers:redoubt,system:bootstrappers:redoubt:pool:general", string(l.tokens(t, "general")[0].Data["auth-extra-groups"]))
	require.NoError(t, rotate(5))
	assert.Equal(t, one, l.joinToken(t, "general"), "nothing is due")

	// Two at once, of two machines, do the work of one.
	second := config
	second.Node = "control-plane-2"
	l.instance(t, fakecloud.Instance{ID: l.id("8"), Name: "prod-control-plane-2", Role: roleControlPlane, Addresses: []string{"127.77.0.2"}})
	var both sync.WaitGroup
	for _, each := range []nodeconfig.Config{config, second, config, second} {
		agent := l.at(t, l.id("1"), each, log, later(6.1))
		both.Go(func() { assert.NoError(t, agent.RotateJoinConfig(ctx)) })
	}
	both.Wait()
	two := l.joinToken(t, "general")
	assert.NotEqual(t, one, two)
	assert.Len(t, l.tokens(t, "general"), 2)
	assert.True(t, l.accepted(t, one), "what a machine fetched before the rotation still works")
	assert.True(t, l.accepted(t, two))

	// Killed between the token and the store: the store fails.
	l.Fail("s3", fakecloud.Fault{Status: 503, Match: "PutObject"})
	require.Error(t, rotate(12.2))
	assert.Equal(t, two, l.joinToken(t, "general"))
	assert.True(t, l.accepted(t, two), "until a new token is out, the old ones work")
	assert.True(t, l.accepted(t, one))
	assert.Len(t, l.tokens(t, "general"), 3)
	l.Heal("s3")
	// Whoever has the lock is dead, and machines wait for the token: so does the run.
	leases := l.admin.CoordinationV1().Leases("kube-system")
	lease, err := leases.Get(ctx, "redoubt-join-config", metav1.GetOptions{})
	require.NoError(t, err)
	now, holder, seconds := metav1.NowMicro(), "control-plane-2", int32(3)
	lease.Spec.HolderIdentity, lease.Spec.RenewTime, lease.Spec.LeaseDurationSeconds = &holder, &now, &seconds
	_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, rotate(12.3))
	three := l.joinToken(t, "general")
	assert.NotEqual(t, two, three)
	assert.Len(t, l.tokens(t, "general"), 2, "the next run completes what the killed one began")
	l.refusedLater = one
	assert.True(t, l.accepted(t, two))

	// Somebody widened the newest token: it is replaced, not published again.
	newest := l.tokens(t, "isolated")
	for i := range newest {
		newest[i].Data["auth-extra-groups"] = []byte("system:bootstrappers:redoubt,system:bootstrappers:redoubt:pool:general")
		_, err := l.admin.CoreV1().Secrets("kube-system").Update(ctx, &newest[i], metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	widened := l.joinToken(t, "isolated")
	require.NoError(t, rotate(12.4))
	assert.NotEqual(t, widened, l.joinToken(t, "isolated"))
	// Somebody overwrote the object.
	l.Put(store, nodeconfig.JoinConfigKey("general"), []byte("nonsense"))
	require.NoError(t, rotate(12.4))
	assert.Equal(t, three, l.joinToken(t, "general"))
	// The tokens of a pool that is no more go with it.
	config.Pools = config.Pools[:1]
	require.NoError(t, rotate(12.4))
	assert.Empty(t, l.tokens(t, "isolated"))
	config = l.config
	require.NoError(t, rotate(0))
	// A worker has neither the settings nor the rights.
	assert.ErrorContains(t, l.on(t, l.id("1"), l.worker("general"), nil).RotateJoinConfig(ctx), "for control planes")

	testFetch(t, l)
}

// testFetch fetches as a worker, and refuses what a store must not be believed.
func testFetch(t *testing.T, l *lab) {
	l.instance(t, fakecloud.Instance{ID: l.id("2"), Role: roleGeneral, Group: "prod-general", Addresses: []string{"10.0.1.5"}})
	l.instance(t, fakecloud.Instance{ID: l.id("3"), Role: roleIsolated, Group: "prod-isolated", Addresses: []string{"10.0.2.6"}})
	out := filepath.Join(t.TempDir(), "below", "join.conf")
	fetch := func(instance string, config nodeconfig.Config, now func() time.Time) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		// Who is refused asks again and again: twice is enough.
		asked := func() (n int) {
			for _, request := range l.Requests() {
				if request.Instance == instance && strings.HasSuffix(request.Resource, "join.conf") {
					n++
				}
			}
			return n
		}
		go func(before int) {
			for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
				if asked() > before+1 {
					cancel()
				}
			}
		}(asked())
		return l.at(t, instance, config, nil, now).FetchJoin(ctx, out)
	}
	require.NoError(t, fetch(l.id("2"), l.worker("general"), nil))
	info, err := os.Stat(out)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	loaded, err := clientcmd.LoadFromFile(out)
	require.NoError(t, err, "the kubeconfig's real reader")
	assert.True(t, l.accepted(t, loaded.AuthInfos["joiner"].Token))
	require.NoError(t, os.Remove(out))

	refused := func(what string, err error, why string) {
		t.Helper()
		assert.ErrorContains(t, err, why, what)
		assert.NoFileExists(t, out, what)
	}
	refused("another pool's role", fetch(l.id("3"), l.worker("general"), nil), "AccessDenied")
	refused("another pool's object", fetch(l.id("2"), l.worker("isolated"), nil), "AccessDenied")
	tomorrow := func() time.Time { return time.Now().Add(13 * time.Hour) }
	refused("an old token", fetch(l.id("2"), l.worker("general"), tomorrow), "good until")
	key := nodeconfig.JoinConfigKey("general")
	good, _ := l.Get(store, key)
	defer l.Put(store, key, good)
	for what, change := range map[string][2]string{
		"another server's address":    {"server: " + l.server, "server: https://elsewhere.example:6443"},
		"no verification":             {"    server:", "    insecure-skip-tls-verify: true\n    server:"},
		"a proxy":                     {"    server:", "    proxy-url: http://elsewhere.example\n    server:"},
		"another name to verify":      {"    server:", "    tls-server-name: elsewhere.example\n    server:"},
		"a program for a credential":  {"    token: ", "    exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, interactiveMode: Never}\n    token: "},
		"something else than a token": {"    token: ", "    token: x"},
		"no end":                      {"good until", "good"},
	} {
		changed := bytes.Replace(good, []byte(change[0]), []byte(change[1]), 1)
		require.NotEqual(t, string(good), string(changed), what)
		l.Put(store, key, changed)
		assert.Error(t, fetch(l.id("2"), l.worker("general"), nil), what)
		assert.NoFileExists(t, out, what)
	}
	foreign := l.worker("general")
	other, err := os.ReadFile(l.pki + "/front-proxy-ca.crt")
	require.NoError(t, err)
	foreign.CACertificate = string(other)
	l.Put(store, key, good)
	refused("another authority", fetch(l.id("2"), foreign, nil), "another authority")
	// While the authority is replaced, a machine may know one and the cluster two:
	// it trusts what its own configuration says.
	changing := l.worker("general")
	changing.CACertificate += string(other)
	require.NoError(t, fetch(l.id("2"), changing, nil))
	written, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Contains(t, string(written), base64.StdEncoding.EncodeToString([]byte(changing.CACertificate)))
	require.NoError(t, os.Remove(out))
	// The store comes back while a machine waits.
	l.Fail("s3", fakecloud.Fault{Status: 503, Times: 6})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, l.on(t, l.id("2"), l.worker("general"), nil).FetchJoin(ctx, out))
}

// readable tells whether a Secret can be decrypted.
func (l *lab) readable(ctx context.Context, name string) error {
	_, err := l.admin.CoreV1().Secrets("default").Get(ctx, name, metav1.GetOptions{})
	return err
}

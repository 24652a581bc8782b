//go:build linux

package node

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kmsapi "k8s.io/kms/apis/v2"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// dialKMS speaks to the plugin as the API server does.
func dialKMS(t *testing.T, socket string) kmsapi.KeyManagementServiceClient {
	t.Helper()
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	return kmsapi.NewKeyManagementServiceClient(connection)
}

// testKMS takes the key service and the plugin away under a real API server that
// encrypts with them.
func testKMS(t *testing.T, l *lab, stop func(), first *agent.Agent) {
	ctx := t.Context()
	secrets := l.admin.CoreV1().Secrets("default")
	make := func(name string) error {
		_, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"x": "y"}}, metav1.CreateOptions{})
		return err
	}
	require.NoError(t, make("before"))
	info, err := os.Stat(l.config.KMS.Socket)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	plugin := dialKMS(t, l.config.KMS.Socket)
	status, err := plugin.Status(ctx, &kmsapi.StatusRequest{})
	require.NoError(t, err)
	assert.Equal(t, []string{"v2", "ok", l.config.KMS.Keys[0]}, []string{status.Version, status.Healthz, status.KeyId})

	// What stands in etcd must not choose a key.
	sealed, err := plugin.Encrypt(ctx, &kmsapi.EncryptRequest{Plaintext: []byte("seed"), Uid: "1"})
	require.NoError(t, err)
	_, err = plugin.Decrypt(ctx, &kmsapi.DecryptRequest{Ciphertext: sealed.Ciphertext, KeyId: l.KeyName(otherKey), Uid: "2"})
	assert.ErrorContains(t, err, "none of this cluster's keys")
	// Another cluster's plugin, with a role that may use the key, cannot open it.
	test := l.config
	test.Cluster = "test"
	other := *test.KMS
	other.Socket += "2"
	test.KMS = &other
	stranger := l.on(t, l.id("1"), test, nil)
	serve(t, func(ctx context.Context) error { return stranger.ServeKMS(ctx) })
	eventually(t, "the other plugin", func() error { _, err := os.Stat(other.Socket); return err })
	_, err = dialKMS(t, other.Socket).Decrypt(ctx, &kmsapi.DecryptRequest{Ciphertext: sealed.Ciphertext, KeyId: sealed.KeyId, Uid: "3"})
	assert.Error(t, err)

	// An outage: the API server goes on with what it holds, and says that it is ill.
	l.Fail("kms", fakecloud.Fault{Status: 500})
	_, err = plugin.Status(ctx, &kmsapi.StatusRequest{})
	assert.Error(t, err, "an ill key service passes for a healthy one")
	assert.NoError(t, l.readable(ctx, "before"), "the seed is in memory")
	// Started anew during the outage it cannot read a Secret.
	kill(l.apiserver)
	l.apiserver = l.start()
	blind := false
	eventually(t, "the API server's answer", func() error {
		err := l.readable(ctx, "before")
		if err == nil {
			t.Error("a Secret was read without the key service")
			return nil
		}
		if strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "EOF") {
			return err
		}
		blind = true
		return nil
	})
	assert.True(t, blind)
	l.Heal("kms")
	l.ready(t)
	eventually(t, "the Secret", func() error { return l.readable(ctx, "before") })

	// The plugin is killed and starts again over what it left.
	stop()
	require.NoError(t, os.WriteFile(l.config.KMS.Socket, nil, 0o600))
	serve(t, func(ctx context.Context) error { return first.ServeKMS(ctx) })
	eventually(t, "a new Secret", func() error { return make("after-" + time.Now().Format("150405.000")) })
	// The role loses the right: nothing is made that could not be read again.
	require.NoError(t, l.AddRole(fakecloud.Role{Name: roleControlPlane}))
	_, err = plugin.Encrypt(ctx, &kmsapi.EncryptRequest{Plaintext: []byte("seed"), Uid: "4"})
	assert.ErrorContains(t, err, "AccessDenied")
}

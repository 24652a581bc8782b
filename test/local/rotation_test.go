package local

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// keysRotate changes the key's name in the settings and proves that every secret
// is written under the new key, that the old key is gone, and that every secret
// still reads (M18). It gives the cluster as it is afterwards.
func keysRotate(t *testing.T, r *rehearsal, c *Cluster) *Cluster {
	before := map[string]string{}
	client := c.client(t, c.masters(t)).CoreV1().Secrets(c.Tenant())
	for n := range 25 {
		name := fmt.Sprintf("rotated-%02d", n)
		before[name] = randomName("value")
		_, err := client.Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: verifyLabels()}, StringData: map[string]string{"value": before[name]},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	retired := c.encryptionConfiguration(t)
	old := c.Encryption.storedPrefix()

	result, c := r.with("redoubt:encryption.keyName", "key-2").up(t)
	assert.NotZero(t, result.Changed())
	require.Equal(t, "key-2", c.Encryption.KeyName)
	everySecretUnderCurrentKey(t, c)
	noOtherReaders(t, c)
	values, err := stored(t.Context(), c.etcdClient(t, c.apiServersEtcdCertificate(t)), "/registry/secrets/")
	require.NoError(t, err)
	for key, value := range values {
		assert.False(t, strings.HasPrefix(string(value), old), "%s is still under the old key", key)
	}
	current := c.encryptionConfiguration(t)
	require.NotEqual(t, retired, current)
	for name, value := range before {
		secret, err := client.Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		assert.Equal(t, value, string(secret.Data["value"]), name)
	}
	r.settled(t)

	// To another algorithm and back to the first: a rotation is not a special
	// case of one provider.
	result, c = r.with("redoubt:encryption.provider", "aescbc").with("redoubt:encryption.keyName", "key-3").up(t)
	assert.NotZero(t, result.Changed())
	require.Equal(t, "k8s:enc:aescbc:v1:key-3:", c.Encryption.storedPrefix())
	everySecretUnderCurrentKey(t, c)
	noOtherReaders(t, c)
	c.sweep(t)
	return c
}

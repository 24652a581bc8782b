package local

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// memento is data that must survive whatever happens to the cluster: a secret,
// and the identity that the cluster itself has.
type memento struct {
	name, value  string
	secret, self types.UID
}

// keepsake stores the data.
func keepsake(t *testing.T, c *Cluster) memento {
	t.Helper()
	m := memento{name: randomName("keepsake"), value: randomName("value")}
	client := c.client(t, c.masters(t)).CoreV1()
	secret, err := client.Secrets(c.Tenant()).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: m.name}, StringData: map[string]string{"value": m.value},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	namespace, err := client.Namespaces().Get(t.Context(), metav1.NamespaceSystem, metav1.GetOptions{})
	require.NoError(t, err)
	m.secret, m.self = secret.UID, namespace.UID
	return m
}

// survived demands the same objects, not equal ones.
func (m memento) survived(t *testing.T, c *Cluster) {
	t.Helper()
	client := c.client(t, c.masters(t)).CoreV1()
	secret, err := client.Secrets(c.Tenant()).Get(t.Context(), m.name, metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, m.secret, secret.UID)
	assert.Equal(t, m.value, string(secret.Data["value"]))
	namespace, err := client.Namespaces().Get(t.Context(), metav1.NamespaceSystem, metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, m.self, namespace.UID, "this is another cluster")
}

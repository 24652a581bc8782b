package local

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"sigs.k8s.io/yaml"
)

var encryptionChecks = []check{
	{"M18_secret_is_ciphertext_in_etcd", nothing, secretIsCiphertext},
	{"M18_every_secret_is_under_the_current_key", nothing, everySecretUnderCurrentKey},
	{"M18_plaintext_and_retired_keys_are_not_readers", nothing, noOtherReaders},
}

// secretIsCiphertext reads what etcd stores, over its API and in its files.
func secretIsCiphertext(t *testing.T, c *Cluster) {
	name, value := randomName("verify"), randomName("value")+randomName("more")
	client := c.client(t, c.masters(t)).CoreV1().Secrets(c.Tenant())
	_, err := client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: verifyLabels()}, StringData: map[string]string{"password": value},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { ignoreAbsent(t, client.Delete(cleanupContext(t), name, metav1.DeleteOptions{})) })
	read, err := client.Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, value, string(read.Data["password"]), "the secret reads back")

	key := fmt.Sprintf("/registry/secrets/%s/%s", c.Tenant(), name)
	etcd := c.etcdClient(t, c.apiServersEtcdCertificate(t))
	values, err := stored(t.Context(), etcd, key)
	require.NoError(t, err)
	require.Contains(t, values, key)
	assert.True(t, strings.HasPrefix(string(values[key]), c.Encryption.storedPrefix()), "stored as %.60q", values[key])
	for _, plain := range []string{value, base64.StdEncoding.EncodeToString([]byte(value)), "password"} {
		assert.False(t, bytes.Contains(values[key], []byte(plain)), "%q is readable in etcd", plain)
	}
	found, err := filesContaining(c.Path(c.ControlPlane.Name, "/var/lib/etcd"), []byte(value))
	require.NoError(t, err)
	assert.Empty(t, found, "the value is readable in etcd's files")
	// The same search finds what is not encrypted: the search works.
	found, err = filesContaining(c.Path(c.ControlPlane.Name, "/var/lib/etcd"), []byte("/registry/secrets/"+c.Tenant()+"/"+name))
	require.NoError(t, err)
	assert.NotEmpty(t, found, "the negative control failed: not even the key is in etcd's files")
}

func everySecretUnderCurrentKey(t *testing.T, c *Cluster) {
	values, err := stored(t.Context(), c.etcdClient(t, c.apiServersEtcdCertificate(t)), "/registry/secrets/")
	require.NoError(t, err)
	for key, value := range values {
		assert.True(t, strings.HasPrefix(string(value), c.Encryption.storedPrefix()), "%s is stored as %.60q", key, value)
	}
	listed, err := c.client(t, c.masters(t)).CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err, "not every secret reads")
	assert.GreaterOrEqual(t, len(values), len(listed.Items), "a secret is stored elsewhere")
}

// encryptionConfiguration is the file that the API server runs with.
func (c *Cluster) encryptionConfiguration(t *testing.T) apiserverv1.EncryptionConfiguration {
	t.Helper()
	data, err := os.ReadFile(c.Path(c.ControlPlane.Name, "/etc/kubernetes/encryption/config.yaml"))
	require.NoError(t, err)
	var configuration apiserverv1.EncryptionConfiguration
	require.NoError(t, yaml.UnmarshalStrict(data, &configuration))
	return configuration
}

// noOtherReaders writes plaintext into etcd, as an intruder there would, and
// demands that the API server does not take it for a secret.
func noOtherReaders(t *testing.T, c *Cluster) {
	name := randomName("verify")
	key := fmt.Sprintf("/registry/secrets/%s/%s", c.Tenant(), name)
	etcd := c.etcdClient(t, c.apiServersEtcdCertificate(t))
	plain := `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"` + name + `","namespace":"` + c.Tenant() + `"},"data":{}}`
	// Removed before anything lists secrets: one object that cannot be read
	// makes every list fail, which is what the API server is meant to do.
	_, err := etcd.Put(t.Context(), key, plain)
	require.NoError(t, err)
	_, readErr := c.client(t, c.masters(t)).CoreV1().Secrets(c.Tenant()).Get(t.Context(), name, metav1.GetOptions{})
	_, err = etcd.Delete(cleanupContext(t), key)
	require.NoError(t, err)
	assert.Error(t, readErr, "the API server reads a secret that is not encrypted")

	for _, resource := range c.encryptionConfiguration(t).Resources {
		for _, provider := range resource.Providers {
			assert.Nil(t, provider.Identity, "%v are also read as plaintext", resource.Resources)
			if provider.Secretbox != nil {
				assert.Len(t, provider.Secretbox.Keys, 1, "a retired key still reads")
			}
			if provider.AESCBC != nil {
				assert.Len(t, provider.AESCBC.Keys, 1, "a retired key still reads")
			}
		}
	}
}

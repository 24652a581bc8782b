package local

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var stateChecks = []check{
	{"M34_state_holds_no_plaintext_key", nothing, stateHoldsNoKey},
}

// secretsOfCluster are the long-lived keys that the state must hold encrypted:
// a line of each PEM key, and the symmetric keys.
func (c *Cluster) secretsOfCluster(t *testing.T) map[string][]byte {
	t.Helper()
	secrets := map[string][]byte{}
	for name, path := range map[string]string{
		"the cluster's authority": c.authority("ca"), "etcd's authority": c.authority("etcd-ca"),
		"the front proxy's authority": c.authority("front-proxy-ca"),
		"service accounts":            c.Path(c.ControlPlane.Name, "/etc/kubernetes/pki/sa"),
	} {
		data, err := os.ReadFile(path + ".key")
		require.NoError(t, err)
		block, _ := pem.Decode(data)
		require.NotNil(t, block, name)
		_, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		require.NoError(t, err, name)
		// The middle of the body is the key itself: the beginning is the same for
		// every key, and the end is its public half.
		body := strings.TrimSpace(strings.Split(string(data), "-----")[2])
		lines := strings.Split(body, "\n")
		secrets[name] = []byte(lines[len(lines)/2])
	}
	for _, resource := range c.encryptionConfiguration(t).Resources {
		for _, provider := range resource.Providers {
			if provider.Secretbox != nil {
				secrets["encryption at rest"] = []byte(provider.Secretbox.Keys[0].Secret)
			}
			if provider.AESCBC != nil {
				secrets["encryption at rest"] = []byte(provider.AESCBC.Keys[0].Secret)
			}
		}
	}
	return secrets
}

// stateHoldsNoKey searches everything below .state that is not a machine's own
// disk: the engine's state and its backups, history and locks, and all logs.
func stateHoldsNoKey(t *testing.T, c *Cluster) {
	secrets, states, readable := c.secretsOfCluster(t), 0, map[string][]string{}
	root := filepath.Join(c.root, ".state")
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return skipAbsent(err)
		}
		if entry.IsDir() {
			relative, _ := filepath.Rel(root, path)
			parts := strings.Split(relative, string(filepath.Separator))
			if len(parts) == 2 && (parts[1] == "machines" || parts[1] == "admin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		data, err := readMaybeCompressed(path)
		if err != nil {
			return skipAbsent(err)
		}
		if bytes.Contains(data, []byte("urn:pulumi:"+c.Environment+"::")) {
			states++
		}
		for name, secret := range secrets {
			if containsSecret(data, secret) {
				readable[name] = append(readable[name], path)
			}
		}
		return nil
	}))
	for name, paths := range readable {
		t.Errorf("the key of %s is readable in %s", name, strings.Join(paths, ", "))
	}
	assert.NotZero(t, states, "no state of this environment was found below %s: the search proves nothing", root)
}

// containsSecret also finds a value that was encoded once more.
func containsSecret(data, secret []byte) bool {
	return bytes.Contains(data, secret) || bytes.Contains(data, []byte(base64.StdEncoding.EncodeToString(secret)))
}

// readMaybeCompressed reads a file; the engine can compress its state.
func readMaybeCompressed(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return data, err
	}
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return io.ReadAll(reader)
}

package boot

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// TestKeys replaces the local key of a cluster in the steps of docs/flatcar.md, in each
// of which every control plane is replaced by one with other keys: the next key behind,
// the next key first, what is stored written anew, the last key left out (M18).
func TestKeys(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("machines are namespaces: run as root")
	}
	artifacts, err := MakeArtifacts(t.Context(), "../../bin")
	if err != nil {
		t.Fatalf("%v: make tools-all first", err)
	}
	keys := map[string]hostconfig.EncryptionKey{}
	for _, name := range []string{"key-1", "key-2"} {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails (crypto/rand)
		keys[name] = hostconfig.EncryptionKey{Name: name, Secret: base64.StdEncoding.EncodeToString(secret)}
	}
	document := func(names ...string) []byte {
		e := hostconfig.Encryption{}
		for _, name := range names {
			e.Keys = append(e.Keys, keys[name])
		}
		text, err := e.Configuration()
		require.NoError(t, err)
		return []byte(text)
	}
	first := document("key-1")
	f, err := NewFixture(hostconfig.PlatformAWS, artifacts, func(s *selfmanaged.Spec) {
		s.Encryption = selfmanaged.Encryption{Provider: hostconfig.EncryptionSecretbox}
		s.PKI[selfmanaged.EncryptionFile] = selfmanaged.Hash(first)
	})
	require.NoError(t, err)
	f.Cloud.Put(fixtureStore, selfmanaged.PKIKey(selfmanaged.EncryptionFile), first)
	f.Config.Name, f.Config.Dir, f.Config.Log = "boot-keys", filepath.Join(t.TempDir(), "state"), t.Logf
	r, err := New(t.Context(), f.Config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
	defer cancel()
	planes := r.Planes()
	up := func(names ...string) {
		t.Helper()
		require.NoError(t, r.Boot(ctx, names...))
		for _, name := range names {
			require.NoError(t, Eventually(ctx, func() error { return r.whole(ctx, name) }))
		}
	}
	up(planes...)
	check, err := r.held(ctx, 8)
	require.NoError(t, err)

	// replace gives every control plane other keys, one after the other; between is done
	// after the first one.
	replace := func(between func(), names ...string) {
		t.Helper()
		began, next := time.Now(), document(names...)
		require.NoError(t, f.Rerender(r, func(s *selfmanaged.Spec) { s.PKI[selfmanaged.EncryptionFile] = selfmanaged.Hash(next) }))
		f.Cloud.Put(fixtureStore, selfmanaged.PKIKey(selfmanaged.EncryptionFile), next)
		for i, plane := range planes {
			require.NoError(t, r.Destroy(plane, true))
			up(plane)
			if i == 0 && between != nil {
				between()
			}
		}
		require.NoError(t, within(ctx, 2*time.Minute, check), "with %q", names)
		t.Logf("keys %q: %v", names, time.Since(began).Round(time.Second))
	}
	under := func(key string) {
		t.Helper()
		count, err := r.alone(ctx, key)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, count, 8)
	}
	under("secretbox key-1")
	replace(nil, "key-1", "key-2")
	require.NoError(t, r.reencrypt(ctx, "secretbox key-1"))
	under("secretbox key-1")

	replace(func() {
		// The first control plane writes with the next key, the others with the last one:
		// all read both, and nobody rewrites what another one wrote.
		mixed, err := r.held(ctx, 2)
		require.NoError(t, err)
		require.NoError(t, within(ctx, time.Minute, mixed))
		for _, plane := range planes {
			_, err := r.Run(ctx, plane, "systemctl", "start", reencryptUnit+".service")
			require.NoError(t, err, r.Journal(plane, reencryptUnit+".service", 5))
		}
		told, err := r.Kubectl(ctx, "--namespace=kube-system", "get", "configmap", "redoubt-encryption", "-o", "jsonpath={.data}")
		require.NoError(t, err)
		for _, words := range []string{`"rewritten":"false"`, "until all control planes write with the same key", planes[0] + ": secretbox key-2", planes[1] + ": secretbox key-1"} {
			assert.Contains(t, told, words)
		}
		stored, err := r.storedUnder(ctx)
		require.NoError(t, err)
		keys := map[string]int{}
		for _, key := range stored {
			keys[key]++
		}
		assert.Equal(t, 2, keys["secretbox key-2"], "what was made meanwhile, and nothing else: %v", keys)
	}, "key-2", "key-1")
	require.NoError(t, r.reencrypt(ctx, "secretbox key-2"))
	under("secretbox key-2")
	replace(nil, "key-2")
	under("secretbox key-2")
}

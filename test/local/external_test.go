package local

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	kmsservice "k8s.io/kms/pkg/service"

	"github.com/redoubt-dev/redoubt/components/local/pki"
)

// TestExternalTrust brings up a control plane whose key is held by a KMS, whose
// people come from an identity provider, and whose certificates are renewed
// within a minute (M14, M18, M34): what one machine does not have by itself and
// the test plays.
func TestExternalTrust(t *testing.T) {
	root := needsMachines(t)
	kms := startKMS(t)
	issuer := newIssuer(t)
	issuers, err := json.Marshal([]map[string]any{{"url": issuer.url, "audiences": []string{"redoubt"}, "certificateAuthority": issuer.authority}})
	require.NoError(t, err)
	r := newRehearsal(t, root, map[string]string{
		"redoubt:workers":                     "0",
		"redoubt:encryption.provider":         "kms",
		"redoubt:encryption.kmsName":          "test-kms",
		"redoubt:encryption.kmsEndpoint":      "unix://" + kms,
		"redoubt:oidc":                        string(issuers),
		"redoubt:certificates.serverValidity": "10m",
		"redoubt:certificates.clientValidity": "10m",
		"redoubt:certificates.renewBefore":    "9m30s",
	})
	_, c := r.up(t)
	issuer.serve(t, c)

	t.Run("M18_secrets_are_encrypted_by_the_kms", func(t *testing.T) {
		secretIsCiphertext(t, c)
		everySecretUnderCurrentKey(t, c)
	})
	t.Run("M14_people_come_from_the_identity_provider", func(t *testing.T) { peopleAreNamed(t, c, issuer) })
	t.Run("M34_certificates_are_renewed_without_downtime", func(t *testing.T) { renewedWithoutDowntime(t, c) })
	t.Run("M18_from_the_kms_to_a_local_key_and_back", func(t *testing.T) {
		_, c := r.with("redoubt:encryption.provider", "secretbox").with("redoubt:encryption.keyName", "key-9").up(t)
		require.Equal(t, "k8s:enc:secretbox:v1:key-9:", c.Encryption.storedPrefix())
		everySecretUnderCurrentKey(t, c)
		noOtherReaders(t, c)
		_, c = r.with("redoubt:encryption.provider", "kms").up(t)
		everySecretUnderCurrentKey(t, c)
		noOtherReaders(t, c)
		r.settled(t)
	})
}

// renewedWithoutDowntime asks the API server without a pause until it serves
// another certificate: no request may fail.
func renewedWithoutDowntime(t *testing.T, c *Cluster) {
	first, err := c.do(t.Context(), c.masters(t), http.MethodGet, c.APIEndpoint+"/api", nil)
	require.NoError(t, err)
	lifetime := first.certificate.NotAfter.Sub(first.certificate.NotBefore)
	assert.LessOrEqual(t, lifetime, 20*time.Minute, "the validity of the settings")
	masters := c.masters(t)
	// The agent looks at least once a minute; the API server's reload follows at once.
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		r, err := c.do(t.Context(), masters, http.MethodGet, c.APIEndpoint+"/api/v1/namespaces/default", nil)
		require.NoError(t, err, "a request failed during the renewal")
		require.Equal(t, http.StatusOK, r.status, r.body)
		if r.certificate.SerialNumber.Cmp(first.certificate.SerialNumber) != 0 {
			return
		}
	}
	t.Error("the API server's certificate was not renewed")
}

// peopleAreNamed proves what a token of the identity provider is worth.
func peopleAreNamed(t *testing.T, c *Cluster, issuer *issuer) {
	good := map[string]any{"iss": issuer.url, "aud": "redoubt", "sub": "alice", "groups": []string{"developers", mastersGroup}}
	// The API server looks for its issuers every ten seconds until it finds them.
	require.Eventually(t, func() bool { return c.status(t, issuer.token(t, good)) == http.StatusForbidden }, patience, time.Second,
		"a token of the provider is not known (401), or can do everything (200)")
	review := []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`)
	r, err := c.do(t.Context(), caller{token: issuer.token(t, good), header: http.Header{"Content-Type": {"application/json"}}},
		http.MethodPost, c.APIEndpoint+"/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
	require.NoError(t, err)
	// A token that names a built-in group gets a group of the provider's.
	assert.Contains(t, r.body, `"oidc:alice"`)
	assert.Contains(t, r.body, `"oidc:`+mastersGroup+`"`)
	assert.NotContains(t, r.body, `"`+mastersGroup+`"`)

	for name, change := range map[string]map[string]any{
		"another audience": {"aud": "elsewhere"},
		"another issuer":   {"iss": "https://elsewhere.example"},
		"expired":          {"exp": time.Now().Add(-time.Minute).Unix()},
		"no subject":       {"sub": ""},
	} {
		claims := map[string]any{}
		for k, v := range good {
			claims[k] = v
		}
		for k, v := range change {
			claims[k] = v
		}
		assert.Equal(t, http.StatusUnauthorized, c.status(t, issuer.token(t, claims)), name)
	}
	forger := newIssuer(t)
	assert.Equal(t, http.StatusUnauthorized, c.status(t, forger.token(t, good)), "another key")
}

// issuer plays an OpenID Connect provider (OpenID Connect Discovery 1.0).
type issuer struct {
	url, authority string
	certificate    tls.Certificate
	key            *ecdsa.PrivateKey
}

// issuerAddress is on the loopback of the control plane's own network: nothing
// routes out of it.
const issuerAddress = "127.0.0.1:18443"

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	authority, authorityKey, err := pki.NewAuthority("issuer", time.Hour)
	require.NoError(t, err)
	parsed, err := pki.ParseAuthority(authority, authorityKey)
	require.NoError(t, err)
	certificate, leafKey, err := pki.Issue(parsed, pki.LeafRequest{CommonName: "issuer", IPAddresses: []string{"127.0.0.1"}, Server: true, Validity: time.Hour})
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(certificate, leafKey)
	require.NoError(t, err)
	return &issuer{url: "https://" + issuerAddress, authority: string(authority), certificate: pair, key: key}
}

// serve answers discovery and key requests inside the control plane's network.
func (i *issuer) serve(t *testing.T, c *Cluster) {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(path string, document map[string]any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(document)
		})
	}
	answer("/.well-known/openid-configuration", map[string]any{
		"issuer": i.url, "jwks_uri": i.url + "/keys", "response_types_supported": []string{"id_token"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"},
	})
	point, err := i.key.PublicKey.Bytes() // 4, X, Y (SEC 1)
	require.NoError(t, err)
	answer("/keys", map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}}})
	var listener net.Listener
	require.NoError(t, inNamespace(filepath.Join("/run/netns", c.NamespaceName(c.ControlPlane.Name)), func() (err error) {
		listener, err = net.Listen("tcp", issuerAddress)
		return err
	}))
	server := &http.Server{Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{i.certificate}, MinVersion: tls.VersionTLS12}, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
}

// token signs claims, valid for ten minutes unless they say otherwise.
func (i *issuer) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iat": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix()}
	for name, value := range claims {
		all[name] = value
	}
	token, err := signToken(i.key, all)
	require.NoError(t, err)
	return token
}

// startKMS plays a KMS v2 plugin with one AES-GCM key and gives its socket.
func startKMS(t *testing.T) string {
	t.Helper()
	// Not t.TempDir(): a socket's path may have 108 bytes at most.
	dir, err := os.MkdirTemp("", "kms-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	key := make([]byte, 32)
	_, err = rand.Read(key)
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	socket := filepath.Join(dir, "kms.sock")
	plugin := kmsservice.NewGRPCService(socket, 5*time.Second, &keyService{aead})
	go func() { _ = plugin.ListenAndServe() }()
	t.Cleanup(plugin.Close)
	require.Eventually(t, func() bool { _, err := os.Stat(socket); return err == nil }, patience, 10*time.Millisecond)
	return socket
}

type keyService struct{ aead cipher.AEAD }

const keyServiceID = "key-of-the-test"

func (k *keyService) Status(context.Context) (*kmsservice.StatusResponse, error) {
	return &kmsservice.StatusResponse{Version: "v2", Healthz: "ok", KeyID: keyServiceID}, nil
}

func (k *keyService) Encrypt(_ context.Context, _ string, data []byte) (*kmsservice.EncryptResponse, error) {
	return &kmsservice.EncryptResponse{Ciphertext: k.aead.Seal(nil, nil, data, nil), KeyID: keyServiceID}, nil
}

func (k *keyService) Decrypt(_ context.Context, _ string, request *kmsservice.DecryptRequest) ([]byte, error) {
	if request.KeyID != keyServiceID {
		return nil, fmt.Errorf("key %q is not of this service", request.KeyID)
	}
	return k.aead.Open(nil, nil, request.Ciphertext, nil)
}

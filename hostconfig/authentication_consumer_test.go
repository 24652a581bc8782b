package hostconfig

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// localIssuer is an OpenID provider on loopback.
type localIssuer struct {
	url, ca string
	key     *ecdsa.PrivateKey
}

func newLocalIssuer(t *testing.T) localIssuer {
	t.Helper()
	directory := t.TempDir()
	ca := newAuthority(t, filepath.Join(directory, "ca"), "issuer-ca")
	leaf := LeafCertificate{CommonName: "issuer", IPAddresses: []string{"127.0.0.1"}, Server: true,
		CertFile: filepath.Join(directory, "issuer.crt"), KeyFile: filepath.Join(directory, "issuer.key")}
	ca.issue(t, leaf)
	pair, err := tls.LoadX509KeyPair(leaf.CertFile, leaf.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(directory, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	issuer := localIssuer{ca: string(pem), key: newKey(t, filepath.Join(directory, "token.key"))}
	point, err := issuer.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	answer := func(w http.ResponseWriter, object any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(object)
	}
	mux := http.NewServeMux()
	server := httptest.NewUnstartedServer(mux)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": issuer.url, "jwks_uri": issuer.url + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []any{map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1",
			"x": encode(point[1:33]), "y": encode(point[33:])}}})
	})
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	issuer.url = server.URL
	return issuer
}

// token signs claims beside those that every token has.
func (i localIssuer) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": i.url, "aud": "kubernetes", "iat": time.Now().Unix(), "nbf": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	encode := base64.RawURLEncoding.EncodeToString
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": "1", "typ": "JWT"})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	signed := encode(header) + "." + encode(payload)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// TestRealIssuers lets a real API server judge tokens of two local issuers.
func TestRealIssuers(t *testing.T) {
	t.Parallel()
	people, robots := newLocalIssuer(t), newLocalIssuer(t)
	l := newAPILab(t, func(c *ControlPlane) {
		person := expressive()
		person.URL, person.CertificateAuthority = people.url, people.ca
		// The names come whole from the token, so that the rules are on trial.
		person.UsernameExpression, person.GroupsExpression = "claims.name", "claims.roles"
		c.OIDC = []OIDCIssuer{person, {URL: robots.url, CertificateAuthority: robots.ca, DiscoveryURL: robots.url + "/.well-known/openid-configuration",
			Audiences: []string{"kubernetes"}, UsernamePrefix: "ci:", GroupsPrefix: "ci:"}}
	})
	encryption, err := Encryption{Keys: []EncryptionKey{key("one", 'a', "")}}.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	server := l.serve(t, l.c.Ports.APIServer, encryption).ready(t)
	review := authenticationv1.SelfSubjectReview{TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"}}
	const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
	good := map[string]any{"sub": "1", "name": "oidc:alice", "roles": []string{"oidc:developers"}, "tenant": "a", "amr": []string{"mfa"}, "department": "sales"}
	with := func(changes map[string]any) map[string]any {
		claims := maps.Clone(good)
		maps.Copy(claims, changes)
		return claims
	}
	// The API server fetches the issuers' keys in its own time.
	for _, token := range []string{people.token(t, good), robots.token(t, map[string]any{"sub": "build"})} {
		server.until(t, "a token of its issuer", func() bool {
			got, _ := server.do(t, http.MethodPost, path, review, token)
			return got == http.StatusCreated
		})
	}
	_, body := server.do(t, http.MethodPost, path, review, people.token(t, good))
	var answer authenticationv1.SelfSubjectReview
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	user := answer.Status.UserInfo
	if user.Username != "oidc:alice" || user.UID != "1" || strings.Join(user.Groups, " ") != "oidc:developers system:authenticated" ||
		user.Extra["example.org/department"][0] != "sales" || user.Extra["example.org/amr"][0] != "mfa" {
		t.Errorf("the user is %+v", user)
	}
	for name, token := range map[string]string{
		"a system user":           people.token(t, with(map[string]any{"name": "system:admin"})),
		"a node":                  people.token(t, with(map[string]any{"name": "system:node:worker-1", "roles": []string{"system:nodes"}})),
		"the masters":             people.token(t, with(map[string]any{"roles": []string{"oidc:a", "system:masters"}})),
		"our administrators":      people.token(t, with(map[string]any{"roles": []string{GroupPlatformAdmins}})),
		"one role as a string":    people.token(t, with(map[string]any{"roles": "system:masters"})),
		"a name without prefix":   people.token(t, with(map[string]any{"name": "alice"})),
		"a user of another":       people.token(t, with(map[string]any{"name": "ci:1"})),
		"an empty name":           people.token(t, with(map[string]any{"name": "oidc:"})),
		"no second factor":        people.token(t, with(map[string]any{"amr": []string{"pwd"}})),
		"another tenant":          people.token(t, with(map[string]any{"tenant": "b"})),
		"a contractor":            people.token(t, with(map[string]any{"name": "oidc:bob@contractor.example.org"})),
		"a token for a week":      people.token(t, with(map[string]any{"exp": time.Now().Add(7 * 24 * time.Hour).Unix()})),
		"another audience":        people.token(t, with(map[string]any{"aud": "other"})),
		"expired":                 people.token(t, with(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})),
		"a key of another issuer": localIssuer{url: people.url, key: robots.key}.token(t, good),
		"an unknown issuer":       localIssuer{url: "https://127.0.0.1:1", key: people.key}.token(t, good),
	} {
		if got, body := server.do(t, http.MethodPost, path, review, token); got != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, got, body)
		}
	}
}

package local

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/components/local/pki"
)

var tokenChecks = []check{
	{"M14_token_for_another_audience_is_refused", nothing, wrongAudienceIsRefused},
	{"M14_token_that_expired_is_refused", nothing, expiredTokenIsRefused},
	{"M14_token_of_a_foreign_key_is_refused", nothing, foreignKeyIsRefused},
	{"M14_token_of_a_deleted_account_is_refused", nothing, deletedAccountIsRefused},
	{"M34_token_lives_a_day_at_most", nothing, tokenLivesADay},
	{"M14_token_secrets_get_no_token", nothing, tokenSecretsStayEmpty},
}

// requestToken asks for a token of a fresh service account in the tenant.
func requestToken(t *testing.T, c *Cluster, account string, lifetime time.Duration, audiences ...string) string {
	t.Helper()
	seconds := int64(lifetime.Seconds())
	client := c.client(t, c.masters(t)).CoreV1().ServiceAccounts(c.Tenant())
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: &seconds}}
	granted, err := client.CreateToken(t.Context(), account, request, metav1.CreateOptions{})
	require.NoError(t, err)
	return granted.Status.Token
}

// newAccount makes a service account in the tenant.
func newAccount(t *testing.T, c *Cluster) string {
	t.Helper()
	name := randomName("verify")
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: verifyLabels()}}
	client := c.client(t, c.masters(t)).CoreV1().ServiceAccounts(c.Tenant())
	_, err := client.Create(t.Context(), account, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { ignoreAbsent(t, client.Delete(cleanupContext(t), name, metav1.DeleteOptions{})) })
	return name
}

// status is what the API server says to a bearer of a token. 403 means that it
// knows the bearer, 401 that it does not.
func (c *Cluster) status(t *testing.T, token string) int {
	t.Helper()
	r, err := c.do(t.Context(), caller{token: token}, http.MethodGet, c.APIEndpoint+"/api/v1/secrets", nil)
	require.NoError(t, err)
	return r.status
}

func wrongAudienceIsRefused(t *testing.T, c *Cluster) {
	account := newAccount(t, c)
	for _, audience := range []string{"https://elsewhere.example", "vault", "kubernetes", "api"} {
		token := requestToken(t, c, account, 10*time.Minute, audience)
		assert.Equal(t, http.StatusUnauthorized, c.status(t, token), "audience %q", audience)
	}
	assert.Equal(t, http.StatusForbidden, c.status(t, requestToken(t, c, account, 10*time.Minute)),
		"the positive control failed: a token for the API server is not known to it")
}

// forgery is how a forged token differs from a genuine one.
type forgery struct {
	// foreignKey signs with a key that is not the cluster's.
	foreignKey bool
	// unsigned has the algorithm "none".
	unsigned bool
	// expired is how long ago the token ended; negative is still to come.
	expired time.Duration
}

// forgeToken takes a genuine token's claims, changes the dates, and signs anew.
func forgeToken(t *testing.T, c *Cluster, f forgery) string {
	t.Helper()
	claims, err := tokenClaims(requestToken(t, c, newAccount(t, c), 10*time.Minute))
	require.NoError(t, err)
	if f.expired != 0 {
		end := time.Now().Add(-f.expired)
		claims["exp"], claims["iat"], claims["nbf"] = end.Unix(), end.Add(-time.Hour).Unix(), end.Add(-time.Hour).Unix()
	}
	var key crypto.Signer
	switch {
	case f.unsigned:
	case f.foreignKey:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
	default:
		data, err := os.ReadFile(c.Path(c.ControlPlane.Name, "/etc/kubernetes/pki/sa.key"))
		require.NoError(t, err)
		key, err = pki.ParsePrivateKey(data)
		require.NoError(t, err)
	}
	token, err := signToken(key, claims)
	require.NoError(t, err)
	return token
}

// expiredTokenIsRefused signs with the cluster's own key, so that the date
// alone can be the reason.
func expiredTokenIsRefused(t *testing.T, c *Cluster) {
	for _, ago := range []time.Duration{2 * time.Minute, 24 * time.Hour} {
		assert.Equal(t, http.StatusUnauthorized, c.status(t, forgeToken(t, c, forgery{expired: ago})), "expired %s ago", ago)
	}
	assert.Equal(t, http.StatusForbidden, c.status(t, forgeToken(t, c, forgery{expired: -10 * time.Minute})),
		"the positive control failed: the same token with a date to come is not known")
}

func foreignKeyIsRefused(t *testing.T, c *Cluster) {
	assert.Equal(t, http.StatusUnauthorized, c.status(t, forgeToken(t, c, forgery{foreignKey: true})))
	assert.Equal(t, http.StatusUnauthorized, c.status(t, forgeToken(t, c, forgery{unsigned: true})))
}

// deletedAccountIsRefused deletes the account before the token's first use:
// the API server remembers a successful authentication for ten seconds.
func deletedAccountIsRefused(t *testing.T, c *Cluster) {
	account := newAccount(t, c)
	token := requestToken(t, c, account, 10*time.Minute)
	require.NoError(t, c.client(t, c.masters(t)).CoreV1().ServiceAccounts(c.Tenant()).Delete(t.Context(), account, metav1.DeleteOptions{}))
	// The API server learns of the deletion from its own watch.
	assert.Eventually(t, func() bool { return c.status(t, token) == http.StatusUnauthorized }, patience, 100*time.Millisecond,
		"the token outlives its account")
}

// tokenLivesADay asks for a year: the API server must grant a day at most.
// And it asks for what a kubelet asks on behalf of a pod, 3607 s, which without
// --service-account-extend-token-expiration=false becomes a year (CIS 1.2.30).
func tokenLivesADay(t *testing.T, c *Cluster) {
	account := newAccount(t, c)
	for asked, most := range map[time.Duration]time.Duration{
		365 * 24 * time.Hour: 24 * time.Hour,
		3607 * time.Second:   3607 * time.Second,
	} {
		claims, err := tokenClaims(requestToken(t, c, account, asked))
		require.NoError(t, err)
		assert.LessOrEqual(t, tokenLifetime(claims), most, "a token asked for %s", asked)
	}
}

// tokenLifetime is the time between issue and end of a token.
func tokenLifetime(claims map[string]any) time.Duration {
	end, _ := claims["exp"].(float64)
	start, _ := claims["iat"].(float64)
	return time.Duration(end-start) * time.Second
}

// tokenSecretsStayEmpty finds long-lived tokens: none may exist.
func tokenSecretsStayEmpty(t *testing.T, c *Cluster) {
	list, err := c.client(t, c.masters(t)).CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{
		FieldSelector: "type=" + string(corev1.SecretTypeServiceAccountToken),
	})
	require.NoError(t, err)
	for _, secret := range list.Items {
		t.Errorf("%s/%s holds a token that never expires", secret.Namespace, secret.Name)
	}
}

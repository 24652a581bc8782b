package local

import (
	"encoding/base64"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var apiServerChecks = []check{
	{"M14_api_anonymous_gets_health_and_nothing_else", nothing, anonymousGetsHealthOnly},
	{"M14_api_refuses_a_foreign_authority", nothing, apiRefusesForeignAuthority},
	{"M14_api_refuses_static_credentials", nothing, apiRefusesStaticCredentials},
	{"M14_api_refuses_forged_proxy_headers", nothing, apiRefusesForgedProxyHeaders},
	{"M14_api_refuses_without_rights", nothing, apiRefusesWithoutRights},
	{"M14_api_profiling_is_off", nothing, apiProfilingIsOff},
	{"M14_api_has_no_insecure_port", isolation, apiHasNoInsecurePort},
	{"M20_administrator_is_not_system_masters", nothing, administratorIsNotMasters},
}

func anonymousGetsHealthOnly(t *testing.T, c *Cluster) {
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		r, err := c.do(t.Context(), caller{}, http.MethodGet, c.APIEndpoint+path, nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, r.status, "%s: %s", path, r.body)
	}
	for _, path := range []string{
		"/", "/version", "/api", "/apis", "/api/v1", "/api/v1/namespaces", "/api/v1/secrets", "/openapi/v2", "/openapi/v3",
		"/metrics", "/logs", "/configz", "/flagz", "/statusz", "/debug/pprof/", "/.well-known/openid-configuration",
		"/openid/v1/jwks", "/livez/", "/livez/ping", "/readyz/etcd", "/healthz/etcd", "/livez/..", "/%2e%2e/api",
		"/api/v1/namespaces/kube-public/configmaps/cluster-info",
	} {
		r, err := c.do(t.Context(), caller{}, http.MethodGet, c.APIEndpoint+path, nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, r.status, "anonymous GET %s: %.120s", path, r.body)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		r, err := c.do(t.Context(), caller{}, method, c.APIEndpoint+"/api/v1/namespaces/default/pods", []byte("{}"))
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, r.status, "anonymous %s: %.120s", method, r.body)
	}
}

func apiRefusesForeignAuthority(t *testing.T, c *Cluster) {
	for _, user := range []string{"redoubt:admin", "system:apiserver", "system:node:" + c.ControlPlane.Name} {
		r, err := c.do(t.Context(), c.forger(t, user, mastersGroup), http.MethodGet, c.APIEndpoint+"/api/v1/secrets", nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, r.status, r.body)
	}
	// Certificates of the cluster's other authorities are for other purposes.
	for _, authority := range []string{"etcd-ca", "front-proxy-ca"} {
		who := caller{certificate: c.mint(t, authority, "redoubt:admin", mastersGroup)}
		r, err := c.do(t.Context(), who, http.MethodGet, c.APIEndpoint+"/api/v1/secrets", nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, r.status, "%s authenticates users: %.120s", authority, r.body)
	}
}

func apiRefusesStaticCredentials(t *testing.T, c *Cluster) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:admin"))
	for name, who := range map[string]caller{
		"static token":    {token: "31ada4fd-adec-460c-809a-9e56ceb75269"},
		"bootstrap token": {token: "abcdef.0123456789abcdef"},
		"password":        {header: http.Header{"Authorization": {basic}}},
	} {
		r, err := c.do(t.Context(), who, http.MethodGet, c.APIEndpoint+"/api/v1/namespaces", nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, r.status, "%s: %.120s", name, r.body)
	}
}

// apiRefusesForgedProxyHeaders claims to be the aggregator: only a certificate
// of the front proxy's authority with the one allowed name may speak for others.
func apiRefusesForgedProxyHeaders(t *testing.T, c *Cluster) {
	headers := http.Header{"X-Remote-User": {"redoubt:admin"}, "X-Remote-Group": {mastersGroup}}
	for name, who := range map[string]caller{
		"without certificate":                  {header: headers},
		"with a front proxy's foreign name":    {header: headers, certificate: c.mint(t, "front-proxy-ca", "intruder")},
		"with a certificate of another issuer": {header: headers, certificate: c.forger(t, "front-proxy-client").certificate},
	} {
		r, err := c.do(t.Context(), who, http.MethodGet, c.APIEndpoint+"/api/v1/secrets", nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, r.status, "%s: %.120s", name, r.body)
	}
	who := c.stranger(t)
	who.header = headers
	r, err := c.do(t.Context(), who, http.MethodGet, c.APIEndpoint+"/api/v1/secrets", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusForbidden, r.status, "a known user without rights: %.120s", r.body)
}

func apiRefusesWithoutRights(t *testing.T, c *Cluster) {
	who := c.stranger(t)
	for _, path := range []string{
		"/api/v1/secrets", "/api/v1/namespaces", "/api/v1/nodes", "/api/v1/namespaces/" + c.Tenant() + "/pods",
		"/metrics", "/logs/", "/apis/rbac.authorization.k8s.io/v1/clusterroles",
	} {
		r, err := c.do(t.Context(), who, http.MethodGet, c.APIEndpoint+path, nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusForbidden, r.status, "%s: %.120s", path, r.body)
	}
	who.header = http.Header{"Impersonate-User": {"redoubt:admin"}, "Impersonate-Group": {mastersGroup}}
	r, err := c.do(t.Context(), who, http.MethodGet, c.APIEndpoint+"/api/v1/namespaces", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusForbidden, r.status, "impersonation: %.120s", r.body)
}

// pprofPaths are the profiling endpoints of every Kubernetes program.
var pprofPaths = []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=1"}

// apiProfilingIsOff asks with every right, so that only the absence of the
// endpoint can refuse.
func apiProfilingIsOff(t *testing.T, c *Cluster) {
	for _, path := range pprofPaths {
		r, err := c.do(t.Context(), c.masters(t), http.MethodGet, c.APIEndpoint+path, nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusNotFound, r.status, "%s: %.80s", path, r.body)
	}
	r, err := c.do(t.Context(), c.masters(t), http.MethodGet, c.APIEndpoint+"/metrics", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, r.status, "the positive control failed: this caller has every right")
}

func apiHasNoInsecurePort(t *testing.T, c *Cluster) {
	for _, host := range []string{"127.0.0.1", c.ControlPlane.Address} {
		found, err := scan(t.Context(), c.DialFrom(c.ControlPlane.Name), host, []int{80, 443, 7080, 8001, 8080, 8443})
		require.NoError(t, err)
		assert.Empty(t, found[open], "on %s", host)
	}
}

// administratorIsNotMasters reads the groups that the API server itself sees:
// system:masters could never be taken away again.
func administratorIsNotMasters(t *testing.T, c *Cluster) {
	certificate, err := readCertificate(filepath.Join(c.AdminDir(), "client.crt"))
	require.NoError(t, err)
	assert.NotContains(t, certificate.Subject.Organization, mastersGroup)
	assert.NotEmpty(t, certificate.Subject.CommonName)
}

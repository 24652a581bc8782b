package local

import (
	"encoding/base64"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

var auditChecks = []check{
	{"M17_denied_request_is_audited", nothing, deniedRequestIsAudited},
	{"M17_secret_read_is_audited_without_the_secret", nothing, secretReadIsAudited},
	{"M17_token_request_is_audited_without_the_token", nothing, tokenRequestIsAudited},
	{"M17_RBAC_change_is_audited_in_full", nothing, rbacChangeIsAudited},
	{"M17_exec_is_audited", worker, execIsAudited},
	{"M17_audit_has_all_levels_and_no_noise", nothing, auditHasAllLevels},
	{"M17_audit_log_is_readable_by_root_only", nothing, auditLogIsProtected},
}

// isRequest matches the completed request of a user for an object.
func isRequest(user, verb, resource, name string) func(auditEvent) bool {
	return func(e auditEvent) bool {
		return e.User.Username == user && e.Verb == verb && e.Stage == auditv1.StageResponseComplete &&
			e.ObjectRef != nil && e.ObjectRef.Resource == resource && e.ObjectRef.Name == name
	}
}

func deniedRequestIsAudited(t *testing.T, c *Cluster) {
	who, from := c.stranger(t), c.auditPosition(t)
	name := randomName("verify")
	r, err := c.do(t.Context(), who, http.MethodGet, c.APIEndpoint+"/api/v1/namespaces/kube-system/secrets/"+name, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, r.status)
	event := c.awaitAudit(t, from, "the denied read of a secret", func(e auditEvent) bool {
		return e.ObjectRef != nil && e.ObjectRef.Name == name && e.ObjectRef.Resource == "secrets"
	})
	assert.Equal(t, "forbid", event.Annotations["authorization.k8s.io/decision"])
	assert.Equal(t, int32(http.StatusForbidden), event.ResponseStatus.Code)
	assert.NotEmpty(t, event.SourceIPs)

	from = c.auditPosition(t)
	r, err = c.do(t.Context(), caller{token: "forged"}, http.MethodGet, c.APIEndpoint+"/api/v1/namespaces/"+name, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, r.status)
	c.awaitAudit(t, from, "a request that failed to authenticate", func(e auditEvent) bool {
		return e.ResponseStatus != nil && e.ResponseStatus.Code == http.StatusUnauthorized && e.RequestURI == "/api/v1/namespaces/"+name
	})
}

func secretReadIsAudited(t *testing.T, c *Cluster) {
	name, value := randomName("verify"), randomName("value")+randomName("more")
	client := c.client(t, c.masters(t)).CoreV1().Secrets(c.Tenant())
	from := c.auditPosition(t)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: verifyLabels()}, StringData: map[string]string{"password": value},
	}
	secret, err := client.Create(t.Context(), secret, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { ignoreAbsent(t, client.Delete(cleanupContext(t), name, metav1.DeleteOptions{})) })
	_, err = client.Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	secret.StringData = map[string]string{"password": value, "second": value}
	_, err = client.Update(t.Context(), secret, metav1.UpdateOptions{})
	require.NoError(t, err)
	// A refused write carries the value too.
	_, err = c.do(t.Context(), c.stranger(t), http.MethodPost, c.APIEndpoint+"/api/v1/namespaces/"+c.Tenant()+"/secrets",
		[]byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"`+name+`"},"stringData":{"a":"`+value+`"}}`))
	require.NoError(t, err)

	for _, verb := range []string{"create", "get", "update"} {
		event := c.awaitAudit(t, from, verb+" of a secret", isRequest("redoubt:verify", verb, "secrets", name))
		assert.Equal(t, auditv1.LevelMetadata, event.Level, verb)
		assert.Nil(t, event.RequestObject, verb)
		assert.Nil(t, event.ResponseObject, verb)
	}
	c.nowhereInLogs(t, value)
}

// nowhereInLogs demands that no file of any log contains the value, plain or in
// base64, in which the API writes it.
func (c *Cluster) nowhereInLogs(t *testing.T, value string) {
	t.Helper()
	roots := []string{c.auditDir()}
	for _, machine := range c.Machines() {
		roots = append(roots, c.LogDir(machine))
	}
	for _, root := range roots {
		found, err := filesContaining(root, []byte(value), []byte(base64.StdEncoding.EncodeToString([]byte(value))))
		require.NoError(t, err)
		assert.Empty(t, found, "a secret value is in a log")
	}
}

func tokenRequestIsAudited(t *testing.T, c *Cluster) {
	account, from := newAccount(t, c), c.auditPosition(t)
	token := requestToken(t, c, account, 10*time.Minute)
	event := c.awaitAudit(t, from, "a token request", func(e auditEvent) bool {
		return e.ObjectRef != nil && e.ObjectRef.Subresource == "token" && e.ObjectRef.Name == account && e.Stage == auditv1.StageResponseComplete
	})
	assert.Equal(t, auditv1.LevelMetadata, event.Level)
	c.nowhereInLogs(t, token)
}

func rbacChangeIsAudited(t *testing.T, c *Cluster) {
	name, from := randomName("verify"), c.auditPosition(t)
	client := c.client(t, c.masters(t)).RbacV1().Roles(c.Tenant())
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: verifyLabels()},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}},
	}
	_, err := client.Create(t.Context(), role, metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, client.Delete(t.Context(), name, metav1.DeleteOptions{}))
	event := c.awaitAudit(t, from, "the creation of a role", func(e auditEvent) bool {
		return e.Verb == "create" && e.ObjectRef != nil && e.ObjectRef.Resource == "roles" && e.Stage == auditv1.StageResponseComplete &&
			e.RequestObject != nil && string(e.RequestObject.Raw) != "" && e.ResponseObject != nil
	})
	assert.Equal(t, auditv1.LevelRequestResponse, event.Level)
	c.awaitAudit(t, from, "the deletion of a role", isRequest("redoubt:verify", "delete", "roles", name))
}

// execIsAudited runs a command in a pod. What becomes of the command does not
// matter: the attempt must be on record, with who and what.
func execIsAudited(t *testing.T, c *Cluster) {
	p, from := c.helloPod(t), c.auditPosition(t)
	client := c.client(t, c.masters(t)).CoreV1().RESTClient()
	argument := randomName("verify")
	_ = client.Post().Resource("pods").Namespace(c.Tenant()).Name(p.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: []string{"/hello", argument}, Stdout: true}, scheme.ParameterCodec).
		Do(t.Context()).Error()
	event := c.awaitAudit(t, from, "an exec", func(e auditEvent) bool {
		return e.ObjectRef != nil && e.ObjectRef.Resource == "pods" && e.ObjectRef.Subresource == "exec" && e.ObjectRef.Name == p.Name
	})
	assert.Equal(t, auditv1.LevelRequestResponse, event.Level)
	assert.Equal(t, "redoubt:verify", event.User.Username)
	assert.Contains(t, event.RequestURI, argument, "what was to be run is not on record")
}

// auditHasAllLevels reads the whole log: each level must have been used, and
// what the policy drops must be absent.
func auditHasAllLevels(t *testing.T, c *Cluster) {
	for range 3 {
		r, err := c.do(t.Context(), caller{}, http.MethodGet, c.APIEndpoint+"/livez", nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, r.status)
	}
	_, err := c.createPod(t, unscheduled()) // an ordinary write
	require.NoError(t, err)
	time.Sleep(time.Second)
	events, err := readAudit(c.auditLog(), 0)
	require.NoError(t, err)
	levels := map[auditv1.Level]int{}
	for _, event := range events {
		levels[event.Level]++
		switch event.RequestURI {
		case "/livez", "/readyz", "/healthz":
			t.Fatalf("the log has the noise of health checks: %s by %s", event.RequestURI, event.User.Username)
		}
	}
	for _, level := range []auditv1.Level{auditv1.LevelMetadata, auditv1.LevelRequest, auditv1.LevelRequestResponse} {
		assert.NotZero(t, levels[level], "no event of level %s: %v", level, levels)
	}
}

func auditLogIsProtected(t *testing.T, c *Cluster) {
	entries, err := os.ReadDir(c.auditDir())
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, "%s is readable by others: %s", entry.Name(), info.Mode())
	}
}

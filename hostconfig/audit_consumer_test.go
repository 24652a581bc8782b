package hostconfig

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// TestRealAudit runs a real API server with each profile and with a policy of a
// user, and reads in its log at which level it recorded what.
func TestRealAudit(t *testing.T) {
	t.Parallel()
	const custom = `apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
  resources:
  - group: ''
    resources: [secrets, configmaps, serviceaccounts/token]
  - group: authentication.k8s.io
- level: Request
`
	none, metadata, request, full := auditv1.LevelNone, auditv1.LevelMetadata, auditv1.LevelRequest, auditv1.LevelRequestResponse
	for name, each := range map[string]struct {
		audit Audit
		// The levels of: the creation of a service account, of a role, a read of
		// roles, a probe.
		change, rights, read, probe auditv1.Level
	}{
		"standard": {Audit{}, request, full, metadata, none},
		"verbose":  {Audit{Profile: AuditVerbose}, full, full, full, none},
		"custom":   {Audit{Policy: custom}, request, request, request, request},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newAPILab(t, func(c *ControlPlane) { c.Audit = each.audit.withDefaults() })
			encryption, err := Encryption{Keys: []EncryptionKey{key("one", 'a', "")}}.Configuration()
			if err != nil {
				t.Fatal(err)
			}
			server := l.serve(t, l.c.Ports.APIServer, encryption).ready(t)
			server.write(t, "secrets", "audited")
			server.write(t, "configmaps", "audited")
			const core, rbac = "/api/v1/namespaces/default/", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
			meta := metav1.ObjectMeta{Name: "audited"}
			account := corev1.ServiceAccount{ObjectMeta: meta}
			server.do(t, http.MethodPost, core+"serviceaccounts", account, "")
			server.do(t, http.MethodPost, rbac, rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{rule("", "get", "pods")}}, "")
			server.do(t, http.MethodGet, core+"secrets/audited", nil, "")
			server.do(t, http.MethodGet, rbac+"/audited", nil, "")
			server.stop()
			want := map[string]auditv1.Level{
				"create " + core + "secrets":         metadata,
				"create " + core + "configmaps":      metadata,
				"get " + core + "secrets/audited":    metadata,
				"create " + core + "serviceaccounts": each.change,
				"create " + rbac:                     each.rights,
				"get " + rbac + "/audited":           each.read,
				"get /readyz":                        each.probe,
			}
			got := recorded(t, l.c.Paths.AuditLog())
			for what, level := range want {
				if found, ok := got[what]; level == none && ok || level != none && found != level {
					t.Errorf("%s is recorded at %q, want %s", what, found, level)
				}
			}
		})
	}
}

// recorded gives the level of each verb and path that the test's user sent.
func recorded(t *testing.T, path string) map[string]auditv1.Level {
	t.Helper()
	contents, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(contents, []byte(plainValue)) {
		t.Error("the log holds a secret")
	}
	levels := map[string]auditv1.Level{}
	for line := range strings.Lines(string(contents)) {
		var event auditv1.Event
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if event.User.Username != "test" || event.Stage != auditv1.StageResponseComplete {
			continue
		}
		if (event.RequestObject != nil) && event.Level == auditv1.LevelMetadata {
			t.Errorf("%s has a body at %s", event.RequestURI, event.Level)
		}
		if event.Level == auditv1.LevelRequestResponse && event.ResponseObject == nil {
			t.Errorf("%s has no response at %s", event.RequestURI, event.Level)
		}
		levels[event.Verb+" "+event.RequestURI] = event.Level
	}
	return levels
}

package hostconfig

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const plainValue = "the-value-that-must-not-be-in-etcd"

// write creates a secret or a config map in the default namespace.
func (s *apiServerUnderTest) write(t *testing.T, resource, name string) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: name}
	var object any = corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"value": plainValue}}
	if resource == "configmaps" {
		object = corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"value": plainValue}}
	}
	if got, body := s.do(t, http.MethodPost, "/api/v1/namespaces/default/"+resource, object, ""); got != http.StatusCreated {
		t.Fatalf("create %s/%s: %d %s", resource, name, got, body)
	}
}

// rewriteAll writes every object of the namespace again, as it is.
func (s *apiServerUnderTest) rewriteAll(t *testing.T, resource string) {
	t.Helper()
	path := "/api/v1/namespaces/default/" + resource
	var list struct{ Items []map[string]any }
	if _, body := s.do(t, http.MethodGet, path, nil, ""); json.Unmarshal([]byte(body), &list) != nil || len(list.Items) == 0 {
		t.Fatalf("list %s: %s", resource, body)
	}
	for _, item := range list.Items {
		name := item["metadata"].(map[string]any)["name"].(string)
		if got, body := s.do(t, http.MethodPut, path+"/"+name, item, ""); got != http.StatusOK {
			t.Fatalf("rewrite %s/%s: %d %s", resource, name, got, body)
		}
	}
}

// reads fails unless the objects are readable.
func (s *apiServerUnderTest) reads(t *testing.T, state EncryptionState, objects ...string) {
	t.Helper()
	for _, object := range objects {
		if got, body := s.do(t, http.MethodGet, "/api/v1/namespaces/default/"+object, nil, ""); got != http.StatusOK {
			t.Errorf("%s: %s: %d %s", state, object, got, body)
		}
	}
}

// storedBy fails unless etcd's bytes name their writer and do not hold the value.
func (l *apiLab) storedBy(t *testing.T, object, writer string) {
	t.Helper()
	resource, name, _ := strings.Cut(object, "/")
	stored := l.stored(t, resource+"/default/"+name)
	if writer == "" {
		if strings.HasPrefix(stored, "k8s:enc:") {
			t.Errorf("%s is encrypted before the rotation came to it", object)
		}
	} else if !strings.HasPrefix(stored, "k8s:enc:"+writer+":") || strings.Contains(stored, plainValue) {
		t.Errorf("%s is stored as %.40q, want a value by %s", object, stored, writer)
	}
}

// TestRealRotation takes two real API servers on one real etcd through every
// state, from secretbox for secrets to AES-CBC for secrets and config maps.
func TestRealRotation(t *testing.T) {
	t.Parallel()
	l := newAPILab(t, func(*ControlPlane) {})
	r := EncryptionRotation{From: Encryption{Keys: []EncryptionKey{key("old", 'a', "")}}, Servers: []string{"a", "b"},
		To: Encryption{Provider: EncryptionAESCBC, Keys: []EncryptionKey{key("new", 'b', "")}, Resources: []string{"secrets", "configmaps"}}}
	ports := map[string]int{"a": l.c.Ports.APIServer, "b": l.c.Ports.ControllerManager}
	document := func(state EncryptionState) string {
		t.Helper()
		rendered, err := r.ConfigurationIn(state)
		if err != nil {
			t.Fatal(err)
		}
		return rendered
	}
	step := func(next EncryptionRotation, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		r = next
	}
	servers := map[string]*apiServerUnderTest{}
	// run restarts servers with a state's configuration, together.
	run := func(state EncryptionState, names ...string) {
		t.Helper()
		for _, name := range names {
			if servers[name] != nil {
				servers[name].stop()
			}
			servers[name] = l.serve(t, ports[name], document(state))
		}
		for _, name := range names {
			servers[name].ready(t)
		}
	}
	const secretbox, aescbc = "secretbox:v1:old", "aescbc:v1:new"
	var all []string
	note := func(server, resource, name, writer string) {
		t.Helper()
		servers[server].write(t, resource, name)
		l.storedBy(t, resource+"/"+name, writer)
		all = append(all, resource+"/"+name)
	}

	run(EncryptionBefore, "a", "b")
	note("a", "secrets", "before", secretbox)
	note("a", "configmaps", "before", "")

	// One server that skips to promote writes what the other cannot read.
	_, err := r.Advance(EncryptionPromote)
	refused(t, err, "rotation.state", "does not follow")
	run(EncryptionPromote, "a")
	note("a", "secrets", "skipped", aescbc)
	if got, _ := servers["b"].do(t, http.MethodGet, "/api/v1/namespaces/default/secrets/skipped", nil, ""); got != http.StatusInternalServerError {
		t.Errorf("the other server reads what it has no key for: %d", got)
	}

	step(r.Advance(EncryptionAdd))
	run(EncryptionAdd, "a", "b")
	step(r.Apply("a"))
	_, err = r.Advance(EncryptionPromote)
	refused(t, err, "rotation.applied", "b still lack")
	step(r.Apply("b"))
	note("b", "secrets", "add", secretbox)
	note("b", "configmaps", "add", "")

	step(r.Advance(EncryptionPromote))
	run(EncryptionPromote, "a")
	step(r.Apply("a"))
	note("a", "secrets", "promote", aescbc)
	note("a", "configmaps", "promote", aescbc)
	note("b", "configmaps", "promote-late", "")
	for _, name := range r.Servers {
		servers[name].reads(t, EncryptionPromote, all...)
	}
	run(EncryptionPromote, "b")
	step(r.Apply("b"))

	step(r.Advance(EncryptionRewrite))
	_, err = r.Advance(EncryptionRetire)
	refused(t, err, "rotation.rewritten", "lacks secrets, configmaps")
	// A server that retires before the rewrite has lost what the old key wrote:
	// it does not even become ready.
	servers["b"].stop()
	servers["b"] = l.serve(t, ports["b"], document(EncryptionRetire))
	servers["b"].until(t, "a complaint about an object without its key", func() bool {
		return strings.Contains(servers["b"].output(), `unable to transform key "/registry/secrets/default/`)
	})
	if got := status(l.root, servers["b"].url+"/readyz"); got == http.StatusOK {
		t.Error("a server without the old key is ready")
	}
	servers["a"].reads(t, EncryptionRewrite, all...)
	for _, resource := range r.To.Resources {
		servers["a"].rewriteAll(t, resource)
		step(r.Rewrite(resource))
	}
	for _, object := range all {
		l.storedBy(t, object, aescbc)
	}

	step(r.Advance(EncryptionRetire))
	servers["b"].ready(t)
	step(r.Apply("b"))
	run(EncryptionRetire, "a")
	step(r.Apply("a"))
	if !r.Done() {
		t.Error("the rotation is not done")
	}
	for _, name := range r.Servers {
		servers[name].reads(t, EncryptionRetire, all...)
	}
}

package redoubt

import (
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// cluster answers as an API server with one node.
type cluster struct {
	ready, node, openToAll bool
	opened                 *atomic.Int32 // counts connections, if it is there
}

func (c cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer admin" && !c.openToAll {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/readyz":
		if !c.ready {
			w.WriteHeader(http.StatusInternalServerError)
		}
	case "/api/v1/nodes":
		status := map[bool]string{true: "True", false: "False"}[c.node]
		fmt.Fprintf(w, `{"kind":"NodeList","apiVersion":"v1","items":[{"kind":"Node","apiVersion":"v1","metadata":{"name":"worker-1"},
			"status":{"conditions":[{"type":"MemoryPressure","status":"False"},{"type":"Ready","status":%q}]}}]}`, status)
	}
}

// result is that of an up of the cluster with as many workers.
func (c cluster) result(t *testing.T, workers int) rehearse.Result {
	t.Helper()
	server := httptest.NewUnstartedServer(c)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew && c.opened != nil {
			c.opened.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	write(t, filepath.Join(dir, "ca.crt"), string(authority))
	kubeconfig := filepath.Join(dir, "kubeconfig")
	write(t, kubeconfig, fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}],
users: [{name: u, user: {token: admin}}], clusters: [{name: c, cluster: {server: %q, certificate-authority: %q}}]}`, server.URL, filepath.Join(dir, "ca.crt")))
	nodes := make([]any, workers)
	return rehearse.Result{Environment: "local", Outputs: auto.OutputMap{"kubeconfigPath": {Value: kubeconfig}, "nodes": {Value: nodes}}}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVerify(t *testing.T) {
	for name, c := range map[string]struct {
		cluster cluster
		workers int
		failure string
	}{
		"good":           {cluster{ready: true, node: true}, 1, ""},
		"not ready":      {cluster{node: true}, 1, "/readyz answers 500"},
		"open to all":    {cluster{ready: true, node: true, openToAll: true}, 1, "not 401"},
		"node not Ready": {cluster{ready: true}, 1, "not Ready: worker-1"},
		"node missing":   {cluster{ready: true, node: true}, 2, "1 of 2 nodes"},
	} {
		facts, err := Verify(context.Background(), c.cluster.result(t, c.workers))
		if c.failure == "" && (err != nil || len(facts) != 3) || c.failure != "" && (err == nil || !strings.Contains(err.Error(), c.failure)) {
			t.Errorf("%s: %v %v", name, facts, err)
		}
	}
}

// TestVerifyConnects: what an up looks at is what is there now, and not what an earlier
// up was connected with (M43).
func TestVerifyConnects(t *testing.T) {
	opened := &atomic.Int32{}
	result := cluster{ready: true, node: true, opened: opened}.result(t, 1)
	for up := int32(1); up <= 3; up++ {
		if _, err := Verify(t.Context(), result); err != nil {
			t.Fatal(err)
		}
		if count := opened.Load(); count%up != 0 {
			t.Errorf("%d connections after %d ups", count, up)
		}
	}
}

func TestRootIsFoundFromBelow(t *testing.T) {
	t.Setenv("REDOUBT_ROOT", "")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)
	if _, err := Root(); err == nil || !strings.Contains(err.Error(), "REDOUBT_ROOT") {
		t.Errorf("no repository: %v", err)
	}
	write(t, filepath.Join(dir, "Pulumi.yaml"), "name: x\n")
	if root, err := Root(); err != nil || root != dir {
		t.Errorf("%s %v", root, err)
	}
}

func TestEveryPhaseAndProviderIsServed(t *testing.T) {
	names := map[string]bool{}
	for _, p := range Providers() {
		names[p.Name] = true
		if _, err := p.Serve(rehearse.Up); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	for _, phase := range Phases() {
		for _, token := range phase.Types {
			if name, _, _ := strings.Cut(token, ":"); !names[name] {
				t.Errorf("phase %s: nobody serves %s", phase.Name, token)
			}
		}
	}
}

func TestStatusOfNothing(t *testing.T) {
	if _, err := Status(os.Stdout, t.TempDir()); err == nil || !strings.Contains(err.Error(), "make up") {
		t.Errorf("%v", err)
	}
}

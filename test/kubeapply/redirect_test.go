package kubeapply_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/test/kubeapply"
)

// simulated is a kubeconfig as a cloud gives it: an address that nobody answers at, and a plugin, which leaves a trace
// where it runs.
func simulated(server, trace string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [%q], interactiveMode: Never}}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, server, trace)
}

const simulatedServer = "https://0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com"

// A rehearsal's objects go to the cluster of this machine, whatever the program's kubeconfig says.
func TestRedirect(t *testing.T) {
	t.Parallel()
	real := server(t)
	trace, file := filepath.Join(t.TempDir(), "trace"), filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(real.kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	s := providerOf(t, kubeapply.Options{Patience: 5 * time.Second, Redirect: map[string]string{simulatedServer: file}},
		m{"kubeconfig": simulated(simulatedServer, trace)})
	ns := namespace(t, s)
	create(t, s, "kubernetes:core/v1:ConfigMap", "x", m{"metadata": m{"name": "x", "namespace": ns}, "data": m{"a": "b"}})
	if got := live(t, configMaps, ns, "x").Object["data"].(map[string]any)["a"]; got != "b" {
		t.Errorf("the real cluster has %v", got)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("the plugin of the simulated cluster's kubeconfig was run")
	}
}

// What a rehearsal does not know is refused before anything is sent: it might be somebody's real cluster.
func TestRedirectRefusesOtherClusters(t *testing.T) {
	t.Parallel()
	real := server(t)
	trace := filepath.Join(t.TempDir(), "trace")
	for name, c := range map[string]struct {
		kubeconfig string
		redirect   map[string]string
		words      string
	}{
		"a real cluster":    {real.kubeconfig, map[string]string{simulatedServer: "/nowhere"}, "none of the clusters of this rehearsal"},
		"another simulated": {simulated("https://other.example.test", trace), map[string]string{simulatedServer: "/nowhere"}, "none of the clusters"},
		"none at all":       {real.kubeconfig, map[string]string{}, "none of the clusters"},
		"no stand-in":       {simulated(simulatedServer, trace), map[string]string{simulatedServer: ""}, "nothing stands in for it"},
	} {
		s := providerOf(t, kubeapply.Options{Patience: time.Millisecond, Redirect: c.redirect}, m{"kubeconfig": c.kubeconfig})
		o := declare(t, s, "kubernetes:core/v1:Namespace", "redirect-refused", m{"metadata": m{"name": "redirect-refused"}})
		err := o.create()
		t.Run(name, func(t *testing.T) { mustFail(t, err, c.words) })
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("a plugin was run")
	}
}

package baseline

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/redoubt-dev/redoubt/policies/baseline/nodeaudit"
)

// CIS GKE 5.7.2, M17: what starts the audit daemon of nodes is let in where it
// belongs, and nowhere else.
func TestNodeAudit(t *testing.T) {
	a := server(t)
	settings := nodeaudit.Settings{Image: "registry.example.org/fluent-bit@sha256:" + strings.Repeat("a", 64)}
	pods := 0
	for _, object := range nodeaudit.Objects(settings, nodeaudit.Cluster{Name: "prod", Location: "europe-west3"}, "") {
		o, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			t.Fatal(err)
		}
		if v := a.everything(o); v.err != nil || len(v.warnings) > 0 {
			t.Errorf("%s: %s", o["kind"], v)
		}
		if o["kind"] != "DaemonSet" {
			continue
		}
		pods++
		template := o["spec"].(m)["template"].(m)
		pod := m{"apiVersion": "v1", "kind": "Pod", "metadata": m{"namespace": nodeaudit.Namespace, "name": "one"}, "spec": template["spec"]}
		delete(template["spec"].(m), "serviceAccountName") // made with the rest, and here nothing is kept
		if v := a.everything(pod); v.err != nil {
			t.Errorf("its pod: %s", v)
		}
		pod["metadata"].(m)["namespace"] = "team"
		if v := a.everything(pod); v.err == nil {
			t.Error("its pod is let into the namespace of a tenant")
		}
	}
	if pods != 1 {
		t.Errorf("%d workloads", pods)
	}
}

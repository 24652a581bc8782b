package baseline

import (
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// ruled is a namespace of which the platform says that it narrows nothing for its pods.
func ruled(name string) m {
	return of("v1", "Namespace", "", m{"metadata": m{"name": name, "labels": m{"pod-security.kubernetes.io/enforce": "restricted", admission.LabelPodRules: admission.PodRulesOfCluster}}})
}

// narrowings are all that a namespace can narrow for its pods.
var narrowings = map[string]func(o m){
	"registries":      func(o m) { set(o, "metadata.annotations.redoubt~dev/registries", "registry.example.org/a") },
	"a pool":          func(o m) { set(o, "metadata.labels.redoubt~dev/pool", "cards") },
	"user namespaces": func(o m) { set(o, "metadata.labels.redoubt~dev/user-namespaces", "required") },
}

// M24, M26: no namespace is said to narrow nothing and narrows something, as its pods would not be asked; whoever writes
// it, and through whatever subresource.
func TestPodRulesOfTheClusterNarrowNothing(t *testing.T) {
	a := server(t)
	there := ruled("ruled")
	if err := a.create(a.dynamic, there, false); err != nil {
		t.Fatal(err)
	}
	for name, narrow := range narrowings {
		t.Run(name, func(t *testing.T) {
			made := ruled("ruled-anew")
			narrow(made)
			refusedBy(t, a.everything(made), "pod-rules")
			for _, subresource := range []string{"", "status", "finalize"} {
				refusedBy(t, a.change(t, there, subresource, narrow), "pod-rules")
			}
			v := a.change(t, there, "", func(live m) {
				narrow(live)
				set(live, "metadata.labels.redoubt~dev/pod-rules", nil)
			})
			if v.err != nil {
				t.Errorf("narrowed without the label: %v", v.err)
			}
		})
	}
	refusedBy(t, a.changeAs(t, a.asManager(t), of("v1", "Namespace", "", m{"metadata": m{"name": "narrow"}}), func(live m) {
		set(live, "metadata.labels.redoubt~dev/pod-rules", admission.PodRulesOfCluster)
	}), "namespaces")
}

// What violates both what the namespace narrows and what holds everywhere is told of both at once, and a template is
// warned of with both.
func TestNarrowedIsToldWithTheRest(t *testing.T) {
	a := server(t)
	for namespace, id := range map[string]string{"narrow": "image-registries", "pooled": "isolation-pool", "mapped": "user-namespaces"} {
		t.Run(namespace, func(t *testing.T) {
			v := a.everything(podIn(namespace, set(podSpec(), "hostPID", true)))
			if v.err == nil || !strings.Contains(v.err.Error(), "(M25/"+id+",") || !strings.Contains(v.err.Error(), "(M25/host-namespaces,") {
				t.Errorf("%s: %s", namespace, v)
			}
			// By itself it is told by the object that reads the namespace, and by no other.
			v = a.everything(podIn(namespace, podSpec()))
			refusedBy(t, v, id)
			if !strings.Contains(v.err.Error(), "'redoubt-pods-deny-narrowed-") {
				t.Errorf("said by another: %v", v.err)
			}
			for _, c := range templates(namespace, podSpec) {
				warnedBy(t, a.everything(c), id)
			}
		})
	}
}

package baseline

import (
	"context"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission/judge"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
)

// bounds are what a tenant's namespace has of the platform: quota, limits and a default deny.
func bounds(t *testing.T, namespace string) []m {
	t.Helper()
	deny, err := runtime.DefaultUnstructuredConverter.ToUnstructured(network.DefaultDeny(namespace))
	if err != nil {
		t.Fatal(err)
	}
	labels := m{"labels": m{admission.LabelManagedBy: admission.ManagedBy}}
	return []m{deny,
		of("v1", "ResourceQuota", namespace, m{"metadata": labels, "spec": m{"hard": m{"requests.cpu": "1", "requests.memory": "1Gi", "limits.cpu": "1", "limits.memory": "1Gi"}}}),
		of("v1", "LimitRange", namespace, m{"metadata": labels, "spec": m{"limits": []any{m{"type": "Container", "default": m{"cpu": "1", "memory": "1Gi"}}}}}),
	}
}

// A namespace keeps its quota, its limits and its default deny against whoever has all rights in it but the platform's,
// and gives them up when it goes itself. Of one that lacks them, the survey says what.
func TestBoundsOfNamespaces(t *testing.T) {
	a := server(t)
	config := a.asManager(t)
	everything := bounds(t, "bounded")
	for _, name := range []string{"bounded", "unbounded"} {
		ns := of("v1", "Namespace", "", m{"metadata": m{"name": name, "labels": m{"pod-security.kubernetes.io/enforce": "restricted"}}})
		if err := a.create(a.dynamic, ns, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range everything {
		if err := a.create(a.dynamic, o, false); err != nil {
			t.Fatal(err)
		}
	}
	client := a.dynamicOf(t, config)
	for _, o := range everything {
		u := unstructured.Unstructured{Object: normal(o)}
		in := client.Resource(resourceOf(o)).Namespace("bounded")
		t.Run("delete "+u.GetKind(), func(t *testing.T) {
			refusedBy(t, verdict{err: in.Delete(context.Background(), u.GetName(), metav1.DeleteOptions{})}, "platform-objects")
		})
		t.Run("delete every "+u.GetKind(), func(t *testing.T) {
			refusedBy(t, verdict{err: in.DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{})}, "platform-objects")
		})
		t.Run("disown "+u.GetKind(), func(t *testing.T) {
			refusedBy(t, a.changeAs(t, config, o, func(live m) { set(live, "metadata.labels", nil) }), "platform-objects")
		})
		t.Run("loosen "+u.GetKind(), func(t *testing.T) {
			refusedBy(t, a.changeAs(t, config, o, func(live m) {
				switch u.GetKind() {
				case "ResourceQuota":
					set(live, "spec.hard", m{"pods": "1000"})
				case "LimitRange":
					set(live, "spec.limits", []any{m{"type": "Container", "default": m{"cpu": "100", "memory": "100Gi"}}})
				default:
					set(live, "spec.ingress", []any{m{}})
				}
			}), "platform-objects")
		})
	}
	j, err := judge.New(settings, admission.Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	survey, err := j.Cluster(context.Background(), a.dynamic)
	if err != nil {
		t.Fatal(err)
	}
	lacks := map[string][]string{}
	for _, u := range survey.Unbounded {
		lacks[u.Namespace] = u.Lacks
	}
	if lacks["bounded"] != nil || len(lacks["unbounded"]) != 4 || lacks["kube-system"] != nil || lacks["addon"] != nil {
		t.Errorf("the survey says that namespaces lack %v", lacks)
	}
	// The namespace goes, with all that is in it.
	namespaces := a.client.CoreV1().Namespaces()
	if err := namespaces.Delete(context.Background(), "bounded", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace does not go", func() bool {
		list, err := namespaces.List(context.Background(), metav1.ListOptions{})
		if err != nil {
			return false
		}
		var names []string
		for _, item := range list.Items {
			names = append(names, item.Name)
		}
		return !slices.Contains(names, "bounded")
	})
}

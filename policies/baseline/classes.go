package baseline

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// Priority classes of a cluster. A pod that names none has 0 and stands between
// the last two.
const (
	// PriorityPlatform is for what tenants depend on; no tenant may use it.
	PriorityPlatform = "redoubt-platform"
	// PriorityService goes before other pods of tenants.
	PriorityService = "redoubt-service"
	// PriorityBatch waits for room and drives nobody out.
	PriorityBatch = "redoubt-batch"
)

// PriorityClasses gives the classes, far below those of Kubernetes itself, which
// begin at two thousand million.
func PriorityClasses() []runtime.Object {
	never := corev1.PreemptNever
	class := func(name string, value int32, preemption *corev1.PreemptionPolicy, description string) runtime.Object {
		return &schedulingv1.PriorityClass{
			TypeMeta:   metav1.TypeMeta{APIVersion: schedulingv1.SchemeGroupVersion.String(), Kind: "PriorityClass"},
			ObjectMeta: managed(name), Value: value, PreemptionPolicy: preemption, Description: description,
		}
	}
	return []runtime.Object{
		class(PriorityPlatform, 1_000_000, nil, "parts of the platform that tenants depend on; tenants have no quota for it"),
		class(PriorityService, 1_000, nil, "services of tenants that go before their other pods"),
		class(PriorityBatch, -1_000, &never, "work that waits for room and drives nobody out"),
	}
}

// RuntimeClass is a sandboxed runtime that nodes offer (M28).
type RuntimeClass struct {
	// Name is gvisor or kata, which is also its handler.
	Name string `json:"name" jsonschema:"required"`
	// NodeSelector are the labels of the nodes that have it. A pod of the class goes
	// there alone.
	NodeSelector map[string]string `json:"nodeSelector" jsonschema:"required"`
}

// overheads are what the sandbox itself takes of a node beside the containers, as
// the projects' own classes say:
// https://github.com/kata-containers/kata-containers/tree/main/tools/packaging/kata-deploy/runtimeclasses
var overheads = map[string]corev1.ResourceList{
	hostconfig.RuntimeClassKata: {corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("160Mi")},
}

// RuntimeClasses gives the classes of the runtimes that nodes offer.
func RuntimeClasses(offered []RuntimeClass) []runtime.Object {
	var out []runtime.Object
	for _, each := range offered {
		class := &nodev1.RuntimeClass{
			TypeMeta:   metav1.TypeMeta{APIVersion: nodev1.SchemeGroupVersion.String(), Kind: "RuntimeClass"},
			ObjectMeta: managed(each.Name), Handler: each.Name, Scheduling: &nodev1.Scheduling{NodeSelector: each.NodeSelector},
		}
		if overhead := overheads[each.Name]; overhead != nil {
			class.Overhead = &nodev1.Overhead{PodFixed: overhead}
		}
		out = append(out, class)
	}
	return out
}

func checkRuntimeClasses(field string, offered []RuntimeClass) error {
	var problems []error
	seen := map[string]bool{}
	for i, each := range offered {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !slices.Contains(hostconfig.RuntimeClasses(), each.Name) || seen[each.Name] {
			problems = append(problems, &hostconfig.FieldError{Field: at + ".name", Problem: fmt.Sprintf("%q is not a sandboxed runtime, or stands twice", each.Name), Remedy: "write gvisor or kata, each once"})
		}
		seen[each.Name] = true
		if len(each.NodeSelector) == 0 {
			problems = append(problems, &hostconfig.FieldError{Field: at + ".nodeSelector", Problem: "is empty: pods would wait on nodes without the runtime", Remedy: "write the labels of the nodes that have it"})
		}
	}
	return errors.Join(problems...)
}

func managed(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{admission.LabelManagedBy: admission.ManagedBy}}
}

// platformPriorityQuota keeps a tenant from the priority of the platform.
func platformPriorityQuota(namespace string) runtime.Object {
	return &corev1.ResourceQuota{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "platform-priority", Labels: map[string]string{admission.LabelManagedBy: admission.ManagedBy}},
		Spec: corev1.ResourceQuotaSpec{
			Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")},
			ScopeSelector: &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{{
				ScopeName: corev1.ResourceQuotaScopePriorityClass, Operator: corev1.ScopeSelectorOpIn, Values: []string{PriorityPlatform},
			}}},
		},
	}
}

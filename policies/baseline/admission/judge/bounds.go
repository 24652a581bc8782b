package judge

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Unbounded is a namespace that lacks what a tenant must have. No admission policy
// can demand it, because CEL sees no object but the one that is asked about: what is
// there is kept by M25/platform-objects, and what is not is told here.
type Unbounded struct {
	Namespace string `json:"namespace"`
	// Lacks are in words what it lacks, with what to make instead.
	Lacks []string `json:"lacks"`
	// Controls are the rows and recommendations that demand it.
	Controls string `json:"controls"`
}

// boundControls demand quota and limits, and a default deny.
const boundControls = "M21, M23, CIS-5.3.2"

// bounds adds the namespaces that lack something, but for those of the system, and
// those where nothing may run.
func (s *Survey) bounds(ctx context.Context, client dynamic.Interface, namespaces map[string]*corev1.Namespace, system []string) error {
	quotas, err := typed[corev1.ResourceQuota](ctx, client, schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"})
	if err != nil {
		s.Unreadable = append(s.Unreadable, "resourcequotas: "+err.Error())
	}
	limits, limitsErr := typed[corev1.LimitRange](ctx, client, schema.GroupVersionResource{Version: "v1", Resource: "limitranges"})
	if limitsErr != nil {
		s.Unreadable = append(s.Unreadable, "limitranges: "+limitsErr.Error())
	}
	policies, policiesErr := typed[networkingv1.NetworkPolicy](ctx, client, schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"})
	if policiesErr != nil {
		s.Unreadable = append(s.Unreadable, "networkpolicies: "+policiesErr.Error())
	}
	for name := range namespaces {
		if name == corev1.NamespaceDefault || slices.Contains(system, name) {
			continue
		}
		var lacks []string
		if err == nil && !slices.ContainsFunc(quotas[name], boundsPods) {
			lacks = append(lacks, "a ResourceQuota of requests and limits for all pods")
		}
		if limitsErr == nil && !slices.ContainsFunc(limits[name], boundsContainers) {
			lacks = append(lacks, "a LimitRange with defaults for containers")
		}
		if policiesErr == nil {
			for _, direction := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
				if !slices.ContainsFunc(policies[name], func(p networkingv1.NetworkPolicy) bool { return deniesAll(p, direction) }) {
					lacks = append(lacks, "a NetworkPolicy that denies all "+strings.ToLower(string(direction)))
				}
			}
		}
		if len(lacks) > 0 {
			s.Unbounded = append(s.Unbounded, Unbounded{name, lacks, boundControls})
		}
	}
	slices.SortFunc(s.Unbounded, func(a, b Unbounded) int { return strings.Compare(a.Namespace, b.Namespace) })
	return nil
}

// boundsPods tells whether a quota is for all pods, and of what they take.
func boundsPods(q corev1.ResourceQuota) bool {
	if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
		return false
	}
	for _, pair := range [][2]corev1.ResourceName{{corev1.ResourceRequestsCPU, corev1.ResourceCPU}, {corev1.ResourceRequestsMemory, corev1.ResourceMemory},
		{corev1.ResourceLimitsCPU, ""}, {corev1.ResourceLimitsMemory, ""}} {
		_, one := q.Spec.Hard[pair[0]]
		_, other := q.Spec.Hard[pair[1]] // Kubernetes has two names for requests
		if !one && !other {
			return false
		}
	}
	return true
}

// boundsContainers tells whether a container that says nothing gets limits.
func boundsContainers(l corev1.LimitRange) bool {
	return slices.ContainsFunc(l.Spec.Limits, func(i corev1.LimitRangeItem) bool {
		return i.Type == corev1.LimitTypeContainer && !i.Default.Cpu().IsZero() && !i.Default.Memory().IsZero()
	})
}

// deniesAll tells whether a policy selects every pod and lets nothing through in a
// direction.
func deniesAll(p networkingv1.NetworkPolicy, direction networkingv1.PolicyType) bool {
	if len(p.Spec.PodSelector.MatchLabels)+len(p.Spec.PodSelector.MatchExpressions) > 0 {
		return false
	}
	if direction == networkingv1.PolicyTypeIngress {
		// Ingress is meant where no direction is named.
		return (len(p.Spec.PolicyTypes) == 0 || slices.Contains(p.Spec.PolicyTypes, direction)) && len(p.Spec.Ingress) == 0
	}
	return slices.Contains(p.Spec.PolicyTypes, direction) && len(p.Spec.Egress) == 0
}

// typed lists objects of a kind by their namespaces.
func typed[T any](ctx context.Context, client dynamic.Interface, of schema.GroupVersionResource) (map[string][]T, error) {
	items, err := list(ctx, client, of)
	if err != nil {
		return nil, err
	}
	out := map[string][]T{}
	for _, item := range items {
		object, err := convert[T](item)
		if err != nil {
			return nil, fmt.Errorf("%s/%s: %w", item.GetNamespace(), item.GetName(), err)
		}
		out[item.GetNamespace()] = append(out[item.GetNamespace()], object)
	}
	return out, nil
}

func convert[T any](item unstructured.Unstructured) (T, error) {
	var object T
	return object, runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &object)
}

package judge

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func amounts(names ...corev1.ResourceName) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, name := range names {
		out[name] = resource.MustParse("1")
	}
	return out
}

func TestBoundsPods(t *testing.T) {
	whole := amounts(corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory)
	for name, c := range map[string]struct {
		spec  corev1.ResourceQuotaSpec
		bound bool
	}{
		"all":              {corev1.ResourceQuotaSpec{Hard: whole}, true},
		"the short names":  {corev1.ResourceQuotaSpec{Hard: amounts(corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory)}, true},
		"pods alone":       {corev1.ResourceQuotaSpec{Hard: amounts(corev1.ResourcePods)}, false},
		"no limits":        {corev1.ResourceQuotaSpec{Hard: amounts(corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory)}, false},
		"of some pods":     {corev1.ResourceQuotaSpec{Hard: whole, Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}}, false},
		"of some priority": {corev1.ResourceQuotaSpec{Hard: whole, ScopeSelector: &corev1.ScopeSelector{}}, false},
	} {
		if got := boundsPods(corev1.ResourceQuota{Spec: c.spec}); got != c.bound {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestBoundsContainers(t *testing.T) {
	item := func(of corev1.LimitType, defaults corev1.ResourceList) corev1.LimitRange {
		return corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: of, Default: defaults}}}}
	}
	both := amounts(corev1.ResourceCPU, corev1.ResourceMemory)
	if !boundsContainers(item(corev1.LimitTypeContainer, both)) || boundsContainers(item(corev1.LimitTypePod, both)) ||
		boundsContainers(item(corev1.LimitTypeContainer, amounts(corev1.ResourceCPU))) || boundsContainers(corev1.LimitRange{}) {
		t.Error("a LimitRange is misjudged")
	}
}

func TestDeniesAll(t *testing.T) {
	const in, out = networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
	for name, c := range map[string]struct {
		spec    networkingv1.NetworkPolicySpec
		in, out bool
	}{
		"both":         {networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{in, out}}, true, true},
		"no direction": {networkingv1.NetworkPolicySpec{}, true, false},
		"out alone":    {networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{out}}, false, true},
		"something in": {networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{in, out}, Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}, false, true},
		"some pods":    {networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}, PolicyTypes: []networkingv1.PolicyType{in, out}}, false, false},
	} {
		p := networkingv1.NetworkPolicy{Spec: c.spec}
		if deniesAll(p, in) != c.in || deniesAll(p, out) != c.out {
			t.Errorf("%s is misjudged", name)
		}
	}
}

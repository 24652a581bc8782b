package access

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/policies/baseline/quarantine"
)

// aPod satisfies the restricted standard. No node runs it.
func aPod(name string) *corev1.Pod {
	yes, no := true, false
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
		AutomountServiceAccountToken: &no,
		SecurityContext:              &corev1.PodSecurityContext{RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{Name: "c", Image: "registry.example.org/c@sha256:0000000000000000000000000000000000000000000000000000000000000000",
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}}},
	}}
}

// allowing is a network policy that allows something, with or without pods under quarantine.
func allowing(leavesOut bool) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{GenerateName: "allow-"}, Spec: networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{{}}}}
	if leavesOut {
		p.Spec.PodSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: quarantine.Label, Operator: metav1.LabelSelectorOpDoesNotExist}}
	}
	return p
}

package kubeadm

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// joinName names the objects that let a machine join.
const joinName = "redoubt:kubeadm-join"

// JoinAccess gives the RBAC objects that "kubeadm join" needs beside those of
// [hostconfig.BootstrapObjects]: the phase of kubeadm init that would make them
// also makes a token and a public object, and is skipped. A machine that joins
// reads the cluster's configuration and asks whether its name is taken, and no
// more; its certificate is still approved by the agent.
// https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/
func JoinAccess() []runtime.Object {
	const group, version = "rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1"
	meta := func(namespace string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: joinName, Namespace: namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "redoubt"}}
	}
	kind := func(name string) metav1.TypeMeta { return metav1.TypeMeta{APIVersion: version, Kind: name} }
	joiners := []rbacv1.Subject{{APIGroup: group, Kind: "Group", Name: hostconfig.GroupNodeBootstrappers}}
	get := func(resource string, names ...string) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{{APIGroups: []string{""}, Verbs: []string{"get"}, Resources: []string{resource}, ResourceNames: names}}
	}
	return []runtime.Object{
		&rbacv1.ClusterRole{TypeMeta: kind("ClusterRole"), ObjectMeta: meta(""), Rules: get("nodes")},
		&rbacv1.ClusterRoleBinding{TypeMeta: kind("ClusterRoleBinding"), ObjectMeta: meta(""), Subjects: joiners,
			RoleRef: rbacv1.RoleRef{APIGroup: group, Kind: "ClusterRole", Name: joinName}},
		&rbacv1.Role{TypeMeta: kind("Role"), ObjectMeta: meta(metav1.NamespaceSystem),
			Rules: get("configmaps", "kubeadm-config", "kubelet-config", "kube-proxy")},
		&rbacv1.RoleBinding{TypeMeta: kind("RoleBinding"), ObjectMeta: meta(metav1.NamespaceSystem), Subjects: joiners,
			RoleRef: rbacv1.RoleRef{APIGroup: group, Kind: "Role", Name: joinName}},
	}
}

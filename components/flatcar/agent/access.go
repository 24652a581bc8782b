package agent

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/redoubt-dev/redoubt/components/internal/reencrypt"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/kubeadm"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// Objects gives every RBAC object that redoubt-node keeps applied: those of every
// cluster, those that kubeadm join needs, and its own rights. Encrypted are the
// resources that the API server encrypts, by their entries in its configuration.
func Objects(encrypted ...string) []runtime.Object {
	return append(append(hostconfig.BootstrapObjects(), kubeadm.JoinAccess()...), access(encrypted)...)
}

// access are the rights of redoubt-node's three identities. Approving certificates
// is a fourth one's, hostconfig.UserAgent.
func access(encrypted []string) []runtime.Object {
	const group, version = "rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1"
	meta := func(name, namespace string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "redoubt"}}
	}
	kind := func(name string) metav1.TypeMeta { return metav1.TypeMeta{APIVersion: version, Kind: name} }
	user := func(name string) []rbacv1.Subject {
		return []rbacv1.Subject{{APIGroup: group, Kind: "User", Name: name}}
	}
	rule := func(apiGroup, resource string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{apiGroup}, Resources: []string{resource}, Verbs: verbs}
	}
	nodes, tokens := nodeconfig.UserNodes, nodeconfig.UserTokens
	only := func(name string, rule rbacv1.PolicyRule) rbacv1.PolicyRule {
		rule.ResourceNames = []string{name}
		return rule
	}
	holding := func(lease string) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{rule("coordination.k8s.io", "leases", "create"), only(lease, rule("coordination.k8s.io", "leases", "get", "update"))}
	}
	objects := []runtime.Object{
		&rbacv1.ClusterRole{TypeMeta: kind("ClusterRole"), ObjectMeta: meta(nodes, ""), Rules: []rbacv1.PolicyRule{
			rule("", "nodes", "get", "list", "patch", "delete"), rule("", "pods", "list"), rule("", "pods/eviction", "create"),
		}},
		&rbacv1.ClusterRoleBinding{TypeMeta: kind("ClusterRoleBinding"), ObjectMeta: meta(nodes, ""), Subjects: user(nodes),
			RoleRef: rbacv1.RoleRef{APIGroup: group, Kind: "ClusterRole", Name: nodes}},
		&rbacv1.Role{TypeMeta: kind("Role"), ObjectMeta: meta(nodes, metav1.NamespaceSystem), Rules: holding(turnName)},
		&rbacv1.RoleBinding{TypeMeta: kind("RoleBinding"), ObjectMeta: meta(nodes, metav1.NamespaceSystem), Subjects: user(nodes),
			RoleRef: rbacv1.RoleRef{APIGroup: group, Kind: "Role", Name: nodes}},
		// Events of Nodes, which have no namespace, are in this one.
		&rbacv1.Role{TypeMeta: kind("Role"), ObjectMeta: meta(nodes, metav1.NamespaceDefault), Rules: []rbacv1.PolicyRule{rule("", "events", "create")}},
		&rbacv1.RoleBinding{TypeMeta: kind("RoleBinding"), ObjectMeta: meta(nodes, metav1.NamespaceDefault), Subjects: user(nodes),
			RoleRef: rbacv1.RoleRef{APIGroup: group, Kind: "Role", Name: nodes}},
		// RBAC knows no types of Secrets: tokens live where the token authenticator
		// looks for them.
		&rbacv1.Role{TypeMeta: kind("Role"), ObjectMeta: meta(tokens, metav1.NamespaceSystem), Rules: append(
			[]rbacv1.PolicyRule{rule("", "secrets", "list", "create", "delete")}, holding(joinConfigLock.name)...,
		)},
		&rbacv1.RoleBinding{TypeMeta: kind("RoleBinding"), ObjectMeta: meta(tokens, metav1.NamespaceSystem), Subjects: user(tokens),
			RoleRef: rbacv1.RoleRef{APIGroup: group, Kind: "Role", Name: tokens}},
	}
	// It reads nothing: what is stored it learns from etcd, where it is encrypted, and
	// whom it has written anew it patches without knowing the object.
	writer, patch := nodeconfig.UserEncryption, []rbacv1.PolicyRule(nil)
	for _, name := range slices.DeleteFunc(slices.Clone(encrypted), func(name string) bool { return !reencrypt.Named(name) }) {
		resource := schema.ParseGroupResource(name)
		patch = append(patch, rule(resource.Group, resource.Resource, "patch"))
	}
	if len(patch) == 0 {
		return objects
	}
	// To apply an object is to ask for both, by its name.
	trace := only(encryptionName, rule("", "configmaps", "create", "patch"))
	return append(objects,
		&rbacv1.ClusterRole{TypeMeta: kind("ClusterRole"), ObjectMeta: meta(writer, ""), Rules: patch},
		&rbacv1.ClusterRoleBinding{TypeMeta: kind("ClusterRoleBinding"), ObjectMeta: meta(writer, ""), Subjects: user(writer),
			RoleRef: rbacv1.RoleRef{APIGroup: group, Kind: "ClusterRole", Name: writer}},
		&rbacv1.Role{TypeMeta: kind("Role"), ObjectMeta: meta(writer, metav1.NamespaceSystem), Rules: append(holding(encryptionLock.name), trace)},
		&rbacv1.RoleBinding{TypeMeta: kind("RoleBinding"), ObjectMeta: meta(writer, metav1.NamespaceSystem), Subjects: user(writer),
			RoleRef: rbacv1.RoleRef{APIGroup: group, Kind: "Role", Name: writer}})
}

package hostconfig

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Identities that the bootstrap objects give rights to.
const (
	// GroupPlatformAdmins runs the cluster; it is not system:masters.
	GroupPlatformAdmins = "redoubt:platform-admins"
	// UserAdmin is the common name of the administrator's certificate.
	UserAdmin = "redoubt:admin"
	// UserAgent is the common name of the agent's certificate.
	UserAgent = "redoubt:agent"
	// GroupNodeBootstrappers holds every bootstrap token. It has the form that
	// the API server allows for auth-extra-groups.
	GroupNodeBootstrappers = "system:bootstrappers:redoubt"
	// UserKubeletClient is the API server's identity towards kubelets.
	UserKubeletClient = "kube-apiserver-kubelet-client"
)

// Names of the bootstrap objects.
const (
	// RolePlatformAdmin is the cluster role of [GroupPlatformAdmins].
	RolePlatformAdmin  = "redoubt:platform-admin"
	roleAgent          = "redoubt:agent"
	managedByLabel     = "app.kubernetes.io/managed-by"
	managedByLabelName = "redoubt"
)

// GroupNodeBootstrapper is the group of the token that only the named node may
// join with.
func GroupNodeBootstrapper(node string) string {
	return GroupNodeBootstrappers + ":node:" + node
}

// BootstrapObjects gives the RBAC objects that must exist before a node joins,
// each with its kind and version set.
//
// There is deliberately no binding to
// system:certificates.k8s.io:certificatesigningrequests:nodeclient, which would
// let any bootstrap token obtain the certificate of any node, nor to
// selfnodeclient, with which a node that was removed would renew its certificate
// for ever. The agent approves both: a first certificate by the token's own
// group, [GroupNodeBootstrapper], the next ones by its inventory. Nothing
// is bound to cluster-admin (CIS 5.1.1), and no anonymous access is given.
func BootstrapObjects() []runtime.Object {
	return []runtime.Object{
		clusterRole(RolePlatformAdmin, PlatformAdminRules()),
		clusterRoleBinding(RolePlatformAdmin, RolePlatformAdmin, group(GroupPlatformAdmins)),

		clusterRole(roleAgent, agentRules()),
		clusterRoleBinding(roleAgent, roleAgent, user(UserAgent)),

		// A bootstrap token may ask for a certificate, and nothing else.
		clusterRoleBinding("redoubt:node-bootstrapper", "system:node-bootstrapper", group(GroupNodeBootstrappers)),
		clusterRole(rolePolicyAgent, policyAgentRules()),
		clusterRoleBinding(rolePolicyAgent, rolePolicyAgent, group(GroupPolicyAgents)),
		// Without it logs, exec and port-forward are forbidden by the kubelet.
		clusterRoleBinding("redoubt:kubelet-api", "system:kubelet-api-admin", user(UserKubeletClient)),
	}
}

// agentRules are what the agent needs to judge certificate requests: to read
// them, to approve or deny, and only for the two signers of kubelets and that of
// policy agents. It signs for the latter alone; for kubelets the
// controller-manager does.
func agentRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("certificates.k8s.io", "get list watch", "certificatesigningrequests"),
		rule("certificates.k8s.io", "update", "certificatesigningrequests/approval", "certificatesigningrequests/status"),
		{
			APIGroups: []string{"certificates.k8s.io"}, Verbs: []string{"approve"}, Resources: []string{"signers"},
			ResourceNames: []string{"kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving", SignerPolicyAgent},
		},
		{APIGroups: []string{"certificates.k8s.io"}, Verbs: []string{"sign"}, Resources: []string{"signers"}, ResourceNames: []string{SignerPolicyAgent}},
		rule("", "get list watch", "nodes"),
	}
}

func clusterRole(name string, rules []rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"},
		ObjectMeta: bootstrapMeta(name),
		Rules:      rules,
	}
}

func clusterRoleBinding(name, role string, subject rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRoleBinding"},
		ObjectMeta: bootstrapMeta(name),
		RoleRef:    rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{subject},
	}
}

func bootstrapMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{managedByLabel: managedByLabelName}}
}

func group(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: "rbac.authorization.k8s.io", Kind: "Group", Name: name}
}

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: name}
}

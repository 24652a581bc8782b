package roles

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// Names of the cluster roles. Those of tenants are bound in namespaces alone.
const (
	PlatformAdmin = hostconfig.RolePlatformAdmin
	Operator      = "redoubt:operator"
	Auditor       = "redoubt:auditor"
	Responder     = "redoubt:incident-responder"
	BreakGlass    = "redoubt:break-glass"
	Developer     = "redoubt:developer"
	Debugger      = "redoubt:debugger"
	Viewer        = "redoubt:viewer"
)

// externalAdmins is the binding of the platform's groups: that of the certificate,
// which a cluster is made with, has the name of the role.
const externalAdmins = PlatformAdmin + "s-external"

// Objects gives the roles and the bindings of the groups, each with its kind and
// version. Where the cluster was not made with the platform administrator's role
// (hostconfig.BootstrapObjects), it comes along.
func Objects(s Spec) []runtime.Object {
	var out []runtime.Object
	if !s.Bootstrapped {
		out = append(out, clusterRole(PlatformAdmin, hostconfig.PlatformAdminRules()))
	}
	for _, role := range []struct {
		name  string
		rules []rbacv1.PolicyRule
	}{
		{Operator, OperatorRules()}, {Auditor, AuditorRules()}, {Responder, ResponderRules()}, {BreakGlass, BreakGlassRules()},
		{Developer, DeveloperRules()}, {Debugger, DebuggerRules()}, {Viewer, ViewerRules()},
	} {
		out = append(out, clusterRole(role.name, role.rules))
	}
	for _, b := range s.bindings() {
		if len(b.groups) > 0 {
			out = append(out, &rbacv1.ClusterRoleBinding{
				TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"}, ObjectMeta: objectMeta("", b.name),
				RoleRef: roleRef(b.role), Subjects: subjects(b.groups),
			})
		}
	}
	return out
}

// TenantObjects gives the bindings of a tenant's groups in its namespace.
func TenantObjects(namespace string, t Tenant) []runtime.Object {
	var out []runtime.Object
	for _, b := range t.bindings() {
		if len(b.groups) > 0 {
			out = append(out, &rbacv1.RoleBinding{
				TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"}, ObjectMeta: objectMeta(namespace, b.role),
				RoleRef: roleRef(b.role), Subjects: subjects(b.groups),
			})
		}
	}
	return out
}

func clusterRole(name string, rules []rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"}, ObjectMeta: objectMeta("", name), Rules: rules,
	}
}

func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{admission.LabelManagedBy: admission.ManagedBy}}
}

func roleRef(name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}
}

func subjects(groups []string) []rbacv1.Subject {
	var out []rbacv1.Subject
	for _, name := range groups {
		out = append(out, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name})
	}
	return out
}

package baseline

import (
	"strings"

	metaapi "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	rbacapi "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/access"
	"github.com/redoubt-dev/redoubt/policies/baseline/quarantine"
	"github.com/redoubt-dev/redoubt/policies/baseline/roles"
)

// newRoles registers the roles and bindings of the cluster (M20).
func newRoles(ctx *pulumi.Context, name string, spec roles.Spec, opts ...pulumi.ResourceOption) error {
	if spec.TrimPublicInfo {
		if err := trimPublicInfo(ctx, name, opts...); err != nil {
			return err
		}
	}
	return newObjects(ctx, name, roles.Objects(spec), opts...)
}

// trimPublicInfo leaves callers with credentials in Kubernetes' own binding, and
// keeps the API server from putting the others back when it starts. Without this
// patch nothing does, so that the next start brings back what was there.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#auto-reconciliation
func trimPublicInfo(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) error {
	annotations := force()
	annotations["rbac.authorization.kubernetes.io/autoupdate"] = pulumi.String("false")
	_, err := rbacapi.NewClusterRoleBindingPatch(ctx, name+"-public-info", &rbacapi.ClusterRoleBindingPatchArgs{
		Metadata: &metaapi.ObjectMetaPatchArgs{Name: pulumi.String("system:public-info-viewer"), Annotations: annotations},
		Subjects: rbacapi.SubjectPatchArray{&rbacapi.SubjectPatchArgs{
			ApiGroup: pulumi.String(rbacv1.GroupName), Kind: pulumi.String(rbacv1.GroupKind), Name: pulumi.String("system:authenticated")}},
	}, opts...)
	return err
}

// newQuarantine registers the policies of quarantine (M40). A binding comes after its
// policy, by which the API server judges it, and goes before it.
func newQuarantine(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) error {
	for _, pair := range quarantine.Objects() {
		policy, err := newObject(ctx, name+"-policy-"+pair.Policy.Name, pair.Policy, opts...)
		if err != nil {
			return err
		}
		if _, err := newBinding(ctx, name+"-binding-"+pair.Binding.Name, pair.Binding, policy, opts...); err != nil {
			return err
		}
	}
	return nil
}

// newObjects registers objects under names that are derived from their own.
func newObjects(ctx *pulumi.Context, name string, objects []runtime.Object, opts ...pulumi.ResourceOption) error {
	for _, object := range objects {
		accessor, err := meta.Accessor(object)
		if err != nil {
			return err
		}
		kind := strings.ToLower(object.GetObjectKind().GroupVersionKind().Kind)
		if _, err := newObject(ctx, name+"-"+kind+"-"+strings.ReplaceAll(accessor.GetName(), ":", "-"), object, opts...); err != nil {
			return err
		}
	}
	return nil
}

// Review says who can do what by the roles and bindings that the baseline and its
// tenants make, without a cluster. What else is bound in one, `make access` shows.
func Review(spec roles.Spec, tenants []TenantSpec) access.Report {
	c := access.Cluster{PodSecurity: map[string]string{}}
	objects := roles.Objects(spec)
	if spec.Bootstrapped {
		objects = append(objects, hostconfig.BootstrapObjects()...)
	}
	for _, tenant := range tenants {
		c.PodSecurity[tenant.Name] = "restricted"
		objects = append(objects, roles.TenantObjects(tenant.Name, tenant.Access)...)
	}
	for _, object := range objects {
		switch object := object.(type) {
		case *rbacv1.ClusterRole:
			c.ClusterRoles = append(c.ClusterRoles, *object)
		case *rbacv1.ClusterRoleBinding:
			// What nodes and the API server have, they have from Kubernetes' own roles.
			if !strings.HasPrefix(object.RoleRef.Name, "system:") {
				c.ClusterRoleBindings = append(c.ClusterRoleBindings, *object)
			}
		case *rbacv1.RoleBinding:
			c.RoleBindings = append(c.RoleBindings, *object)
		}
	}
	return access.Run(c).ForPeople()
}

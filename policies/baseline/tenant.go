package baseline

import (
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
	"github.com/redoubt-dev/redoubt/policies/baseline/roles"
)

// TenantArgs describes a tenant.
type TenantArgs struct {
	Spec TenantSpec
	// PodSecurityVersion pins the meaning of the classes; v1.35 by default.
	PodSecurityVersion string
	// Network is that of the cluster.
	Network network.Settings
	// Exceptions accept risks of the whole cluster.
	Exceptions []hostconfig.Exception
}

// Tenant is a namespace that is hardened before anything runs in it: Pod
// Security by its class (M22), default-deny network policies with its flows (M21), a quota and
// limits (M23), and a default service account without token (CIS 5.1.5).
type Tenant struct {
	pulumi.ResourceState

	// Namespace is the tenant's namespace.
	Namespace pulumi.StringOutput `pulumi:"namespace"`
}

// NewTenant registers a tenant.
func NewTenant(ctx *pulumi.Context, name string, args *TenantArgs, opts ...pulumi.ResourceOption) (*Tenant, error) {
	if err := args.Spec.ValidateIn(args.Network, args.Exceptions); err != nil {
		return nil, err
	}
	spec := args.Spec.withDefaults()
	version := args.PodSecurityVersion
	if version == "" {
		version = "v1.35"
	}
	t := &Tenant{}
	if err := ctx.RegisterComponentResource(tenantToken, name, t, opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(t)
	labels := pulumi.StringMap{"app.kubernetes.io/managed-by": pulumi.String("redoubt")}
	for label, value := range spec.Labels {
		labels[label] = pulumi.String(value)
	}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		level := spec.Class
		if mode != "enforce" {
			level = ClassRestricted // what a tenant could do better is said in any class
		}
		labels[podSecurityPrefix+mode] = pulumi.String(level)
		labels[podSecurityPrefix+mode+"-version"] = pulumi.String(version)
	}
	if spec.Pool != "" {
		labels[admission.LabelPool] = pulumi.String(spec.Pool)
	}
	// Where nothing narrows what pods may do, they are judged sooner.
	if _, mapped := spec.Labels[admission.LabelUserNamespaces]; !mapped && spec.Pool == "" && spec.Labels[admission.LabelPool] == "" && len(spec.Registries) == 0 {
		labels[admission.LabelPodRules] = pulumi.String(admission.PodRulesOfCluster)
	}
	annotations := force()
	for annotation, value := range map[string]string{
		admission.AnnotationRegistries: strings.Join(spec.Registries, ","), admission.AnnotationIngressHosts: strings.Join(spec.IngressHosts, ","),
	} {
		if value != "" {
			annotations[annotation] = pulumi.String(value)
		}
	}
	ns, err := corev1.NewNamespace(ctx, name, &corev1.NamespaceArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(spec.Name), Labels: labels, Annotations: annotations},
	}, parent)
	if err != nil {
		return nil, err
	}
	t.Namespace = ns.Metadata.Name().Elem()
	if err := t.protect(ctx, name, spec, args, parent, pulumi.DependsOn([]pulumi.Resource{ns})); err != nil {
		return nil, err
	}
	// A binding names its namespace in words: it waits for the namespace.
	if err := newObjects(ctx, name, roles.TenantObjects(spec.Name, spec.Access), parent, pulumi.DependsOn([]pulumi.Resource{ns})); err != nil {
		return nil, err
	}
	return t, ctx.RegisterResourceOutputs(t, pulumi.Map{"namespace": t.Namespace})
}

// protect registers what makes the namespace safe to hand over.
func (t *Tenant) protect(ctx *pulumi.Context, name string, spec TenantSpec, args *TenantArgs, parent, inNamespace pulumi.ResourceOption) error {
	objectMeta := func(object string) *metav1.ObjectMetaArgs {
		// With the label, nobody but the platform changes or deletes them (M25/platform-objects).
		return &metav1.ObjectMetaArgs{Name: pulumi.String(object), Namespace: t.Namespace, Annotations: force(),
			Labels: pulumi.StringMap{admission.LabelManagedBy: pulumi.String(admission.ManagedBy)}}
	}
	if err := withoutToken(ctx, name, t.Namespace, parent); err != nil {
		return err
	}
	// The first is the default deny in both directions.
	for _, policy := range network.TenantObjects(spec.Name, spec.flows(), args.Network) {
		accessor, err := meta.Accessor(policy)
		if err != nil {
			return err
		}
		if _, err := newObject(ctx, name+"-"+accessor.GetName(), policy, parent, inNamespace); err != nil {
			return err
		}
	}
	if _, err := newObject(ctx, name+"-platform-priority", platformPriorityQuota(spec.Name), parent, inNamespace); err != nil {
		return err
	}
	_, err := corev1.NewResourceQuota(ctx, name+"-quota", &corev1.ResourceQuotaArgs{
		Metadata: objectMeta("quota"),
		Spec:     &corev1.ResourceQuotaSpecArgs{Hard: pulumi.ToStringMap(spec.Quota)},
	}, parent)
	if err != nil {
		return err
	}
	_, err = corev1.NewLimitRange(ctx, name+"-limits", &corev1.LimitRangeArgs{
		Metadata: objectMeta("limits"),
		Spec: &corev1.LimitRangeSpecArgs{Limits: corev1.LimitRangeItemArray{&corev1.LimitRangeItemArgs{
			Type:           pulumi.String("Container"),
			Default:        pulumi.ToStringMap(spec.ContainerDefaults),
			DefaultRequest: pulumi.ToStringMap(spec.ContainerRequests),
			Max:            pulumi.ToStringMap(spec.ContainerMax),
		}}},
	}, parent)
	return err
}

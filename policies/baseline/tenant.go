package baseline

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/policies/baseline/roles"
)

// TenantArgs describes a tenant.
type TenantArgs struct {
	Spec TenantSpec
	// PodSecurityVersion pins the meaning of "restricted"; v1.35 by default.
	PodSecurityVersion string
}

// Tenant is a namespace that is hardened before anything runs in it: Pod
// Security "restricted" (M22), default-deny network policies (M21), a quota and
// limits (M23), and a default service account without token (CIS 5.1.5).
type Tenant struct {
	pulumi.ResourceState

	// Namespace is the tenant's namespace.
	Namespace pulumi.StringOutput `pulumi:"namespace"`
}

// NewTenant registers a tenant.
func NewTenant(ctx *pulumi.Context, name string, args *TenantArgs, opts ...pulumi.ResourceOption) (*Tenant, error) {
	if err := args.Spec.Validate(); err != nil {
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
		labels[podSecurityPrefix+mode] = pulumi.String("restricted")
		labels[podSecurityPrefix+mode+"-version"] = pulumi.String(version)
	}
	ns, err := corev1.NewNamespace(ctx, name, &corev1.NamespaceArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(spec.Name), Labels: labels, Annotations: force()},
	}, parent)
	if err != nil {
		return nil, err
	}
	t.Namespace = ns.Metadata.Name().Elem()
	if err := t.protect(ctx, name, spec, parent); err != nil {
		return nil, err
	}
	// A binding names its namespace in words: it waits for the namespace.
	if err := newObjects(ctx, name, roles.TenantObjects(spec.Name, spec.Access), parent, pulumi.DependsOn([]pulumi.Resource{ns})); err != nil {
		return nil, err
	}
	return t, ctx.RegisterResourceOutputs(t, pulumi.Map{"namespace": t.Namespace})
}

// protect registers what makes the namespace safe to hand over.
func (t *Tenant) protect(ctx *pulumi.Context, name string, spec TenantSpec, parent pulumi.ResourceOption) error {
	meta := func(object string) *metav1.ObjectMetaArgs {
		return &metav1.ObjectMetaArgs{Name: pulumi.String(object), Namespace: t.Namespace, Annotations: force()}
	}
	if err := withoutToken(ctx, name, t.Namespace, parent); err != nil {
		return err
	}
	// An empty selector means every pod; both directions stand here, because an
	// agent may treat a direction that no policy names as open.
	_, err := networkingv1.NewNetworkPolicy(ctx, name+"-default-deny", &networkingv1.NetworkPolicyArgs{
		Metadata: meta("default-deny"),
		Spec: &networkingv1.NetworkPolicySpecArgs{
			PodSelector: &metav1.LabelSelectorArgs{},
			PolicyTypes: pulumi.ToStringArray([]string{"Ingress", "Egress"}),
			// Said, not left out: a rule that somebody adds is then drift.
			Ingress: networkingv1.NetworkPolicyIngressRuleArray{},
			Egress:  networkingv1.NetworkPolicyEgressRuleArray{},
		},
	}, parent)
	if err != nil {
		return err
	}
	_, err = corev1.NewResourceQuota(ctx, name+"-quota", &corev1.ResourceQuotaArgs{
		Metadata: meta("quota"),
		Spec:     &corev1.ResourceQuotaSpecArgs{Hard: pulumi.ToStringMap(spec.Quota)},
	}, parent)
	if err != nil {
		return err
	}
	_, err = corev1.NewLimitRange(ctx, name+"-limits", &corev1.LimitRangeArgs{
		Metadata: meta("limits"),
		Spec: &corev1.LimitRangeSpecArgs{Limits: corev1.LimitRangeItemArray{&corev1.LimitRangeItemArgs{
			Type:           pulumi.String("Container"),
			Default:        pulumi.ToStringMap(spec.ContainerDefaults),
			DefaultRequest: pulumi.ToStringMap(spec.ContainerRequests),
			Max:            pulumi.ToStringMap(spec.ContainerMax),
		}}},
	}, parent)
	return err
}

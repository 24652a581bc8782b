package baseline

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/roles"
)

// Spec is the baseline in plain values, as settings give it.
type Spec struct {
	// Policies are the admission policies of the API server.
	Policies admission.Settings `json:"policies"`
	// Access says who is who: groups of the identity provider by what they may do.
	Access roles.Spec `json:"access"`
}

// Args describe the baseline. Nil stands for the defaults of all.
type Args struct {
	Spec Spec
	// PodSecurityVersion pins the meaning of the levels of Pod Security; v1.35 by
	// default.
	PodSecurityVersion string
	// Kubeconfig reaches the cluster. With it, a policy is replaced only once its
	// successor was seen to refuse something.
	Kubeconfig pulumi.StringInput
	// Exceptions accept risks of the whole cluster.
	Exceptions []hostconfig.Exception
	// Bootstrapped tells that the cluster was made with the role of its platform
	// administrators, as Redoubt's own are; other clusters get it here.
	Bootstrapped bool
}

// Validate reports everything that is wrong with the groups, below the field.
func (s Spec) Validate(field string) error { return s.Access.Validate(field + ".access") }

// Baseline is what a cluster gets once, whatever runs in it.
type Baseline struct{ pulumi.ResourceState }

// NewBaseline registers the baseline: roles, and bindings of the groups (M20); the
// policies of quarantine (M40); and the default service accounts of the namespaces
// that Kubernetes makes itself give no token to a pod that does not ask for one
// (CIS 5.1.5).
func NewBaseline(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Baseline, error) {
	if args == nil {
		args = &Args{}
	}
	if err := args.Spec.Validate("spec"); err != nil {
		return nil, err
	}
	b := &Baseline{}
	if err := ctx.RegisterComponentResource(baselineToken, name, b, opts...); err != nil {
		return nil, err
	}
	for _, namespace := range reservedNamespaces {
		if err := withoutToken(ctx, name+"-"+namespace, pulumi.String(namespace), pulumi.Parent(b)); err != nil {
			return nil, err
		}
	}
	access := args.Spec.Access
	access.Bootstrapped = args.Bootstrapped
	if err := newRoles(ctx, name, access, pulumi.Parent(b)); err != nil {
		return nil, err
	}
	if err := newQuarantine(ctx, name, pulumi.Parent(b)); err != nil {
		return nil, err
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{})
}

// withoutToken patches a namespace's default service account, which its
// controller has made.
func withoutToken(ctx *pulumi.Context, name string, namespace pulumi.StringInput, opts ...pulumi.ResourceOption) error {
	_, err := corev1.NewServiceAccountPatch(ctx, name+"-default-account", &corev1.ServiceAccountPatchArgs{
		Metadata: &metav1.ObjectMetaPatchArgs{
			Name: pulumi.String("default"), Namespace: namespace.ToStringOutput().ToStringPtrOutput(), Annotations: force(),
		},
		AutomountServiceAccountToken: pulumi.Bool(false),
	}, opts...)
	return err
}

// force takes back a field that somebody else has changed: the objects of the
// baseline are the platform's alone.
func force() pulumi.StringMap {
	return pulumi.StringMap{forceAnnotation: pulumi.String("true")}
}

const forceAnnotation = "pulumi.com/patchForce"

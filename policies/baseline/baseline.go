package baseline

import (
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
	"github.com/redoubt-dev/redoubt/policies/baseline/roles"
)

// Spec is the baseline in plain values, as settings give it.
type Spec struct {
	// Policies are the admission policies of the API server.
	Policies admission.Settings `json:"policies"`
	// Access says who is who: groups of the identity provider by what they may do.
	Access roles.Spec `json:"access"`
	// Network is what enforces policies, and the rules of the whole cluster.
	Network network.Settings `json:"network"`
	// RuntimeClasses are the sandboxed runtimes that nodes offer.
	RuntimeClasses []RuntimeClass `json:"runtimeClasses,omitempty"`
}

// Args describe the baseline. Nil stands for the defaults of all.
type Args struct {
	Spec Spec
	// PodSecurityVersion pins the meaning of the levels of Pod Security; v1.35 by
	// default.
	PodSecurityVersion string
	// Policies are further ones, in the form of the catalogue.
	Policies []admission.Policy
	// Kubeconfig reaches the cluster. With it, a policy is replaced only once its
	// successor was seen to refuse something.
	Kubeconfig pulumi.StringInput
	// Patience bounds the wait for policies to take effect; a minute by default.
	Patience time.Duration
	// Exceptions accept risks of the whole cluster.
	Exceptions []hostconfig.Exception
	// SystemWorkloads are the pods that the cluster's maker puts into kube-system,
	// beside DNS. Where the settings of the network say where the API server is,
	// kube-system has policies for them (M21).
	SystemWorkloads []network.SystemWorkload
	// SystemApart tells that the policies of kube-system are registered already, by
	// [NewSystemPolicies], because something waits for them.
	SystemApart bool
	// Bootstrapped tells that the cluster was made with the role of its platform
	// administrators, as Redoubt's own are; other clusters get it here.
	Bootstrapped bool
}

// Validate reports everything that is wrong, below the field. The exceptions are
// those of the whole cluster; now judges their expiry and that of the policies'.
func (s Spec) Validate(field string, exceptions []hostconfig.Exception, now time.Time) error {
	return errors.Join(s.Access.Validate(field+".access"), hostconfig.Within(field+".policies", s.Policies.Validate(exceptions, now)),
		s.Network.Validate(field+".network"), s.checkSystem(field, exceptions), checkRuntimeClasses(field+".runtimeClasses", s.RuntimeClasses))
}

// enforced tells whether policies refuse what they find: elsewhere workloads may
// still be what they refuse, and a denial of the network would cut them off before
// anybody has been told.
func (s Spec) enforced() bool { return s.Policies.Mode == "" || s.Policies.Mode == admission.Deny }

// checkSystem reports namespaces of the system whose flows nobody has said.
func (s Spec) checkSystem(field string, exceptions []hostconfig.Exception) error {
	if !s.enforced() || hostconfig.Excepted(exceptions, network.ControlSystem) {
		return nil
	}
	var problems []error
	for i, each := range s.Policies.SystemNamespaces {
		if slices.Contains(reservedNamespaces, each.Name) || slices.ContainsFunc(s.Network.System, func(n network.SystemNamespace) bool { return n.Namespace == each.Name }) {
			continue
		}
		problems = append(problems, &hostconfig.FieldError{Field: fmt.Sprintf("%s.policies.systemNamespaces[%d].name", field, i),
			Problem: each.Name + " has no network policies: whoever takes over an add-on there reaches everything, which weakens control " + network.ControlSystem,
			Remedy:  fmt.Sprintf("write the flows of its pods, or none, in %s.network.system; or %s", field, hostconfig.AcceptRisk(network.ControlSystem))})
	}
	return errors.Join(problems...)
}

// WithAPIServers adds where pods reach the API server, see [network.Settings.APIServers].
func (s Spec) WithAPIServers(endpoints ...network.Endpoint) Spec {
	s.Network = s.Network.WithAPIServers(endpoints...)
	return s
}

// WithResolvers adds what the cluster's DNS asks, see [network.Settings.Resolvers].
func (s Spec) WithResolvers(cidrs ...string) Spec {
	s.Network = s.Network.WithResolvers(cidrs...)
	return s
}

// WithRegistries has the registries as those that images may come from, unless
// settings name some.
func (s Spec) WithRegistries(registries ...string) Spec {
	if len(s.Policies.Registries) == 0 {
		s.Policies.Registries = registries
	}
	return s
}

// WithSystemUsers adds identities of a provider, see
// [admission.Settings.SystemUsers].
func (s Spec) WithSystemUsers(users ...string) Spec {
	s.Policies.SystemUsers = append(slices.Clone(s.Policies.SystemUsers), users...)
	return s
}

// WithSystemNamespaces adds namespaces of the system whose pods reach nothing over
// the network of pods.
func (s Spec) WithSystemNamespaces(namespaces ...admission.SystemNamespace) Spec {
	s.Policies.SystemNamespaces = append(slices.Clone(s.Policies.SystemNamespaces), namespaces...)
	s.Network.System = slices.Clone(s.Network.System)
	for _, each := range namespaces {
		s.Network.System = append(s.Network.System, network.SystemNamespace{Namespace: each.Name})
	}
	return s
}

// WithTenants adds what the cluster's policies know of tenants: those of the class
// baseline.
func (s Spec) WithTenants(tenants []TenantSpec) Spec {
	s.Policies.BaselineNamespaces = slices.Clone(s.Policies.BaselineNamespaces)
	for _, t := range tenants {
		if t.Class == ClassBaseline && !slices.Contains(s.Policies.BaselineNamespaces, t.Name) {
			s.Policies.BaselineNamespaces = append(s.Policies.BaselineNamespaces, t.Name)
		}
	}
	return s
}

// Baseline is what a cluster gets once, whatever runs in it.
type Baseline struct {
	pulumi.ResourceState

	// InForce is known once all policies are, and says how many.
	InForce pulumi.StringOutput `pulumi:"inForce"`
}

// NewBaseline registers the baseline: admission policies (M25); levels of Pod
// Security for the namespaces that Kubernetes makes itself (M22), where the default
// service accounts give no token to a pod that does not ask for one (CIS 5.1.5);
// roles, and bindings of the groups (M20); the policies of quarantine (M40); rules
// of the network that hold for the whole cluster, the flows of the system's own
// namespaces, and a default deny where nothing runs (M21); classes of priority and of sandboxed runtimes (M24, M28).
func NewBaseline(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Baseline, error) {
	if args == nil {
		args = &Args{}
	}
	if err := args.Spec.Validate("spec", args.Exceptions, time.Now()); err != nil {
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
	made, err := newLevels(ctx, name, args.PodSecurityVersion, args.Spec.Policies, pulumi.Parent(b))
	if err != nil {
		return nil, err
	}
	if err := newQuarantine(ctx, name, pulumi.Parent(b)); err != nil {
		return nil, err
	}
	if err := newClusterObjects(ctx, name, args, made, pulumi.Parent(b)); err != nil {
		return nil, err
	}
	if b.InForce, err = newPolicies(ctx, name, args, pulumi.Parent(b)); err != nil {
		return nil, err
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"inForce": b.InForce})
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

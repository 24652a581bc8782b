// Package incluster is what second stacks have in common, whatever cloud the
// first is on: they find the cluster by the outputs of the first, and apply the
// baseline and tenants. It knows no cloud.
package incluster

import (
	"fmt"
	"os"
	"time"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
	"github.com/redoubt-dev/redoubt/stacks/kept"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// First are the outputs of a first stack. What is missing is its error.
type First struct {
	stack string
	ref   *pulumi.StackReference
	err   error
}

// Read begins to read a first stack: its name, or organization/project/stack.
func Read(ctx *pulumi.Context, stack string) (*First, error) {
	ref, err := kept.Reference(ctx, stack)
	return &First{stack: stack, ref: ref}, err
}

// Value is an output, which must be there.
func (f *First) Value(name string) any {
	given, err := f.ref.GetOutputDetails(name)
	if err == nil && given.Value == nil {
		err = fmt.Errorf("%s:cluster: the stack %s has no output %s; bring it up first: pulumi up -s %s", settings.Namespace, f.stack, name, f.stack)
	}
	if err != nil {
		if f.err == nil {
			f.err = err
		}
		return nil
	}
	return given.Value
}

// Text is an output that is a text.
func (f *First) Text(name string) string {
	text, _ := f.Value(name).(string)
	return text
}

// Texts is an output that is a list of texts.
func (f *First) Texts(name string) []string {
	var out []string
	values, _ := f.Value(name).([]any)
	for _, value := range values {
		if text, ok := value.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// TextMap is an output that has texts by name.
func (f *First) TextMap(name string) map[string]string {
	out := map[string]string{}
	values, _ := f.Value(name).(map[string]any)
	for key, value := range values {
		out[key], _ = value.(string)
	}
	return out
}

// Err is the first output that was missing.
func (f *First) Err() error { return f.err }

// Provider reaches the API server of a cluster. A new endpoint of the same
// cluster is no other cluster.
func Provider(ctx *pulumi.Context, cluster, kubeconfig string) (*kubernetes.Provider, error) {
	return kubernetes.NewProvider(ctx, cluster+"-api", &kubernetes.ProviderArgs{
		Kubeconfig: pulumi.String(kubeconfig), EnableServerSideApply: pulumi.Bool(true), ClusterIdentifier: pulumi.String(cluster),
	})
}

// known stands for addresses that a stack learns after its settings were judged.
var known = network.Endpoint{CIDR: "127.0.0.1/32"}

// CheckTenants reports what is wrong with tenants.
func CheckTenants(r *settings.Reader, tenants []baseline.TenantSpec, spec baseline.Spec, exceptions []hostconfig.Exception) {
	for i, err := range baseline.ValidateTenants(tenants, spec.Network.WithAPIServers(known), exceptions) {
		if err != nil {
			r.Problem(fmt.Sprintf("tenants[%d]", i), "%v", err)
		}
	}
}

// CheckBaseline reports what is wrong with the baseline.
func CheckBaseline(r *settings.Reader, spec baseline.Spec, exceptions []hostconfig.Exception, now time.Time) {
	// Which registry is the default, and where the API server is, is known later.
	r.Report("", spec.WithRegistries("localhost").WithAPIServers(known).Validate("baseline", exceptions, now), nil)
}

// simulated says that there is no API server at the endpoint: who drives such a
// stack sets it, and sends what is Kubernetes elsewhere.
const simulated = "REDOUBT_SIMULATED"

// Reached is the kubeconfig by which policies are asked whether they are in
// force, where there is an API server to ask.
func Reached(kubeconfig string) pulumi.StringInput {
	if os.Getenv(simulated) != "" {
		return nil
	}
	return pulumi.String(kubeconfig)
}

// Baseline registers the baseline and the tenants, and gives out their names and
// who can do what (M20).
func Baseline(ctx *pulumi.Context, cluster string, args *baseline.Args, tenants []baseline.TenantSpec, in ...pulumi.ResourceOption) (*baseline.Baseline, error) {
	all := *args
	all.Spec = args.Spec.WithTenants(tenants)
	// What stands in for a simulated cluster has the role of its administrators, who
	// would be lost without it when this stack goes.
	all.Bootstrapped = args.Bootstrapped || os.Getenv(simulated) != ""
	made, err := baseline.NewBaseline(ctx, cluster+"-baseline", &all, in...)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, tenant := range tenants {
		if _, err := baseline.NewTenant(ctx, tenant.Name, &baseline.TenantArgs{Spec: tenant, PodSecurityVersion: args.PodSecurityVersion, Network: args.Spec.Network, Exceptions: args.Exceptions}, in...); err != nil {
			return nil, err
		}
		names = append(names, tenant.Name)
	}
	ctx.Export("tenants", pulumi.ToStringArray(names))
	access := args.Spec.Access
	access.Bootstrapped = all.Bootstrapped
	ctx.Export("access", pulumi.ToStringArrayMap(baseline.Review(access, tenants).ByGroup()))
	return made, nil
}

package aws

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// BaselineEnvironment is what the settings of a second stack say: what lies
// inside the cluster. It is run where the private endpoint is reached.
type BaselineEnvironment struct {
	// Platform is aws-baseline.
	Platform string `json:"platform" jsonschema:"required"`
	// Cluster is the first stack: its name, or organization/project/stack. Required.
	Cluster string `json:"cluster" jsonschema:"required"`
	// RoleArn is a role of IAM that is taken to reach the cluster; without it the
	// credentials of the run do. One of the two has admin in the first stack.
	RoleArn string `json:"roleArn,omitempty"`
	// AddonVersions pin coredns and aws-ebs-csi-driver. Required.
	AddonVersions map[string]string `json:"addonVersions" jsonschema:"required"`
	// Tenants are namespaces with Pod Security "restricted", default-deny network
	// policies, a quota and limits.
	Tenants []baseline.TenantSpec `json:"tenants,omitempty"`
	// Exceptions accept risks: each names a control, a reason and an expiry at most
	// a year away.
	Exceptions []hostconfig.Exception `json:"exceptions,omitempty"`
}

// readBaseline reads and checks the settings of a second stack.
func readBaseline(ctx *pulumi.Context) (BaselineEnvironment, error) {
	var e BaselineEnvironment
	r := settings.New(ctx)
	r.Environment()
	r.Struct(&e)
	r.RefuseUnknown()
	if r.Err() == nil {
		e.validate(r, time.Now())
	}
	return e, r.Err()
}

func (e BaselineEnvironment) validate(r *settings.Reader, now time.Time) {
	if e.Cluster == "" {
		r.Add("cluster", "is missing", "write the name of the first stack, such as aws-prod")
	}
	if e.RoleArn != "" {
		if err := components.CheckRole(e.RoleArn); err != nil {
			r.Add("roleArn", err.Error(), "write the ARN of a role, such as arn:aws:iam::123456789012:role/name")
		}
	}
	// The cluster's name is known from the first stack only.
	addons := e.addons("cluster", pulumi.StringArrayOutput{}, later, nil)
	r.Report("", addons.Validate(now), map[string]string{"cluster": "", "versions": "addonVersions"})
	for i, tenant := range e.Tenants {
		if err := tenant.Validate(); err != nil {
			r.Problem(fmt.Sprintf("tenants[%d]", i), "%v", err)
		}
	}
}

func (e BaselineEnvironment) addons(cluster string, after pulumi.StringArrayInput, role pulumi.StringInput, tags map[string]string) *components.EksAddonsArgs {
	return &components.EksAddonsArgs{Cluster: cluster, After: after, VolumesRoleArn: role, Versions: e.AddonVersions, Tags: tags, Exceptions: e.Exceptions}
}

// first is what the first stack gave out.
type first struct {
	account, region, cluster, endpoint, authority, networkCIDR, serviceCIDR, volumesRole, volumesKey string
	pools                                                                                            []string
	tags                                                                                             map[string]string
}

// readFirst reads the outputs of the first stack, all of which must be there.
func readFirst(ctx *pulumi.Context, stack string) (first, error) {
	f := first{tags: map[string]string{}}
	ref, err := reference(ctx, stack)
	if err != nil {
		return f, err
	}
	var missing []error
	get := func(name string) any {
		given, err := ref.GetOutputDetails(name)
		if err == nil && given.Value == nil {
			err = fmt.Errorf("%s:cluster: the stack %s has no output %s; bring it up first: pulumi up -s %s", settings.Namespace, stack, name, stack)
		}
		if err != nil {
			missing = append(missing, err)
			return nil
		}
		return given.Value
	}
	for name, into := range map[string]*string{
		outputAccount: &f.account, outputRegion: &f.region, outputCluster: &f.cluster, outputEndpoint: &f.endpoint, outputAuthority: &f.authority,
		outputNetworkCIDR: &f.networkCIDR, outputServiceCIDR: &f.serviceCIDR, outputVolumesRole: &f.volumesRole, outputVolumesKey: &f.volumesKey,
	} {
		*into, _ = get(name).(string)
	}
	pools, _ := get(outputNodePools).([]any)
	for _, pool := range pools {
		if arn, ok := pool.(string); ok {
			f.pools = append(f.pools, arn)
		}
	}
	tags, _ := get(outputTags).(map[string]any)
	for key, value := range tags {
		f.tags[key], _ = value.(string)
	}
	if len(missing) > 0 {
		return f, missing[0]
	}
	return f, nil
}

// inCluster is the second stack of an environment. The network plugin is strict:
// a pod reaches nothing before a policy lets it. So the policies of the system's
// namespace come first, then the add-ons that run as pods.
func inCluster(ctx *pulumi.Context) error {
	e, err := readBaseline(ctx)
	if err != nil {
		return err
	}
	f, err := readFirst(ctx, e.Cluster)
	if err != nil {
		return err
	}
	config, err := kubeconfig(f.cluster, f.endpoint, f.authority, f.region, e.RoleArn)
	if err != nil {
		return err
	}
	api, err := kubernetes.NewProvider(ctx, f.cluster+"-api", &kubernetes.ProviderArgs{
		Kubeconfig: pulumi.String(config), EnableServerSideApply: pulumi.Bool(true),
		// A new endpoint of the same cluster is no other cluster.
		ClusterIdentifier: pulumi.String(f.cluster),
	})
	if err != nil {
		return err
	}
	cloud, err := newProvider(ctx, f.cluster, pulumi.String(f.region), pulumi.String(f.account))
	if err != nil {
		return err
	}
	in := pulumi.Provider(api)
	policies, err := baseline.NewSystemPolicies(ctx, f.cluster+"-system", f.systemPolicies(), in)
	if err != nil {
		return err
	}
	after := pulumi.ToStringArray(f.pools)
	after = append(after, policies.Ready)
	if _, err := components.NewEksAddons(ctx, f.cluster, e.addons(f.cluster, after, pulumi.String(f.volumesRole), f.tags), pulumi.Provider(cloud)); err != nil {
		return err
	}
	if err := newStorageClass(ctx, f, in); err != nil {
		return err
	}
	if _, err := baseline.NewBaseline(ctx, f.cluster+"-baseline", in); err != nil {
		return err
	}
	var names []string
	for _, tenant := range e.Tenants {
		if _, err := baseline.NewTenant(ctx, tenant.Name, &baseline.TenantArgs{Spec: tenant}, in); err != nil {
			return err
		}
		names = append(names, tenant.Name)
	}
	ctx.Export("tenants", pulumi.ToStringArray(names))
	return nil
}

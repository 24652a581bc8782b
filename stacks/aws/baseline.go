package aws

import (
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/stacks/incluster"
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
	// Baseline is what the cluster gets once, whatever runs in it.
	Baseline baseline.Spec `json:"baseline,omitempty"`
	// Tenants are namespaces with Pod Security "restricted", default-deny network
	// policies, a quota and limits.
	Tenants []baseline.TenantSpec `json:"tenants,omitempty"`
	// Exceptions accept risks: each names a control, a reason and an expiry at most
	// a year away.
	Exceptions []hostconfig.Exception `json:"exceptions,omitempty"`
}

// systemUsers are what EKS itself acts as in a cluster; nobody can be mapped to such a name.
// https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
const systemUsers = "eks:*"

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
	incluster.CheckBaseline(r, e.Baseline, e.Exceptions, now)
	incluster.CheckTenants(r, e.Tenants, e.Baseline, e.Exceptions)
}

func (e BaselineEnvironment) addons(cluster string, after pulumi.StringArrayInput, role pulumi.StringInput, tags map[string]string) *components.EksAddonsArgs {
	return &components.EksAddonsArgs{Cluster: cluster, After: after, VolumesRoleArn: role, Versions: e.AddonVersions, Tags: tags, Exceptions: e.Exceptions}
}

// registryOf is an account's own registry, from which images come by default.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
func registryOf(account, region string) string {
	return account + ".dkr.ecr." + region + ".amazonaws.com"
}

// first is what the first stack gave out.
type first struct {
	account, region, cluster, endpoint, authority, networkCIDR, serviceCIDR, volumesRole, volumesKey string

	pools []string
	tags  map[string]string
}

// readFirst reads the outputs of the first stack, all of which must be there.
func readFirst(ctx *pulumi.Context, stack string) (first, error) {
	of, err := incluster.Read(ctx, stack)
	if err != nil {
		return first{}, err
	}
	f := first{
		account: of.Text(outputAccount), region: of.Text(outputRegion), cluster: of.Text(outputCluster), endpoint: of.Text(outputEndpoint),
		authority: of.Text(outputAuthority), networkCIDR: of.Text(outputNetworkCIDR), serviceCIDR: of.Text(outputServiceCIDR),
		volumesRole: of.Text(outputVolumesRole), volumesKey: of.Text(outputVolumesKey), pools: of.Texts(outputNodePools), tags: of.TextMap(outputTags),
	}
	return f, of.Err()
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
	api, err := incluster.Provider(ctx, f.cluster, config)
	if err != nil {
		return err
	}
	cloud, err := newProvider(ctx, f.cluster, pulumi.String(f.region), pulumi.String(f.account))
	if err != nil {
		return err
	}
	in := pulumi.Provider(api)
	spec := f.within(e.Baseline)
	policies, err := baseline.NewSystemPolicies(ctx, f.cluster+"-system", &baseline.SystemPoliciesArgs{Network: spec.Network, Workloads: systemWorkloads}, in)
	if err != nil {
		return err
	}
	after := append(pulumi.ToStringArray(f.pools), policies.Ready)
	if _, err := components.NewEksAddons(ctx, f.cluster, e.addons(f.cluster, after, pulumi.String(f.volumesRole), f.tags), pulumi.Provider(cloud)); err != nil {
		return err
	}
	volumes := map[string]string{"type": "gp3", "encrypted": "true", "kmsKeyId": f.volumesKey}
	if err := baseline.NewEncryptedStorage(ctx, f.cluster, "ebs.csi.aws.com", volumes, in); err != nil {
		return err
	}
	_, err = incluster.Baseline(ctx, f.cluster, &baseline.Args{
		Spec: spec.WithRegistries(registryOf(f.account, f.region)).WithSystemUsers(systemUsers), SystemApart: true, Exceptions: e.Exceptions, Kubeconfig: incluster.Reached(config),
	}, e.Tenants, in)
	return err
}

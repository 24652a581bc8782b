package aws

import (
	"strings"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// controlPlaneLogs are all that EKS writes (CIS-EKS 2.1.1).
var controlPlaneLogs = []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}

// EksCluster is a control plane that nobody reaches from the internet and into
// which nobody gets but those who are named (M10, M20), with the add-ons that
// nodes need before they take pods.
type EksCluster struct {
	pulumi.ResourceState

	// Name and Arn are known once the control plane is there.
	Name pulumi.StringOutput `pulumi:"name"`
	Arn  pulumi.StringOutput `pulumi:"arn"`
	// KubernetesVersion is the full version that was asked for, once the control
	// plane has its minor: nodes are upgraded after it.
	KubernetesVersion pulumi.StringOutput `pulumi:"kubernetesVersion"`
	// NodesClusterName is the name once the add-ons are there that nodes need: the
	// network plugin above all.
	NodesClusterName pulumi.StringOutput `pulumi:"nodesClusterName"`
	// Endpoint and CertificateAuthority (base64) are known once those who are named
	// in Access may do something: what is made inside the cluster waits for that,
	// and is deleted before it ends.
	Endpoint             pulumi.StringOutput `pulumi:"endpoint"`
	CertificateAuthority pulumi.StringOutput `pulumi:"certificateAuthority"`
	// OidcIssuer and OidcProviderArn are for roles of service accounts where Pod
	// Identity does not do.
	OidcIssuer      pulumi.StringOutput `pulumi:"oidcIssuer"`
	OidcProviderArn pulumi.StringOutput `pulumi:"oidcProviderArn"`
	// BreakGlassArns are the roles whose use must raise an alarm.
	BreakGlassArns pulumi.StringArrayOutput `pulumi:"breakGlassArns"`
}

// NewEksCluster registers the control plane. The arguments are checked, all at
// once, before anything is registered.
func NewEksCluster(ctx *pulumi.Context, name string, args *EksClusterArgs, opts ...pulumi.ResourceOption) (*EksCluster, error) {
	a := args.withDefaults()
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	c := &EksCluster{}
	if err := ctx.RegisterComponentResource(eksClusterToken, name, c, opts...); err != nil {
		return nil, err
	}
	cluster, err := newControlPlane(ctx, name, a, pulumi.Parent(c), pulumi.Protect(!a.Unprotected))
	if err != nil {
		return nil, err
	}
	c.Name, c.Arn = cluster.Name, cluster.Arn
	c.KubernetesVersion = cluster.Version.ApplyT(func(string) string { return a.KubernetesVersion }).(pulumi.StringOutput)
	ready, err := c.newAccess(ctx, name, a)
	if err != nil {
		return nil, err
	}
	c.Endpoint = once(append([]any{cluster.Endpoint}, ready...)...)
	c.CertificateAuthority = once(append([]any{cluster.CertificateAuthority.ApplyT(func(authority eks.ClusterCertificateAuthority) string {
		if authority.Data == nil {
			return ""
		}
		return *authority.Data
	})}, ready...)...)
	if c.NodesClusterName, err = c.newNodeAddons(ctx, name, a); err != nil {
		return nil, err
	}
	if err := c.newIssuer(ctx, name, a, cluster); err != nil {
		return nil, err
	}
	watched := pulumi.StringArray{}
	for _, e := range a.Access {
		if e.Role == AccessBreakGlass {
			watched = append(watched, e.PrincipalArn)
		}
	}
	c.BreakGlassArns = watched.ToStringArrayOutput()
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{
		"name": c.Name, "arn": c.Arn, "kubernetesVersion": c.KubernetesVersion, "nodesClusterName": c.NodesClusterName, "endpoint": c.Endpoint,
		"certificateAuthority": c.CertificateAuthority, "oidcIssuer": c.OidcIssuer, "oidcProviderArn": c.OidcProviderArn, "breakGlassArns": c.BreakGlassArns,
	})
}

func newControlPlane(ctx *pulumi.Context, name string, a EksClusterArgs, opts ...pulumi.ResourceOption) (*eks.Cluster, error) {
	minor, _ := hostconfig.FindMinor(a.KubernetesVersion)
	network := eks.ClusterVpcConfigArgs{
		SubnetIds: a.SubnetIDs, SecurityGroupIds: pulumi.StringArray{a.SecurityGroupID},
		EndpointPrivateAccess: pulumi.Bool(true), EndpointPublicAccess: pulumi.Bool(len(a.PublicCIDRs) > 0),
	}
	if len(a.PublicCIDRs) > 0 {
		network.PublicAccessCidrs = pulumi.ToStringArray(a.PublicCIDRs)
	}
	// The tag says where the logs are. It also makes the cluster wait for the
	// group, and the group outlive the cluster.
	tags := tagged(a.Tags, a.Cluster, a.Cluster)
	tags[clusterTag+"-logs"] = a.LogGroupName.ToStringOutput().ApplyT(func(group string) (string, error) { return group, a.logGroupProblem(group) }).(pulumi.StringOutput)
	args := &eks.ClusterArgs{
		Name: pulumi.String(a.Cluster), Version: pulumi.String(strings.TrimPrefix(minor.Name, "v")), RoleArn: a.ClusterRoleArn, VpcConfig: network,
		AccessConfig: eks.ClusterAccessConfigArgs{
			AuthenticationMode: pulumi.String("API"), BootstrapClusterCreatorAdminPermissions: pulumi.Bool(false),
		},
		EncryptionConfig: eks.ClusterEncryptionConfigArgs{
			Provider: eks.ClusterEncryptionConfigProviderArgs{KeyArn: a.SecretsKeyArn}, Resources: pulumi.ToStringArray([]string{"secrets"}),
		},
		EnabledClusterLogTypes: pulumi.ToStringArray(controlPlaneLogs),
		// The add-ons are EKS's own, pinned, and configured from the beginning.
		BootstrapSelfManagedAddons: pulumi.Bool(false),
		UpgradePolicy:              eks.ClusterUpgradePolicyArgs{SupportType: pulumi.String("STANDARD")},
		ZonalShiftConfig:           eks.ClusterZonalShiftConfigArgs{Enabled: pulumi.Bool(true)},
		Tags:                       tags,
	}
	if a.ServiceCIDR != "" {
		args.KubernetesNetworkConfig = eks.ClusterKubernetesNetworkConfigArgs{IpFamily: pulumi.String("ipv4"), ServiceIpv4Cidr: pulumi.String(a.ServiceCIDR)}
	}
	return eks.NewCluster(ctx, name, args, opts...)
}

// newNodeAddons registers what nodes need, all of it as DaemonSets, which are in
// order while there are no nodes. It gives the cluster's name once they are.
func (c *EksCluster) newNodeAddons(ctx *pulumi.Context, name string, a EksClusterArgs) (pulumi.StringOutput, error) {
	ready := []any{c.Name}
	for _, each := range a.nodeAddons() {
		d := addon{name: each, version: a.AddonVersions[each]}
		if each == addonNetwork {
			d.configuration, d.role, d.serviceAccount = networkConfiguration(), a.NetworkRoleArn, "aws-node"
		}
		made, err := d.register(ctx, name, a.Cluster, c.Name, a.Tags, pulumi.Parent(c))
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		ready = append(ready, made.Arn)
	}
	return once(ready...), nil
}

// newIssuer makes IAM trust the tokens of the cluster's service accounts.
func (c *EksCluster) newIssuer(ctx *pulumi.Context, name string, a EksClusterArgs, cluster *eks.Cluster) error {
	c.OidcIssuer = cluster.Identities.ApplyT(func(identities []eks.ClusterIdentity) string {
		for _, identity := range identities {
			for _, oidc := range identity.Oidcs {
				if oidc.Issuer != nil {
					return *oidc.Issuer
				}
			}
		}
		return ""
	}).(pulumi.StringOutput)
	provider, err := iam.NewOpenIdConnectProvider(ctx, name+"-oidc", &iam.OpenIdConnectProviderArgs{
		Url: c.OidcIssuer, ClientIdLists: pulumi.ToStringArray([]string{"sts.amazonaws.com"}), Tags: tagged(a.Tags, a.Cluster, a.Cluster+"-oidc"),
	}, pulumi.Parent(c))
	if err != nil {
		return err
	}
	c.OidcProviderArn = provider.Arn
	return nil
}

package gcp

import (
	"strings"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Components whose logs and metrics are kept (CIS-GKE-5.7.1).
var (
	loggedComponents   = []string{"SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "SCHEDULER", "CONTROLLER_MANAGER"}
	measuredComponents = []string{"SYSTEM_COMPONENTS", "APISERVER", "SCHEDULER", "CONTROLLER_MANAGER"}
)

// GkeCluster is a control plane that nobody reaches from the internet and into
// which nobody gets but those who are named (M11, M20). What the provider cannot
// say of it is in [Limits].
type GkeCluster struct {
	pulumi.ResourceState

	// Name and ID are known once the control plane is there.
	Name pulumi.StringOutput `pulumi:"name"`
	ID   pulumi.StringOutput `pulumi:"clusterId"`
	// KubernetesVersion is the full version that was asked for, once the control
	// plane is there; the channel may be further.
	KubernetesVersion pulumi.StringOutput `pulumi:"kubernetesVersion"`
	// NodesClusterName is the name once everything is there that nodes need. What
	// GKE runs on them comes with the cluster.
	NodesClusterName pulumi.StringOutput `pulumi:"nodesClusterName"`
	// Endpoint and CertificateAuthority (base64) are known once those who are named
	// in Access may do something: what is made inside the cluster waits for that,
	// and is deleted before it ends.
	Endpoint             pulumi.StringOutput `pulumi:"endpoint"`
	CertificateAuthority pulumi.StringOutput `pulumi:"certificateAuthority"`
	// OidcIssuer is that of the tokens of service accounts, and WorkloadPool the
	// pool in which IAM knows them.
	OidcIssuer   pulumi.StringOutput `pulumi:"oidcIssuer"`
	WorkloadPool pulumi.StringOutput `pulumi:"workloadPool"`
	// BreakGlassMembers are those whose use must raise an alarm.
	BreakGlassMembers pulumi.StringArrayOutput `pulumi:"breakGlassMembers"`
}

// NewGkeCluster registers the control plane. The arguments are checked, all at
// once, before anything is registered.
func NewGkeCluster(ctx *pulumi.Context, name string, args *GkeClusterArgs, opts ...pulumi.ResourceOption) (*GkeCluster, error) {
	a := args.withDefaults()
	if err := args.Validate(time.Now()); err != nil {
		return nil, err
	}
	c := &GkeCluster{}
	if err := ctx.RegisterComponentResource(gkeClusterToken, name, c, opts...); err != nil {
		return nil, err
	}
	// The first pool is gone as soon as the cluster is there: what it would be now
	// must never replace the cluster.
	cluster, err := container.NewCluster(ctx, name, a.cluster(), pulumi.Parent(c), pulumi.Protect(!a.Unprotected),
		pulumi.IgnoreChanges([]string{"nodeConfig", "initialNodeCount"}))
	if err != nil {
		return nil, err
	}
	c.Name, c.ID = cluster.Name, cluster.ID().ToStringOutput()
	c.KubernetesVersion = once(text(a.KubernetesVersion), cluster.ID())
	c.NodesClusterName = c.Name
	ready, err := c.newAccess(ctx, name, a)
	if err != nil {
		return nil, err
	}
	c.Endpoint = once(append([]any{pulumi.Sprintf("https://%s", cluster.Endpoint)}, ready...)...)
	c.CertificateAuthority = once(append([]any{cluster.MasterAuth.ClusterCaCertificate().Elem()}, ready...)...)
	c.WorkloadPool = once(text(a.workloadPool()), cluster.ID())
	c.OidcIssuer = once(text("https://container.googleapis.com/v1/"+a.Project.clusterPath(a.Cluster)), cluster.ID())
	watched := pulumi.StringArray{}
	for _, e := range a.Access {
		if e.Role == AccessBreakGlass {
			watched = append(watched, pulumi.String(e.Member))
		}
	}
	c.BreakGlassMembers = watched.ToStringArrayOutput()
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{
		"name": c.Name, "clusterId": c.ID, "kubernetesVersion": c.KubernetesVersion, "nodesClusterName": c.NodesClusterName, "endpoint": c.Endpoint,
		"certificateAuthority": c.CertificateAuthority, "oidcIssuer": c.OidcIssuer, "workloadPool": c.WorkloadPool, "breakGlassMembers": c.BreakGlassMembers,
	})
}

func (a GkeClusterArgs) workloadPool() string { return a.Project.ID + ".svc.id.goog" }

// cluster is what the control plane is, with nodes of its own or without.
func (a GkeClusterArgs) cluster() *container.ClusterArgs {
	minor, _ := hostconfig.FindMinor(a.KubernetesVersion)
	args := &container.ClusterArgs{
		Name: pulumi.String(a.Cluster), Location: pulumi.String(a.Project.Region), Description: pulumi.String("Hardened cluster " + a.Cluster),
		// The policy of images is the project's: the cluster waits for it.
		Project:    a.PolicyProject.ToStringOutput().ToStringPtrOutput(),
		Network:    a.NetworkID.ToStringOutput().ToStringPtrOutput(),
		Subnetwork: a.SubnetworkID.ToStringOutput().ToStringPtrOutput(),
		// CIS-GKE-5.6.2
		NetworkingMode: pulumi.String("VPC_NATIVE"), IpAllocationPolicy: container.ClusterIpAllocationPolicyArgs{
			ClusterSecondaryRangeName: a.PodRangeName.ToStringOutput().ToStringPtrOutput(), ServicesSecondaryRangeName: a.ServiceRangeName.ToStringOutput().ToStringPtrOutput(),
		},
		MinMasterVersion: pulumi.String(strings.TrimPrefix(minor.Name, "v")), ReleaseChannel: container.ClusterReleaseChannelArgs{Channel: pulumi.String(a.Channel)}, // CIS-GKE-5.5.4
		// CIS-GKE-5.6.4, 5.6.5
		PrivateClusterConfig: container.ClusterPrivateClusterConfigArgs{
			EnablePrivateNodes: pulumi.Bool(true), EnablePrivateEndpoint: pulumi.Bool(len(a.PublicCIDRs) == 0), MasterIpv4CidrBlock: a.ControlPlaneCIDR.ToStringOutput().ToStringPtrOutput(),
			MasterGlobalAccessConfig: container.ClusterPrivateClusterConfigMasterGlobalAccessConfigArgs{Enabled: pulumi.Bool(false)},
		},
		MasterAuthorizedNetworksConfig: a.authorized(),
		// CIS-GKE-5.8.1, 5.8.2, 5.8.3
		MasterAuth:                container.ClusterMasterAuthArgs{ClientCertificateConfig: container.ClusterMasterAuthClientCertificateConfigArgs{IssueClientCertificate: pulumi.Bool(false)}},
		AuthenticatorGroupsConfig: container.ClusterAuthenticatorGroupsConfigArgs{SecurityGroup: pulumi.String(a.SecurityGroup)},
		EnableLegacyAbac:          pulumi.Bool(false),
		// CIS-GKE-5.2.2
		WorkloadIdentityConfig: container.ClusterWorkloadIdentityConfigArgs{WorkloadPool: pulumi.String(a.workloadPool())},
		// CIS-GKE-5.3.1
		DatabaseEncryption: container.ClusterDatabaseEncryptionArgs{State: pulumi.String("ENCRYPTED"), KeyName: a.SecretsKeyID.ToStringOutput().ToStringPtrOutput()},
		// CIS-GKE-5.10.4
		BinaryAuthorization: container.ClusterBinaryAuthorizationArgs{EvaluationMode: pulumi.String("PROJECT_SINGLETON_POLICY_ENFORCE")},
		// CIS-GKE-4.3.1, 4.3.2
		DatapathProvider: pulumi.String("ADVANCED_DATAPATH"), EnableFqdnNetworkPolicy: pulumi.Bool(true), EnableCiliumClusterwideNetworkPolicy: pulumi.Bool(true),
		// CVE-2020-8554: a service takes no address of somebody else.
		ServiceExternalIpsConfig: container.ClusterServiceExternalIpsConfigArgs{Enabled: pulumi.Bool(false)},
		// CIS-GKE-5.7.1
		LoggingConfig: container.ClusterLoggingConfigArgs{EnableComponents: pulumi.ToStringArray(loggedComponents)},
		MonitoringConfig: container.ClusterMonitoringConfigArgs{EnableComponents: pulumi.ToStringArray(measuredComponents),
			ManagedPrometheus: container.ClusterMonitoringConfigManagedPrometheusArgs{Enabled: pulumi.Bool(a.ManagedPrometheus)}},
		SecurityPostureConfig: container.ClusterSecurityPostureConfigArgs{Mode: pulumi.String("BASIC"), VulnerabilityMode: pulumi.String("VULNERABILITY_BASIC")},
		EnableKubernetesAlpha: pulumi.Bool(false), // CIS-GKE-5.10.2
		MaintenancePolicy:     a.Maintenance.policy(),
		CostManagementConfig:  container.ClusterCostManagementConfigArgs{Enabled: pulumi.Bool(a.CostAllocation)},
		ResourceLabels:        labelled(a.Labels, a.Cluster),
		DeletionProtection:    pulumi.Bool(!a.Unprotected),
	}
	if a.NotificationTopic != nil {
		args.NotificationConfig = container.ClusterNotificationConfigArgs{Pubsub: container.ClusterNotificationConfigPubsubArgs{
			Enabled: pulumi.Bool(true), Topic: a.NotificationTopic.ToStringOutput().ToStringPtrOutput(),
		}}
	}
	if a.Autopilot {
		a.autopilot(args)
	} else {
		a.ownNodes(args)
	}
	return args
}

// authorized is never empty: without ranges everybody in the network would reach
// the API server, and with Google's own ranges every customer of Google.
func (a GkeClusterArgs) authorized() container.ClusterMasterAuthorizedNetworksConfigArgs {
	var blocks container.ClusterMasterAuthorizedNetworksConfigCidrBlockArray
	for _, each := range a.AuthorizedNetworks {
		blocks = append(blocks, container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgs{CidrBlock: pulumi.String(each.CIDR), DisplayName: pulumi.String(each.Name)})
	}
	for _, cidr := range a.PublicCIDRs {
		blocks = append(blocks, container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgs{CidrBlock: pulumi.String(cidr), DisplayName: pulumi.String("internet")})
	}
	return container.ClusterMasterAuthorizedNetworksConfigArgs{CidrBlocks: blocks, GcpPublicCidrsAccessEnabled: pulumi.Bool(false)}
}

// autopilot says only what Autopilot does not do by itself: shielded nodes,
// intranode visibility and an image of Google's own cannot be switched off there,
// and naming them is refused.
func (a GkeClusterArgs) autopilot(args *container.ClusterArgs) {
	args.EnableAutopilot, args.AllowNetAdmin = pulumi.Bool(true), pulumi.Bool(false)
	args.ClusterAutoscaling = container.ClusterClusterAutoscalingArgs{AutoProvisioningDefaults: container.ClusterClusterAutoscalingAutoProvisioningDefaultsArgs{
		ServiceAccount: a.NodeServiceAccount.ToStringOutput().ToStringPtrOutput(), OauthScopes: pulumi.ToStringArray(nodeScopes),
		BootDiskKmsKey: a.DisksKeyID.ToStringOutput().ToStringPtrOutput(),
	}}
}

// ownNodes is what a cluster with node pools has beside. The first pool lives for
// minutes, and is as hardened as the others.
func (a GkeClusterArgs) ownNodes(args *container.ClusterArgs) {
	args.RemoveDefaultNodePool, args.InitialNodeCount = pulumi.Bool(true), pulumi.Int(1)
	args.NodeConfig = a.firstPool()
	args.EnableShieldedNodes = pulumi.Bool(true)       // CIS-GKE-5.5.5
	args.EnableIntranodeVisibility = pulumi.Bool(true) // CIS-GKE-5.6.1
	args.DefaultMaxPodsPerNode = pulumi.Int(a.MaxPodsPerNode)
	// Names are answered by the metadata server: no pod of the cluster is asked.
	args.DnsConfig = container.ClusterDnsConfigArgs{ClusterDns: pulumi.String("CLOUD_DNS"), ClusterDnsScope: pulumi.String("CLUSTER_SCOPE"),
		ClusterDnsDomain: pulumi.String("cluster.local")}
	args.AddonsConfig = container.ClusterAddonsConfigArgs{
		// Dataplane V2 enforces policies itself; the add-on is for the other one.
		NetworkPolicyConfig: container.ClusterAddonsConfigNetworkPolicyConfigArgs{Disabled: pulumi.Bool(true)},
		// Disks of claims with a key of the customer (CIS-GKE-5.9.1).
		GcePersistentDiskCsiDriverConfig: container.ClusterAddonsConfigGcePersistentDiskCsiDriverConfigArgs{Enabled: pulumi.Bool(true)},
	}
	if len(a.Zones) > 0 {
		args.NodeLocations = pulumi.ToStringArray(a.Zones)
	}
}

// firstPool says of the cluster's own pool what nodeConfig says of every pool.
func (a GkeClusterArgs) firstPool() container.ClusterNodeConfigArgs {
	key, account := a.DisksKeyID.ToStringOutput().ToStringPtrOutput(), a.NodeServiceAccount.ToStringOutput().ToStringPtrOutput()
	return container.ClusterNodeConfigArgs{
		ImageType: pulumi.String(nodeImage), MachineType: pulumi.String("e2-medium"), DiskType: pulumi.String("pd-balanced"), DiskSizeGb: pulumi.Int(50), BootDiskKmsKey: key,
		ServiceAccount: account, OauthScopes: pulumi.ToStringArray(nodeScopes), Metadata: pulumi.ToStringMap(nodeMetadata),
		WorkloadMetadataConfig: container.ClusterNodeConfigWorkloadMetadataConfigArgs{Mode: pulumi.String("GKE_METADATA")},
		ShieldedInstanceConfig: container.ClusterNodeConfigShieldedInstanceConfigArgs{EnableSecureBoot: pulumi.Bool(true), EnableIntegrityMonitoring: pulumi.Bool(true)},
	}
}

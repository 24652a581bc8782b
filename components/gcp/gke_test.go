package gcp

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

func testCluster() GkeClusterArgs {
	return GkeClusterArgs{
		Project: testProject, Cluster: "prod", NetworkID: pulumi.String("net_id"), SubnetworkID: pulumi.String("net-nodes_id"), PodRangeName: pulumi.String("pods"),
		ServiceRangeName: pulumi.String("services"), ControlPlaneCIDR: pulumi.String("10.0.64.0/28"), SecretsKeyID: pulumi.String("projects/shop-prod/locations/europe-west3/keyRings/prod/cryptoKeys/prod-secrets"),
		DisksKeyID: testKey, NodeServiceAccount: testNodes, PolicyProject: pulumi.String("shop-prod"), SecurityGroup: "gke-security-groups@example.com",
		AuthorizedNetworks: []AuthorizedNetworkArgs{{Name: "access", CIDR: "10.0.64.16/28"}},
		Access: []AccessArgs{
			{Name: "automation", Role: AccessAdmin, Member: "serviceAccount:automation@shop-prod.iam.gserviceaccount.com"},
			{Name: "shop", Role: AccessOperator, Member: "group:shop@example.com"},
			{Name: "support", Role: AccessViewer, Member: "group:support@example.com"},
			{Name: "emergency", Role: AccessBreakGlass, Member: "serviceAccount:emergency@shop-prod.iam.gserviceaccount.com"},
		},
	}
}

func newTestCluster(t *testing.T, args GkeClusterArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewGkeCluster(ctx, "gke", &args); return err })
}

// hardened is what holds for every cluster, by the control that asks for it.
var hardened = []struct {
	control, path string
	value         any
}{
	{"CIS-GKE-5.2.2", "workloadIdentityConfig.workloadPool", "shop-prod.svc.id.goog"},
	{"CIS-GKE-5.3.1", "databaseEncryption.state", "ENCRYPTED"},
	{"CIS-GKE-5.3.1", "databaseEncryption.keyName", "projects/shop-prod/locations/europe-west3/keyRings/prod/cryptoKeys/prod-secrets"},
	{"CIS-GKE-5.5.4", "releaseChannel.channel", "REGULAR"},
	{"CIS-GKE-5.6.2", "networkingMode", "VPC_NATIVE"},
	{"CIS-GKE-5.6.2", "ipAllocationPolicy", "map[clusterSecondaryRangeName:pods servicesSecondaryRangeName:services]"},
	{"CIS-GKE-5.6.3", "masterAuthorizedNetworksConfig.cidrBlocks", "[map[cidrBlock:10.0.64.16/28 displayName:access]]"},
	{"CIS-GKE-5.6.3", "masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled", false},
	{"CIS-GKE-5.6.4", "privateClusterConfig.enablePrivateEndpoint", true},
	{"CIS-GKE-5.6.4", "privateClusterConfig.masterGlobalAccessConfig.enabled", false},
	{"CIS-GKE-5.6.5", "privateClusterConfig.enablePrivateNodes", true},
	{"CIS-GKE-5.6.5", "privateClusterConfig.masterIpv4CidrBlock", "10.0.64.0/28"},
	{"CIS-GKE-4.3.1", "datapathProvider", "ADVANCED_DATAPATH"},
	{"CIS-GKE-4.3.2", "enableFqdnNetworkPolicy", true},
	{"CIS-GKE-4.3.2", "enableCiliumClusterwideNetworkPolicy", true},
	{"CIS-GKE-5.7.1", "loggingConfig.enableComponents", "[SYSTEM_COMPONENTS WORKLOADS APISERVER SCHEDULER CONTROLLER_MANAGER]"},
	{"CIS-GKE-5.7.1", "monitoringConfig.enableComponents", "[SYSTEM_COMPONENTS APISERVER SCHEDULER CONTROLLER_MANAGER]"},
	{"CIS-GKE-5.8.1", "masterAuth.clientCertificateConfig.issueClientCertificate", false},
	{"CIS-GKE-5.8.2", "authenticatorGroupsConfig.securityGroup", "gke-security-groups@example.com"},
	{"CIS-GKE-5.8.3", "enableLegacyAbac", false},
	{"CIS-GKE-5.10.2", "enableKubernetesAlpha", false},
	{"CIS-GKE-5.10.4", "binaryAuthorization.evaluationMode", "PROJECT_SINGLETON_POLICY_ENFORCE"},
	{"CIS-GKE-5.1.1", "securityPostureConfig.vulnerabilityMode", "VULNERABILITY_BASIC"},
	{"M11", "securityPostureConfig.mode", "BASIC"},
	{"M11", "serviceExternalIpsConfig.enabled", false},
	{"M11", "deletionProtection", true},
	{"M11", "network", "net_id"},
	{"M11", "subnetwork", "net-nodes_id"},
	{"M11", "project", "shop-prod"},
	{"M11", "location", "europe-west3"},
	{"M35", "minMasterVersion", "1.35"},
	{"M35", "maintenancePolicy.recurringWindow.recurrence", "FREQ=WEEKLY;BYDAY=SA,SU"},
}

// ownNodes is what holds beside for a cluster with node pools; Autopilot does it
// by itself and refuses to be told.
var ownNodes = []struct {
	control, path string
	value         any
}{
	{"CIS-GKE-5.5.5", "enableShieldedNodes", true},
	{"CIS-GKE-5.6.1", "enableIntranodeVisibility", true},
	{"CIS-GKE-5.9.1", "addonsConfig.gcePersistentDiskCsiDriverConfig.enabled", true},
	{"CIS-GKE-4.3.1", "addonsConfig.networkPolicyConfig.disabled", true},
	{"M11", "dnsConfig.clusterDns", "CLOUD_DNS"},
	{"M11", "dnsConfig.clusterDnsScope", "CLUSTER_SCOPE"},
	{"M11", "dnsConfig.clusterDnsDomain", "cluster.local"},
	{"M05", "removeDefaultNodePool", true},
	{"M05", "initialNodeCount", 1},
	{"M05", "defaultMaxPodsPerNode", 110},
	// The pool that lives for minutes is as hardened as the others.
	{"CIS-GKE-5.2.1", "nodeConfig.serviceAccount", string(testNodes)},
	{"CIS-GKE-5.4.1", "nodeConfig.workloadMetadataConfig.mode", "GKE_METADATA"},
	{"CIS-GKE-5.4.1", "nodeConfig.metadata.disable-legacy-endpoints", "true"},
	{"CIS-GKE-5.5.1", "nodeConfig.imageType", "COS_CONTAINERD"},
	{"CIS-GKE-5.5.6", "nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring", true},
	{"CIS-GKE-5.5.7", "nodeConfig.shieldedInstanceConfig.enableSecureBoot", true},
	{"CIS-GKE-5.9.2", "nodeConfig.bootDiskKmsKey", string(testKey)},
}

func TestClusterDefaults(t *testing.T) {
	cluster := newTestCluster(t, testCluster()).One(t, "Cluster", "gke")
	for _, want := range slices.Concat(hardened, ownNodes) {
		if got := cluster.At(want.path); fmt.Sprint(got) != fmt.Sprint(want.value) {
			t.Errorf("%s: %s is %v, want %v", want.control, want.path, got, want.value)
		}
	}
	if !cluster.Protected {
		t.Error("M11: the cluster is deleted with its stack")
	}
	if !slices.Equal(cluster.Ignored, []string{"nodeConfig", "initialNodeCount"}) {
		t.Errorf("the first pool could replace the cluster: %v", cluster.Ignored)
	}
	// These conflict by being present.
	for _, path := range []string{"enableAutopilot", "networkPolicy", "nodePools", "binaryAuthorization.enabled", "podSecurityPolicyConfig", "clusterIpv4Cidr", "loggingService", "monitoringService"} {
		if cluster.At(path) != nil {
			t.Errorf("%s is %v", path, cluster.At(path))
		}
	}
}

// Autopilot has the same guarantees, and is told none of what it refuses.
func TestAutopilot(t *testing.T) {
	args := testCluster()
	args.Autopilot = true
	cluster := newTestCluster(t, args).One(t, "Cluster", "gke")
	for _, want := range hardened {
		if got := cluster.At(want.path); fmt.Sprint(got) != fmt.Sprint(want.value) {
			t.Errorf("%s: %s is %v, want %v", want.control, want.path, got, want.value)
		}
	}
	cluster.Wants(t, map[string]any{"enableAutopilot": true, "allowNetAdmin": false, "clusterAutoscaling.autoProvisioningDefaults.serviceAccount": string(testNodes),
		"clusterAutoscaling.autoProvisioningDefaults.bootDiskKmsKey": string(testKey), "clusterAutoscaling.enabled": nil})
	for _, name := range []string{"networkPolicy", "nodePools", "nodeConfig", "enableShieldedNodes", "removeDefaultNodePool", "initialNodeCount", "defaultMaxPodsPerNode",
		"enableIntranodeVisibility", "addonsConfig", "dnsConfig", "nodeLocations"} {
		if cluster.Inputs[name] != nil {
			t.Errorf("Autopilot refuses to be told %s", name)
		}
	}
}

// M16: every version that is taken has the kubelet's read-only port off by
// default, which it is from 1.32 on for new pools.
func TestVersionsHaveNoReadOnlyPort(t *testing.T) {
	for _, minor := range hostconfig.SupportedMinors() {
		var number int
		if _, err := fmt.Sscanf(minor.Name, "v1.%d", &number); err != nil || number < 32 {
			t.Errorf("%s has the read-only port", minor.Name)
		}
	}
}

// A choice changes what it is about, and no default of anything else.
func TestClusterChoicesKeepDefaults(t *testing.T) {
	before := leaves(newTestCluster(t, testCluster()).One(t, "Cluster", "gke").Inputs)
	for name, choice := range map[string]struct {
		change func(*GkeClusterArgs)
		want   map[string]any
	}{
		"channel":     {func(a *GkeClusterArgs) { a.Channel = ChannelStable }, map[string]any{"releaseChannel.channel": "STABLE"}},
		"version":     {func(a *GkeClusterArgs) { a.KubernetesVersion = "v1.36.4" }, map[string]any{"minMasterVersion": "1.36"}},
		"zones":       {func(a *GkeClusterArgs) { a.Zones = []string{"europe-west3-a", "europe-west3-b"} }, map[string]any{"nodeLocations.0": "europe-west3-a", "nodeLocations.1": "europe-west3-b"}},
		"pods":        {func(a *GkeClusterArgs) { a.MaxPodsPerNode = 32 }, map[string]any{"defaultMaxPodsPerNode": 32}},
		"costs":       {func(a *GkeClusterArgs) { a.CostAllocation = true }, map[string]any{"costManagementConfig.enabled": true}},
		"prometheus":  {func(a *GkeClusterArgs) { a.ManagedPrometheus = true }, map[string]any{"monitoringConfig.managedPrometheus.enabled": true}},
		"unprotected": {func(a *GkeClusterArgs) { a.Unprotected = true }, map[string]any{"deletionProtection": false}},
		"labels":      {func(a *GkeClusterArgs) { a.Labels = map[string]string{"team": "shop"} }, map[string]any{"resourceLabels.team": "shop"}},
		"notices": {func(a *GkeClusterArgs) { a.NotificationTopic = pulumi.String("projects/shop-prod/topics/gke") },
			map[string]any{"notificationConfig.pubsub.enabled": true, "notificationConfig.pubsub.topic": "projects/shop-prod/topics/gke"}},
		"window": {func(a *GkeClusterArgs) { a.Maintenance = &MaintenanceArgs{Recurrence: "FREQ=DAILY"} }, map[string]any{"maintenancePolicy.recurringWindow.recurrence": "FREQ=DAILY"}},
		"exclusion": {func(a *GkeClusterArgs) {
			a.Maintenance = &MaintenanceArgs{Exclusions: []ExclusionArgs{{Name: "sale", Start: "2026-11-20T00:00:00Z", End: "2026-12-01T00:00:00Z"}}}
		}, map[string]any{"maintenancePolicy.maintenanceExclusions.0.exclusionName": "sale", "maintenancePolicy.maintenanceExclusions.0.startTime": "2026-11-20T00:00:00Z",
			"maintenancePolicy.maintenanceExclusions.0.endTime": "2026-12-01T00:00:00Z", "maintenancePolicy.maintenanceExclusions.0.exclusionOptions.scope": "NO_MINOR_UPGRADES"}},
		"public": {func(a *GkeClusterArgs) {
			a.PublicCIDRs, a.Exceptions = []string{"203.0.113.0/24"}, excepted("M11/public-endpoint")
		}, map[string]any{"privateClusterConfig.enablePrivateEndpoint": false, "masterAuthorizedNetworksConfig.cidrBlocks.1.cidrBlock": "203.0.113.0/24",
			"masterAuthorizedNetworksConfig.cidrBlocks.1.displayName": "internet"}},
	} {
		args := testCluster()
		choice.change(&args)
		cluster := newTestCluster(t, args).One(t, "Cluster", "gke")
		if got := changed(before, leaves(cluster.Inputs)); !maps.Equal(got, texts(choice.want)) {
			t.Errorf("%s changes %v, want %v", name, got, choice.want)
		}
		if cluster.Protected == args.Unprotected {
			t.Errorf("%s: protected is %v", name, cluster.Protected)
		}
	}
}

// leaves gives every value by its path.
func leaves(inputs map[string]any) map[string]string {
	out := map[string]string{}
	var walk func(at string, value any)
	walk = func(at string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for key, each := range v {
				walk(at+"."+key, each)
			}
		case []any:
			for i, each := range v {
				walk(fmt.Sprintf("%s.%d", at, i), each)
			}
		default:
			out[at[1:]] = fmt.Sprint(value)
		}
	}
	for key, value := range inputs {
		walk("."+key, value)
	}
	return out
}

// changed gives what another set of leaves has otherwise; what is gone is "gone".
func changed(before, after map[string]string) map[string]string {
	out := map[string]string{}
	for path := range before {
		if _, still := after[path]; !still {
			out[path] = "gone"
		}
	}
	for path, value := range after {
		if old, there := before[path]; !there || old != value {
			out[path] = value
		}
	}
	return out
}

func texts(values map[string]any) map[string]string {
	out := map[string]string{}
	for path, value := range values {
		out[path] = fmt.Sprint(value)
	}
	return out
}

// Everything that is wrong is said at once, and nothing is registered.
func TestClusterRefusals(t *testing.T) {
	refuse := func(change func(*GkeClusterArgs), want ...string) {
		t.Helper()
		args := testCluster()
		args.Access = slices.Clone(args.Access)
		change(&args)
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewGkeCluster(ctx, "gke", &args); return err }, want...)
	}
	refuse(func(a *GkeClusterArgs) { *a = GkeClusterArgs{} }, "project.id", "project.number", "project.region", "cluster", "networkId", "subnetworkId", "podRangeName",
		"serviceRangeName", "controlPlaneCidr", "secretsKeyId", "disksKeyId", "nodeServiceAccount", "policyProject", "securityGroup", "authorizedNetworks", "access")
	refuse(func(a *GkeClusterArgs) {
		a.KubernetesVersion, a.Channel, a.ControlPlaneCIDR, a.SecretsKeyID = "v1.31.1", "RAPID", pulumi.String("10.0.0.0/24"), pulumi.String("key")
		a.NodeServiceAccount, a.PolicyProject, a.SecurityGroup = pulumi.String("default"), pulumi.String("other-project"), "admins@example.com"
		a.NotificationTopic, a.Labels, a.Zones, a.MaxPodsPerNode = pulumi.String("gke"), map[string]string{"A": ""}, []string{"us-east1-b", "europe-west3-a", "europe-west3-a"}, 300
	}, "kubernetesVersion", "channel", "controlPlaneCidr", "secretsKeyId", "nodeServiceAccount", "policyProject", "securityGroup", "notificationTopic", "labels[A]",
		"zones[0]", "zones[2]", "maxPodsPerNode")
	// M11: authorized networks cannot be open.
	for _, cidr := range []string{"0.0.0.0/0", "203.0.113.0/24", "10.0.0.0/7", "2001:db8::/48", "10.0.0.1/24"} {
		refuse(func(a *GkeClusterArgs) { a.AuthorizedNetworks = []AuthorizedNetworkArgs{{Name: "x", CIDR: cidr}} }, "authorizedNetworks[0].cidr")
	}
	refuse(func(a *GkeClusterArgs) { a.AuthorizedNetworks = nil }, "authorizedNetworks")
	refuse(func(a *GkeClusterArgs) {
		a.AuthorizedNetworks = append(a.AuthorizedNetworks, AuthorizedNetworkArgs{CIDR: "10.0.64.16/28"})
	}, "authorizedNetworks[1].name", "authorizedNetworks[1].cidr")
	refuse(func(a *GkeClusterArgs) { a.PublicCIDRs = []string{"203.0.113.0/24"} }, "publicCidrs")
	refuse(func(a *GkeClusterArgs) {
		a.PublicCIDRs, a.Exceptions = []string{"0.0.0.0/0", "192.168.0.0/24"}, excepted("M11/public-endpoint")
	}, "publicCidrs[0]", "publicCidrs[0]", "publicCidrs[1]", "publicCidrs[1]")
	refuse(func(a *GkeClusterArgs) {
		a.Autopilot, a.Zones, a.MaxPodsPerNode = true, []string{"europe-west3-a"}, 32
	}, "zones", "maxPodsPerNode")
}

func TestMaintenanceRefusals(t *testing.T) {
	refuse := func(m MaintenanceArgs, want ...string) {
		t.Helper()
		args := testCluster()
		args.Maintenance = &m
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewGkeCluster(ctx, "gke", &args); return err }, want...)
	}
	refuse(MaintenanceArgs{Start: "tonight"}, "maintenance.start", "maintenance.recurrence")
	refuse(MaintenanceArgs{End: "2025-01-01T00:00:00Z"}, "maintenance.end", "maintenance.recurrence")
	refuse(MaintenanceArgs{End: "2026-01-03T03:00:00Z", Recurrence: "FREQ=DAILY"}, "maintenance.end")
	refuse(MaintenanceArgs{Recurrence: "FREQ=MONTHLY"}, "maintenance.recurrence")
	refuse(MaintenanceArgs{Recurrence: "FREQ=WEEKLY;BYDAY=SA"}, "maintenance.recurrence") // 32 hours in 32 days
	refuse(MaintenanceArgs{Exclusions: []ExclusionArgs{
		{Name: "a", Start: "2026-11-01T00:00:00Z", End: "2026-12-15T00:00:00Z", Scope: "NO_UPGRADES"},
		{Name: "a", Start: "2026-11-01T00:00:00Z", End: "2027-12-15T00:00:00Z"}, {Scope: "NONE"},
	}}, "maintenance.exclusions[0].end", "maintenance.exclusions[1].name", "maintenance.exclusions[1].end", "maintenance.exclusions[2].name", "maintenance.exclusions[2].scope")
}

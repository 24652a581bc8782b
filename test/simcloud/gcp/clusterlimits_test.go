package gcp_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func TestLimitsOfClusters(t *testing.T) {
	t.Parallel()
	type args = container.ClusterArgs
	exclusions := func(list ...[2]string) func(*args) {
		return func(a *args) {
			out := container.ClusterMaintenancePolicyMaintenanceExclusionArray{}
			for i, each := range list {
				out = append(out, &container.ClusterMaintenancePolicyMaintenanceExclusionArgs{ExclusionName: pulumi.String(fmt.Sprint("e", i)), StartTime: pulumi.String("2026-" + each[0] + "T00:00:00Z"), EndTime: pulumi.String("2026-" + each[1] + "T00:00:00Z")})
			}
			a.MaintenancePolicy = &container.ClusterMaintenancePolicyArgs{MaintenanceExclusions: out, DailyMaintenanceWindow: &container.ClusterMaintenancePolicyDailyMaintenanceWindowArgs{StartTime: pulumi.String("03:00")}}
		}
	}
	ranges := func(pods, services string) func(*args) {
		return func(a *args) {
			a.IpAllocationPolicy = &container.ClusterIpAllocationPolicyArgs{ClusterIpv4CidrBlock: str(pods), ServicesIpv4CidrBlock: str(services)}
		}
	}
	short := [2]string{"02-01", "02-03"}
	cases := map[string]struct {
		change func(*args)
		want   string
	}{
		"location": {func(a *args) {
			a.Location, a.Subnetwork = str("mars"), str("projects/redoubt-test/regions/europe-west3/subnetworks/nodes")
		}, `Location "mars" does not exist.`},
		"inline": {func(a *args) {
			a.NodePools = container.ClusterNodePoolArray{&container.ClusterNodePoolArgs{Name: str("x")}}
		}, "takes no node pools within a cluster"},
		"autopilot-machine": {func(a *args) {
			a.EnableAutopilot, a.EnableShieldedNodes, a.RemoveDefaultNodePool, a.InitialNodeCount, a.NodeConfig = yes(), nil, nil, nil, &container.ClusterNodeConfigArgs{MachineType: str("e2-medium")}
		}, "Autopilot clusters do not support node_config"},
		"no-subnetwork": {func(a *args) { a.Subnetwork = nil }, `Network "main" requires a subnetwork`},
		"routes":        {func(a *args) { a.NetworkingMode, a.IpAllocationPolicy = str("ROUTES"), nil }, "Private clusters must be VPC-native"},
		"sizes":         {ranges("/16", "/20"), "chooses no ranges by itself"},
		"pods-taken":    {ranges("10.20.0.0/18", "10.41.0.0/20"), "Pod range 10.20.0.0/18 conflicts with 10.20.0.0/16"},
		"services-wide": {ranges("10.40.0.0/16", "10.48.0.0/12"), "must be between /16 and /28"},
		"block-in-pods": {func(a *args) { ranges("172.16.0.0/16", "10.41.0.0/20")(a) }, "it conflicts with the pods' range"},
		"endpoint": {func(a *args) {
			a.PrivateClusterConfig = &container.ClusterPrivateClusterConfigArgs{EnablePrivateEndpoint: yes()}
		}, "can only be true if enable_private_nodes is true"},
		"authorized": {func(a *args) {
			a.MasterAuthorizedNetworksConfig = authorized(slices.Repeat([]string{"10.0.0.0/24"}, 101)...)
		}, "Too many master authorized networks: 101"},
		"topic": {func(a *args) {
			a.NotificationConfig = &container.ClusterNotificationConfigArgs{Pubsub: &container.ClusterNotificationConfigPubsubArgs{Enabled: pulumi.Bool(true)}}
		}, "topic must be set"},
		"exclusion-long": {exclusions([2]string{"02-01", "03-15"}), "lasts longer than 30 days"},
		"exclusion-back": {exclusions([2]string{"02-03", "02-01"}), "ends before it starts"},
		"exclusions":     {exclusions(short, short, short, short), "at most 3 exclusions of NO_UPGRADES, got 4"},
		"window": {func(a *args) {
			a.MaintenancePolicy = &container.ClusterMaintenancePolicyArgs{RecurringWindow: &container.ClusterMaintenancePolicyRecurringWindowArgs{StartTime: pulumi.String("2026-01-03T08:00:00Z"), EndTime: pulumi.String("2026-01-03T00:00:00Z"), Recurrence: pulumi.String("FREQ=DAILY")}}
		}, "end must be after its start"},
		"monthly": {func(a *args) {
			a.MaintenancePolicy = &container.ClusterMaintenancePolicyArgs{RecurringWindow: &container.ClusterMaintenancePolicyRecurringWindowArgs{StartTime: pulumi.String("2026-01-03T00:00:00Z"), EndTime: pulumi.String("2026-01-04T00:00:00Z"), Recurrence: pulumi.String("FREQ=MONTHLY")}}
		}, "without 48h maintenance availability"},
		"spot": {func(a *args) {
			a.NodeConfig.(*container.ClusterNodeConfigArgs).Spot, a.NodeConfig.(*container.ClusterNodeConfigArgs).Preemptible = yes(), yes()
		}, "both spot and preemptible"},
		"sandboxed": {func(a *args) {
			a.NodeConfig = &container.ClusterNodeConfigArgs{SandboxConfig: &container.ClusterNodeConfigSandboxConfigArgs{SandboxType: pulumi.String("gvisor")}}
		}, "default node pool cannot be sandboxed"},
		"metadata": {func(a *args) {
			a.WorkloadIdentityConfig = nil
			a.NodeConfig = &container.ClusterNodeConfigArgs{WorkloadMetadataConfig: &container.ClusterNodeConfigWorkloadMetadataConfigArgs{Mode: pulumi.String("GKE_METADATA")}}
		}, "requires workload identity to be enabled"},
	}
	refusals := simtest.Refusals{}
	simtest.Refused(t, open(t), settings, environment{bare: true, late: func(x *made) {
		for name, test := range cases {
			args := environment{}.clusterArgs(x)
			test.change(args)
			args.Name = str(name)
			must(container.NewCluster(x.ctx, name, args, after(x.held...)))
			refusals[name] = test.want
		}
	}}.program, refusals)
}

// An Autopilot cluster has no pools of one's own, and always an identity for its workloads.
func TestAutopilotHasNoPools(t *testing.T) {
	t.Parallel()
	pilot := func(a *container.ClusterArgs) {
		a.EnableAutopilot, a.EnableShieldedNodes, a.RemoveDefaultNodePool, a.InitialNodeCount, a.NodeConfig, a.WorkloadIdentityConfig, a.DatapathProvider = yes(), nil, nil, nil, nil, nil, nil
	}
	cloud := open(t)
	simtest.New(t, cloud, settings).MustUp(environment{change: pilot, withoutPool: true}.program)
	if state := cloud.Objects(clusterToken)[0].State; state.String("workloadIdentityConfig.workloadPool") != project+".svc.id.goog" || state.String("datapathProvider") != "ADVANCED_DATAPATH" {
		t.Errorf("%v", state)
	}
	_, err := simtest.New(t, open(t), settings).Up(environment{change: pilot}.program)
	says(t, err, "Autopilot clusters do not support mutating node pools.")
}

// A second cluster has services of its own, and what a cluster uses does not change under it.
func TestRangesInUseStay(t *testing.T) {
	t.Parallel()
	e := simtest.New(t, open(t), settings)
	second := func(x *made) {
		args := environment{}.clusterArgs(x)
		args.Name, args.PrivateClusterConfig = str("second"), nil
		args.MasterAuthorizedNetworksConfig = nil
		must(container.NewCluster(x.ctx, "second", args, after(x.cluster)))
	}
	_, err := e.Up(environment{withoutPool: true, late: second}.program)
	says(t, err, `Services range "services" in network "main", subnetwork "nodes" is already used by another cluster.`)
	_, err = e.Up(func(ctx *pulumi.Context) error {
		return environment{withoutPool: true}.program(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Up(func(ctx *pulumi.Context) error {
		must(compute.NewSubnetwork(ctx, "nodes", &compute.SubnetworkArgs{Name: str("nodes"), Network: pulumi.String("projects/redoubt-test/global/networks/main"), IpCidrRange: pulumi.String("10.10.0.0/22"),
			SecondaryIpRanges: secondary("10.20.0.0/15", "10.30.0.0/20")}))
		return nil
	})
	says(t, err, "cannot lose its secondary range 'pods', which is being used by 'projects/redoubt-test/locations/europe-west3/clusters/main'")
}

// A pool needs a cluster that runs, a name of its own, and a version that is offered.
func TestPoolsNeedARunningCluster(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	cloud.Inject(simcloud.Fault{Operation: simcloud.Create, Type: clusterToken, Effect: simcloud.Unfinished, Err: simcloud.Errorf("operation", "Internal error.")})
	e := simtest.New(t, cloud, settings)
	_, err := e.Up(environment{withoutPool: true}.program)
	says(t, err, "Error waiting for Creating Cluster: Internal error.")
	pool := func(ctx *pulumi.Context, name string, change func(*container.NodePoolArgs)) {
		args := &container.NodePoolArgs{Name: str("general"), Cluster: pulumi.String("main"), Location: str(region), NodeCount: pulumi.IntPtr(1), NodeConfig: &container.NodePoolNodeConfigArgs{}}
		change(args)
		must(container.NewNodePool(ctx, name, args))
	}
	_, err = simtest.New(t, cloud, settings).Up(func(ctx *pulumi.Context) error {
		pool(ctx, "general", func(*container.NodePoolArgs) {})
		return nil
	})
	says(t, err, "is not running")
	e.MustUp(environment{changePool: func(a *container.NodePoolArgs) { a.Name = str("general") }}.program)
	simtest.Refused(t, cloud, settings, func(ctx *pulumi.Context) error {
		pool(ctx, "same", func(*container.NodePoolArgs) {})
		pool(ctx, "unoffered", func(a *container.NodePoolArgs) { a.Name, a.Version = str("unoffered"), str("1.36.1-gke.1") })
		pool(ctx, "green", func(a *container.NodePoolArgs) {
			a.Name, a.UpgradeSettings = str("green"), &container.NodePoolUpgradeSettingsArgs{BlueGreenSettings: &container.NodePoolUpgradeSettingsBlueGreenSettingsArgs{
				StandardRolloutPolicy: &container.NodePoolUpgradeSettingsBlueGreenSettingsStandardRolloutPolicyArgs{}}}
		})
		pool(ctx, "crowded", func(a *container.NodePoolArgs) { a.Name, a.MaxPodsPerNode = str("crowded"), pulumi.IntPtr(512) })
		return nil
	}, simtest.Refusals{"same": "Already exists", "unoffered": "is unsupported", "green": "must not be set without the strategy BLUE_GREEN", "crowded": "between 8 and 256"})
	_, err = e.Up(environment{change: func(a *container.ClusterArgs) { a.MinMasterVersion = str("1.99") }, changePool: func(a *container.NodePoolArgs) { a.Name = str("general") }}.program)
	says(t, err, `Master version "1.99" is unsupported.`)
}

// What is made anew when it changes, and what is not, as the provider says.
func TestChangesReplaceOnlyWhatMustBe(t *testing.T) {
	t.Parallel()
	type values = map[string]any
	nest := func(name string, value any) values { return values{name: value} }
	server := open(t).Serve()
	defer server.Close()
	for _, test := range []struct {
		token    string
		old, new values
		replace  bool
	}{
		{clusterToken, nest("network", "a"), nest("network", "b"), true},
		{clusterToken, nest("ipAllocationPolicy", nest("clusterSecondaryRangeName", "a")), nest("ipAllocationPolicy", nest("clusterSecondaryRangeName", "b")), true},
		{clusterToken, nest("privateClusterConfig", nest("enablePrivateNodes", false)), nest("privateClusterConfig", nest("enablePrivateNodes", true)), true},
		{clusterToken, nest("privateClusterConfig", nest("masterGlobalAccessConfig", nest("enabled", false))), nest("privateClusterConfig", nest("masterGlobalAccessConfig", nest("enabled", true))), false},
		{clusterToken, nest("enableAutopilot", false), nest("enableAutopilot", true), true},
		{clusterToken, nest("confidentialNodes", nest("enabled", false)), nest("confidentialNodes", nest("enabled", true)), true},
		{clusterToken, nest("minMasterVersion", "1.35"), nest("minMasterVersion", "1.36"), false},
		{clusterToken, nest("databaseEncryption", nest("state", "DECRYPTED")), nest("databaseEncryption", nest("state", "ENCRYPTED")), false},
		{clusterToken, nest("loggingConfig", nest("enableComponents", []any{})), nest("loggingConfig", nest("enableComponents", []any{"WORKLOADS"})), false},
		{"gcp:container/nodePool:NodePool", nest("nodeConfig", nest("bootDiskKmsKey", "a")), nest("nodeConfig", nest("bootDiskKmsKey", "b")), true},
		{"gcp:container/nodePool:NodePool", nest("nodeConfig", nest("metadata", nest("a", "b"))), nest("nodeConfig", nest("metadata", nest("a", "c"))), true},
		{"gcp:container/nodePool:NodePool", nest("nodeConfig", nest("spot", false)), nest("nodeConfig", nest("spot", true)), true},
		{"gcp:container/nodePool:NodePool", nest("nodeConfig", nest("serviceAccount", "a")), nest("nodeConfig", nest("serviceAccount", "b")), true},
		{"gcp:container/nodePool:NodePool", nest("nodeConfig", nest("oauthScopes", []any{"a"})), nest("nodeConfig", nest("oauthScopes", []any{"b"})), true},
		{"gcp:container/nodePool:NodePool", nest("nodeConfig", nest("imageType", "COS_CONTAINERD")), nest("nodeConfig", nest("imageType", "UBUNTU_CONTAINERD")), false},
		{"gcp:container/nodePool:NodePool", nest("nodeCount", 1.0), nest("nodeCount", 2.0), false},
		{firewallToken, nest("direction", "INGRESS"), nest("direction", "EGRESS"), true},
		{firewallToken, nest("sourceRanges", []any{"a"}), nest("sourceRanges", []any{"b"}), false},
		{"gcp:compute/route:Route", nest("destRange", "a"), nest("destRange", "b"), true},
		{"gcp:dns/managedZone:ManagedZone", nest("visibility", "private"), nest("visibility", "public"), true},
		{"gcp:dns/managedZone:ManagedZone", nest("name", "a"), nest("name", "b"), true},
		{"gcp:dns/managedZone:ManagedZone", nest("labels", nest("a", "b")), nest("labels", nest("a", "c")), false},
		{"gcp:kms/keyRing:KeyRing", nest("location", "a"), nest("location", "b"), true},
		{"gcp:kms/cryptoKey:CryptoKey", nest("rotationPeriod", "a"), nest("rotationPeriod", "b"), false},
		{"gcp:artifactregistry/repository:Repository", nest("kmsKeyName", "a"), nest("kmsKeyName", "b"), true},
		{"gcp:artifactregistry/repository:Repository", nest("dockerConfig", nest("immutableTags", false)), nest("dockerConfig", nest("immutableTags", true)), false},
		{"gcp:storage/bucket:Bucket", nest("location", "EU"), nest("location", "US"), true},
		{"gcp:projects/iAMMember:IAMMember", nest("role", "a"), nest("role", "b"), true},
	} {
		wire := func(v values) *pulumirpc.DiffRequest {
			out, err := plugin.MarshalProperties(resource.NewPropertyMapFromMap(v), plugin.MarshalOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return &pulumirpc.DiffRequest{News: out}
		}
		request := wire(test.new)
		request.OldInputs = wire(test.old).News
		request.Urn = string(resource.NewURN("s", "p", "", tokens.Type(test.token), "x"))
		answer, err := server.Diff(context.Background(), request)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(answer.GetReplaces()) > 0; got != test.replace || answer.GetChanges() != pulumirpc.DiffResponse_DIFF_SOME {
			t.Errorf("%s %v to %v: replaced %v, want %v", test.token, test.old, test.new, got, test.replace)
		}
	}
}

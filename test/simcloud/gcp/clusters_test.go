package gcp_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func yes() pulumi.BoolPtrInput { return pulumi.BoolPtr(true) }
func no() pulumi.BoolPtrInput  { return pulumi.BoolPtr(false) }

func TestPlansOfClustersAreRefused(t *testing.T) {
	t.Parallel()
	simtest.Unplanned(t, open(t), settings, func(ctx *pulumi.Context) error {
		cluster := func(name string, change func(*container.ClusterArgs)) {
			args := &container.ClusterArgs{InitialNodeCount: pulumi.IntPtr(1)}
			change(args)
			must(container.NewCluster(ctx, name, args))
		}
		private := func(nodes bool, block string) *container.ClusterPrivateClusterConfigArgs {
			args := &container.ClusterPrivateClusterConfigArgs{EnablePrivateNodes: pulumi.BoolPtr(nodes)}
			if block != "" {
				args.MasterIpv4CidrBlock = str(block)
			}
			return args
		}
		window := func(from, to, rule string) *container.ClusterMaintenancePolicyArgs {
			return &container.ClusterMaintenancePolicyArgs{RecurringWindow: &container.ClusterMaintenancePolicyRecurringWindowArgs{StartTime: pulumi.String(from), EndTime: pulumi.String(to), Recurrence: pulumi.String(rule)}}
		}
		cluster("fine", func(a *container.ClusterArgs) {
			a.EnableShieldedNodes, a.EnableIntranodeVisibility, a.RemoveDefaultNodePool = yes(), yes(), yes()
			a.PrivateClusterConfig = private(true, "172.16.0.0/28")
			a.BinaryAuthorization = &container.ClusterBinaryAuthorizationArgs{EvaluationMode: str("PROJECT_SINGLETON_POLICY_ENFORCE")}
			a.MaintenancePolicy = window("2026-01-03T00:00:00Z", "2026-01-03T08:00:00Z", "FREQ=WEEKLY;BYDAY=SA,SU")
			a.LoggingConfig = &container.ClusterLoggingConfigArgs{EnableComponents: texts("SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "SCHEDULER", "CONTROLLER_MANAGER")}
		})
		cluster("autopilot", func(a *container.ClusterArgs) {
			a.InitialNodeCount, a.EnableAutopilot, a.PrivateClusterConfig = nil, yes(), private(true, "")
			a.BinaryAuthorization = &container.ClusterBinaryAuthorizationArgs{EvaluationMode: str("PROJECT_SINGLETON_POLICY_ENFORCE")}
		})
		for name, change := range map[string]func(*container.ClusterArgs){
			"shielded": func(a *container.ClusterArgs) { a.EnableShieldedNodes = yes() }, "policy": func(a *container.ClusterArgs) {
				a.NetworkPolicy = &container.ClusterNetworkPolicyArgs{Enabled: pulumi.Bool(false)}
			},
			"remove": func(a *container.ClusterArgs) { a.RemoveDefaultNodePool = yes() }, "pods": func(a *container.ClusterArgs) { a.DefaultMaxPodsPerNode = pulumi.IntPtr(32) },
			"intranode": func(a *container.ClusterArgs) { a.EnableIntranodeVisibility = yes() },
			"binary": func(a *container.ClusterArgs) {
				a.BinaryAuthorization = &container.ClusterBinaryAuthorizationArgs{Enabled: pulumi.BoolPtr(true)}
			},
		} {
			cluster("autopilot-"+name, func(a *container.ClusterArgs) { a.EnableAutopilot = yes(); change(a) })
		}
		cluster("standard-says-so", func(a *container.ClusterArgs) { a.EnableAutopilot, a.EnableShieldedNodes = no(), yes() })
		cluster("block", func(a *container.ClusterArgs) { a.PrivateClusterConfig = private(true, "172.16.0.0/24") })
		cluster("no-block", func(a *container.ClusterArgs) { a.PrivateClusterConfig = private(true, "") })
		cluster("block-of-public", func(a *container.ClusterArgs) { a.PrivateClusterConfig = private(false, "172.16.0.0/28") })
		cluster("long", func(a *container.ClusterArgs) { a.Name = str("a23456789-123456789-123456789-123456789-1") })
		cluster("forty", func(a *container.ClusterArgs) { a.Name = str("a23456789-123456789-123456789-123456789-") })
		cluster("upper", func(a *container.ClusterArgs) { a.Name = str("Main") })
		cluster("ranges", func(a *container.ClusterArgs) {
			a.IpAllocationPolicy = &container.ClusterIpAllocationPolicyArgs{ClusterSecondaryRangeName: str("pods"), ClusterIpv4CidrBlock: str("/16")}
		})
		cluster("channel", func(a *container.ClusterArgs) {
			a.ReleaseChannel = &container.ClusterReleaseChannelArgs{Channel: pulumi.String("stable")}
		})
		cluster("component", func(a *container.ClusterArgs) {
			a.LoggingConfig = &container.ClusterLoggingConfigArgs{EnableComponents: texts("AUDIT")}
		})
		cluster("authorized", func(a *container.ClusterArgs) { a.MasterAuthorizedNetworksConfig = authorized("10.0.0.1/8") })
		cluster("two-windows", func(a *container.ClusterArgs) {
			a.MaintenancePolicy = window("2026-01-03T00:00:00Z", "2026-01-03T08:00:00Z", "FREQ=DAILY")
			a.MaintenancePolicy.(*container.ClusterMaintenancePolicyArgs).DailyMaintenanceWindow = &container.ClusterMaintenancePolicyDailyMaintenanceWindowArgs{StartTime: pulumi.String("03:00")}
		})
		cluster("time", func(a *container.ClusterArgs) {
			a.MaintenancePolicy = window("Saturday", "2026-01-03T08:00:00Z", "FREQ=DAILY")
		})

		pool := func(name string, change func(*container.NodePoolNodeConfigArgs)) {
			args := &container.NodePoolNodeConfigArgs{DiskType: str("pd-balanced"), DiskSizeGb: pulumi.IntPtr(50)}
			change(args)
			must(container.NewNodePool(ctx, name, &container.NodePoolArgs{Cluster: pulumi.String("c"), NodeConfig: args}))
		}
		taint := func(key, effect string) container.NodePoolNodeConfigTaintArray {
			return container.NodePoolNodeConfigTaintArray{&container.NodePoolNodeConfigTaintArgs{Key: pulumi.String(key), Value: pulumi.String("yes"), Effect: pulumi.String(effect)}}
		}
		pool("pool", func(a *container.NodePoolNodeConfigArgs) { a.Taints = taint("workload", "NO_SCHEDULE") })
		pool("effect", func(a *container.NodePoolNodeConfigArgs) { a.Taints = taint("workload", "NoSchedule") })
		pool("disk", func(a *container.NodePoolNodeConfigArgs) { a.DiskType = str("gp3") })
		pool("disk-size", func(a *container.NodePoolNodeConfigArgs) { a.DiskSizeGb = pulumi.IntPtr(5) })
		pool("metadata", func(a *container.NodePoolNodeConfigArgs) {
			a.WorkloadMetadataConfig = &container.NodePoolNodeConfigWorkloadMetadataConfigArgs{Mode: pulumi.String("SECURE")}
		})
		pool("sandbox", func(a *container.NodePoolNodeConfigArgs) {
			a.SandboxConfig = &container.NodePoolNodeConfigSandboxConfigArgs{SandboxType: pulumi.String("kata")}
		})
		pool("tag", func(a *container.NodePoolNodeConfigArgs) { a.Tags = texts("node_pool") })
		return nil
	}, simtest.Refusals{
		"autopilot-shielded": "ConflictsWith", "autopilot-policy": "ConflictsWith", "autopilot-remove": "ConflictsWith", "autopilot-pods": "ConflictsWith", "autopilot-intranode": "ConflictsWith",
		"autopilot-binary": "ConflictsWith", "standard-says-so": `ConflictsWith: "enableShieldedNodes": conflicts with enableAutopilot`,
		"block": "between 28 and 28 significant bits", "no-block": "master_ipv4_cidr_block must be set if enable_private_nodes is true", "block-of-public": "can only be set if enable_private_nodes is true",
		"long": "cannot be longer than 40 characters", "forty": "must end with a number or a letter", "upper": "can only contain lowercase letters", "ranges": "ConflictsWith", "channel": "RAPID REGULAR STABLE",
		"component": "SYSTEM_COMPONENTS", "authorized": "did you mean", "two-windows": "exactly one of", "time": "RFC3339",
		"effect": "NO_SCHEDULE", "disk": "pd-balanced", "disk-size": "(10 - 65536)", "metadata": "GKE_METADATA", "sandbox": "gvisor", "tag": "doesn't match regexp",
	})
}

func TestClustersAreRefused(t *testing.T) {
	t.Parallel()
	type args = container.ClusterArgs
	policy := func(pods, services string) *container.ClusterIpAllocationPolicyArgs {
		return &container.ClusterIpAllocationPolicyArgs{ClusterSecondaryRangeName: str(pods), ServicesSecondaryRangeName: str(services)}
	}
	private := func(block string, endpoint bool) *container.ClusterPrivateClusterConfigArgs {
		return &container.ClusterPrivateClusterConfigArgs{EnablePrivateNodes: yes(), EnablePrivateEndpoint: pulumi.BoolPtr(endpoint), MasterIpv4CidrBlock: str(block)}
	}
	recurring := func(from, to, rule string) *container.ClusterMaintenancePolicyArgs {
		return &container.ClusterMaintenancePolicyArgs{RecurringWindow: &container.ClusterMaintenancePolicyRecurringWindowArgs{StartTime: pulumi.String(from), EndTime: pulumi.String(to), Recurrence: pulumi.String(rule)}}
	}
	cases := map[string]struct {
		change func(*args)
		want   string
	}{
		"not authorized":          {func(a *args) { a.MasterAuthorizedNetworksConfig = nil }, "Master authorized networks must be enabled if private endpoint is enabled."},
		"open":                    {func(a *args) { a.MasterAuthorizedNetworksConfig = authorized("0.0.0.0/0") }, `network "0.0.0.0/0" is not a reserved network`},
		"pods' range":             {func(a *args) { a.IpAllocationPolicy = policy("pod", "services") }, `Pod secondary range "pod" not found in network "main", subnetwork "nodes".`},
		"services' range":         {func(a *args) { a.IpAllocationPolicy = policy("pods", "svc") }, `Services secondary range "svc" not found`},
		"one range for two":       {func(a *args) { a.IpAllocationPolicy = policy("pods", "pods") }, "must be different"},
		"control plane in pods":   {func(a *args) { a.PrivateClusterConfig = private("10.20.0.0/28", true) }, "Requested CIDR block 10.20.0.0/28 for the master is not available"},
		"control plane is public": {func(a *args) { a.PrivateClusterConfig = private("8.8.8.0/28", true) }, "must lie in a private range"},
		"docker's bridge":         {func(a *args) { a.PrivateClusterConfig = private("172.17.0.0/28", true) }, "apart from 172.17.0.0/16"},
		"subnetwork":              {func(a *args) { a.Subnetwork = str("other") }, "was not found"},
		"version":                 {func(a *args) { a.MinMasterVersion = str("1.20") }, `Master version "1.20" is unsupported., badRequest`},
		"version of the channel":  {func(a *args) { a.MinMasterVersion = str("1.37") }, `Master version "1.37" is unsupported.`},
		"nodes' version":          {func(a *args) { a.MinMasterVersion, a.NodeVersion = str("1.36"), str("1.35") }, "must either be unset or set to the same value as min_master_version"},
		"network policy":          {func(a *args) { a.NetworkPolicy = &container.ClusterNetworkPolicyArgs{Enabled: pulumi.Bool(true)} }, "Enabling NetworkPolicy for clusters with DatapathProvider=ADVANCED_DATAPATH is not allowed."},
		"names without dataplane": {func(a *args) { a.DatapathProvider = str("LEGACY_DATAPATH") }, "need DatapathProvider=ADVANCED_DATAPATH"},
		"workload pool": {func(a *args) {
			a.WorkloadIdentityConfig = &container.ClusterWorkloadIdentityConfigArgs{WorkloadPool: str("other-project.svc.id.goog")}
		}, "only supported identity namespace"},
		"groups": {func(a *args) {
			a.AuthenticatorGroupsConfig = &container.ClusterAuthenticatorGroupsConfigArgs{SecurityGroup: pulumi.String("admins@example.com")}
		}, "gke-security-groups@"},
		"secrets' key": {func(a *args) {
			a.DatabaseEncryption = &container.ClusterDatabaseEncryptionArgs{State: pulumi.String("ENCRYPTED"), KeyName: str("projects/redoubt-test/locations/europe-west3/keyRings/r/cryptoKeys/k")}
		}, "Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied"},
		"no key": {func(a *args) {
			a.DatabaseEncryption = &container.ClusterDatabaseEncryptionArgs{State: pulumi.String("ENCRYPTED")}
		}, "key_name must be set"},
		"no nodes": {func(a *args) { a.InitialNodeCount = nil }, "Cluster.initial_node_count must be greater than zero."},
		"zone":     {func(a *args) { a.NodeLocations = texts("europe-west4-a") }, "is no other zone of europe-west3"},
		"window": {func(a *args) {
			a.MaintenancePolicy = recurring("2026-01-03T00:00:00Z", "2026-01-03T03:00:00Z", "FREQ=DAILY")
		}, "without 48h maintenance availability"},
		"seldom": {func(a *args) {
			a.MaintenancePolicy = recurring("2026-01-03T00:00:00Z", "2026-01-03T06:00:00Z", "FREQ=WEEKLY;BYDAY=SA")
		}, "without 48h maintenance availability"},
		"notifications": {func(a *args) {
			a.NotificationConfig = &container.ClusterNotificationConfigArgs{Pubsub: &container.ClusterNotificationConfigPubsubArgs{Enabled: pulumi.Bool(true), Topic: str("projects/redoubt-test/topics/none")}}
		}, "The resource 'projects/redoubt-test/topics/none' was not found"},
		"nodes' account": {func(a *args) {
			a.NodeConfig = &container.ClusterNodeConfigArgs{ServiceAccount: str("nobody@redoubt-test.iam.gserviceaccount.com")}
		}, `Service account "nobody@redoubt-test.iam.gserviceaccount.com" does not exist.`},
	}
	refusals := simtest.Refusals{}
	simtest.Refused(t, open(t), settings, environment{bare: true, late: func(x *made) {
		for name, test := range cases {
			args := environment{}.clusterArgs(x)
			test.change(args)
			name = strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), "'", "")
			args.Name = str(name)
			must(container.NewCluster(x.ctx, name, args, after(x.held...)))
			refusals[name] = test.want
		}
	}}.program, refusals)
}

// What comes near to what is refused, and works.
func TestClustersWork(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*container.ClusterArgs){func(a *container.ClusterArgs) {
		a.MasterAuthorizedNetworksConfig, a.MinMasterVersion = authorized("10.0.0.0/8", "192.168.1.0/24"), str("1.35")
		a.MaintenancePolicy = &container.ClusterMaintenancePolicyArgs{RecurringWindow: &container.ClusterMaintenancePolicyRecurringWindowArgs{StartTime: pulumi.String("2026-01-03T00:00:00Z"),
			EndTime: pulumi.String("2026-01-03T06:00:00Z"), Recurrence: pulumi.String("FREQ=WEEKLY;BYDAY=SA,SU")}}
		a.AuthenticatorGroupsConfig = &container.ClusterAuthenticatorGroupsConfigArgs{SecurityGroup: pulumi.String("gke-security-groups@example.com")}
	}, func(a *container.ClusterArgs) { // a public endpoint may let public networks in
		a.PrivateClusterConfig = &container.ClusterPrivateClusterConfigArgs{EnablePrivateNodes: yes(), EnablePrivateEndpoint: no(), MasterIpv4CidrBlock: str("172.16.0.0/28")}
		a.MasterAuthorizedNetworksConfig = authorized("203.0.113.0/24")
	}} {
		e := simtest.New(t, open(t), settings)
		e.MustUp(environment{change: change}.program)
		if result := e.MustUp(environment{change: change}.program); result.Changed() != 0 {
			t.Errorf("a second pass changes %v", result.Changes)
		}
	}
}

// A subnetwork of another network, or of another region, is none of the cluster's.
func TestASubnetworkMustBeOfTheNetwork(t *testing.T) {
	t.Parallel()
	simtest.Refused(t, open(t), settings, func(ctx *pulumi.Context) error {
		mine, other := newNetwork(ctx, "mine", pulumi.Bool(true)), newNetwork(ctx, "other", pulumi.Bool(true))
		subnet := must(compute.NewSubnetwork(ctx, "theirs", &compute.SubnetworkArgs{Name: str("theirs"), Network: other.ID(), IpCidrRange: pulumi.String("10.0.0.0/20")}))
		must(container.NewCluster(ctx, "cluster", &container.ClusterArgs{Network: mine.ID(), Subnetwork: subnet.ID(), InitialNodeCount: pulumi.IntPtr(1)}))
		must(container.NewCluster(ctx, "afar", &container.ClusterArgs{Location: str("europe-west1"), Network: other.ID(), Subnetwork: subnet.ID(), InitialNodeCount: pulumi.IntPtr(1)}))
		return nil
	}, simtest.Refusals{"cluster": `Subnetwork "theirs" is not valid for Network "mine".`, "afar": `Subnetwork "theirs" is not valid for Network "other".`})
}

func TestNodePoolsAreRefused(t *testing.T) {
	t.Parallel()
	simtest.Refused(t, open(t), settings, environment{late: func(x *made) {
		pool := func(name string, change func(*container.NodePoolArgs, *container.NodePoolNodeConfigArgs)) {
			config := &container.NodePoolNodeConfigArgs{MachineType: str("e2-standard-4"), ServiceAccount: x.node.Email}
			args := &container.NodePoolArgs{Cluster: x.cluster.ID(), Location: str(region), NodeConfig: config, NodeCount: pulumi.IntPtr(1)}
			change(args, config)
			must(container.NewNodePool(x.ctx, name, args, after(x.pool)))
		}
		type args = container.NodePoolArgs
		type config = container.NodePoolNodeConfigArgs
		pool("by-id", func(*args, *config) {})
		pool("gvisor", func(a *args, c *config) {
			c.ImageType, c.SandboxConfig = str("cos_containerd"), &container.NodePoolNodeConfigSandboxConfigArgs{SandboxType: pulumi.String("gvisor")}
		})
		pool("gvisor-on-ubuntu", func(a *args, c *config) {
			c.ImageType, c.SandboxConfig = str("UBUNTU_CONTAINERD"), &container.NodePoolNodeConfigSandboxConfigArgs{SandboxType: pulumi.String("gvisor")}
		})
		pool("behind", func(a *args, _ *config) { a.Version = str("1.34") })
		pool("too-old", func(a *args, _ *config) { a.Version = str("1.33") })
		pool("ahead", func(a *args, _ *config) { a.Version = str("1.37") })
		pool("image", func(a *args, c *config) { c.ImageType = str("COS") })
		pool("machine", func(a *args, c *config) { c.MachineType = str("m5.large") })
		pool("confidential", func(a *args, c *config) {
			c.ConfidentialNodes, c.MachineType = &container.NodePoolNodeConfigConfidentialNodesArgs{Enabled: pulumi.Bool(true)}, str("n2d-standard-4")
		})
		pool("confidential-on-e2", func(a *args, c *config) {
			c.ConfidentialNodes = &container.NodePoolNodeConfigConfidentialNodesArgs{Enabled: pulumi.Bool(true)}
		})
		pool("manual", func(a *args, _ *config) {
			a.Management = &container.NodePoolManagementArgs{AutoUpgrade: no(), AutoRepair: yes()}
		})
		pool("unrepaired", func(a *args, _ *config) {
			a.Management = &container.NodePoolManagementArgs{AutoUpgrade: yes(), AutoRepair: no()}
		})
		pool("blue", func(a *args, _ *config) {
			a.UpgradeSettings = &container.NodePoolUpgradeSettingsArgs{Strategy: str("BLUE_GREEN"), MaxSurge: pulumi.IntPtr(1)}
		})
		pool("no-surge", func(a *args, _ *config) {
			a.UpgradeSettings = &container.NodePoolUpgradeSettingsArgs{MaxSurge: pulumi.IntPtr(0), MaxUnavailable: pulumi.IntPtr(0)}
		})
		pool("sysctl", func(a *args, c *config) {
			c.LinuxNodeConfig = &container.NodePoolNodeConfigLinuxNodeConfigArgs{Sysctls: pulumi.StringMap{"kernel.panic": pulumi.String("1")}}
		})
		pool("pids", func(a *args, c *config) {
			c.KubeletConfig = &container.NodePoolNodeConfigKubeletConfigArgs{CpuManagerPolicy: pulumi.String("none"), PodPidsLimit: pulumi.IntPtr(100)}
		})
		pool("pids-allowed", func(a *args, c *config) {
			c.KubeletConfig = &container.NodePoolNodeConfigKubeletConfigArgs{CpuManagerPolicy: pulumi.String("none"), PodPidsLimit: pulumi.IntPtr(1024)}
		})
		pool("scaling", func(a *args, _ *config) {
			a.Autoscaling = &container.NodePoolAutoscalingArgs{MinNodeCount: pulumi.IntPtr(3), MaxNodeCount: pulumi.IntPtr(1)}
		})
		pool("many", func(a *args, _ *config) { a.NodeCount = pulumi.IntPtr(100) })
		pool("many-small", func(a *args, _ *config) { a.NodeCount, a.MaxPodsPerNode = pulumi.IntPtr(100), pulumi.IntPtr(32) })
		pool("pod-range", func(a *args, _ *config) {
			a.NetworkConfig = &container.NodePoolNetworkConfigArgs{PodRange: str("more")}
		})
		pool("disk-key", func(a *args, c *config) { c.BootDiskKmsKey = x.secrets.ID().ToStringOutput().ToStringPtrOutput() })
		pool("account", func(a *args, c *config) { c.ServiceAccount = str("nobody@redoubt-test.iam.gserviceaccount.com") })
		pool("cluster", func(a *args, _ *config) { a.Cluster = pulumi.String("other") })
		pool("zone", func(a *args, _ *config) { a.NodeLocations = texts("europe-west1-b") })
	}}.program, simtest.Refusals{
		"gvisor-on-ubuntu": "requires the image type COS_CONTAINERD", "too-old": "must be within two minor versions of master version", "ahead": "must not have a minor version greater than master version",
		"image": `Image type "COS" is not supported.`, "machine": "does not exist in zone", "confidential-on-e2": "not supported by the machine type", "manual": "Auto_upgrade must be true when release_channel REGULAR is set.",
		"unrepaired": "Auto_repair must be true", "blue": "must not be set with the strategy BLUE_GREEN", "no-surge": "must be greater than zero", "sysctl": `Invalid sysctl "kernel.panic"`, "pids": "between 1024 and 4194304",
		"scaling": "minimum of nodes is above the maximum", "many": "IP_SPACE_EXHAUSTED", "pod-range": `Pod secondary range "more" not found`,
		"disk-key": "grant roles/cloudkms.cryptoKeyEncrypterDecrypter to serviceAccount:service-" + gcp.Number(project) + "@compute-system.iam.gserviceaccount.com",
		"account":  "does not exist", "cluster": "was not found", "zone": "is no zone of europe-west3",
	})
}

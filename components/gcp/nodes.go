package gcp

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	corev1 "k8s.io/api/core/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// What every node is, those of the cluster's first pool too.
const nodeImage = "COS_CONTAINERD" // CIS-GKE-5.5.1

var (
	// nodeScopes leave the decision to IAM: a scope is no permission.
	nodeScopes = []string{"https://www.googleapis.com/auth/cloud-platform"}
	// nodeMetadata keeps the ways past the cluster shut: the metadata server of old,
	// keys of the project, and the serial console.
	nodeMetadata = map[string]string{"disable-legacy-endpoints": "true", "block-project-ssh-keys": "true", "serial-port-enable": "false"}
)

// NodePool is a group of nodes on Container-Optimized OS: machines that are
// replaced and never patched, into which nobody logs in (M01, M05).
type NodePool struct {
	pulumi.ResourceState

	// ID is known once the nodes are ready, and Name too.
	ID   pulumi.StringOutput `pulumi:"poolId"`
	Name pulumi.StringOutput `pulumi:"name"`
}

// NewNodePool registers the pool. The arguments are checked, all at once, before
// anything is registered.
func NewNodePool(ctx *pulumi.Context, name string, args *NodePoolArgs, opts ...pulumi.ResourceOption) (*NodePool, error) {
	a := args.withDefaults()
	if err := args.Validate(time.Now()); err != nil {
		return nil, err
	}
	n := &NodePool{}
	if err := ctx.RegisterComponentResource(nodePoolToken, name, n, opts...); err != nil {
		return nil, err
	}
	config, err := a.nodeConfig()
	if err != nil {
		return nil, err
	}
	pool := &container.NodePoolArgs{
		Cluster: a.ClusterName, Location: pulumi.String(a.Project.Region), Project: pulumi.String(a.Project.ID),
		// A prefix: a pool that Google cannot change is made anew before the old one goes.
		NamePrefix: pulumi.String(a.Pool + "-"),
		NodeConfig: config,
		Autoscaling: container.NodePoolAutoscalingArgs{
			TotalMinNodeCount: pulumi.Int(a.MinSize), TotalMaxNodeCount: pulumi.Int(a.MaxSize), LocationPolicy: pulumi.String("BALANCED"),
		},
		InitialNodeCount: pulumi.Int(1),                                                                                   // of each zone; the autoscaler goes on from there
		Management:       container.NodePoolManagementArgs{AutoRepair: pulumi.Bool(true), AutoUpgrade: pulumi.Bool(true)}, // CIS-GKE-5.5.2, 5.5.3
		NetworkConfig:    container.NodePoolNetworkConfigArgs{EnablePrivateNodes: pulumi.Bool(true)},                      // CIS-GKE-5.6.5
		UpgradeSettings:  a.Upgrade.settings(),
	}
	if len(a.Zones) > 0 {
		pool.NodeLocations = pulumi.ToStringArray(a.Zones)
	}
	if a.MaxPodsPerNode != 0 {
		pool.MaxPodsPerNode = pulumi.Int(a.MaxPodsPerNode)
	}
	made, err := container.NewNodePool(ctx, name, pool, pulumi.Parent(n), pulumi.IgnoreChanges([]string{"initialNodeCount"}))
	if err != nil {
		return nil, err
	}
	n.ID, n.Name = made.ID().ToStringOutput(), made.Name
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"poolId": n.ID, "name": n.Name})
}

// nodeConfig is what the machines are. Every default stands beside what the user
// chose: GKE would fill a field that is missing with its own.
func (a NodePoolArgs) nodeConfig() (container.NodePoolNodeConfigArgs, error) {
	taints, err := poolTaints(a.Taints)
	if err != nil {
		return container.NodePoolNodeConfigArgs{}, err
	}
	cpus := "" // GKE's own, which is none
	if a.Kubelet.StaticCPUs {
		cpus = "static"
	}
	kernel := container.NodePoolNodeConfigLinuxNodeConfigArgs{CgroupMode: pulumi.String("CGROUP_MODE_V2")}
	if len(a.Sysctls) > 0 {
		kernel.Sysctls = pulumi.ToStringMap(a.Sysctls)
	}
	config := container.NodePoolNodeConfigArgs{
		ImageType: pulumi.String(nodeImage), MachineType: pulumi.String(a.MachineType), Spot: pulumi.Bool(a.Spot),
		DiskType: pulumi.String(a.DiskType), DiskSizeGb: pulumi.Int(a.DiskGiB), BootDiskKmsKey: a.DisksKeyID.ToStringOutput().ToStringPtrOutput(), // CIS-GKE-5.9.2
		ServiceAccount: a.NodeServiceAccount.ToStringOutput().ToStringPtrOutput(), OauthScopes: pulumi.ToStringArray(nodeScopes), // CIS-GKE-5.2.1
		Metadata:               pulumi.ToStringMap(nodeMetadata),
		WorkloadMetadataConfig: container.NodePoolNodeConfigWorkloadMetadataConfigArgs{Mode: pulumi.String("GKE_METADATA")}, // CIS-GKE-5.4.1
		// CIS-GKE-5.5.6, 5.5.7
		ShieldedInstanceConfig: container.NodePoolNodeConfigShieldedInstanceConfigArgs{EnableSecureBoot: pulumi.Bool(true), EnableIntegrityMonitoring: pulumi.Bool(true)},
		KubeletConfig: container.NodePoolNodeConfigKubeletConfigArgs{
			PodPidsLimit: pulumi.Int(a.Kubelet.PodPidsLimit), CpuManagerPolicy: pulumi.String(cpus), CpuCfsQuota: pulumi.Bool(true), CpuCfsQuotaPeriod: pulumi.String(a.Kubelet.CPUQuotaPeriod),
		},
		LinuxNodeConfig: kernel, LoggingVariant: pulumi.String("DEFAULT"),
		ResourceLabels: labelled(a.Labels, a.Cluster),
	}
	if taints != nil {
		config.Taints = taints
	}
	if len(a.NodeLabels) > 0 {
		config.Labels = pulumi.ToStringMap(a.NodeLabels)
	}
	if a.GVisor {
		config.SandboxConfig = container.NodePoolNodeConfigSandboxConfigArgs{SandboxType: pulumi.String("gvisor")}
	}
	if a.Confidential {
		config.ConfidentialNodes = container.NodePoolNodeConfigConfidentialNodesArgs{Enabled: pulumi.Bool(true)}
	}
	return config, nil
}

// taintEffects are the names of GKE.
var taintEffects = map[corev1.TaintEffect]string{
	corev1.TaintEffectNoSchedule: "NO_SCHEDULE", corev1.TaintEffectPreferNoSchedule: "PREFER_NO_SCHEDULE", corev1.TaintEffectNoExecute: "NO_EXECUTE",
}

func poolTaints(texts []string) (container.NodePoolNodeConfigTaintArray, error) {
	var taints container.NodePoolNodeConfigTaintArray
	for _, each := range texts {
		taint, err := hostconfig.ParseTaint(each)
		if err != nil {
			return nil, err
		}
		taints = append(taints, container.NodePoolNodeConfigTaintArgs{Key: pulumi.String(taint.Key), Value: pulumi.String(taint.Value), Effect: pulumi.String(taintEffects[taint.Effect])})
	}
	return taints, nil
}

func (u UpgradeArgs) settings() container.NodePoolUpgradeSettingsArgs {
	if u.Strategy == UpgradeBlueGreen {
		return container.NodePoolUpgradeSettingsArgs{Strategy: pulumi.String("BLUE_GREEN"), BlueGreenSettings: container.NodePoolUpgradeSettingsBlueGreenSettingsArgs{
			NodePoolSoakDuration: pulumi.String(fmt.Sprintf("%ds", u.PoolSoakSeconds)),
			StandardRolloutPolicy: container.NodePoolUpgradeSettingsBlueGreenSettingsStandardRolloutPolicyArgs{
				BatchPercentage: pulumi.Float64(float64(u.BatchPercent) / 100), BatchSoakDuration: pulumi.String(fmt.Sprintf("%ds", u.BatchSoakSeconds)),
			},
		}}
	}
	return container.NodePoolUpgradeSettingsArgs{Strategy: pulumi.String("SURGE"), MaxSurge: pulumi.Int(u.MaxSurge), MaxUnavailable: pulumi.Int(u.MaxUnavailable)}
}

package gcp

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testPool() NodePoolArgs {
	return NodePoolArgs{Project: testProject, Cluster: "prod", ClusterName: pulumi.String("prod"), Pool: "general", DisksKeyID: testKey, NodeServiceAccount: testNodes}
}

func newTestPool(t *testing.T, args NodePoolArgs) mocks.Resource {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewNodePool(ctx, "pool", &args); return err }).One(t, "NodePool", "pool")
}

// The defaults of nodes, by the control that asks for each.
func TestPoolDefaults(t *testing.T) {
	pool := newTestPool(t, testPool())
	for _, want := range []struct {
		control, path string
		value         any
	}{
		{"CIS-GKE-5.2.1", "nodeConfig.serviceAccount", string(testNodes)},
		{"CIS-GKE-5.2.1", "nodeConfig.oauthScopes", []any{"https://www.googleapis.com/auth/cloud-platform"}},
		{"CIS-GKE-5.4.1", "nodeConfig.workloadMetadataConfig.mode", "GKE_METADATA"},
		{"CIS-GKE-5.4.1", "nodeConfig.metadata.disable-legacy-endpoints", "true"},
		{"CIS-GKE-3.1.1", "nodeConfig.imageType", "COS_CONTAINERD"},
		{"CIS-GKE-5.5.1", "nodeConfig.imageType", "COS_CONTAINERD"},
		{"CIS-GKE-5.5.2", "management.autoRepair", true},
		{"CIS-GKE-5.5.3", "management.autoUpgrade", true},
		{"CIS-GKE-5.5.6", "nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring", true},
		{"CIS-GKE-5.5.7", "nodeConfig.shieldedInstanceConfig.enableSecureBoot", true},
		{"CIS-GKE-5.6.5", "networkConfig.enablePrivateNodes", true},
		{"CIS-GKE-5.9.2", "nodeConfig.bootDiskKmsKey", string(testKey)},
		{"CIS-4.2.13", "nodeConfig.kubeletConfig.podPidsLimit", 4096},
		{"M16", "nodeConfig.kubeletConfig.cpuCfsQuota", true},
		{"M05", "nodeConfig.loggingVariant", "DEFAULT"},
		{"M05", "initialNodeCount", 1},
		{"M05", "autoscaling.locationPolicy", "BALANCED"},
		{"M03", "nodeConfig.metadata.block-project-ssh-keys", "true"},
		{"M03", "nodeConfig.metadata.serial-port-enable", "false"},
		{"M05", "nodeConfig.linuxNodeConfig.cgroupMode", "CGROUP_MODE_V2"},
		{"M05", "upgradeSettings.strategy", "SURGE"},
		{"M05", "upgradeSettings.maxSurge", 1},
		{"M05", "upgradeSettings.maxUnavailable", 0},
		{"M05", "autoscaling.totalMinNodeCount", 3},
		{"M05", "autoscaling.totalMaxNodeCount", 6},
		{"M05", "cluster", "prod"},
		{"M05", "namePrefix", "general-"},
		{"M05", "name", nil},
		{"M05", "nodeCount", nil},
	} {
		if got := pool.At(want.path); fmt.Sprint(got) != fmt.Sprint(want.value) {
			t.Errorf("%s: %s is %v, want %v", want.control, want.path, got, want.value)
		}
	}
	if !slices.Equal(pool.Ignored, []string{"initialNodeCount"}) {
		t.Errorf("ignored: %v", pool.Ignored)
	}
}

// A setting of one field changes that field and drops no default of another:
// every optional field is tried.
func TestPoolMergesPerField(t *testing.T) {
	before := leaves(newTestPool(t, testPool()).Inputs)
	tried := map[string]bool{}
	for _, each := range []struct {
		field  string
		change func(*NodePoolArgs)
		want   map[string]any
	}{
		{"MachineType", func(a *NodePoolArgs) { a.MachineType = "c3-standard-8" }, map[string]any{"nodeConfig.machineType": "c3-standard-8"}},
		{"Zones", func(a *NodePoolArgs) { a.Zones = []string{"europe-west3-b"} }, map[string]any{"nodeLocations.0": "europe-west3-b"}},
		{"MinSize", func(a *NodePoolArgs) { a.MinSize = 5 }, map[string]any{"autoscaling.totalMinNodeCount": 5, "autoscaling.totalMaxNodeCount": 10}},
		{"MaxSize", func(a *NodePoolArgs) { a.MaxSize = 9 }, map[string]any{"autoscaling.totalMaxNodeCount": 9}},
		{"DiskGiB", func(a *NodePoolArgs) { a.DiskGiB = 200 }, map[string]any{"nodeConfig.diskSizeGb": 200}},
		{"DiskType", func(a *NodePoolArgs) { a.DiskType = "pd-ssd" }, map[string]any{"nodeConfig.diskType": "pd-ssd"}},
		{"Spot", func(a *NodePoolArgs) { a.Spot = true }, map[string]any{"nodeConfig.spot": true}},
		{"GVisor", func(a *NodePoolArgs) { a.GVisor = true }, map[string]any{"nodeConfig.sandboxConfig.sandboxType": "gvisor"}},
		{"Confidential", func(a *NodePoolArgs) { a.Confidential = true }, map[string]any{"nodeConfig.confidentialNodes.enabled": true, "nodeConfig.machineType": "n2d-standard-4"}},
		{"MaxPodsPerNode", func(a *NodePoolArgs) { a.MaxPodsPerNode = 32 }, map[string]any{"maxPodsPerNode": 32}},
		{"NodeLabels", func(a *NodePoolArgs) { a.NodeLabels = map[string]string{"example.com/team": "shop"} }, map[string]any{"nodeConfig.labels.example.com/team": "shop"}},
		{"Taints", func(a *NodePoolArgs) { a.Taints = []string{"example.com/slow:NoExecute"} },
			map[string]any{"nodeConfig.taints.0.key": "example.com/slow", "nodeConfig.taints.0.value": "", "nodeConfig.taints.0.effect": "NO_EXECUTE"}},
		{"Isolation", func(a *NodePoolArgs) { a.Isolation = "payments" }, map[string]any{"nodeConfig.labels.redoubt.dev/isolation": "payments",
			"nodeConfig.taints.0.key": "redoubt.dev/isolation", "nodeConfig.taints.0.value": "payments", "nodeConfig.taints.0.effect": "NO_SCHEDULE"}},
		{"Kubelet.PodPidsLimit", func(a *NodePoolArgs) { a.Kubelet = &KubeletArgs{PodPidsLimit: 2048} }, map[string]any{"nodeConfig.kubeletConfig.podPidsLimit": 2048}},
		{"Kubelet.StaticCPUs", func(a *NodePoolArgs) { a.Kubelet = &KubeletArgs{StaticCPUs: true} }, map[string]any{"nodeConfig.kubeletConfig.cpuManagerPolicy": "static"}},
		{"Kubelet.CPUQuotaPeriod", func(a *NodePoolArgs) { a.Kubelet = &KubeletArgs{CPUQuotaPeriod: "10ms"} }, map[string]any{"nodeConfig.kubeletConfig.cpuCfsQuotaPeriod": "10ms"}},
		{"Sysctls", func(a *NodePoolArgs) { a.Sysctls = map[string]string{"net.core.somaxconn": "4096"} }, map[string]any{"nodeConfig.linuxNodeConfig.sysctls.net.core.somaxconn": "4096"}},
		{"Upgrade.Strategy", func(a *NodePoolArgs) { a.Upgrade = &UpgradeArgs{Strategy: UpgradeBlueGreen} }, map[string]any{"upgradeSettings.strategy": "BLUE_GREEN",
			"upgradeSettings.maxSurge": "gone", "upgradeSettings.maxUnavailable": "gone", "upgradeSettings.blueGreenSettings.nodePoolSoakDuration": "3600s",
			"upgradeSettings.blueGreenSettings.standardRolloutPolicy.batchPercentage": 0.25, "upgradeSettings.blueGreenSettings.standardRolloutPolicy.batchSoakDuration": "300s"}},
		{"Upgrade.MaxSurge", func(a *NodePoolArgs) { a.Upgrade = &UpgradeArgs{MaxSurge: 3} }, map[string]any{"upgradeSettings.maxSurge": 3}},
		{"Upgrade.MaxUnavailable", func(a *NodePoolArgs) { a.Upgrade = &UpgradeArgs{MaxUnavailable: 1} }, map[string]any{"upgradeSettings.maxSurge": 0, "upgradeSettings.maxUnavailable": 1}},
		{"Labels", func(a *NodePoolArgs) { a.Labels = map[string]string{"team": "shop"} }, map[string]any{"nodeConfig.resourceLabels.team": "shop"}},
	} {
		tried[each.field] = true
		args := testPool()
		each.change(&args)
		if got := changed(before, leaves(newTestPool(t, args).Inputs)); !maps.Equal(got, texts(each.want)) {
			t.Errorf("%s changes %v, want %v", each.field, got, each.want)
		}
	}
	blueGreen := testPool()
	blueGreen.Upgrade = &UpgradeArgs{Strategy: UpgradeBlueGreen, BatchPercent: 50, BatchSoakSeconds: 60, PoolSoakSeconds: 600}
	newTestPool(t, blueGreen).Wants(t, map[string]any{"upgradeSettings.blueGreenSettings.nodePoolSoakDuration": "600s",
		"upgradeSettings.blueGreenSettings.standardRolloutPolicy.batchPercentage": 0.5, "upgradeSettings.blueGreenSettings.standardRolloutPolicy.batchSoakDuration": "60s"})
	for _, field := range []string{"Upgrade.BatchPercent", "Upgrade.BatchSoakSeconds", "Upgrade.PoolSoakSeconds"} {
		tried[field] = true
	}
	for _, field := range optionalFields(reflect.TypeFor[NodePoolArgs](), "") {
		if !tried[field] {
			t.Errorf("%s is not tried", field)
		}
	}
}

// optionalFields gives those of a struct and of the structs in it.
func optionalFields(of reflect.Type, prefix string) []string {
	var out []string
	for i := range of.NumField() {
		field := of.Field(i)
		switch {
		case !strings.HasSuffix(field.Tag.Get("pulumi"), ",optional"):
		case field.Type.Kind() == reflect.Pointer:
			out = append(out, optionalFields(field.Type.Elem(), prefix+field.Name+".")...)
		default:
			out = append(out, prefix+field.Name)
		}
	}
	return out
}

// Everything that is wrong is said at once, and nothing is registered.
func TestPoolRefusals(t *testing.T) {
	refuse := func(change func(*NodePoolArgs), want ...string) {
		t.Helper()
		args := testPool()
		change(&args)
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewNodePool(ctx, "pool", &args); return err }, want...)
	}
	refuse(func(a *NodePoolArgs) { *a = NodePoolArgs{} }, "project.id", "project.number", "project.region", "cluster", "clusterName", "pool", "disksKeyId", "nodeServiceAccount")
	refuse(func(a *NodePoolArgs) {
		a.Pool, a.MachineType, a.MinSize, a.MaxSize, a.DiskGiB, a.DiskType, a.MaxPodsPerNode = "General", "large", 5, 3, 10, "tape", 300
		a.DisksKeyID, a.NodeServiceAccount = pulumi.String("projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"), pulumi.String("123-compute@developer.gserviceaccount.com")
		a.Zones, a.Labels = []string{"us-east1-b"}, map[string]string{"x": "Y"}
	}, "pool", "machineType", "minSize", "diskGiB", "diskType", "maxPodsPerNode", "disksKeyId", "nodeServiceAccount", "zones[0]", "labels[x]")
	for _, machine := range []string{"e2-standard-4", "c3-standard-4", "n2-standard-4"} {
		refuse(func(a *NodePoolArgs) { a.Confidential, a.MachineType = true, machine }, "machineType")
	}
	refuse(func(a *NodePoolArgs) { a.GVisor, a.MachineType = true, "e2-medium" }, "machineType")
	refuse(func(a *NodePoolArgs) {
		a.NodeLabels = map[string]string{"node-role.kubernetes.io/master": "", "cloud.google.com/gke-nodepool": "x", "a b": "c"}
		a.Taints = []string{"x", "sandbox.gke.io/runtime=gvisor:NoSchedule", "a=b:NoSchedule", "a=b:NoSchedule"}
	}, "nodeLabels[a b]", "nodeLabels[cloud.google.com/gke-nodepool]", "nodeLabels[node-role.kubernetes.io/master]", "taints[0]", "taints[1]", "taints[3]")
	refuse(func(a *NodePoolArgs) {
		a.Kubelet, a.Sysctls = &KubeletArgs{PodPidsLimit: 100, CPUQuotaPeriod: "2s"}, map[string]string{"kernel.randomize_va_space": "0"}
	}, "kubelet.podPidsLimit", "kubelet.cpuQuotaPeriod", "sysctls[kernel.randomize_va_space]")
	refuse(func(a *NodePoolArgs) { a.Kubelet = &KubeletArgs{PodPidsLimit: 100000} }, "kubelet.podPidsLimit")
	for _, wrong := range []struct {
		field   string
		upgrade UpgradeArgs
	}{
		{"upgrade", UpgradeArgs{BatchPercent: 10}}, {"upgrade", UpgradeArgs{Strategy: UpgradeBlueGreen, MaxSurge: 1}}, {"upgrade.maxSurge", UpgradeArgs{MaxSurge: 21}},
		{"upgrade.batchPercent", UpgradeArgs{Strategy: UpgradeBlueGreen, BatchPercent: 101}}, {"upgrade.poolSoakSeconds", UpgradeArgs{Strategy: UpgradeBlueGreen, PoolSoakSeconds: 700000}},
		{"upgrade.strategy", UpgradeArgs{Strategy: "all-at-once"}},
	} {
		refuse(func(a *NodePoolArgs) { a.Upgrade = &wrong.upgrade }, wrong.field)
	}
	args := testPool()
	args.Kubelet, args.Exceptions = &KubeletArgs{PodPidsLimit: 100000}, excepted("CIS-4.2.13")
	if err := args.Validate(time.Now()); err != nil {
		t.Error(err)
	}
}

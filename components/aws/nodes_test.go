package aws

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
)

func testPool() NodePoolArgs {
	return NodePoolArgs{
		Cluster: "prod", ClusterName: pulumi.String("prod"), ControlPlaneVersion: pulumi.String("v1.35.4"), Pool: "general",
		ReleaseVersion: "1.66.0-0123abcd", InstanceTypes: []string{"m7i.large", "m7a.large"}, SubnetIDs: pulumi.ToStringArray([]string{"subnet-a", "subnet-b"}),
		SecurityGroupID: pulumi.String("sg-nodes"), VolumesKeyArn: testKey, NodeRoleArn: testRole("nodes"),
	}
}

func newTestPool(t *testing.T, args NodePoolArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewNodePool(ctx, "pool", &args); return err })
}

// M01, M03, M16, M19, CIS-EKS 5.4.3: what every machine of a pool has.
func TestLaunchTemplate(t *testing.T) {
	template := newTestPool(t, testPool()).One(t, "LaunchTemplate", "pool")
	for name, want := range map[string]any{"httpTokens": "required", "httpPutResponseHopLimit": 1.0, "httpEndpoint": "enabled", "instanceMetadataTags": "disabled"} {
		if got := at(template.Inputs, "metadataOptions", name); got != want {
			t.Errorf("M21: %s is %v", name, got)
		}
	}
	var devices []string
	for _, each := range template.List("blockDeviceMappings") {
		devices = append(devices, fmt.Sprint(at(each, "deviceName")))
		if at(each, "ebs", "encrypted") != "true" || at(each, "ebs", "kmsKeyId") != string(testKey) || at(each, "ebs", "volumeType") != "gp3" {
			t.Errorf("M19: disk %v", each)
		}
	}
	if fmt.Sprint(devices) != "[/dev/xvda /dev/xvdb]" {
		t.Errorf("M19: disks %v", devices)
	}
	for _, name := range []string{"keyName", "imageId", "iamInstanceProfile", "networkInterfaces", "instanceType", "instanceInitiatedShutdownBehavior"} {
		if template.Inputs[name] != nil {
			t.Errorf("M03: %s is %v", name, template.Inputs[name])
		}
	}
	if fmt.Sprint(template.List("vpcSecurityGroupIds")) != "[sg-nodes]" {
		t.Errorf("M08: groups %v", template.List("vpcSecurityGroupIds"))
	}
	var tagged []string
	for _, each := range template.List("tagSpecifications") {
		tagged = append(tagged, fmt.Sprint(at(each, "resourceType")))
	}
	if fmt.Sprint(tagged) != "[instance volume network-interface]" {
		t.Errorf("tags of %v", tagged)
	}
}

// userData reads the settings that a pool's machines get, as they read them.
func userData(t *testing.T, c *mocks.Cloud) bottlerocket.Settings {
	t.Helper()
	document, err := base64.StdEncoding.DecodeString(c.One(t, "LaunchTemplate", "pool").Text("userData"))
	if err != nil || len(document) > bottlerocket.MaximumUserData {
		t.Fatalf("%d bytes: %v", len(document), err)
	}
	settings, err := bottlerocket.Decode(document)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// M01, CIS-EKS 3.2: the user data is the hardened one, without what EKS adds.
func TestUserData(t *testing.T) {
	args := testPool()
	args.Host.Node.Sysctls = map[string]string{"vm.max_map_count": "262144"}
	args.Isolation, args.Taints = "payments", []string{"example.com/slow:NoExecute"}
	settings := userData(t, newTestPool(t, args))
	for _, item := range bottlerocket.CIS() {
		for _, lack := range item.Unmet(bottlerocket.ManagedGroup, settings) {
			t.Errorf("CIS-BR-%s: %s", item.ID, lack)
		}
	}
	k := settings.Kubernetes
	if k.ClusterName != nil || k.APIServer != nil || k.ClusterCertificate != nil || k.NodeLabels != nil || k.NodeTaints != nil {
		t.Errorf("EKS adds these itself: %v", k)
	}
	if settings.Kernel.Sysctl["vm.max_map_count"] != "262144" || *settings.HostContainers["control"].Enabled || *settings.HostContainers["admin"].Enabled {
		t.Errorf("settings %v %v", settings.Kernel.Sysctl, settings.HostContainers)
	}
	args.SSM = true
	if !*userData(t, newTestPool(t, args)).HostContainers["control"].Enabled {
		t.Error("M09: SSM was chosen and its agent does not start")
	}
}

// M05, M24: how a pool is replaced, and whom it takes.
func TestNodeGroup(t *testing.T) {
	args := testPool()
	args.Isolation, args.Taints, args.Labels = "payments", []string{"example.com/slow:NoExecute"}, map[string]string{"team": "shop"}
	group := newTestPool(t, args).One(t, "NodeGroup", "pool")
	for path, want := range map[string]any{
		"amiType": "BOTTLEROCKET_x86_64", "releaseVersion": "1.66.0-0123abcd", "version": "1.35", "capacityType": "ON_DEMAND", "instanceTypes": []any{"m7i.large", "m7a.large"},
		"updateConfig.maxUnavailablePercentage": 33.0, "nodeRepairConfig.enabled": true, "launchTemplate.id": "pool_id", "launchTemplate.version": "3",
		"scalingConfig.minSize": 2.0, "scalingConfig.maxSize": 4.0, "nodeRoleArn": string(testRole("nodes")), "nodeGroupNamePrefix": "general-",
		"clusterName": "prod", "subnetIds": []any{"subnet-a", "subnet-b"},
		"remoteAccess": nil, "diskSize": nil, "forceUpdateVersion": nil, "nodeGroupName": nil,
		"labels": map[string]any{"team": "shop", "redoubt.dev/isolation": "payments"},
		"taints": []any{map[string]any{"key": "example.com/slow", "effect": "NO_EXECUTE"}, map[string]any{"key": "redoubt.dev/isolation", "value": "payments", "effect": "NO_SCHEDULE"}},
	} {
		if got := at(group.Inputs, strings.Split(path, ".")...); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if !slices.Equal(group.Ignored, []string{"scalingConfig.desiredSize"}) {
		t.Errorf("ignored: %v", group.Ignored)
	}
	for want, change := range map[string]func(*NodePoolArgs){
		"BOTTLEROCKET_x86_64_FIPS": func(a *NodePoolArgs) { a.FIPS = true },
		"BOTTLEROCKET_ARM_64":      func(a *NodePoolArgs) { a.Architecture, a.InstanceTypes = ArchitectureARM, []string{"m7g.large"} },
		"BOTTLEROCKET_ARM_64_FIPS": func(a *NodePoolArgs) {
			a.FIPS, a.Architecture, a.InstanceTypes = true, ArchitectureARM, []string{"c7gn.large"}
		},
	} {
		args := testPool()
		change(&args)
		if got := newTestPool(t, args).One(t, "NodeGroup", "pool").Text("amiType"); got != want {
			t.Errorf("image %s, want %s", got, want)
		}
	}
}

func TestArchitectures(t *testing.T) {
	for name, want := range map[string]string{
		"m7i.large": ArchitectureX86, "g4dn.xlarge": ArchitectureX86, "g5.xlarge": ArchitectureX86, "t3.medium": ArchitectureX86, "c6in.metal": ArchitectureX86,
		"u-6tb1.metal": ArchitectureX86, "u7i-12tb.224xlarge": ArchitectureX86, "inf2.xlarge": ArchitectureX86, "m5.metal-24xl": ArchitectureX86,
		"t4g.medium": ArchitectureARM, "m7gd.large": ArchitectureARM, "x2gd.large": ArchitectureARM, "im4gn.large": ArchitectureARM,
		"is4gen.large": ArchitectureARM, "a1.large": ArchitectureARM, "g5g.xlarge": ArchitectureARM, "hpc7g.4xlarge": ArchitectureARM,
		"mac2.metal": "", "m7i": "", "large": "", "M7i.large": "",
	} {
		if got, _ := architectureOf(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// Everything that is wrong is said at once, and nothing is registered.
func TestPoolRefusals(t *testing.T) {
	refuse := func(change func(*NodePoolArgs), want ...string) {
		t.Helper()
		args := testPool()
		change(&args)
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewNodePool(ctx, "pool", &args); return err }, want...)
	}
	refuse(func(a *NodePoolArgs) { *a = NodePoolArgs{} }, "cluster", "clusterName", "controlPlaneVersion", "pool", "releaseVersion", "instanceTypes",
		"subnetIds", "securityGroupId", "volumesKeyArn", "nodeRoleArn")
	refuse(func(a *NodePoolArgs) {
		a.Pool, a.ReleaseVersion, a.InstanceTypes = "General", "latest", []string{"m7g.large", "mac2.metal", "m7i.large", "m7i.large"}
		a.MinSize, a.MaxSize, a.SurgePercent, a.DataDiskGiB, a.NodeRoleArn = 5, 3, 101, 5, pulumi.String("nodes")
	}, "pool", "releaseVersion", "instanceTypes[0]", "instanceTypes[1]", "instanceTypes[3]", "minSize", "surgePercent", "dataDiskGiB", "nodeRoleArn")
	refuse(func(a *NodePoolArgs) { a.Architecture = "riscv" }, "architecture")
	refuse(func(a *NodePoolArgs) { a.KubernetesVersion = "v1.36.5" }, "kubernetesVersion")
	refuse(func(a *NodePoolArgs) { a.KubernetesVersion = "v1.34.5" }, "host.node.kubernetesVersion", "host.node.kubernetesVersion")
	refuse(func(a *NodePoolArgs) { a.ReleaseVersion = "1.20.0-0123abcd" }, "host.osVersion")
	refuse(func(a *NodePoolArgs) { a.Labels = map[string]string{"kubernetes.io/role": "x"} }, `host.node.labels["kubernetes.io/role"]`)
	refuse(func(a *NodePoolArgs) {
		a.Host.Node.Taints, a.Host.Variant = []string{"a:NoSchedule"}, bottlerocket.VariantFIPS
	}, "host.node.taints", "host.variant")
	refuse(func(a *NodePoolArgs) { a.Host.AdminContainer = true }, "host.adminContainer")
	refuse(func(a *NodePoolArgs) {
		a.Host.AdminContainer = true
		a.Exceptions = []hostconfig.Exception{{Control: "M03/admin-container", Reason: "a driver is debugged here", Expires: "2020-01-01"}}
	}, "host.node.exceptions[0].expires")
}

// M35: where the version of the control plane is known only later, it is judged then.
func TestNodesAreNotNewerThanTheControlPlane(t *testing.T) {
	args := testPool()
	args.KubernetesVersion = "v1.36.5"
	args.ControlPlaneVersion = pulumi.String("v1.35.4").ToStringOutput().ApplyT(func(v string) string { return v }).(pulumi.StringOutput)
	if err := args.Validate(time.Now()); err != nil {
		t.Fatal(err)
	}
	c := &mocks.Cloud{Fill: fill}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error { _, err := NewNodePool(ctx, "pool", &args); return err }, pulumi.WithMocks("project", "stack", c))
	if err == nil || !strings.Contains(err.Error(), "upgrade the control plane first") || len(c.Of("NodeGroup")) > 0 {
		t.Errorf("%v", err)
	}
}

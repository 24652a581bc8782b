package aws

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

func testRole(name string) pulumi.String {
	return pulumi.String("arn:aws:iam::123456789012:role/" + name)
}

func testCluster() EksClusterArgs {
	return EksClusterArgs{
		Account: testAccount, Cluster: "prod", SubnetIDs: pulumi.ToStringArray([]string{"subnet-a", "subnet-b"}), SecurityGroupID: pulumi.String("sg-cluster"),
		SecretsKeyArn: testKey, LogGroupName: pulumi.String("/aws/eks/prod/cluster"), ClusterRoleArn: testRole("cluster"), NetworkRoleArn: testRole("network"),
		Access: []AccessArgs{
			{Name: "automation", Role: AccessAdmin, PrincipalArn: testRole("automation")},
			{Name: "shop", Role: AccessOperator, PrincipalArn: testRole("shop"), Namespaces: []string{"shop", "shop-jobs"}},
			{Name: "support", Role: AccessViewer, PrincipalArn: testRole("support")},
			{Name: "emergency", Role: AccessBreakGlass, PrincipalArn: testRole("emergency")},
		},
		AddonVersions: map[string]string{"vpc-cni": "v1.21.0-eksbuild.1", "kube-proxy": "v1.35.0-eksbuild.2", "eks-pod-identity-agent": "v1.3.9-eksbuild.3"},
	}
}

func newTestCluster(t *testing.T, args EksClusterArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewEksCluster(ctx, "eks", &args); return err })
}

// at gives what stands at a path of names in the inputs.
func at(value any, path ...string) any {
	for _, name := range path {
		m, _ := value.(map[string]any)
		value = m[name]
	}
	return value
}

// The defaults of the control plane, by the control that asks for each.
func TestClusterDefaults(t *testing.T) {
	c := newTestCluster(t, testCluster())
	cluster := c.One(t, "Cluster", "eks")
	for _, want := range []struct {
		control string
		path    string
		value   any
	}{
		{"CIS-EKS-2.1.1", "enabledClusterLogTypes", []any{"api", "audit", "authenticator", "controllerManager", "scheduler"}},
		{"CIS-EKS-5.3.1", "encryptionConfig.resources", []any{"secrets"}},
		{"CIS-EKS-5.3.1", "encryptionConfig.provider.keyArn", string(testKey)},
		{"CIS-EKS-5.4.1", "vpcConfig.endpointPublicAccess", false},
		{"CIS-EKS-5.4.1", "vpcConfig.publicAccessCidrs", nil},
		{"CIS-EKS-5.4.2", "vpcConfig.endpointPrivateAccess", true},
		{"CIS-EKS-5.4.3", "vpcConfig.subnetIds", []any{"subnet-a", "subnet-b"}},
		{"CIS-EKS-5.4.3", "vpcConfig.securityGroupIds", []any{"sg-cluster"}},
		{"CIS-EKS-5.5.1", "accessConfig.authenticationMode", "API"},
		{"CIS-EKS-4.1.1", "accessConfig.bootstrapClusterCreatorAdminPermissions", false},
		{"M35", "version", "1.35"},
		{"M35", "upgradePolicy.supportType", "STANDARD"},
		{"M10", "bootstrapSelfManagedAddons", false},
		{"M10", "zonalShiftConfig.enabled", true},
		{"M10", "roleArn", string(testRole("cluster"))},
	} {
		if got := at(cluster.Inputs, strings.Split(want.path, ".")...); fmt.Sprint(got) != fmt.Sprint(want.value) {
			t.Errorf("%s: %s is %v, want %v", want.control, want.path, got, want.value)
		}
	}
	if got := at(cluster.Inputs, "tags", "redoubt.dev/cluster-logs"); got != "/aws/eks/prod/cluster" {
		t.Errorf("M17: the logs are said to be in %v", got)
	}
	if !cluster.Protected {
		t.Error("M10: the cluster is deleted with its stack")
	}
	oidc := c.One(t, "OpenIdConnectProvider", "eks-oidc")
	if oidc.Text("url") != testIssuer || fmt.Sprint(oidc.List("clientIdLists")) != "[sts.amazonaws.com]" {
		t.Errorf("CIS-EKS-5.2.1: issuer %v", oidc.Inputs)
	}
	args := testCluster()
	args.Unprotected, args.ServiceCIDR, args.KubernetesVersion = true, "172.20.0.0/16", "v1.36.5"
	other := newTestCluster(t, args).One(t, "Cluster", "eks")
	if other.Protected || other.Text("version") != "1.36" || at(other.Inputs, "kubernetesNetworkConfig", "serviceIpv4Cidr") != "172.20.0.0/16" {
		t.Errorf("choices: %v %v", other.Protected, other.Inputs)
	}
}

// CIS-EKS 4.1.1, 5.5.1, M20: who gets in, what they may do, and nobody else.
func TestAccess(t *testing.T) {
	c := newTestCluster(t, testCluster())
	if n := len(c.Of("AccessEntry")); n != 4 || len(c.Of("AccessPolicyAssociation")) != 4 {
		t.Fatalf("%d entries", n)
	}
	const policies = "arn:aws:eks::aws:cluster-access-policy/"
	for name, want := range map[string]struct{ policy, scope string }{
		"automation": {"AmazonEKSClusterAdminPolicy", "map[type:cluster]"},
		"shop":       {"AmazonEKSEditPolicy", "map[namespaces:[shop shop-jobs] type:namespace]"},
		"support":    {"AmazonEKSViewPolicy", "map[type:cluster]"},
		"emergency":  {"AmazonEKSClusterAdminPolicy", "map[type:cluster]"},
	} {
		entry, association := c.One(t, "AccessEntry", "eks-access-"+name), c.One(t, "AccessPolicyAssociation", "eks-access-"+name)
		if entry.Inputs["kubernetesGroups"] != nil || entry.Text("type") != "STANDARD" {
			t.Errorf("%s: entry %v", name, entry.Inputs)
		}
		if association.Text("policyArn") != policies+want.policy || fmt.Sprint(association.Inputs["accessScope"]) != want.scope {
			t.Errorf("%s: %v", name, association.Inputs)
		}
		for _, each := range []mocks.Resource{entry, association} {
			if each.Text("principalArn") != string(testRole(name)) {
				t.Errorf("%s: %s", name, each.Text("principalArn"))
			}
		}
	}
}

// CIS-EKS 4.3.1, 5.4.4, M21: NetworkPolicy is enforced from a pod's first moment; M16: add-ons are pinned.
func TestNodeAddons(t *testing.T) {
	args := testCluster()
	args.GuardDuty, args.AddonVersions["aws-guardduty-agent"] = true, "v1.12.0-eksbuild.1"
	c := newTestCluster(t, args)
	if n := len(c.Of("Addon")); n != 4 {
		t.Errorf("%d add-ons", n)
	}
	for _, addon := range c.Of("Addon") {
		name := strings.TrimPrefix(addon.Name, "eks-")
		if addon.Text("addonName") != name || addon.Text("addonVersion") != args.AddonVersions[name] || addon.Text("resolveConflictsOnUpdate") != "OVERWRITE" {
			t.Errorf("%s: %v", name, addon.Inputs)
		}
		if name != addonNetwork && (addon.Inputs["podIdentityAssociations"] != nil || addon.Inputs["serviceAccountRoleArn"] != nil) {
			t.Errorf("%s has a role, which it does not need", name)
		}
	}
	network := c.One(t, "Addon", "eks-vpc-cni")
	var configuration map[string]any
	if err := json.Unmarshal([]byte(network.Text("configurationValues")), &configuration); err != nil {
		t.Fatal(err)
	}
	if configuration["enableNetworkPolicy"] != "true" || at(configuration, "env", "NETWORK_POLICY_ENFORCING_MODE") != "strict" || at(configuration, "env", "ENABLE_PREFIX_DELEGATION") != "true" {
		t.Errorf("configuration %v", configuration)
	}
	want := []any{map[string]any{"roleArn": string(testRole("network")), "serviceAccount": "aws-node"}}
	if fmt.Sprint(network.List("podIdentityAssociations")) != fmt.Sprint(want) {
		t.Errorf("associations %v", network.List("podIdentityAssociations"))
	}
}

// Everything that is wrong is said at once, and nothing is registered.
func TestClusterRefusals(t *testing.T) {
	refuse := func(change func(*EksClusterArgs), want ...string) {
		t.Helper()
		args := testCluster()
		args.Access, args.AddonVersions = slices.Clone(args.Access), map[string]string{"vpc-cni": "v1.21.0-eksbuild.1", "kube-proxy": "v1.35.0-eksbuild.2", "eks-pod-identity-agent": "v1.3.9-eksbuild.3"}
		change(&args)
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewEksCluster(ctx, "eks", &args); return err }, want...)
	}
	refuse(func(a *EksClusterArgs) { *a = EksClusterArgs{} }, "account.id", "account.region", "cluster", "subnetIds", "securityGroupId", "secretsKeyArn",
		"logGroupName", "clusterRoleArn", "networkRoleArn", "access", "addonVersions[vpc-cni]", "addonVersions[kube-proxy]", "addonVersions[eks-pod-identity-agent]")
	refuse(func(a *EksClusterArgs) {
		a.KubernetesVersion, a.SubnetIDs, a.SecretsKeyArn = "v1.34.1", pulumi.ToStringArray([]string{"subnet-a"}), pulumi.String("alias/mine")
		a.LogGroupName, a.ClusterRoleArn, a.ServiceCIDR = pulumi.String("/aws/eks/other/cluster"), pulumi.String("cluster"), "100.64.0.0/16"
	}, "kubernetesVersion", "subnetIds", "secretsKeyArn", "logGroupName", "clusterRoleArn", "serviceCidr")
	refuse(func(a *EksClusterArgs) {
		a.AddonVersions["vpc-cni"], a.AddonVersions["coredns"] = "latest", "v1.12.0-eksbuild.1"
	}, "addonVersions[vpc-cni]", "addonVersions[coredns]")
	refuse(func(a *EksClusterArgs) { a.GuardDuty = true }, "addonVersions[aws-guardduty-agent]")
	refuse(func(a *EksClusterArgs) { a.PublicCIDRs = []string{"203.0.113.0/24"} }, "publicCidrs")
	excepted := []hostconfig.Exception{{Control: "M10/public-endpoint", Reason: "the VPN is not there before March", Expires: time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}}
	refuse(func(a *EksClusterArgs) {
		a.PublicCIDRs, a.Exceptions = []string{"0.0.0.0/0", "10.0.0.0/24", "2001:db8::/48", "203.0.113.9/24"}, excepted
	}, "publicCidrs[0]", "publicCidrs[1]", "publicCidrs[2]", "publicCidrs[3]")
	expired := []hostconfig.Exception{{Control: "M10/public-endpoint", Reason: "the VPN is not there before March", Expires: "2020-01-31"}}
	refuse(func(a *EksClusterArgs) { a.PublicCIDRs, a.Exceptions = []string{"203.0.113.0/24"}, expired }, "exceptions[0].expires")

	open := testCluster()
	open.PublicCIDRs, open.Exceptions = []string{"203.0.113.0/24"}, excepted
	cluster := newTestCluster(t, open).One(t, "Cluster", "eks")
	if at(cluster.Inputs, "vpcConfig", "endpointPublicAccess") != true || at(cluster.Inputs, "vpcConfig", "endpointPrivateAccess") != true ||
		fmt.Sprint(at(cluster.Inputs, "vpcConfig", "publicAccessCidrs")) != "[203.0.113.0/24]" {
		t.Errorf("with an exception: %v", cluster.Inputs["vpcConfig"])
	}
}

func TestAccessRefusals(t *testing.T) {
	refuse := func(entries []AccessArgs, want ...string) {
		t.Helper()
		args := testCluster()
		args.Access = append(slices.Clone(args.Access), entries...)
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewEksCluster(ctx, "eks", &args); return err }, want...)
	}
	for _, arn := range []string{"automation", "arn:aws:iam::123456789012:user/somebody", "arn:aws:iam::123456789012:root", "*",
		"arn:aws:sts::123456789012:assumed-role/a/b", "arn:aws:iam::123456789012:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"} {
		refuse([]AccessArgs{{Name: "x", Role: AccessViewer, PrincipalArn: pulumi.String(arn)}}, "access[4].principalArn")
	}
	refuse([]AccessArgs{
		{Name: "shop", Role: "owner", PrincipalArn: testRole("shop")},
		{Name: "A", Role: AccessOperator},
		{Name: "c", Role: AccessAdmin, PrincipalArn: testRole("c"), Namespaces: []string{"x"}},
		{Name: "d", Role: AccessOperator, PrincipalArn: testRole("d"), Namespaces: []string{"kube-system", "x*", "y", "y"}},
	}, "access[4].name", "access[4].role", "access[4].principalArn", "access[5].name", "access[5].principalArn", "access[5].namespaces",
		"access[6].namespaces", "access[7].namespaces[0]", "access[7].namespaces[1]", "access[7].namespaces[3]")
	args := testCluster()
	args.Access = args.Access[1:3]
	mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewEksCluster(ctx, "eks", &args); return err }, "access")
}

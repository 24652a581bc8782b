package aws_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	redoubt "github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// components is an environment made of the project's own components. With swapped roles the CSI driver gets that of vpc-cni.
func components(swapped bool) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		account := redoubt.Account{ID: aws.Account, Region: "eu-central-1"}
		roles := must(redoubt.NewRoles(ctx, "roles", &redoubt.RolesArgs{Account: account, Cluster: "prod"}))
		keys := must(redoubt.NewKeys(ctx, "keys", &redoubt.KeysArgs{Account: account, Cluster: "prod", CreateAutoScalingRole: true, LogGroups: []string{"/aws/clientvpn/prod/connections"}, VolumesPrincipals: pulumi.StringArray{roles.VolumesRoleArn}}))
		net := must(redoubt.NewNetwork(ctx, "net", &redoubt.NetworkArgs{Account: account, Cluster: "prod", CIDR: "10.20.0.0/16", Zones: []string{"eu-central-1a", "eu-central-1b"}, LogsKeyArn: keys.LogsKeyArn}))
		logs := must(redoubt.NewLogs(ctx, "logs", &redoubt.LogsArgs{Account: account, Cluster: "prod", KeyArn: keys.LogsKeyArn}))
		wall := must(redoubt.NewFirewall(ctx, "wall", &redoubt.FirewallArgs{Cluster: "prod", VpcID: net.VpcID, EndpointSecurityGroupID: net.EndpointSecurityGroupID, S3PrefixListID: net.S3PrefixListID}))
		people := must(iam.NewRole(ctx, "people", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(policyOf(m{
			"Effect": "Allow", "Principal": m{"AWS": "arn:aws:iam::" + aws.Account + ":root"}, "Action": "sts:AssumeRole"}))}))
		volumes := roles.VolumesRoleArn
		if swapped {
			volumes = roles.NetworkRoleArn
		}
		cluster := must(redoubt.NewEksCluster(ctx, "eks", &redoubt.EksClusterArgs{Account: account, Cluster: "prod", SubnetIDs: net.PrivateSubnetIDs, SecurityGroupID: wall.ClusterSecurityGroupID,
			SecretsKeyArn: keys.SecretsKeyArn, LogGroupName: logs.ClusterLogGroupName, ClusterRoleArn: roles.ClusterRoleArn, NetworkRoleArn: roles.NetworkRoleArn, Unprotected: true,
			ServiceCIDR:   "172.20.0.0/16",
			Access:        []redoubt.AccessArgs{{Name: "people", Role: redoubt.AccessAdmin, PrincipalArn: people.Arn}},
			AddonVersions: map[string]string{"vpc-cni": "v1.20.4-eksbuild.1", "kube-proxy": "v1.35.0-eksbuild.2", "eks-pod-identity-agent": "v1.3.9-eksbuild.3"}}))
		nodes := must(redoubt.NewNodePool(ctx, "pool", &redoubt.NodePoolArgs{Cluster: "prod", ClusterName: cluster.NodesClusterName, ControlPlaneVersion: cluster.KubernetesVersion,
			Pool: "general", ReleaseVersion: "1.66.0-0123abcd", InstanceTypes: []string{"m7i.large"}, SubnetIDs: net.NodeSubnetIDs, SecurityGroupID: wall.NodeSecurityGroupID,
			VolumesKeyArn: keys.VolumesKeyArn, NodeRoleArn: roles.NodeRoleArn, Isolation: "payments"}))
		must(redoubt.NewEksAddons(ctx, "addons", &redoubt.EksAddonsArgs{Cluster: "prod", After: pulumi.StringArray{nodes.Arn}, VolumesRoleArn: volumes,
			Versions: map[string]string{"coredns": "v1.13.1-eksbuild.1", "aws-ebs-csi-driver": "v1.54.0-eksbuild.1"}}))
		must(redoubt.NewClientVpn(ctx, "vpn", &redoubt.ClientVpnArgs{Cluster: "prod", VpcID: net.VpcID, NetworkCIDR: "10.20.0.0/16", SubnetIDs: []pulumi.StringInput{net.PrivateSubnetIDs.Index(pulumi.Int(0))},
			ClusterSecurityGroupID: wall.ClusterSecurityGroupID, ClientCIDR: "10.250.0.0/22", LogsKeyArn: keys.LogsKeyArn,
			ServerCertificateArn: "arn:aws:acm:eu-central-1:" + aws.Account + ":certificate/server", ClientCertificateArn: "arn:aws:acm:eu-central-1:" + aws.Account + ":certificate/clients"}))
		must(redoubt.NewEcrRegistry(ctx, "ecr", &redoubt.EcrRegistryArgs{Account: account, Cluster: "prod", Repositories: []string{"shop/web"}, PullerArns: pulumi.StringArray{roles.NodeRoleArn}}))
		return nil
	}
}

// The components make what AWS takes, change nothing the second time, and leave nothing.
func TestComponentsLiveAndDie(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	e := simtest.New(t, cloud, settings)
	program := components(false)
	result, err := e.Preview(program)
	if err != nil {
		t.Fatal(err)
	}
	planned := result.Creates()
	if result = e.MustUp(program); result.Creates() != planned {
		t.Errorf("planned %d, made %d", planned, result.Creates())
	}
	if result = e.MustUp(program); result.Changed() != 0 {
		t.Errorf("a second pass changes %v", result.Changes)
	}
	if result, err = e.Refresh(); err != nil || result.Changed() != 0 {
		t.Errorf("drift where there is none: %v %v", result.Changes, err)
	}
	if err := e.Destroy(); err != nil {
		t.Fatal(err)
	}
	for _, left := range cloud.Objects() {
		t.Errorf("left behind: %s", left.Key())
	}
}

// The role of one add-on is of no use to another: its trust names the service account.
func TestARoleIsForOneServiceAccount(t *testing.T) {
	t.Parallel()
	_, err := simtest.New(t, account(t), settings).Up(components(true))
	if err == nil || !strings.Contains(err.Error(), "must allow pods.eks.amazonaws.com") {
		t.Errorf("the CSI driver took the role of vpc-cni: %v", err)
	}
}

package bench

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/aws"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

const region = "eu-central-1"

// environment is a private cluster with all that an account can be given: three zones with NAT gateways, every endpoint,
// archive and trail, two pools, a way in for people, a registry.
func environment(ctx *pulumi.Context) (err error) {
	defer func() { // what only a wrong program makes fail
		if problem, ok := recover().(error); ok {
			err = problem
		}
	}()
	account := aws.Account{ID: simaws.Account, Region: region}
	roles := must(aws.NewRoles(ctx, "roles", &aws.RolesArgs{Account: account, Cluster: "prod"}))
	keys := must(aws.NewKeys(ctx, "keys", &aws.KeysArgs{Account: account, Cluster: "prod", Archive: true, Trail: true, CreateAutoScalingRole: true, AccountDefault: true,
		LogGroups: []string{"/aws/clientvpn/prod/connections"}, VolumesPrincipals: pulumi.StringArray{roles.VolumesRoleArn}}))
	logs := must(aws.NewLogs(ctx, "logs", &aws.LogsArgs{Account: account, Cluster: "prod", KeyArn: keys.LogsKeyArn, Archive: &aws.ArchiveArgs{}, Trail: true}))
	net := must(aws.NewNetwork(ctx, "net", &aws.NetworkArgs{Account: account, Cluster: "prod", Zones: []string{region + "a", region + "b", region + "c"}, Egress: aws.EgressNAT,
		Uses: aws.Uses(), LogsKeyArn: keys.LogsKeyArn, ArchiveArn: logs.ArchiveArn}))
	wall := must(aws.NewFirewall(ctx, "wall", &aws.FirewallArgs{Cluster: "prod", VpcID: net.VpcID, EndpointSecurityGroupID: net.EndpointSecurityGroupID, S3PrefixListID: net.S3PrefixListID}))
	people := must(iam.NewRole(ctx, "people", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + simaws.Account + `:root"},"Action":"sts:AssumeRole"}]}`)}))
	cluster := must(aws.NewEksCluster(ctx, "eks", &aws.EksClusterArgs{Account: account, Cluster: "prod", SubnetIDs: net.PrivateSubnetIDs, SecurityGroupID: wall.ClusterSecurityGroupID,
		SecretsKeyArn: keys.SecretsKeyArn, LogGroupName: logs.ClusterLogGroupName, ClusterRoleArn: roles.ClusterRoleArn, NetworkRoleArn: roles.NetworkRoleArn, Unprotected: true,
		Access:        []aws.AccessArgs{{Name: "people", Role: aws.AccessAdmin, PrincipalArn: people.Arn}},
		AddonVersions: map[string]string{"vpc-cni": "v1.20.4-eksbuild.1", "kube-proxy": "v1.35.0-eksbuild.2", "eks-pod-identity-agent": "v1.3.9-eksbuild.3"}}))
	after := pulumi.StringArray{}
	for _, name := range []string{"general", "batch"} {
		pool := must(aws.NewNodePool(ctx, name, &aws.NodePoolArgs{Cluster: "prod", ClusterName: cluster.NodesClusterName, ControlPlaneVersion: cluster.KubernetesVersion,
			Pool: name, ReleaseVersion: "1.66.0-0123abcd", InstanceTypes: []string{"m7i.large"}, SubnetIDs: net.NodeSubnetIDs, SecurityGroupID: wall.NodeSecurityGroupID,
			VolumesKeyArn: keys.VolumesKeyArn, NodeRoleArn: roles.NodeRoleArn}))
		after = append(after, pool.Arn)
	}
	must(aws.NewEksAddons(ctx, "addons", &aws.EksAddonsArgs{Cluster: "prod", After: after, VolumesRoleArn: roles.VolumesRoleArn,
		Versions: map[string]string{"coredns": "v1.13.1-eksbuild.1", "aws-ebs-csi-driver": "v1.54.0-eksbuild.1"}}))
	certificate := "arn:aws:acm:" + region + ":" + simaws.Account + ":certificate/"
	must(aws.NewClientVpn(ctx, "vpn", &aws.ClientVpnArgs{Cluster: "prod", VpcID: net.VpcID, NetworkCIDR: "10.0.0.0/16", SubnetIDs: []pulumi.StringInput{
		net.PrivateSubnetIDs.Index(pulumi.Int(0)), net.PrivateSubnetIDs.Index(pulumi.Int(1)), net.PrivateSubnetIDs.Index(pulumi.Int(2))},
		ClusterSecurityGroupID: wall.ClusterSecurityGroupID, ClientCIDR: "10.250.0.0/22", LogsKeyArn: keys.LogsKeyArn,
		ServerCertificateArn: certificate + "server", ClientCertificateArn: certificate + "clients"}))
	must(aws.NewEcrRegistry(ctx, "ecr", &aws.EcrRegistryArgs{Account: account, Cluster: "prod", Repositories: []string{"shop/web"}, PullerArns: pulumi.StringArray{roles.NodeRoleArn}}))
	return nil
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

package aws_test

import (
	"encoding/base64"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// cluster is an EKS cluster with one group of nodes, written out resource by resource. It has nothing of its own to
// let nodes join: the keys' policies, endpoints, lists, routes and groups are the foundation's. No resource names an
// order that the outputs of the foundation do not give.
type cluster struct{}

func (cluster) program(ctx *pulumi.Context, b base) error {
	role := func(name, service string, policies ...string) (*iam.Role, []pulumi.Resource) {
		made := must(iam.NewRole(ctx, name, &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust(service))}))
		var held []pulumi.Resource
		for _, policy := range policies {
			held = append(held, must(iam.NewRolePolicyAttachment(ctx, name+"-"+policy, &iam.RolePolicyAttachmentArgs{Role: made.Name, PolicyArn: pulumi.String("arn:aws:iam::aws:policy/" + policy)})))
		}
		return made, held
	}
	control, held := role("control", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
	made := must(eks.NewCluster(ctx, "main", &eks.ClusterArgs{
		// The log group is first: a cluster that has its name from there waits for it.
		Name:    pulumi.All(pulumi.String("main"), b.logs.ClusterLogGroupArn).ApplyT(func(v []any) string { return v[0].(string) }).(pulumi.StringOutput).ToStringPtrOutput(),
		RoleArn: control.Arn, Version: pulumi.StringPtr("1.35"),
		VpcConfig: &eks.ClusterVpcConfigArgs{SubnetIds: b.network.PrivateSubnetIDs, SecurityGroupIds: pulumi.StringArray{b.wall.ClusterSecurityGroupID},
			EndpointPrivateAccess: pulumi.Bool(true), EndpointPublicAccess: pulumi.Bool(false)},
		EncryptionConfig:           &eks.ClusterEncryptionConfigArgs{Resources: pulumi.ToStringArray([]string{"secrets"}), Provider: &eks.ClusterEncryptionConfigProviderArgs{KeyArn: b.keys.SecretsKeyArn}},
		EnabledClusterLogTypes:     pulumi.ToStringArray([]string{"api", "audit", "authenticator", "controllerManager", "scheduler"}),
		BootstrapSelfManagedAddons: pulumi.Bool(false),
		AccessConfig:               &eks.ClusterAccessConfigArgs{AuthenticationMode: pulumi.StringPtr("API"), BootstrapClusterCreatorAdminPermissions: pulumi.Bool(false)},
	}, pulumi.DependsOn(held)))
	cni := must(eks.NewAddon(ctx, "cni", &eks.AddonArgs{ClusterName: made.Name, AddonName: pulumi.String("vpc-cni")}))
	nodes, held := role("nodes", "ec2.amazonaws.com", "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
	template := must(ec2.NewLaunchTemplate(ctx, "nodes", &ec2.LaunchTemplateArgs{VpcSecurityGroupIds: pulumi.StringArray{b.wall.NodeSecurityGroupID},
		UserData: pulumi.StringPtr(base64.StdEncoding.EncodeToString([]byte("[settings.kubernetes]\nseccomp-default = true\n"))),
		BlockDeviceMappings: ec2.LaunchTemplateBlockDeviceMappingArray{&ec2.LaunchTemplateBlockDeviceMappingArgs{DeviceName: pulumi.StringPtr("/dev/xvda"),
			Ebs: &ec2.LaunchTemplateBlockDeviceMappingEbsArgs{Encrypted: pulumi.StringPtr("true"), KmsKeyId: b.keys.VolumesKeyArn.ToStringPtrOutput()}}}}))
	must(eks.NewNodeGroup(ctx, "nodes", &eks.NodeGroupArgs{ClusterName: made.Name, NodeGroupName: pulumi.StringPtr("nodes"), NodeRoleArn: nodes.Arn,
		SubnetIds: b.network.NodeSubnetIDs, AmiType: pulumi.StringPtr("BOTTLEROCKET_x86_64"),
		ScalingConfig:  &eks.NodeGroupScalingConfigArgs{MinSize: pulumi.Int(1), DesiredSize: pulumi.Int(1), MaxSize: pulumi.Int(1)},
		LaunchTemplate: &eks.NodeGroupLaunchTemplateArgs{Id: template.ID().ToStringOutput().ToStringPtrOutput(), Version: pulumi.Sprintf("%d", template.LatestVersion)},
	}, pulumi.DependsOn(append(held, cni))))
	return nil
}

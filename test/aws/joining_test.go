package aws_test

import (
	"encoding/base64"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/aws"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// A cluster and its nodes, written out by hand, come up on the network, keys, logs and firewall, with nothing but those:
// the keys' policies, the endpoints, the lists and the groups let through what is needed.
func TestNodesJoinOnTheFoundation(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	e := simtest.New(t, cloud, settings)
	program := func(ctx *pulumi.Context) error {
		keys, err := aws.NewKeys(ctx, "main", &aws.KeysArgs{Region: region, AccountID: simaws.Account, Cluster: "main", MakeAutoScalingRole: true})
		if err != nil {
			return err
		}
		logs, err := aws.NewLogs(ctx, "main", &aws.LogsArgs{Region: region, AccountID: simaws.Account, Cluster: "main", Keys: keys})
		if err != nil {
			return err
		}
		network, err := aws.NewNetwork(ctx, "main", &aws.NetworkArgs{Region: region, AccountID: simaws.Account, CIDR: "10.0.0.0/16", Zones: []string{region + "a", region + "b"}, Logs: logs})
		if err != nil {
			return err
		}
		role := func(name, service string, policies ...string) (*iam.Role, []pulumi.Resource) {
			made, err := iam.NewRole(ctx, name, &iam.RoleArgs{AssumeRolePolicy: pulumi.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`)})
			if err != nil {
				t.Fatal(err)
			}
			var held []pulumi.Resource
			for _, policy := range policies {
				attached, err := iam.NewRolePolicyAttachment(ctx, policy, &iam.RolePolicyAttachmentArgs{Role: made.Name, PolicyArn: pulumi.String("arn:aws:iam::aws:policy/" + policy)})
				if err != nil {
					t.Fatal(err)
				}
				held = append(held, attached)
			}
			return made, held
		}
		control, held := role("control", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
		cluster, err := eks.NewCluster(ctx, "main", &eks.ClusterArgs{Name: pulumi.StringPtr("main"), RoleArn: control.Arn, Version: pulumi.StringPtr("1.35"),
			VpcConfig:              &eks.ClusterVpcConfigArgs{SubnetIds: network.SubnetIDs, EndpointPrivateAccess: pulumi.Bool(true), EndpointPublicAccess: pulumi.Bool(false)},
			EncryptionConfig:       &eks.ClusterEncryptionConfigArgs{Resources: pulumi.ToStringArray([]string{"secrets"}), Provider: &eks.ClusterEncryptionConfigProviderArgs{KeyArn: keys.SecretsARN}},
			EnabledClusterLogTypes: pulumi.ToStringArray([]string{"audit"}), BootstrapSelfManagedAddons: pulumi.Bool(false),
			AccessConfig: &eks.ClusterAccessConfigArgs{AuthenticationMode: pulumi.StringPtr("API")},
		}, pulumi.DependsOn(append(held, logs.Ready...)))
		if err != nil {
			return err
		}
		firewall, err := aws.NewFirewall(ctx, "main", &aws.FirewallArgs{Network: network, ClusterGroupID: cluster.VpcConfig.ClusterSecurityGroupId().Elem()})
		if err != nil {
			return err
		}
		cni, err := eks.NewAddon(ctx, "cni", &eks.AddonArgs{ClusterName: cluster.Name, AddonName: pulumi.String("vpc-cni")})
		if err != nil {
			return err
		}
		nodes, held := role("nodes", "ec2.amazonaws.com", "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
		template, err := ec2.NewLaunchTemplate(ctx, "nodes", &ec2.LaunchTemplateArgs{VpcSecurityGroupIds: pulumi.StringArray{firewall.NodesGroupID},
			UserData: pulumi.StringPtr(base64.StdEncoding.EncodeToString([]byte("[settings.kubernetes]\nseccomp-default = true\n"))),
			BlockDeviceMappings: ec2.LaunchTemplateBlockDeviceMappingArray{&ec2.LaunchTemplateBlockDeviceMappingArgs{DeviceName: pulumi.StringPtr("/dev/xvda"),
				Ebs: &ec2.LaunchTemplateBlockDeviceMappingEbsArgs{Encrypted: pulumi.StringPtr("true"), KmsKeyId: keys.VolumesARN}}}})
		if err != nil {
			return err
		}
		first := append(append(append([]pulumi.Resource{cni}, held...), network.Ready...), firewall.Ready...)
		_, err = eks.NewNodeGroup(ctx, "nodes", &eks.NodeGroupArgs{ClusterName: cluster.Name, NodeRoleArn: nodes.Arn, SubnetIds: network.SubnetIDs, AmiType: pulumi.StringPtr("BOTTLEROCKET_x86_64"),
			ScalingConfig:  &eks.NodeGroupScalingConfigArgs{MinSize: pulumi.Int(1), DesiredSize: pulumi.Int(1), MaxSize: pulumi.Int(1)},
			LaunchTemplate: &eks.NodeGroupLaunchTemplateArgs{Id: template.ID().ToStringOutput().ToStringPtrOutput(), Version: pulumi.Sprintf("%d", template.LatestVersion)},
		}, pulumi.DependsOn(first))
		return err
	}
	e.MustUp(program)
	if result := e.MustUp(program); result.Changed() != 0 {
		t.Errorf("a second pass changes %v", result.Changes)
	}
	if err := e.Destroy(); err != nil {
		t.Fatal(err)
	}
	if left := cloud.Objects(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

package aws

import (
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	corev1 "k8s.io/api/core/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// NodePool is a managed node group on Bottlerocket: machines that are replaced
// and never patched, into which nobody logs in (M01, M05).
type NodePool struct {
	pulumi.ResourceState

	// Arn is known once the nodes are ready, and Name too.
	Arn  pulumi.StringOutput `pulumi:"arn"`
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
	template, err := newLaunchTemplate(ctx, name, a, pulumi.Parent(n))
	if err != nil {
		return nil, err
	}
	group, err := newNodeGroup(ctx, name, a, template, pulumi.Parent(n))
	if err != nil {
		return nil, err
	}
	n.Arn, n.Name = group.Arn, group.NodeGroupName
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"arn": n.Arn, "name": n.Name})
}

// newLaunchTemplate is what the node group cannot say itself. It has neither a
// key pair nor a profile, and no subnet: these are the group's.
// https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html
func newLaunchTemplate(ctx *pulumi.Context, name string, a NodePoolArgs, opts ...pulumi.ResourceOption) (*ec2.LaunchTemplate, error) {
	data, err := a.spec().Render()
	if err != nil {
		return nil, err
	}
	tags := tagged(a.Tags, a.Cluster, a.Cluster+"-"+a.Pool)
	var specifications ec2.LaunchTemplateTagSpecificationArray
	for _, kind := range []string{"instance", "volume", "network-interface"} {
		specifications = append(specifications, ec2.LaunchTemplateTagSpecificationArgs{ResourceType: pulumi.String(kind), Tags: tags})
	}
	return ec2.NewLaunchTemplate(ctx, name, &ec2.LaunchTemplateArgs{
		NamePrefix: pulumi.String(a.Cluster + "-" + a.Pool + "-"), UpdateDefaultVersion: pulumi.Bool(true),
		// Credentials of the machine stay on the machine: a pod is one hop further.
		MetadataOptions: ec2.LaunchTemplateMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
			HttpProtocolIpv6: pulumi.String("disabled"), InstanceMetadataTags: pulumi.String("disabled"),
		},
		BlockDeviceMappings: ec2.LaunchTemplateBlockDeviceMappingArray{
			disk("/dev/xvda", systemDiskGiB, a.VolumesKeyArn), disk("/dev/xvdb", a.DataDiskGiB, a.VolumesKeyArn),
		},
		VpcSecurityGroupIds: pulumi.StringArray{a.SecurityGroupID},
		UserData:            pulumi.String(data.Base64()),
		TagSpecifications:   specifications, Tags: tags,
	}, opts...)
}

// systemDiskGiB is the disk of the operating system: two images of it and no more.
const systemDiskGiB = 4

// disk is encrypted whatever is known of its key: a check before the key exists
// sees that it is.
func disk(device string, size int, key pulumi.StringInput) ec2.LaunchTemplateBlockDeviceMappingArgs {
	return ec2.LaunchTemplateBlockDeviceMappingArgs{DeviceName: pulumi.String(device), Ebs: ec2.LaunchTemplateBlockDeviceMappingEbsArgs{
		Encrypted: pulumi.String("true"), KmsKeyId: key.ToStringOutput().ToStringPtrOutput(), VolumeType: pulumi.String("gp3"),
		VolumeSize: pulumi.Int(size), DeleteOnTermination: pulumi.String("true"),
	}}
}

// amiType names the image as EKS does.
func (a NodePoolArgs) amiType() string {
	kind := map[string]string{ArchitectureX86: "BOTTLEROCKET_x86_64", ArchitectureARM: "BOTTLEROCKET_ARM_64"}[a.Architecture]
	if a.FIPS {
		kind += "_FIPS"
	}
	return kind
}

func newNodeGroup(ctx *pulumi.Context, name string, a NodePoolArgs, template *ec2.LaunchTemplate, opts ...pulumi.ResourceOption) (*eks.NodeGroup, error) {
	taints, err := groupTaints(a.Taints)
	if err != nil {
		return nil, err
	}
	capacity := "ON_DEMAND"
	if a.Spot {
		capacity = "SPOT"
	}
	minor, _ := hostconfig.FindMinor(a.KubernetesVersion)
	// The control plane goes first, and nodes only where its minor lets them.
	version := a.ControlPlaneVersion.ToStringOutput().ApplyT(func(controlPlane string) (string, error) {
		return strings.TrimPrefix(minor.Name, "v"), hostconfig.CheckNodeSkew("kubernetesVersion", a.KubernetesVersion, controlPlane)
	}).(pulumi.StringOutput)
	return eks.NewNodeGroup(ctx, name, &eks.NodeGroupArgs{
		ClusterName: a.ClusterName, NodeRoleArn: a.NodeRoleArn, SubnetIds: a.SubnetIDs,
		// A prefix: a group that AWS cannot change is made anew before the old one goes.
		NodeGroupNamePrefix: pulumi.String(a.Pool + "-"),
		AmiType:             pulumi.String(a.amiType()), ReleaseVersion: pulumi.String(a.ReleaseVersion), Version: version.ToStringPtrOutput(),
		CapacityType: pulumi.String(capacity), InstanceTypes: pulumi.ToStringArray(a.InstanceTypes),
		LaunchTemplate: eks.NodeGroupLaunchTemplateArgs{
			Id: template.ID(), Version: template.LatestVersion.ApplyT(strconv.Itoa).(pulumi.StringOutput),
		},
		ScalingConfig: eks.NodeGroupScalingConfigArgs{
			MinSize: pulumi.Int(a.MinSize), MaxSize: pulumi.Int(a.MaxSize), DesiredSize: pulumi.Int(a.MinSize),
		},
		UpdateConfig:     eks.NodeGroupUpdateConfigArgs{MaxUnavailablePercentage: pulumi.Int(a.SurgePercent)},
		NodeRepairConfig: eks.NodeGroupNodeRepairConfigArgs{Enabled: pulumi.Bool(true)},
		Labels:           pulumi.ToStringMap(a.Labels), Taints: taints, Tags: tagged(a.Tags, a.Cluster, a.Cluster+"-"+a.Pool),
		// Whoever scales the group decides how many nodes there are.
	}, append(opts, pulumi.IgnoreChanges([]string{"scalingConfig.desiredSize"}))...)
}

// taintEffects are the names of EKS.
var taintEffects = map[corev1.TaintEffect]string{
	corev1.TaintEffectNoSchedule: "NO_SCHEDULE", corev1.TaintEffectPreferNoSchedule: "PREFER_NO_SCHEDULE", corev1.TaintEffectNoExecute: "NO_EXECUTE",
}

func groupTaints(texts []string) (eks.NodeGroupTaintArray, error) {
	var taints eks.NodeGroupTaintArray
	for _, text := range texts {
		taint, err := hostconfig.ParseTaint(text)
		if err != nil {
			return nil, err
		}
		made := eks.NodeGroupTaintArgs{Key: pulumi.String(taint.Key), Effect: pulumi.String(taintEffects[taint.Effect])}
		if taint.Value != "" {
			made.Value = pulumi.String(taint.Value)
		}
		taints = append(taints, made)
	}
	return taints, nil
}

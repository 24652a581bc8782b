package aws

import (
	"cmp"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/autoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// drainSeconds is how long a machine that is to end waits until its pods are gone:
// longer than the grace of most, shorter than an instance refresh gives up.
const drainSeconds = 900

// warmUpSeconds is how long a machine takes from its start until its node is ready.
const warmUpSeconds = 300

// poolGroup is the name of a pool's group of machines, by which control planes
// know whose a machine is.
func poolGroup(cluster, pool string) string { return cluster + "-" + pool }

// newPool registers a pool: a template of its machines, and a group that replaces
// them a few at a time when the template is another, new ones first (M05).
func newPool(ctx *pulumi.Context, name string, a FlatcarClusterArgs, p FlatcarPoolArgs, userData pulumi.StringOutput, after []pulumi.Resource, opts ...pulumi.ResourceOption) (pulumi.StringOutput, error) {
	none, full := pulumi.StringOutput{}, poolGroup(a.Cluster, p.Name)
	tags := tagged(a.Tags, a.Cluster, full)
	var specifications ec2.LaunchTemplateTagSpecificationArray
	for _, kind := range []string{"instance", "volume", "network-interface"} {
		specifications = append(specifications, ec2.LaunchTemplateTagSpecificationArgs{ResourceType: pulumi.String(kind), Tags: tags})
	}
	template, err := ec2.NewLaunchTemplate(ctx, name+"-"+p.Name, &ec2.LaunchTemplateArgs{
		NamePrefix: pulumi.String(full + "-"), UpdateDefaultVersion: pulumi.Bool(true), ImageId: pulumi.String(cmp.Or(p.ImageID, a.ImageID)),
		InstanceType: pulumi.String(p.InstanceTypes[0]), EbsOptimized: pulumi.String("true"),
		IamInstanceProfile: ec2.LaunchTemplateIamInstanceProfileArgs{Name: a.PoolProfiles.ToStringMapOutput().MapIndex(pulumi.String(p.Name))},
		MetadataOptions: ec2.LaunchTemplateMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
			HttpProtocolIpv6: pulumi.String("disabled"), InstanceMetadataTags: pulumi.String("disabled"),
		},
		BlockDeviceMappings: ec2.LaunchTemplateBlockDeviceMappingArray{disk("/dev/xvda", p.DiskGiB, a.VolumesKeyArn)},
		VpcSecurityGroupIds: pulumi.StringArray{a.NodeSecurityGroupID}, UserData: userData.ApplyT(encoded).(pulumi.StringOutput),
		TagSpecifications: specifications, Tags: tags,
	}, append(opts, pulumi.DependsOn(after))...)
	if err != nil {
		return none, err
	}
	version := template.LatestVersion.ApplyT(strconv.Itoa).(pulumi.StringOutput)
	var overrides autoscaling.GroupMixedInstancesPolicyLaunchTemplateOverrideArray
	for _, each := range p.InstanceTypes {
		overrides = append(overrides, autoscaling.GroupMixedInstancesPolicyLaunchTemplateOverrideArgs{InstanceType: pulumi.String(each)})
	}
	onDemand := 100
	if p.Spot {
		onDemand = 0
	}
	var labels autoscaling.GroupTagArray
	for _, key := range sorted(tags) {
		labels = append(labels, autoscaling.GroupTagArgs{Key: pulumi.String(key), Value: tags[key], PropagateAtLaunch: pulumi.Bool(false)}) // the template's do
	}
	group, err := autoscaling.NewGroup(ctx, name+"-"+p.Name, &autoscaling.GroupArgs{
		Name: pulumi.String(full), MinSize: pulumi.Int(p.MinSize), MaxSize: pulumi.Int(p.MaxSize), DesiredCapacity: pulumi.Int(p.MinSize),
		VpcZoneIdentifiers: a.NodeSubnetIDs, HealthCheckType: pulumi.String("EC2"), HealthCheckGracePeriod: pulumi.Int(warmUpSeconds), DefaultInstanceWarmup: pulumi.Int(warmUpSeconds),
		MixedInstancesPolicy: autoscaling.GroupMixedInstancesPolicyArgs{
			LaunchTemplate: autoscaling.GroupMixedInstancesPolicyLaunchTemplateArgs{
				LaunchTemplateSpecification: autoscaling.GroupMixedInstancesPolicyLaunchTemplateLaunchTemplateSpecificationArgs{LaunchTemplateId: template.ID(), Version: version},
				Overrides:                   overrides,
			},
			InstancesDistribution: autoscaling.GroupMixedInstancesPolicyInstancesDistributionArgs{
				OnDemandBaseCapacity: pulumi.Int(0), OnDemandPercentageAboveBaseCapacity: pulumi.Int(onDemand), SpotAllocationStrategy: pulumi.String("capacity-optimized"),
			},
		},
		// A machine that AWS is about to take back is replaced before it goes.
		CapacityRebalance: pulumi.Bool(p.Spot),
		InstanceRefresh: autoscaling.GroupInstanceRefreshArgs{Strategy: pulumi.String("Rolling"), Preferences: autoscaling.GroupInstanceRefreshPreferencesArgs{
			MinHealthyPercentage: pulumi.Int(100), MaxHealthyPercentage: pulumi.Int(100 + p.SurgePercent), InstanceWarmup: pulumi.String(strconv.Itoa(warmUpSeconds)),
			// A version that does not come up takes itself back.
			AutoRollback: pulumi.Bool(true), SkipMatching: pulumi.Bool(true),
		}},
		InitialLifecycleHooks: autoscaling.GroupInitialLifecycleHookArray{autoscaling.GroupInitialLifecycleHookArgs{
			Name: pulumi.String(nodeconfig.LifecycleHook), LifecycleTransition: pulumi.String("autoscaling:EC2_INSTANCE_TERMINATING"),
			// A control plane that is away must not keep machines alive for ever.
			DefaultResult: pulumi.String("CONTINUE"), HeartbeatTimeout: pulumi.Int(drainSeconds),
		}},
		TerminationPolicies: pulumi.ToStringArray([]string{"OldestLaunchTemplate", "Default"}),
		EnabledMetrics:      pulumi.ToStringArray([]string{"GroupDesiredCapacity", "GroupInServiceInstances", "GroupTerminatingInstances"}), Tags: labels,
		// Whoever scales the group decides how many machines there are.
	}, append(opts, pulumi.IgnoreChanges([]string{"desiredCapacity"}))...)
	if err != nil {
		return none, err
	}
	return group.Arn, nil
}

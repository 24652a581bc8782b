package gcp

import (
	"cmp"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// poolGroup is the name of a pool's group of machines, by which control planes
// know whose a machine is.
func poolGroup(cluster, pool string) string { return cluster + "-" + pool }

// newPool registers a pool: a template of its machines, and a group that replaces
// them a few at a time when the template is another, new ones first (M05). It gives
// the group's id.
func newPool(ctx *pulumi.Context, name string, a FlatcarClusterArgs, p FlatcarPoolArgs, account pulumi.StringInput, userData pulumi.StringOutput,
	after []pulumi.Resource, opts ...pulumi.ResourceOption) (pulumi.StringOutput, error) {
	none, full := pulumi.StringOutput{}, poolGroup(a.Cluster, p.Name)
	scheduling := compute.InstanceTemplateSchedulingArgs{AutomaticRestart: pulumi.Bool(true), OnHostMaintenance: pulumi.String("MIGRATE"), ProvisioningModel: pulumi.String("STANDARD")}
	if p.Spot {
		scheduling = compute.InstanceTemplateSchedulingArgs{AutomaticRestart: pulumi.Bool(false), OnHostMaintenance: pulumi.String("TERMINATE"), ProvisioningModel: pulumi.String("SPOT"),
			Preemptible: pulumi.Bool(true), InstanceTerminationAction: pulumi.String("DELETE")}
	}
	template, err := compute.NewInstanceTemplate(ctx, name+"-"+p.Name, &compute.InstanceTemplateArgs{
		NamePrefix: pulumi.String(full + "-"), Project: pulumi.String(a.Project.ID), Region: pulumi.String(a.Project.Region), MachineType: pulumi.String(p.MachineType),
		Description: pulumi.String("Workers of the pool " + p.Name), InstanceDescription: pulumi.String("Worker of the pool " + p.Name),
		Disks: compute.InstanceTemplateDiskArray{compute.InstanceTemplateDiskArgs{
			Boot: pulumi.Bool(true), AutoDelete: pulumi.Bool(true), SourceImage: pulumi.String(cmp.Or(p.Image, a.Image)), DiskSizeGb: pulumi.Int(p.DiskGiB), DiskType: pulumi.String("pd-balanced"),
			DiskEncryptionKey: compute.InstanceTemplateDiskDiskEncryptionKeyArgs{KmsKeySelfLink: a.DisksKeyID}, Labels: labelled(a.Labels, a.Cluster),
		}},
		// Without an access configuration, and so without an address on the internet.
		NetworkInterfaces: compute.InstanceTemplateNetworkInterfaceArray{compute.InstanceTemplateNetworkInterfaceArgs{
			Subnetwork: a.SubnetworkID.ToStringOutput().ToStringPtrOutput(), StackType: pulumi.String("IPV4_ONLY")}},
		ServiceAccount:         compute.InstanceTemplateServiceAccountArgs{Email: account.ToStringOutput().ToStringPtrOutput(), Scopes: pulumi.ToStringArray(nodeScopes)},
		ShieldedInstanceConfig: compute.InstanceTemplateShieldedInstanceConfigArgs{EnableSecureBoot: pulumi.Bool(true), EnableVtpm: pulumi.Bool(true), EnableIntegrityMonitoring: pulumi.Bool(true)},
		Scheduling:             scheduling, CanIpForward: pulumi.Bool(false), Metadata: flatcarMetadata(userData), Labels: labelled(a.Labels, a.Cluster),
	}, append(opts, pulumi.DependsOn(after))...)
	if err != nil {
		return none, err
	}
	group, err := compute.NewRegionInstanceGroupManager(ctx, name+"-"+p.Name, &compute.RegionInstanceGroupManagerArgs{
		Name: pulumi.String(full), Project: pulumi.String(a.Project.ID), Region: pulumi.String(a.Project.Region), Description: pulumi.String("Workers of the pool " + p.Name),
		BaseInstanceName: pulumi.String(full), DistributionPolicyZones: pulumi.ToStringArray(a.Zones), TargetSize: pulumi.Int(p.Size),
		Versions: compute.RegionInstanceGroupManagerVersionArray{compute.RegionInstanceGroupManagerVersionArgs{InstanceTemplate: template.SelfLinkUnique}},
		UpdatePolicy: compute.RegionInstanceGroupManagerUpdatePolicyArgs{
			Type: pulumi.String("PROACTIVE"), MinimalAction: pulumi.String("REPLACE"), MostDisruptiveAllowedAction: pulumi.String("REPLACE"), ReplacementMethod: pulumi.String("SUBSTITUTE"),
			InstanceRedistributionType: pulumi.String("PROACTIVE"),
			// As many as there are zones: a group of a region takes no fewer.
			MaxSurgeFixed: pulumi.Int(len(a.Zones)), MaxUnavailableFixed: pulumi.Int(0),
		},
		InstanceLifecyclePolicy: compute.RegionInstanceGroupManagerInstanceLifecyclePolicyArgs{DefaultActionOnFailure: pulumi.String("REPAIR"), ForceUpdateOnRepair: pulumi.String("YES")},
		WaitForInstances:        pulumi.Bool(true), WaitForInstancesStatus: pulumi.String("UPDATED"),
	}, opts...)
	if err != nil {
		return none, err
	}
	return group.ID().ToStringOutput(), nil
}

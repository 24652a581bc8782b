package aws

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// controlPlaneName is the name of a control plane: of the i-th, from 0.
func controlPlaneName(i int) string { return fmt.Sprintf("control-plane-%d", i+1) }

// identity is what outlives the machine of a control plane: its address, and the
// volume of its member of etcd.
type identity struct {
	networkInterface *ec2.NetworkInterface
	volume           *ebs.Volume
}

// newIdentities registers, for each control plane, what a machine that takes its
// place is given. They are kept from being deleted by a mistake.
func newIdentities(ctx *pulumi.Context, name string, a FlatcarClusterArgs, opts ...pulumi.ResourceOption) ([]identity, error) {
	kept := append(opts, pulumi.Protect(!a.Unprotected))
	var out []identity
	for i, address := range a.ControlPlane.Addresses {
		full := a.Cluster + "-" + controlPlaneName(i)
		zone := a.zone(i)
		made, err := ec2.NewNetworkInterface(ctx, name+"-"+controlPlaneName(i), &ec2.NetworkInterfaceArgs{
			SubnetId: subnetOf(a.PrivateSubnetIDs, zone), PrivateIps: pulumi.StringArray{pulumi.String(address)},
			SecurityGroups: pulumi.StringArray{a.ControlPlaneSecurityGroupID}, Description: pulumi.String(full), Tags: tagged(a.Tags, a.Cluster, full),
		}, kept...)
		if err != nil {
			return nil, err
		}
		volume, err := ebs.NewVolume(ctx, name+"-"+controlPlaneName(i), &ebs.VolumeArgs{
			AvailabilityZone: pulumi.String(a.ControlPlane.Zones[zone]), Size: pulumi.Int(a.ControlPlane.DataDiskGiB), Type: pulumi.String("gp3"),
			Encrypted: pulumi.Bool(true), KmsKeyId: a.VolumesKeyArn.ToStringOutput().ToStringPtrOutput(), Tags: tagged(a.Tags, a.Cluster, full+"-etcd"),
		}, kept...)
		if err != nil {
			return nil, err
		}
		out = append(out, identity{made, volume})
	}
	return out, nil
}

func subnetOf(ids pulumi.StringArrayInput, zone int) pulumi.StringOutput {
	return ids.ToStringArrayOutput().Index(pulumi.Int(zone))
}

// devices are the volumes of control planes as their machines name them.
func devices(of []identity) pulumi.StringArrayOutput {
	var ids pulumi.StringArray
	for _, each := range of {
		ids = append(ids, each.volume.ID().ToStringOutput().ApplyT(selfmanaged.EBSDevice).(pulumi.StringOutput))
	}
	return ids.ToStringArrayOutput()
}

// dataDevice is the name under which EC2 attaches the volume; the machine itself
// knows it by its id. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html
const dataDevice = "/dev/sdf"

// plannedMachine is a machine of the control plane as it should be.
type plannedMachine struct {
	identity
	userData pulumi.StringOutput
	// needs are the objects that it fetches in its first boot.
	needs []pulumi.Resource
}

// newMachines registers the machines of the control plane, one after the other: a
// change of what they run replaces one, and the next only once it is there again.
// The old machine goes first, because there is one address and one volume.
//
// It gives the last of them, and the ids of all, by name, once their volumes are
// attached.
func newMachines(ctx *pulumi.Context, name string, a FlatcarClusterArgs, planned []plannedMachine, opts ...pulumi.ResourceOption) ([]pulumi.Resource, pulumi.StringMap, error) {
	ids := pulumi.StringMap{}
	var last []pulumi.Resource
	for i, each := range planned {
		full := a.Cluster + "-" + controlPlaneName(i)
		tags := tagged(a.Tags, a.Cluster, full)
		// The tag makes the machine wait for endpoints and routes, without which it
		// does not get through its boot, and changes in place when one of them does.
		tags[clusterTag+"-subnet"] = subnetOf(a.NodeSubnetIDs, a.zone(i))
		machine, err := ec2.NewInstance(ctx, name+"-"+controlPlaneName(i), &ec2.InstanceArgs{
			Ami: pulumi.String(a.ImageID), InstanceType: pulumi.String(a.ControlPlane.InstanceType),
			NetworkInterfaces: ec2.InstanceNetworkInterfaceArray{ec2.InstanceNetworkInterfaceArgs{
				DeviceIndex: pulumi.Int(0), DeleteOnTermination: pulumi.Bool(false), NetworkInterfaceId: each.networkInterface.ID(),
			}},
			IamInstanceProfile: a.ControlPlaneProfile.ToStringOutput(), EbsOptimized: pulumi.Bool(true), Monitoring: pulumi.Bool(true),
			// Credentials of the machine stay on the machine: a pod is one hop further.
			MetadataOptions: ec2.InstanceMetadataOptionsArgs{
				HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
				HttpProtocolIpv6: pulumi.String("disabled"), InstanceMetadataTags: pulumi.String("disabled"),
			},
			RootBlockDevice: ec2.InstanceRootBlockDeviceArgs{
				Encrypted: pulumi.Bool(true), KmsKeyId: a.VolumesKeyArn.ToStringOutput().ToStringPtrOutput(), VolumeType: pulumi.String("gp3"),
				VolumeSize: pulumi.Int(a.ControlPlane.SystemDiskGiB), DeleteOnTermination: pulumi.Bool(true),
			},
			UserData: each.userData.ToStringPtrOutput(), UserDataReplaceOnChange: pulumi.Bool(true),
			InstanceInitiatedShutdownBehavior: pulumi.String("stop"), Tags: tags,
		}, append(opts, pulumi.DeleteBeforeReplace(true), pulumi.DependsOn(slices.Concat(each.needs, last)))...)
		if err != nil {
			return nil, nil, err
		}
		attached, err := ec2.NewVolumeAttachment(ctx, name+"-"+controlPlaneName(i), &ec2.VolumeAttachmentArgs{
			DeviceName: pulumi.String(dataDevice), InstanceId: machine.ID(), VolumeId: each.volume.ID(),
			// A member of etcd is stopped before its volume goes.
			StopInstanceBeforeDetaching: pulumi.Bool(true),
		}, append(opts, pulumi.DeleteBeforeReplace(true))...)
		if err != nil {
			return nil, nil, err
		}
		last = []pulumi.Resource{machine, attached}
		ids[controlPlaneName(i)] = once(machine.ID(), attached.ID())
	}
	return last, ids, nil
}

// clusterOf is the cluster as its machines are told.
func (a FlatcarClusterArgs) clusterOf() hostconfig.Cluster {
	return hostconfig.Cluster{
		Name: a.Cluster, Endpoint: fmt.Sprintf("https://%s:%d", ApiHost(a.Cluster), hostconfig.DefaultPorts().APIServer),
		DNS: []string{dnsAddress(a.ServiceCIDR)}, PodCIDRs: []string{a.PodCIDR}, ServiceCIDRs: []string{a.ServiceCIDR}, NodeCIDRs: []string{a.NetworkCIDR}, Operators: a.Operators,
	}
}

// dnsAddress is the tenth of the services, where kubeadm puts the cluster's DNS.
func dnsAddress(serviceCIDR string) string {
	prefix, err := netip.ParsePrefix(serviceCIDR)
	if err != nil {
		return "" // what is reported of the range
	}
	address := prefix.Masked().Addr()
	for range 10 {
		address = address.Next()
	}
	return address.String()
}

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

package gcp

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// controlPlane tells control planes apart: the i-th, from 0.
func controlPlane(i int) string { return fmt.Sprintf("%s-%d", controlPlaneRole, i+1) }

// controlPlaneRole is in the names of control planes, and of no pool.
const controlPlaneRole = "control-plane"

// controlPlaneName is the name of a control plane, of its instance and of its node.
func (a FlatcarClusterArgs) controlPlaneName(i int) string { return a.Cluster + "-" + controlPlane(i) }

// dataDevice is the device name with which the disk of etcd is attached.
const dataDevice = "etcd"

// userDataKey is where Ignition looks for its configuration on Google Cloud.
// https://coreos.github.io/ignition/supported-platforms/
const userDataKey = "user-data"

// flatcarMetadata keeps the ways past the cluster shut: keys of the project and
// accounts of people (nobody logs in), and the serial console.
func flatcarMetadata(userData pulumi.StringInput) pulumi.StringMap {
	return pulumi.StringMap{
		userDataKey: userData, "block-project-ssh-keys": pulumi.String("TRUE"), "enable-oslogin": pulumi.String("FALSE"), "serial-port-enable": pulumi.String("FALSE"),
		"disable-legacy-endpoints": pulumi.String("TRUE"),
	}
}

// identity is what outlives the machine of a control plane: its address, and the
// disk of its member of etcd.
type identity struct {
	address *compute.Address
	disk    *compute.Disk
}

// newIdentities registers, for each control plane, what a machine that takes its
// place is given. They are kept from being deleted by a mistake.
func newIdentities(ctx *pulumi.Context, name string, a FlatcarClusterArgs, addresses []string, in *compute.Subnetwork, opts ...pulumi.ResourceOption) ([]identity, error) {
	var out []identity
	for i, address := range addresses {
		full := a.controlPlaneName(i)
		reserved, err := a.reserve(ctx, name+"-"+controlPlane(i), full, "Control plane "+full, address, in, opts...)
		if err != nil {
			return nil, err
		}
		disk, err := compute.NewDisk(ctx, name+"-"+controlPlane(i), &compute.DiskArgs{
			Name: pulumi.String(full + "-etcd"), Project: pulumi.String(a.Project.ID), Zone: pulumi.String(a.zone(i)), Description: pulumi.String("etcd of " + full),
			Type: pulumi.String("pd-ssd"), Size: pulumi.Int(a.ControlPlane.DataDiskGiB),
			DiskEncryptionKey: compute.DiskDiskEncryptionKeyArgs{KmsKeySelfLink: a.DisksKeyID.ToStringOutput().ToStringPtrOutput()}, Labels: labelled(a.Labels, a.Cluster),
		}, append(opts, pulumi.Protect(!a.Unprotected))...)
		if err != nil {
			return nil, err
		}
		out = append(out, identity{reserved, disk})
	}
	return out, nil
}

// plannedMachine is a machine of the control plane with what it is made of, and
// the objects that it fetches when it boots.
type plannedMachine struct {
	identity
	userData pulumi.StringOutput
	needs    []pulumi.Resource
}

// newMachines registers the machines of the control plane, one after the other: a
// change of what they run replaces one, and the next only once the load balancer
// has it again. The old machine goes first, because there is one address and one
// disk; before it goes, the load balancer is told.
//
// It gives the last of them, and the ids of all by name.
func newMachines(ctx *pulumi.Context, name string, a FlatcarClusterArgs, b *balancer, planned []plannedMachine, account pulumi.StringInput,
	opts ...pulumi.ResourceOption) (pulumi.Resource, pulumi.StringMap, error) {
	ids := pulumi.StringMap{}
	var last pulumi.Resource
	for i, each := range planned {
		full := a.controlPlaneName(i)
		after := each.needs
		if last != nil {
			after = append(after, last)
		}
		machine, err := compute.NewInstance(ctx, name+"-"+controlPlane(i), &compute.InstanceArgs{
			Name: pulumi.String(full), Project: pulumi.String(a.Project.ID), Zone: pulumi.String(a.zone(i)), MachineType: pulumi.String(a.ControlPlane.MachineType),
			Description: pulumi.String("Control plane of " + a.Cluster),
			BootDisk: compute.InstanceBootDiskArgs{AutoDelete: pulumi.Bool(true), KmsKeySelfLink: a.DisksKeyID.ToStringOutput().ToStringPtrOutput(),
				InitializeParams: compute.InstanceBootDiskInitializeParamsArgs{Image: pulumi.String(a.Image), Size: pulumi.Int(a.ControlPlane.SystemDiskGiB), Type: pulumi.String("pd-ssd")}},
			AttachedDisks: compute.InstanceAttachedDiskArray{compute.InstanceAttachedDiskArgs{
				Source: each.disk.SelfLink, DeviceName: pulumi.String(dataDevice), Mode: pulumi.String("READ_WRITE"), KmsKeySelfLink: a.DisksKeyID.ToStringOutput().ToStringPtrOutput()}},
			// Without an access configuration, and so without an address on the internet.
			NetworkInterfaces: compute.InstanceNetworkInterfaceArray{compute.InstanceNetworkInterfaceArgs{
				Subnetwork: b.subnetwork.ID().ToStringOutput().ToStringPtrOutput(), NetworkIp: each.address.Address, StackType: pulumi.String("IPV4_ONLY")}},
			ServiceAccount:         compute.InstanceServiceAccountArgs{Email: account.ToStringOutput().ToStringPtrOutput(), Scopes: pulumi.ToStringArray(nodeScopes)},
			ShieldedInstanceConfig: compute.InstanceShieldedInstanceConfigArgs{EnableSecureBoot: pulumi.Bool(true), EnableVtpm: pulumi.Bool(true), EnableIntegrityMonitoring: pulumi.Bool(true)},
			Scheduling:             compute.InstanceSchedulingArgs{AutomaticRestart: pulumi.Bool(true), OnHostMaintenance: pulumi.String("MIGRATE"), ProvisioningModel: pulumi.String("STANDARD")},
			Metadata:               flatcarMetadata(each.userData), AllowStoppingForUpdate: pulumi.Bool(true), CanIpForward: pulumi.Bool(false), DeletionProtection: pulumi.Bool(false), Labels: labelled(a.Labels, a.Cluster),
		}, append(opts, pulumi.DeleteBeforeReplace(true), pulumi.ReplaceOnChanges([]string{"metadata"}), pulumi.DependsOn(after))...) // what a machine is told it reads once
		if err != nil {
			return nil, nil, err
		}
		endpoint, err := compute.NewNetworkEndpoint(ctx, name+"-"+controlPlane(i), &compute.NetworkEndpointArgs{
			Project: pulumi.String(a.Project.ID), Zone: pulumi.String(a.zone(i)), NetworkEndpointGroup: b.groups[i].Name, Instance: machine.Name, IpAddress: each.address.Address,
		}, append(opts, pulumi.DeleteBeforeReplace(true))...)
		if err != nil {
			return nil, nil, err
		}
		last = endpoint
		ids[full] = once(machine.InstanceId, endpoint.ID())
	}
	return last, ids, nil
}

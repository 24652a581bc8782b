package aws

import (
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// flatcarEnvironment is the settings of the stack of that name, as components
// take them.
type flatcarEnvironment struct {
	FlatcarEnvironment
	name string
	// root is the directory of Pulumi.yaml.
	root string
}

// common is what it has as every environment on AWS has it.
func (e flatcarEnvironment) common() environment {
	return environment{Environment: Environment{Account: e.Account, KubernetesVersion: e.KubernetesVersion, Network: e.Network, Uses: e.Uses, Keys: e.Keys, Logs: e.Logs,
		Detection: e.Detection, Firewall: e.Firewall, Unprotected: e.Unprotected, AllowReplacement: e.AllowReplacement, Tags: e.Tags, Exceptions: e.Exceptions}, name: e.name}
}

func (e flatcarEnvironment) roles() *components.FlatcarRolesArgs {
	args := &components.FlatcarRolesArgs{Account: e.common().account(), Cluster: e.name, Tags: e.Tags, Exceptions: e.Exceptions}
	for _, p := range e.NodePools {
		args.Pools = append(args.Pools, p.Name)
	}
	return args
}

func (e flatcarEnvironment) keys(controlPlaneRole pulumi.StringInput) *components.KeysArgs {
	args := e.common().keys(later)
	args.VolumesPrincipals, args.SecretsPrincipals, args.Machines = nil, pulumi.StringArray{controlPlaneRole}, true
	return args
}

func (e flatcarEnvironment) logs(key pulumi.StringInput) *components.LogsArgs {
	args := e.common().logs(key)
	args.SelfManaged = true
	return args
}

func (e flatcarEnvironment) network(key, archive pulumi.StringInput) *components.NetworkArgs {
	args := e.common().network(key, archive)
	args.SelfManaged, args.PodCIDRs = true, []string{e.PodCIDR}
	return args
}

func (e flatcarEnvironment) firewall(vpc, endpointGroup pulumi.StringInput) *components.FirewallArgs {
	args := e.common().firewall(vpc, endpointGroup, nil)
	args.SelfManaged, args.S3PrefixListID, args.Network = true, nil, e.traffic()
	return args
}

// traffic is what the agents of the network plugin send between machines.
func (e flatcarEnvironment) traffic() []hostconfig.NetworkTraffic {
	network := e.Host.Network
	network.CNI = selfmanaged.CNI(e.CNI)
	return selfmanaged.Spec{Network: network}.WithDefaults().Network.Traffic
}

func (e flatcarEnvironment) detection(trailLogs, flowLogs, key pulumi.StringInput) *components.DetectionArgs {
	args := e.common().detection(nil, trailLogs, flowLogs, nil, key, nil)
	args.SelfManaged, args.ClusterLogGroupName, args.AuditStreamName = true, nil, nil
	return args
}

// addresses are those of the control plane: what is written, or by the plan.
func (e flatcarEnvironment) addresses() []string {
	if len(e.ControlPlane.Addresses) > 0 || e.Network.Existing != nil {
		return e.ControlPlane.Addresses
	}
	planned, err := components.ControlPlaneAddresses(e.common().account(), e.Network.CIDR, e.Network.Zones, e.ControlPlane.Count)
	if err != nil {
		return nil // the network is reported
	}
	return planned
}

// cluster has what the cluster takes from other components left out.
func (e flatcarEnvironment) cluster() (*components.FlatcarClusterArgs, error) {
	program := e.NodeProgram
	if !filepath.IsAbs(program) {
		program = filepath.Join(e.root, program)
	}
	args := &components.FlatcarClusterArgs{
		Account: e.common().account(), Cluster: e.name, KubernetesVersion: e.KubernetesVersion, Kubernetes: components.ImageArgs(e.Kubernetes), ImageID: e.ImageID,
		ProgramFile: program, NetworkCIDR: e.Network.CIDR, PodCIDR: e.PodCIDR, ServiceCIDR: e.Network.ServiceCIDR, CNI: e.CNI, Operators: e.Firewall.Operators,
		ControlPlane: components.FlatcarControlPlaneArgs{Zones: e.Network.Zones, Addresses: e.addresses(), InstanceType: e.ControlPlane.InstanceType,
			SystemDiskGiB: e.ControlPlane.SystemDiskGiB, DataDiskGiB: e.ControlPlane.DataDiskGiB},
		Encryption: components.FlatcarEncryptionArgs(e.Encryption), Authorities: components.AuthoritiesArgs(e.Authorities), Snapshots: components.SnapshotsArgs(e.Snapshots), AuditLog: components.AuditLogArgs(e.AuditLog),
		Unprotected: e.Unprotected, Tags: e.Tags, Host: e.host(), Exceptions: e.Exceptions,
	}
	for _, p := range e.NodePools {
		args.Pools = append(args.Pools, components.FlatcarPoolArgs(p))
	}
	return args, nil
}

// host is what else machines are told: their own firewall lets them out to
// whatever those of the network do.
func (e flatcarEnvironment) host() selfmanaged.Spec {
	host := e.Host
	around := &host.Node.Surroundings
	for _, to := range e.Firewall.Egress {
		around.Services = append(around.Services, hostconfig.Service{Name: to.Name, CIDRs: to.CIDRs, Protocol: to.Protocol, Port: to.Port, Pods: to.Pods, Reason: to.Reason})
	}
	if len(e.Firewall.Webhooks) > 0 {
		host.Cluster.Ports.Webhooks = e.Firewall.Webhooks
	}
	return host
}

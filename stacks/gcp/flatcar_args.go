package gcp

import (
	"path/filepath"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/addressplan"
	components "github.com/redoubt-dev/redoubt/components/gcp"
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

// common is what it has as every environment on Google Cloud has it.
func (e flatcarEnvironment) common() environment {
	return environment{Environment: Environment{Project: e.Project, KubernetesVersion: e.KubernetesVersion, Network: e.Network, Keys: e.Keys, Logs: e.Logs, Detection: e.Detection,
		Firewall: e.Firewall, VPN: e.VPN, Registry: e.Registry, Unprotected: e.Unprotected, AllowReplacement: e.AllowReplacement, Labels: e.Labels, Exceptions: e.Exceptions}, name: e.name}
}

func (e flatcarEnvironment) poolNames() []string {
	var names []string
	for _, p := range e.NodePools {
		names = append(names, p.Name)
	}
	return names
}

func (e flatcarEnvironment) roles() *components.FlatcarRolesArgs {
	return &components.FlatcarRolesArgs{Project: e.common().project(), Cluster: e.name, Pools: e.poolNames(), Exceptions: e.Exceptions}
}

func (e flatcarEnvironment) keys(controlPlane pulumi.StringInput) *components.KeysArgs {
	args := e.common().keys()
	args.SecretsAccount = controlPlane
	return args
}

// firewall has what it takes from other components left out.
func (e flatcarEnvironment) firewall() *components.FirewallArgs {
	args := e.common().firewall()
	args.SelfManaged, args.Operators, args.Network = true, e.Operators, e.traffic()
	return args
}

// traffic is what the agents of the network plugin send between machines.
func (e flatcarEnvironment) traffic() []hostconfig.NetworkTraffic {
	network := e.Host.Network
	network.CNI = selfmanaged.CNI(e.CNI)
	return selfmanaged.Spec{Network: network}.WithDefaults().Network.Traffic
}

// ranges are those of the network, by the plan or as somebody else made them.
type ranges struct{ nodes, pods, services, controlPlane string }

func (n Network) ranges() ranges {
	if x := n.Existing; x != nil {
		return ranges{x.NodeCIDR, x.PodCIDR, x.ServiceCIDR, x.ControlPlaneCIDR}
	}
	plan, err := addressplan.NewRegion(n.CIDR)
	if err != nil {
		return ranges{} // reported with the network
	}
	return ranges{plan.Nodes().String(), plan.Pods().String(), plan.Services().String(), plan.ControlPlane().String()}
}

func (e flatcarEnvironment) ranges() ranges { return e.Network.ranges() }

func (e environment) ranges() ranges { return e.Network.ranges() }

// cluster has what the cluster takes from other components left out.
func (e flatcarEnvironment) cluster() *components.FlatcarClusterArgs {
	program := e.NodeProgram
	if !filepath.IsAbs(program) {
		program = filepath.Join(e.root, program)
	}
	in := e.ranges()
	args := &components.FlatcarClusterArgs{
		Project: e.common().project(), Cluster: e.name, KubernetesVersion: e.KubernetesVersion, Kubernetes: components.ExtensionArgs(e.Kubernetes), Image: e.Image,
		ProgramFile: program, NodeCIDR: in.nodes, PodCIDR: in.pods, ServiceCIDR: in.services, ControlPlaneCIDR: in.controlPlane, Zones: e.Network.Zones, CNI: e.CNI,
		Operators: e.Operators, KeyGeneration: e.Keys.Generation, Encryption: components.FlatcarEncryptionArgs(e.Encryption),
		ControlPlane: components.FlatcarControlPlaneArgs{Machines: e.ControlPlane.Count, MachineType: e.ControlPlane.MachineType,
			SystemDiskGiB: e.ControlPlane.SystemDiskGiB, DataDiskGiB: e.ControlPlane.DataDiskGiB},
		Authorities: components.AuthoritiesArgs(e.Authorities), Snapshots: components.SnapshotsArgs(e.Snapshots), AuditLog: components.AuditLogArgs(e.AuditLog), Unprotected: e.Unprotected, Labels: e.Labels,
		Host: e.host(), Exceptions: e.Exceptions,
	}
	for _, p := range e.NodePools {
		args.Pools = append(args.Pools, components.FlatcarPoolArgs(p))
	}
	return args
}

// host is what else machines are told: their own firewall lets them out to
// whatever those of the network do.
func (e flatcarEnvironment) host() selfmanaged.Spec {
	host := e.Host
	around := &host.Node.Surroundings
	around.Services = slices.Clone(around.Services)
	for _, to := range e.Firewall.Egress {
		around.Services = append(around.Services, hostconfig.Service{Name: to.Name, CIDRs: to.CIDRs, Protocol: to.Protocol, Port: to.Port, Pods: to.Pods, Reason: to.Reason})
	}
	if len(e.Firewall.Webhooks) > 0 {
		host.Cluster.Ports.Webhooks = e.Firewall.Webhooks
	}
	return host
}

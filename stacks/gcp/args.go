package gcp

import (
	"cmp"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/addressplan"
	components "github.com/redoubt-dev/redoubt/components/gcp"
)

// environment is the settings of the stack of that name, as components take them.
type environment struct {
	Environment
	name string
}

func (e environment) project() components.Project {
	return components.Project{ID: e.Project.ID, Number: e.Project.Number, Region: e.Project.Region}
}

func (e environment) roles() *components.RolesArgs {
	return &components.RolesArgs{Project: e.project(), Cluster: e.name, Exceptions: e.Exceptions}
}

func (e environment) keys() *components.KeysArgs {
	k := e.Keys
	return &components.KeysArgs{Project: e.project(), Cluster: e.name, Generation: k.Generation, ExistingRing: k.ExistingRing, RotationDays: k.RotationDays,
		DestroyDays: k.DestroyDays, Protection: k.Protection, LoggingServiceAccount: k.LoggingServiceAccount, KeepLogsKey: e.archiveLocked(), CreateAgents: k.CreateAgents,
		Labels: e.Labels, Exceptions: e.Exceptions}
}

// archiveLocked tells whether there is an archive that Google does not delete.
func (e environment) archiveLocked() bool {
	return !e.Logs.Archive.Disabled && e.Logs.Archive.Lock != components.LockNone
}

func (e environment) logs(key pulumi.StringInput) *components.LogsArgs {
	args := &components.LogsArgs{Project: e.project(), Cluster: e.name, KeyID: key, RetentionDays: e.Logs.RetentionDays,
		EncryptBucket: e.Keys.LoggingServiceAccount != "", DataAccess: e.Logs.DataAccess, Labels: e.Labels, Exceptions: e.Exceptions}
	if a := e.Logs.Archive; !a.Disabled {
		args.Archive = &components.ArchiveArgs{Bucket: a.Bucket, Lock: a.Lock, LockDays: a.LockDays}
	}
	return args
}

func (e environment) network() *components.NetworkArgs {
	n := e.Network
	args := &components.NetworkArgs{Project: e.project(), Cluster: e.name, CIDR: n.CIDR, PeerCIDRs: n.PeerCIDRs, Egress: n.Egress, Domains: n.Domains,
		Labels: e.Labels, Exceptions: e.Exceptions}
	if x := n.Existing; x != nil {
		args.Existing = &components.ExistingNetwork{Network: x.Network, Subnetwork: x.Subnetwork, PodRange: x.PodRange, ServiceRange: x.ServiceRange,
			NodeCIDR: x.NodeCIDR, PodCIDR: x.PodCIDR, ServiceCIDR: x.ServiceCIDR, ControlPlaneCIDR: x.ControlPlaneCIDR, PrivateAccess: x.PrivateAccess}
	}
	return args
}

// firewall has what it takes from other components left out.
func (e environment) firewall() *components.FirewallArgs {
	args := &components.FirewallArgs{Project: e.project(), Cluster: e.name, Webhooks: e.Firewall.Webhooks, Exceptions: e.Exceptions}
	for _, to := range e.Firewall.Egress {
		args.Egress = append(args.Egress, components.EgressArgs{Name: to.Name, CIDRs: to.CIDRs, Protocol: to.Protocol, Port: to.Port, Pods: to.Pods, Reason: to.Reason})
	}
	return args
}

// entryCIDR is the range of the way in, "" where none is known.
func (e environment) entryCIDR() string {
	if e.Entry == nil {
		return ""
	}
	if e.Entry.CIDR != "" || e.Network.Existing != nil {
		return e.Entry.CIDR
	}
	plan, err := addressplan.NewRegion(e.Network.CIDR)
	if err != nil {
		return "" // reported with the network
	}
	return plan.Access().String()
}

// controlPlane has what the cluster takes from other components left out.
func (e environment) controlPlane() *components.GkeClusterArgs {
	args := &components.GkeClusterArgs{Project: e.project(), Cluster: e.name, KubernetesVersion: e.KubernetesVersion, Channel: e.Channel, Autopilot: e.Autopilot,
		SecurityGroup: e.SecurityGroup, Zones: e.Network.Zones, PublicCIDRs: e.PublicCIDRs, Unprotected: e.Unprotected, Labels: e.Labels, Exceptions: e.Exceptions}
	for _, n := range e.AuthorizedNetworks {
		args.AuthorizedNetworks = append(args.AuthorizedNetworks, components.AuthorizedNetworkArgs{Name: n.Name, CIDR: n.CIDR})
	}
	args.Maintenance = e.maintenance()
	args.CostAllocation, args.ManagedPrometheus = e.CostAllocation, e.ManagedPrometheus
	if e.NotificationTopic != "" {
		args.NotificationTopic = pulumi.String(e.NotificationTopic)
	}
	if cidr := e.entryCIDR(); cidr != "" {
		args.AuthorizedNetworks = append(args.AuthorizedNetworks, components.AuthorizedNetworkArgs{Name: "entry", CIDR: cidr})
	}
	for _, who := range e.Access {
		args.Access = append(args.Access, components.AccessArgs{Name: who.Name, Role: who.Role, Member: who.Member})
	}
	return args
}

func (e environment) maintenance() *components.MaintenanceArgs {
	m := &components.MaintenanceArgs{Start: e.Maintenance.Start, End: e.Maintenance.End, Recurrence: e.Maintenance.Recurrence}
	for _, x := range e.Maintenance.Exclusions {
		m.Exclusions = append(m.Exclusions, components.ExclusionArgs{Name: x.Name, Start: x.Start, End: x.End, Scope: x.Scope})
	}
	return m
}

func (e environment) vpn(network, controlPlane pulumi.StringInput) *components.CloudVpnArgs {
	v := e.VPN
	return &components.CloudVpnArgs{Project: e.project(), Cluster: e.name, NetworkID: network, ControlPlaneCIDR: controlPlane, PeerIPs: v.PeerIPs, PeerASN: v.PeerASN,
		ASN: v.ASN, SharedSecret: pulumi.String(v.SharedSecret), Links: v.Links, Labels: e.Labels, Exceptions: e.Exceptions}
}

func (e environment) images() *components.ImagePolicyArgs {
	return &components.ImagePolicyArgs{Project: e.project(), Images: e.Images.Allowed, Attestors: e.Images.Attestors, DryRun: e.Images.DryRun, Exceptions: e.Exceptions}
}

// pool has what the pool takes from other components left out.
func (e environment) pool(p NodePool) *components.NodePoolArgs {
	return &components.NodePoolArgs{Project: e.project(), Cluster: e.name, Pool: p.Name, MachineType: p.MachineType, Zones: p.Zones, MinSize: p.MinSize, MaxSize: p.MaxSize,
		DiskGiB: p.DiskGiB, DiskType: p.DiskType, Spot: p.Spot, GVisor: p.GVisor, Confidential: p.Confidential, NodeLabels: p.NodeLabels, Taints: p.Taints,
		Isolation: p.Isolation, Kubelet: &components.KubeletArgs{PodPidsLimit: p.PodPidsLimit}, Sysctls: p.Sysctls,
		Upgrade: &components.UpgradeArgs{Strategy: p.UpgradeStrategy}, Labels: e.Labels, Exceptions: e.Exceptions}
}

func (e environment) entry(network, controlPlane, endpoint, key pulumi.StringInput) *components.IapAccessArgs {
	return &components.IapAccessArgs{Project: e.project(), Cluster: e.name, NetworkID: network, ControlPlaneCIDR: controlPlane, CIDR: pulumi.String(e.entryCIDR()),
		Endpoint: endpoint, DisksKeyID: key, Zone: e.Entry.Zone, Image: e.Entry.Image, MachineType: e.Entry.MachineType, Members: e.Entry.Members,
		Labels: e.Labels, Exceptions: e.Exceptions}
}

func (e environment) detection() *components.DetectionArgs {
	d := e.Detection
	args := &components.DetectionArgs{Project: e.project(), Cluster: e.name, Emails: d.Emails, Archive: !e.Logs.Archive.Disabled, Without: d.Without,
		Labels: e.Labels, Exceptions: e.Exceptions}
	if len(d.Channels) > 0 {
		args.Channels = pulumi.ToStringArray(d.Channels)
	}
	for _, who := range e.Access {
		if who.Role == components.AccessBreakGlass {
			args.BreakGlassMembers = append(args.BreakGlassMembers, who.Member)
		}
	}
	return args
}

func (e environment) registry(ring pulumi.StringInput, pullers ...pulumi.StringInput) *components.ArtifactRegistryArgs {
	r := e.Registry
	return &components.ArtifactRegistryArgs{Project: e.project(), Cluster: e.name, KeyRingID: ring, Generation: e.Keys.Generation, Repositories: r.Repositories,
		Remotes: r.Remotes, Pullers: pullers, UntaggedDays: r.UntaggedDays, Labels: e.Labels, Exceptions: e.Exceptions}
}

func (e environment) constraints() *components.OrgPolicyArgs {
	c := e.Constraints
	return &components.OrgPolicyArgs{Parent: cmp.Or(c.Parent, "projects/"+e.Project.ID), Without: c.Without, DryRun: c.DryRun, Exceptions: e.Exceptions}
}

package aws

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/aws"
)

// environment is the settings of the stack of that name, as components take them.
type environment struct {
	Environment
	name string
}

func (e environment) account() components.Account {
	return components.Account{ID: e.Account.ID, Region: e.Account.Region}
}

func (e environment) uses(use components.Use) bool { return slices.Contains(e.Uses, string(use)) }

func (e environment) roles() *components.RolesArgs {
	return &components.RolesArgs{Account: e.account(), Cluster: e.name, SSM: e.uses(components.UseSSM), SessionLogs: e.sessions(), Tags: e.Tags, Exceptions: e.Exceptions}
}

// sessions tells whether sessions with nodes are logged: by default wherever
// there are any.
func (e environment) sessions() bool {
	return e.uses(components.UseSSM) && (e.Logs.Sessions == nil || *e.Logs.Sessions)
}

// alarms tells whether alarms go to a topic of the environment's own.
func (e environment) alarms() bool { return !e.Detection.Disabled && e.Detection.TopicArn == "" }

func (e environment) keys(volumesRole pulumi.StringInput) *components.KeysArgs {
	args := &components.KeysArgs{
		Account: e.account(), Cluster: e.name, RotationDays: e.Keys.RotationDays, DeletionWindowDays: e.Keys.DeletionWindowDays,
		VolumesPrincipals: pulumi.StringArray{volumesRole}, CreateAutoScalingRole: e.Keys.CreateAutoScalingRole, AccountDefault: e.Keys.AccountDefault,
		Archive: !e.Logs.Archive.Disabled, KeepLogsKey: e.archiveLocked(), Trail: e.Logs.Trail, Alarms: e.alarms(), Sessions: e.sessions(), Tags: e.Tags, Exceptions: e.Exceptions,
	}
	if len(e.Keys.ArchiveReaders) > 0 {
		args.ArchiveReaders = pulumi.ToStringArray(e.Keys.ArchiveReaders)
	}
	if e.VPN != nil {
		args.LogGroups = append(args.LogGroups, components.ClientVpnLogGroup(e.name))
	}
	return args
}

// archiveLocked tells whether there is an archive that AWS does not delete.
func (e environment) archiveLocked() bool {
	return !e.Logs.Archive.Disabled && e.Logs.Archive.Lock != components.LockNone
}

func (e environment) logs(key pulumi.StringInput) *components.LogsArgs {
	args := &components.LogsArgs{Account: e.account(), Cluster: e.name, KeyArn: key, RetentionDays: e.Logs.RetentionDays,
		NoAuditStream: e.Logs.NoAuditStream, Trail: e.Logs.Trail, Tags: e.Tags, Exceptions: e.Exceptions}
	if a := e.Logs.Archive; !a.Disabled {
		args.Archive = &components.ArchiveArgs{Bucket: a.Bucket, Lock: a.Lock, LockDays: a.LockDays}
	}
	return args
}

func (e environment) network(key, archive pulumi.StringInput) *components.NetworkArgs {
	n := e.Network
	args := &components.NetworkArgs{
		Account: e.account(), Cluster: e.name, CIDR: n.CIDR, Zones: n.Zones, IPv6: n.IPv6, ServiceCIDR: n.ServiceCIDR, PeerCIDRs: n.PeerCIDRs,
		Egress: n.Egress, EgressPorts: n.EgressPorts, ExtraEndpoints: n.ExtraEndpoints, LogsKeyArn: key, RetentionDays: e.Logs.RetentionDays,
		Tags: e.Tags, Exceptions: e.Exceptions,
	}
	for _, use := range e.Uses {
		args.Uses = append(args.Uses, components.Use(use))
	}
	if e.Runner != nil {
		args.Uses = append(args.Uses, components.UseAutomation)
	}
	if n.FirewallEndpoints != nil {
		args.FirewallEndpoints = pulumi.ToStringMap(n.FirewallEndpoints)
	}
	if !e.Logs.Archive.Disabled {
		args.ArchiveArn = archive
	}
	if x := n.Existing; x != nil {
		args.Existing = &components.ExistingNetwork{VpcID: x.VpcID, SubnetIDs: x.SubnetIDs, RouteTableIDs: x.RouteTableIDs}
	}
	return args
}

func (e environment) firewall(vpc, endpointGroup, prefixList pulumi.StringInput) *components.FirewallArgs {
	args := &components.FirewallArgs{Cluster: e.name, VpcID: vpc, EndpointSecurityGroupID: endpointGroup, S3PrefixListID: prefixList,
		Operators: e.Firewall.Operators, Webhooks: e.Firewall.Webhooks, Tags: e.Tags, Exceptions: e.Exceptions}
	args.Egress = egress(e.Firewall.Egress)
	return args
}

func egress(given []Egress) []components.EgressArgs {
	var out []components.EgressArgs
	for _, to := range given {
		out = append(out, components.EgressArgs{Name: to.Name, CIDRs: to.CIDRs, Protocol: to.Protocol, Port: to.Port, Pods: to.Pods, Reason: to.Reason})
	}
	return out
}

func (e environment) runner(vpc, clusterGroup, endpointGroup, prefixList pulumi.StringInput) *components.RunnerArgs {
	return &components.RunnerArgs{Cluster: e.name, VpcID: vpc, ClusterSecurityGroupID: clusterGroup, EndpointSecurityGroupID: endpointGroup,
		S3PrefixListID: prefixList, Egress: egress(e.Runner.Egress), Tags: e.Tags, Exceptions: e.Exceptions}
}

// controlPlane has what the cluster takes from other components left out.
func (e environment) controlPlane() *components.EksClusterArgs {
	args := &components.EksClusterArgs{
		Account: e.account(), Cluster: e.name, KubernetesVersion: e.KubernetesVersion, ServiceCIDR: e.Network.ServiceCIDR, AddonVersions: e.AddonVersions,
		GuardDuty: e.uses(components.UseGuardDuty), PublicCIDRs: e.PublicCIDRs, Unprotected: e.Unprotected, Tags: e.Tags, Exceptions: e.Exceptions,
	}
	for _, who := range e.Access {
		args.Access = append(args.Access, components.AccessArgs{Name: who.Name, Role: who.Role, PrincipalArn: pulumi.String(who.PrincipalArn), Namespaces: who.Namespaces})
	}
	return args
}

func (e environment) detection(clusterLogs, trailLogs, flowLogs, auditStream, key pulumi.StringInput, breakGlass pulumi.StringArrayInput) *components.DetectionArgs {
	d := e.Detection
	args := &components.DetectionArgs{Account: e.account(), Cluster: e.name, ClusterLogGroupName: clusterLogs, FlowLogGroupName: flowLogs, BreakGlassArns: breakGlass,
		Emails: d.Emails, Tags: e.Tags, Exceptions: e.Exceptions}
	switch {
	case e.Logs.Trail:
		args.TrailLogGroupName = trailLogs
	case d.TrailLogGroup != "":
		args.TrailLogGroupName = pulumi.String(d.TrailLogGroup)
	}
	if !e.Logs.Archive.Disabled && !e.Logs.NoAuditStream {
		args.AuditStreamName = auditStream
	}
	if d.TopicArn != "" {
		args.TopicArn = pulumi.String(d.TopicArn)
	} else {
		args.KeyArn = key
	}
	if g := d.GuardDuty; g != nil {
		// The agent is an add-on of the cluster's own, whose version is pinned.
		args.GuardDuty = &components.GuardDutyArgs{DetectorID: g.DetectorID, RuntimeMonitoring: e.uses(components.UseGuardDuty)}
	}
	return args
}

func (e environment) sessionLogging(key pulumi.StringInput) *components.SessionLoggingArgs {
	return &components.SessionLoggingArgs{Account: e.account(), Cluster: e.name, KeyArn: key, RetentionDays: e.Logs.RetentionDays, Tags: e.Tags, Exceptions: e.Exceptions}
}

func (e environment) vpn(vpc, clusterGroup, key pulumi.StringInput, subnets []pulumi.StringInput) *components.ClientVpnArgs {
	v := e.VPN
	return &components.ClientVpnArgs{
		Cluster: e.name, VpcID: vpc, NetworkCIDR: e.Network.CIDR, SubnetIDs: subnets, Zones: e.vpnZoneNames(), ClusterSecurityGroupID: clusterGroup, ClientCIDR: v.ClientCIDR,
		ServerCertificateArn: v.ServerCertificateArn, ClientCertificateArn: v.ClientCertificateArn, SamlProviderArn: v.SamlProviderArn,
		AccessGroup: v.AccessGroup, LogsKeyArn: key, RetentionDays: e.Logs.RetentionDays, Tags: e.Tags, Exceptions: e.Exceptions,
	}
}

// vpnZoneNames are the zones of the VPN: the first of the network by default.
func (e environment) vpnZoneNames() []string {
	if len(e.VPN.Zones) == 0 && len(e.Network.Zones) > 0 {
		return e.Network.Zones[:1]
	}
	return e.VPN.Zones
}

// vpnZones are the places, among the zones of the network, of those of the VPN;
// -1 for a zone that is not among them.
func (e environment) vpnZones() []int {
	var at []int
	for _, zone := range e.vpnZoneNames() {
		at = append(at, slices.Index(e.Network.Zones, zone))
	}
	return at
}

// pool has what the pool takes from other components left out.
func (e environment) pool(p NodePool) *components.NodePoolArgs {
	version := p.KubernetesVersion
	if version == "" {
		version = e.KubernetesVersion
	}
	return &components.NodePoolArgs{
		Cluster: e.name, Pool: p.Name, KubernetesVersion: version, ReleaseVersion: p.ReleaseVersion, Architecture: p.Architecture,
		InstanceTypes: p.InstanceTypes, FIPS: p.FIPS, Spot: p.Spot, MinSize: p.MinSize, MaxSize: p.MaxSize, SurgePercent: p.SurgePercent,
		DataDiskGiB: p.DataDiskGiB, Labels: p.Labels, Taints: p.Taints, Isolation: p.Isolation, SSM: e.uses(components.UseSSM), Tags: e.Tags,
		Host: p.Host, Exceptions: e.Exceptions,
	}
}

func (e environment) registry(pullers pulumi.StringArrayInput) *components.EcrRegistryArgs {
	r := e.Registry
	return &components.EcrRegistryArgs{Account: e.account(), Cluster: e.name, Repositories: r.Repositories, Cache: r.Cache,
		CacheCredentialArns: r.CacheCredentialArns, PullerArns: pullers, UntaggedDays: r.UntaggedDays, Inspector: r.Inspector,
		Tags: e.Tags, Exceptions: e.Exceptions}
}

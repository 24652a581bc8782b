package aws

import (
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/stacks/incluster"
	"github.com/redoubt-dev/redoubt/stacks/kept"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// readFlatcar reads and checks the settings of a stack. The error names every
// setting that is wrong.
func readFlatcar(ctx *pulumi.Context) (flatcarEnvironment, error) {
	r := settings.New(ctx)
	e := flatcarEnvironment{FlatcarEnvironment: FlatcarDefaults(), name: r.Environment(), root: settings.Root(ctx)}
	r.Struct(&e.FlatcarEnvironment)
	r.RefuseUnknown()
	if r.Err() == nil { // what could not be read would be reported again as missing
		e.validate(r, time.Now())
	}
	return e, r.Err()
}

// flatcarCluster is the first stack of an environment with a cluster that runs
// itself: everything that the API of AWS makes.
func flatcarCluster(ctx *pulumi.Context) error {
	e, err := readFlatcar(ctx)
	if err != nil {
		return err
	}
	if err := e.guard(ctx); err != nil {
		return err
	}
	provider, err := newProvider(ctx, e.name, pulumi.String(e.Account.Region), pulumi.String(e.Account.ID))
	if err != nil {
		return err
	}
	return e.register(ctx, pulumi.Provider(provider))
}

// flatcarParts are the components of an environment that others need.
type flatcarParts struct {
	roles    *components.FlatcarRoles
	keys     *components.Keys
	logs     *components.Logs
	network  *components.Network
	firewall *components.Firewall
	cluster  *components.FlatcarCluster
}

// register registers the environment: first what machines wait for.
func (e flatcarEnvironment) register(ctx *pulumi.Context, in pulumi.ResourceOption) (err error) {
	var p flatcarParts
	// What holds data or opens it is deleted only on purpose.
	kept := []pulumi.ResourceOption{in, pulumi.Protect(!e.Unprotected)}
	if p.roles, err = components.NewFlatcarRoles(ctx, e.name, e.roles(), in); err != nil {
		return err
	}
	if p.keys, err = components.NewKeys(ctx, e.name, e.keys(p.roles.ControlPlaneRoleArn), kept...); err != nil {
		return err
	}
	if p.logs, err = components.NewLogs(ctx, e.name, e.logs(p.keys.LogsKeyArn), kept...); err != nil {
		return err
	}
	if p.network, err = components.NewNetwork(ctx, e.name, e.network(p.keys.LogsKeyArn, p.logs.ArchiveArn), in); err != nil {
		return err
	}
	if p.firewall, err = components.NewFirewall(ctx, e.name, e.firewall(p.network.VpcID, p.network.EndpointSecurityGroupID), in); err != nil {
		return err
	}
	args, err := e.cluster()
	if err != nil {
		return err
	}
	args.VpcID, args.PrivateSubnetIDs, args.NodeSubnetIDs = p.network.VpcID, p.network.PrivateSubnetIDs, p.network.NodeSubnetIDs
	args.ControlPlaneSecurityGroupID, args.NodeSecurityGroupID = p.firewall.ClusterSecurityGroupID, p.firewall.NodeSecurityGroupID
	args.LoadBalancerSecurityGroupID = p.firewall.LoadBalancerSecurityGroupID
	args.VolumesKeyArn, args.SecretsKeyArn = p.keys.VolumesKeyArn, p.keys.SecretsKeyArn
	args.ControlPlaneRoleArn, args.ControlPlaneProfile = p.roles.ControlPlaneRoleArn, p.roles.ControlPlaneProfile
	args.PoolRoleArns, args.PoolProfiles = p.roles.PoolRoleArns, p.roles.PoolProfiles
	if p.cluster, err = components.NewFlatcarCluster(ctx, e.name, args, in); err != nil {
		return err
	}
	e.export(ctx, p)
	if e.Detection.Disabled {
		return nil
	}
	detection, err := components.NewDetection(ctx, e.name, e.detection(p.logs.TrailLogGroupName, p.network.FlowLogGroupName, p.keys.LogsKeyArn), in)
	if err == nil {
		ctx.Export("alarmTopicArn", detection.TopicArn)
	}
	return err
}

// export gives the outputs of the stack. None is a secret.
func (e flatcarEnvironment) export(ctx *pulumi.Context, p flatcarParts) {
	for name, value := range map[string]pulumi.Input{
		outputAccount: pulumi.String(e.Account.ID), outputRegion: pulumi.String(e.Account.Region), outputCluster: p.cluster.Name,
		outputEndpoint: p.cluster.Endpoint, outputAuthority: p.cluster.CertificateAuthority, outputVersion: p.cluster.KubernetesVersion,
		outputNetworkCIDR: pulumi.String(e.Network.CIDR), outputServiceCIDR: pulumi.String(e.Network.ServiceCIDR), outputPodCIDR: pulumi.String(e.PodCIDR),
		outputVolumesKey: p.keys.VolumesKeyArn, "vpcId": p.network.VpcID, "storeName": p.cluster.StoreName, "snapshotsName": p.cluster.SnapshotsName, "auditLogName": p.cluster.AuditLogName,
		"controlPlaneIds": p.cluster.ControlPlaneIDs, "controlPlaneAddresses": pulumi.ToStringArray(e.addresses()), "poolArns": p.cluster.PoolArns,
		incluster.OutputAPIServers: incluster.APIServers(incluster.ServedBy(e.Network.ServiceCIDR, e.addresses()...)...),
		kept.Output:                pulumi.ToStringMap(e.standing()), outputTags: pulumi.ToStringMap(e.Tags),
	} {
		ctx.Export(name, value)
	}
}

const outputPodCIDR = "podCIDR"

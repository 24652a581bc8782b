package gcp

import (
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/gcp"
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
// itself: everything that Google's API makes.
func flatcarCluster(ctx *pulumi.Context) error {
	e, err := readFlatcar(ctx)
	if err != nil {
		return err
	}
	last, err := kept.Last(ctx)
	if err == nil {
		err = e.compare(last)
	}
	if err != nil {
		return err
	}
	provider, err := newProvider(ctx, e.name, e.Project)
	if err != nil {
		return err
	}
	return e.register(ctx, pulumi.Provider(provider))
}

// flatcarParts are the components of an environment that others need.
type flatcarParts struct {
	roles    *components.FlatcarRoles
	keys     *components.Keys
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
	if p.keys, err = components.NewKeys(ctx, e.name, e.keys(p.roles.ControlPlaneEmail), kept...); err != nil {
		return err
	}
	if p.network, err = components.NewNetwork(ctx, e.name, e.common().network(), in); err != nil {
		return err
	}
	wall := e.firewall()
	wall.NetworkID, wall.NodeCIDR, wall.PodCIDR, wall.ControlPlaneCIDR = p.network.NetworkID, p.network.NodeCIDR, p.network.PodCIDR, p.network.ControlPlaneCIDR
	wall.ControlPlaneServiceAccount, wall.PoolServiceAccounts = p.roles.ControlPlaneEmail, p.roles.Emails()
	if p.firewall, err = components.NewFirewall(ctx, e.name, wall, in); err != nil {
		return err
	}
	pullers := append([]pulumi.StringInput{p.roles.ControlPlaneEmail}, p.roles.Emails()...)
	args := e.cluster()
	args.NetworkID, args.SubnetworkID = p.network.NetworkID, p.network.NodeSubnetworkID
	args.DisksKeyID, args.SecretsKeyID, args.KeyRingID = p.keys.DisksKeyID, p.keys.SecretsKeyID, p.keys.RingID
	args.ControlPlaneServiceAccount = p.firewall.ControlPlaneServiceAccount
	for i := range e.NodePools {
		args.PoolServiceAccounts = append(args.PoolServiceAccounts, p.firewall.PoolServiceAccounts.Index(pulumi.Int(i)))
	}
	above := []pulumi.ResourceOption{in}
	if e.Registry != nil { // machines pull the control plane's own images when they boot
		registry, err := components.NewArtifactRegistry(ctx, e.name, e.common().registry(p.keys.RingID, pullers...), in)
		if err != nil {
			return err
		}
		above = append(above, pulumi.DependsOn([]pulumi.Resource{registry}))
		ctx.Export("registryHost", registry.Host)
	}
	if p.cluster, err = components.NewFlatcarCluster(ctx, e.name, args, above...); err != nil {
		return err
	}
	if _, err := components.NewLogs(ctx, e.name, e.common().logs(p.keys.LogsKeyID), kept...); err != nil {
		return err
	}
	e.export(ctx, p)
	return e.extras(ctx, p, in)
}

// extras are what an environment may have beside.
func (e flatcarEnvironment) extras(ctx *pulumi.Context, p flatcarParts, in pulumi.ResourceOption) error {
	if e.VPN != nil {
		if _, err := components.NewCloudVpn(ctx, e.name, e.common().vpn(p.network.NetworkID, p.network.ControlPlaneCIDR), in); err != nil {
			return err
		}
	}
	if e.Detection.Disabled {
		return nil
	}
	_, err := components.NewDetection(ctx, e.name, e.common().detection(), in)
	return err
}

// export gives the outputs of the stack. None is a secret.
func (e flatcarEnvironment) export(ctx *pulumi.Context, p flatcarParts) {
	_, addresses, _ := components.ControlPlaneAddresses(e.ranges().controlPlane, e.ControlPlane.Count) // judged already
	for name, value := range map[string]pulumi.Input{
		outputProject: pulumi.String(e.Project.ID), outputRegion: pulumi.String(e.Project.Region), outputCluster: p.cluster.Name, outputEndpoint: p.cluster.Endpoint,
		outputAuthority: p.cluster.CertificateAuthority, "kubernetesVersion": p.cluster.KubernetesVersion, "networkId": p.network.NetworkID, "podCIDR": pulumi.String(e.ranges().pods),
		outputDisksKey: p.keys.DisksKeyID, "storeName": p.cluster.StoreName, "snapshotsName": p.cluster.SnapshotsName, "auditLogName": p.cluster.AuditLogName, "controlPlaneIds": p.cluster.ControlPlaneIDs,
		"controlPlaneAddresses": pulumi.ToStringArray(slices.Clone(addresses)), "poolIds": p.cluster.PoolIDs, kept.Output: pulumi.ToStringMap(e.standing()),
		incluster.OutputAPIServers: incluster.APIServers(incluster.ServedBy(e.ranges().services, addresses...)...),
	} {
		ctx.Export(name, value)
	}
}

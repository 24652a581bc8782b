package gcp

import (
	"time"

	pulumigcp "github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/gcp"
	"github.com/redoubt-dev/redoubt/stacks/kept"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// read reads and checks the settings of a stack. The error names every setting
// that is wrong.
func read(ctx *pulumi.Context) (environment, error) {
	r := settings.New(ctx)
	e := environment{Environment: Defaults(), name: r.Environment()}
	r.Struct(&e.Environment)
	r.RefuseUnknown()
	if r.Err() == nil { // what could not be read would be reported again as missing
		e.validate(r, time.Now())
	}
	return e, r.Err()
}

// cluster is the first stack of an environment: everything that Google's API makes.
func cluster(ctx *pulumi.Context) error {
	e, err := read(ctx)
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

// newProvider reaches the project of an environment.
func newProvider(ctx *pulumi.Context, name string, project Project) (*pulumigcp.Provider, error) {
	return pulumigcp.NewProvider(ctx, name+"-gcp", &pulumigcp.ProviderArgs{
		Project: pulumi.String(project.ID), Region: pulumi.String(project.Region),
		// Quota and audit of calls belong to the project itself.
		UserProjectOverride: pulumi.Bool(true), BillingProject: pulumi.String(project.ID),
	})
}

// parts are the components of an environment that others need.
type parts struct {
	roles    *components.Roles
	keys     *components.Keys
	network  *components.Network
	firewall *components.Firewall
	images   *components.ImagePolicy
	cluster  *components.GkeCluster
}

// register registers the environment: first what the control plane waits for,
// which takes longest, then the rest.
func (e environment) register(ctx *pulumi.Context, in pulumi.ResourceOption) (err error) {
	var p parts
	// What holds data or opens it is deleted only on purpose.
	kept := []pulumi.ResourceOption{in, pulumi.Protect(!e.Unprotected)}
	above := []pulumi.ResourceOption{in}
	if e.Constraints != nil {
		constraints, err := components.NewOrgPolicy(ctx, e.name, e.constraints(), in)
		if err != nil {
			return err
		}
		above = append(above, pulumi.DependsOn([]pulumi.Resource{constraints}))
	}
	if p.roles, err = components.NewRoles(ctx, e.name, e.roles(), in); err != nil {
		return err
	}
	if p.keys, err = components.NewKeys(ctx, e.name, e.keys(), kept...); err != nil {
		return err
	}
	if p.network, err = components.NewNetwork(ctx, e.name, e.network(), in); err != nil {
		return err
	}
	if p.images, err = components.NewImagePolicy(ctx, e.name, e.images(), in); err != nil {
		return err
	}
	wall := e.firewall()
	wall.NetworkID, wall.NodeCIDR, wall.PodCIDR = p.network.NetworkID, p.network.NodeCIDR, p.network.PodCIDR
	wall.ControlPlaneCIDR, wall.NodeServiceAccount = p.network.ControlPlaneCIDR, p.roles.NodeEmail
	if p.firewall, err = components.NewFirewall(ctx, e.name, wall, in); err != nil {
		return err
	}
	if p.cluster, err = e.newCluster(ctx, p, above...); err != nil {
		return err
	}
	pools, err := e.newPools(ctx, p, in)
	if err != nil {
		return err
	}
	if _, err := components.NewLogs(ctx, e.name, e.logs(p.keys.LogsKeyID), kept...); err != nil {
		return err
	}
	e.export(ctx, p, pools)
	return e.newExtras(ctx, p, in)
}

func (e environment) newCluster(ctx *pulumi.Context, p parts, opts ...pulumi.ResourceOption) (*components.GkeCluster, error) {
	args := e.controlPlane()
	args.NetworkID, args.SubnetworkID = p.network.NetworkID, p.network.NodeSubnetworkID
	args.PodRangeName, args.ServiceRangeName, args.ControlPlaneCIDR = p.network.PodRangeName, p.network.ServiceRangeName, p.network.ControlPlaneCIDR
	args.SecretsKeyID, args.DisksKeyID = p.keys.SecretsKeyID, p.keys.DisksKeyID
	args.NodeServiceAccount, args.PolicyProject = p.firewall.NodeServiceAccount, p.images.PolicyProject
	return components.NewGkeCluster(ctx, e.name, args, opts...)
}

func (e environment) newPools(ctx *pulumi.Context, p parts, in pulumi.ResourceOption) (pulumi.StringArray, error) {
	ids := pulumi.StringArray{}
	for _, each := range e.NodePools {
		args := e.pool(each)
		args.ClusterName, args.DisksKeyID, args.NodeServiceAccount = p.cluster.NodesClusterName, p.keys.DisksKeyID, p.firewall.NodeServiceAccount
		pool, err := components.NewNodePool(ctx, e.name+"-"+each.Name, args, in)
		if err != nil {
			return nil, err
		}
		ids = append(ids, pool.ID)
	}
	return ids, nil
}

// newExtras registers alarms, and what is there by choice.
func (e environment) newExtras(ctx *pulumi.Context, p parts, in pulumi.ResourceOption) error {
	if !e.Detection.Disabled {
		if _, err := components.NewDetection(ctx, e.name, e.detection(), in); err != nil {
			return err
		}
	}
	if e.Entry != nil {
		entry, err := components.NewIapAccess(ctx, e.name, e.entry(p.network.NetworkID, p.network.ControlPlaneCIDR, p.cluster.Endpoint, p.keys.DisksKeyID), in)
		if err != nil {
			return err
		}
		ctx.Export("tunnelCommand", entry.TunnelCommand)
	}
	if e.VPN != nil {
		args := e.vpn(p.network.NetworkID, p.network.ControlPlaneCIDR)
		args.SharedSecret = pulumi.ToSecret(args.SharedSecret).(pulumi.StringOutput)
		vpn, err := components.NewCloudVpn(ctx, e.name, args, in)
		if err != nil {
			return err
		}
		ctx.Export("vpnGatewayIPs", vpn.GatewayIPs)
	}
	if e.Registry != nil {
		registry, err := components.NewArtifactRegistry(ctx, e.name, e.registry(p.keys.RingID, p.roles.NodeEmail), in)
		if err != nil {
			return err
		}
		ctx.Export("registryHost", registry.Host)
	}
	return nil
}

package aws

import (
	"time"

	pulumiaws "github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/aws"
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

// cluster is the first stack of an environment: everything that the API of AWS makes.
func cluster(ctx *pulumi.Context) error {
	e, err := read(ctx)
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

// newProvider is the only provider of AWS in a stack: of one region, and of one
// account whatever the credentials are.
func newProvider(ctx *pulumi.Context, name string, region, account pulumi.StringInput) (*pulumiaws.Provider, error) {
	return pulumiaws.NewProvider(ctx, name+"-aws", &pulumiaws.ProviderArgs{
		Region: region.ToStringOutput().ToStringPtrOutput(), AllowedAccountIds: pulumi.StringArray{account},
	})
}

// parts are the components of an environment that others need.
type parts struct {
	roles    *components.Roles
	keys     *components.Keys
	logs     *components.Logs
	network  *components.Network
	firewall *components.Firewall
	cluster  *components.EksCluster
}

// register registers the environment: first what the control plane waits for,
// which takes longest, then the rest.
func (e environment) register(ctx *pulumi.Context, in pulumi.ResourceOption) (err error) {
	var p parts
	// What holds data or opens it is deleted only on purpose.
	kept := []pulumi.ResourceOption{in, pulumi.Protect(!e.Unprotected)}
	if p.roles, err = components.NewRoles(ctx, e.name, e.roles(), in); err != nil {
		return err
	}
	if p.keys, err = components.NewKeys(ctx, e.name, e.keys(p.roles.VolumesRoleArn), kept...); err != nil {
		return err
	}
	if p.logs, err = components.NewLogs(ctx, e.name, e.logs(p.keys.LogsKeyArn), kept...); err != nil {
		return err
	}
	if p.network, err = components.NewNetwork(ctx, e.name, e.network(p.keys.LogsKeyArn, p.logs.ArchiveArn), in); err != nil {
		return err
	}
	if p.firewall, err = components.NewFirewall(ctx, e.name, e.firewall(p.network.VpcID, p.network.EndpointSecurityGroupID, p.network.S3PrefixListID), in); err != nil {
		return err
	}
	if p.cluster, err = e.newCluster(ctx, p, in); err != nil {
		return err
	}
	pools, err := e.newPools(ctx, p, in)
	if err != nil {
		return err
	}
	e.export(ctx, p, pools)
	if err := e.newDetection(ctx, p, in); err != nil {
		return err
	}
	return e.newExtras(ctx, p, in)
}

func (e environment) newCluster(ctx *pulumi.Context, p parts, in pulumi.ResourceOption) (*components.EksCluster, error) {
	args := e.controlPlane()
	args.SubnetIDs, args.SecurityGroupID = p.network.PrivateSubnetIDs, p.firewall.ClusterSecurityGroupID
	args.SecretsKeyArn, args.LogGroupName = p.keys.SecretsKeyArn, p.logs.ClusterLogGroupName
	args.ClusterRoleArn, args.NetworkRoleArn = p.roles.ClusterRoleArn, p.roles.NetworkRoleArn
	return components.NewEksCluster(ctx, e.name, args, in)
}

func (e environment) newPools(ctx *pulumi.Context, p parts, in pulumi.ResourceOption) (pulumi.StringArray, error) {
	var arns pulumi.StringArray
	for _, each := range e.NodePools {
		args := e.pool(each)
		args.ClusterName, args.ControlPlaneVersion = p.cluster.NodesClusterName, p.cluster.KubernetesVersion
		args.SubnetIDs, args.SecurityGroupID = p.network.NodeSubnetIDs, p.firewall.NodeSecurityGroupID
		args.VolumesKeyArn, args.NodeRoleArn = p.keys.VolumesKeyArn, p.roles.NodeRoleArn
		pool, err := components.NewNodePool(ctx, e.name+"-"+each.Name, args, in)
		if err != nil {
			return nil, err
		}
		arns = append(arns, pool.Arn)
	}
	return arns, nil
}

// newDetection registers who hears of what, and what is kept of sessions.
func (e environment) newDetection(ctx *pulumi.Context, p parts, in pulumi.ResourceOption) error {
	if !e.Detection.Disabled {
		detection, err := components.NewDetection(ctx, e.name, e.detection(p.logs.ClusterLogGroupName, p.logs.TrailLogGroupName, p.network.FlowLogGroupName, p.logs.AuditStreamName, p.keys.LogsKeyArn, p.cluster.BreakGlassArns), in)
		if err != nil {
			return err
		}
		ctx.Export("alarmTopicArn", detection.TopicArn)
	}
	if e.sessions() {
		if _, err := components.NewSessionLogging(ctx, e.name, e.sessionLogging(p.keys.LogsKeyArn), in); err != nil {
			return err
		}
	}
	return nil
}

// newExtras registers what is there by choice.
func (e environment) newExtras(ctx *pulumi.Context, p parts, in pulumi.ResourceOption) error {
	if e.VPN != nil {
		var subnets []pulumi.StringInput
		for _, at := range e.vpnZones() {
			subnets = append(subnets, p.network.PrivateSubnetIDs.Index(pulumi.Int(at)))
		}
		vpn, err := components.NewClientVpn(ctx, e.name, e.vpn(p.network.VpcID, p.firewall.ClusterSecurityGroupID, p.keys.LogsKeyArn, subnets), in)
		if err != nil {
			return err
		}
		ctx.Export("vpnEndpointId", vpn.EndpointID)
	}
	if e.Runner != nil {
		runner, err := components.NewRunner(ctx, e.name, e.runner(p.network.VpcID, p.firewall.ClusterSecurityGroupID, p.network.EndpointSecurityGroupID, p.network.S3PrefixListID), in)
		if err != nil {
			return err
		}
		ctx.Export("runnerSecurityGroupId", runner.SecurityGroupID)
		ctx.Export("runnerSubnetIds", p.network.NodeSubnetIDs)
	}
	if e.Registry != nil {
		registry, err := components.NewEcrRegistry(ctx, e.name, e.registry(pulumi.StringArray{p.roles.NodeRoleArn}), in)
		if err != nil {
			return err
		}
		ctx.Export("registryHost", registry.Host)
	}
	return nil
}

package gcp

import (
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// readOnlyPort is the kubelet's port without authentication. The provider cannot
// switch it off, GKE opens it to pods, and so a rule closes it (M16).
const readOnlyPort = 10255

// Firewall is the rules of nodes, made from the port table: a rule for each flow,
// at the nodes' end of it, and no other (M08, CIS-GKE-5.6.6).
type Firewall struct {
	pulumi.ResourceState

	// NodeServiceAccount is the account of nodes once all rules are in place.
	NodeServiceAccount pulumi.StringOutput `pulumi:"nodeServiceAccount"`
	// ControlPlaneServiceAccount and PoolServiceAccounts are the same of a
	// self-managed cluster.
	ControlPlaneServiceAccount pulumi.StringOutput      `pulumi:"controlPlaneServiceAccount"`
	PoolServiceAccounts        pulumi.StringArrayOutput `pulumi:"poolServiceAccounts"`
}

// NewFirewall registers the rules. The arguments are checked, all at once,
// before anything is registered.
func NewFirewall(ctx *pulumi.Context, name string, args *FirewallArgs, opts ...pulumi.ResourceOption) (*Firewall, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	setDefault(&a.NetworkProject, a.Project.ID)
	f := &Firewall{}
	if err := ctx.RegisterComponentResource(firewallToken, name, f, opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(f)
	var ready []any
	for _, r := range rules(a) {
		made, err := r.register(ctx, name, a, parent)
		if err != nil {
			return nil, err
		}
		ready = append(ready, made.ID())
	}
	f.NodeServiceAccount, f.ControlPlaneServiceAccount, f.PoolServiceAccounts = text(""), text(""), pulumi.StringArray{}.ToStringArrayOutput()
	if a.SelfManaged {
		return f, f.selfManaged(ctx, name, a, ready, parent)
	}
	never, err := compute.NewFirewall(ctx, name+"-read-only-port", &compute.FirewallArgs{
		Name: pulumi.String(a.Cluster + "-read-only-port"), Project: pulumi.String(a.NetworkProject), Network: a.NetworkID, Direction: pulumi.String("INGRESS"),
		Description: pulumi.String("the kubelet's port without authentication is reached by nobody"), Priority: pulumi.Int(priorityNever),
		SourceRanges: pulumi.ToStringArray([]string{anywhere}), TargetServiceAccounts: pulumi.StringArray{a.NodeServiceAccount},
		Denies:    compute.FirewallDenyArray{compute.FirewallDenyArgs{Protocol: pulumi.String("tcp"), Ports: pulumi.ToStringArray([]string{strconv.Itoa(readOnlyPort)})}},
		LogConfig: compute.FirewallLogConfigArgs{Metadata: pulumi.String("INCLUDE_ALL_METADATA")},
	}, parent)
	if err != nil {
		return nil, err
	}
	ready = append(ready, never.ID())
	// Of nodes alone as well: a network that exists has defaults of its own.
	if err := denyAll(ctx, name, a.Cluster+"-nodes", a.NetworkProject, a.NetworkID, pulumi.StringArray{a.NodeServiceAccount}, parent); err != nil {
		return nil, err
	}
	f.NodeServiceAccount = once(append([]any{a.NodeServiceAccount}, ready...)...)
	return f, f.outputs(ctx)
}

func (f *Firewall) outputs(ctx *pulumi.Context) error {
	return ctx.RegisterResourceOutputs(f, pulumi.Map{"nodeServiceAccount": f.NodeServiceAccount,
		"controlPlaneServiceAccount": f.ControlPlaneServiceAccount, "poolServiceAccounts": f.PoolServiceAccounts})
}

// register makes the rule a resource.
func (r rule) register(ctx *pulumi.Context, name string, a FirewallArgs, opts ...pulumi.ResourceOption) (*compute.Firewall, error) {
	suffix, targets := "-"+r.name+"-out", pulumi.StringArrayInput(pulumi.StringArray{a.NodeServiceAccount})
	if a.SelfManaged {
		targets = a.targets(r.side)
	}
	args := &compute.FirewallArgs{
		Project: pulumi.String(a.NetworkProject), Network: a.NetworkID, Description: pulumi.String(description(r.name + ": " + r.reason)), Direction: pulumi.String("EGRESS"),
		Priority: pulumi.Int(priorityAllow), TargetServiceAccounts: targets,
		Allows: compute.FirewallAllowArray{r.allow()},
	}
	ranges := r.peer.ranges(a)
	if r.ingress {
		suffix = "-" + r.name + "-in"
		args.Direction, args.SourceRanges = pulumi.String("INGRESS"), ranges
	} else {
		args.DestinationRanges = ranges
	}
	if r.side == controlPlaneSide { // a flow of both kinds of machines is two rules
		suffix += "-cp"
	}
	args.Name = pulumi.String(a.Cluster + suffix)
	return compute.NewFirewall(ctx, name+suffix, args, opts...)
}

// allow is the protocol and port, as Google names them.
func (r rule) allow() compute.FirewallAllowArgs {
	switch {
	case r.protocol == hostconfig.ProtocolAny:
		return compute.FirewallAllowArgs{Protocol: pulumi.String("all")}
	case r.protocol == hostconfig.ProtocolEcho:
		return compute.FirewallAllowArgs{Protocol: pulumi.String("icmp")}
	case r.port == 0:
		return compute.FirewallAllowArgs{Protocol: pulumi.String(r.protocol)}
	}
	return compute.FirewallAllowArgs{Protocol: pulumi.String(r.protocol), Ports: pulumi.ToStringArray([]string{strconv.Itoa(r.port)})}
}

func (p peer) ranges(a FirewallArgs) pulumi.StringArray {
	switch p.side {
	case controlPlaneSide:
		return pulumi.StringArray{a.ControlPlaneCIDR}
	case nodeSide:
		return pulumi.StringArray{a.NodeCIDR}
	case podSide:
		return pulumi.StringArray{a.PodCIDR}
	case machineSide:
		return pulumi.StringArray{a.ControlPlaneCIDR, a.NodeCIDR}
	}
	return pulumi.ToStringArray(strings.Fields(p.cidrs))
}

// description is a text as rules of Google take it: of at most 2048 characters.
func description(text string) string {
	const longest = 2048
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest-3]) + "..."
	}
	return text
}

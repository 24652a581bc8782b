package local

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// network is the private network of a cluster: no route leaves it (M47).
type network struct{ pulumi.CustomResourceState }

// newNetwork registers the network; an environment that is not isolated has none.
func newNetwork(ctx *pulumi.Context, name string, p plan, opts ...pulumi.ResourceOption) (*network, error) {
	members := pulumi.Array{pulumi.Map{
		"machine":         pulumi.String(controlPlaneName),
		"nodeAddress":     pulumi.String(p.nodeAddress),
		"operatorAddress": pulumi.String(p.operatorAddress),
	}}
	for _, w := range p.workers {
		members = append(members, pulumi.Map{
			"machine":     pulumi.String(w.name),
			"nodeAddress": pulumi.String(w.address),
			"podCIDR":     pulumi.String(w.podCIDR),
		})
	}
	res := &network{}
	return res, ctx.RegisterResource(networkToken, name, pulumi.Map{
		"environment":       pulumi.String(p.args.Environment),
		"stateDirectory":    pulumi.String(p.args.StateDirectory),
		"programsDirectory": pulumi.String(p.args.ProgramsDirectory),
		"nodeCIDR":          pulumi.String(p.args.Network.NodeCIDR),
		"operatorCIDR":      pulumi.String(p.args.Network.OperatorCIDR),
		"members":           members,
	}, res, opts...)
}

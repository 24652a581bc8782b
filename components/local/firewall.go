package local

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// firewall is the host firewall of one machine (M04).
type firewall struct{ pulumi.CustomResourceState }

// newFirewall registers the rules of a machine, from hostconfig's port table.
// They are in force before the machine starts: the machine depends on them.
func newFirewall(ctx *pulumi.Context, name string, p plan, role hostconfig.Role, machine string, opts ...pulumi.ResourceOption) (*firewall, error) {
	wall := p.node(role, machine).HostFirewall()
	if role == hostconfig.RoleWorker {
		wall.PolicyAgent = hostconfig.KubeRouter
	}
	ruleset, err := hostconfig.Nftables(wall)
	if err != nil {
		return nil, err
	}
	res := &firewall{}
	return res, ctx.RegisterResource(firewallToken, name, pulumi.Map{
		"networkNamespace": pulumi.String(p.namespace(machine)),
		"ruleset":          pulumi.String(ruleset),
	}, res, opts...)
}

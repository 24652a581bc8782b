package gcp

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// mostPools is how many accounts a rule of Google's firewall is for at most:
// https://cloud.google.com/firewall/quotas
const mostPools = 10

// accountsOf wants the accounts that rules are for.
func (p *problems) accountsOf(a FirewallArgs) {
	if !a.SelfManaged {
		p.account("nodeServiceAccount", a.NodeServiceAccount, "give NodeEmail of Roles")
		for field, given := range map[string]bool{"controlPlaneServiceAccount": a.ControlPlaneServiceAccount != nil, "poolServiceAccounts": len(a.PoolServiceAccounts) > 0,
			"operators": len(a.Operators) > 0, "network": len(a.Network) > 0} {
			if given {
				p.add(field, "is for a self-managed cluster", "leave it out, or set selfManaged")
			}
		}
		return
	}
	p.account("controlPlaneServiceAccount", a.ControlPlaneServiceAccount, "give ControlPlaneEmail of FlatcarRoles")
	for i, each := range a.PoolServiceAccounts {
		p.account(fmt.Sprintf("poolServiceAccounts[%d]", i), each, "give one of PoolEmails of FlatcarRoles")
	}
	if n := len(a.PoolServiceAccounts); n < 1 || n > mostPools {
		p.add("poolServiceAccounts", fmt.Sprintf("there are %d", n), fmt.Sprintf("give those of one to %d pools", mostPools))
	}
	if a.NodeServiceAccount != nil {
		p.add("nodeServiceAccount", "is for a cluster of GKE", "leave it out: pools have accounts of their own")
	}
	for i, cidr := range a.Operators {
		at := fmt.Sprintf("operators[%d]", i)
		if prefix, ok := p.narrowRange(at, cidr); ok && open(prefix) {
			p.add(at, cidr+" is open to the world (M08)", "write the ranges of people")
		}
	}
	if err := (hostconfig.Topology{Platform: hostconfig.PlatformGCP, Network: a.Network}).Validate(); err != nil {
		*p = append(*p, err)
	} else if !hostconfig.Tunnelled(a.Network) {
		p.add("network", "has no tunnel for pods, whose addresses the network knows nothing of", "write that of a plugin, such as calico-vxlan")
	}
}

// selfManagedRules gives what the flows of the port table need at machines of
// both roles.
//
// Pods of different machines talk through a tunnel, of which a firewall sees what
// machines send each other; what a pod sends to anything else has the address of
// its machine. So rules of flows that come from pods are rules of machines, and
// those of flows that go to pods are none.
func selfManagedRules(a FirewallArgs) []rule {
	var out ruleList
	for _, flow := range hostconfig.PortTable(topology(a)) {
		from, fromKnown := a.machinePeer(flow.From)
		to, toKnown := a.machinePeer(flow.To)
		if !fromKnown || !toKnown || flow.To == hostconfig.Pods {
			continue
		}
		r := rule{name: flow.Name, protocol: flow.Protocol, port: flow.Port, reason: flow.Reason}
		for _, side := range from.roles() {
			leaving := r
			leaving.side, leaving.peer = side, to
			out.add(leaving)
		}
		for _, side := range to.roles() {
			coming := r
			coming.side, coming.peer, coming.ingress = side, from, true
			out.add(coming)
		}
	}
	return out
}

// machinePeer gives what stands for an end of a flow of a self-managed cluster.
func (a FirewallArgs) machinePeer(end hostconfig.Endpoint) (peer, bool) {
	switch end {
	case hostconfig.ControlPlanes:
		return peer{side: controlPlaneSide}, true
	case hostconfig.Workers:
		return peer{side: nodeSide}, true
	case hostconfig.Nodes, hostconfig.Pods:
		return peer{side: machineSide}, true
	case hostconfig.Operators:
		return peer{cidrs: joinIPv4(a.Operators)}, len(a.Operators) > 0
	}
	return a.peer(end)
}

// roles are the sides of machines that an end has.
func (p peer) roles() []string {
	switch p.side {
	case controlPlaneSide:
		return []string{controlPlaneSide}
	case nodeSide:
		return []string{nodeSide}
	case machineSide:
		return []string{controlPlaneSide, nodeSide}
	}
	return nil
}

// targets are the accounts of the machines of a side.
func (a FirewallArgs) targets(side string) pulumi.StringArrayInput {
	if side == controlPlaneSide {
		return pulumi.StringArray{a.ControlPlaneServiceAccount}
	}
	return pulumi.StringArray(a.PoolServiceAccounts)
}

// selfManaged closes everything else to machines of both roles, and gives out
// their accounts once the rules are there.
func (f *Firewall) selfManaged(ctx *pulumi.Context, name string, a FirewallArgs, ready []any, opts ...pulumi.ResourceOption) error {
	if err := denyAll(ctx, name+"-nodes", a.Cluster+"-nodes", a.NetworkProject, a.NetworkID, a.targets(nodeSide), opts...); err != nil {
		return err
	}
	if err := denyAll(ctx, name+"-control-plane", a.Cluster+"-cp", a.NetworkProject, a.NetworkID, a.targets(controlPlaneSide), opts...); err != nil {
		return err
	}
	f.ControlPlaneServiceAccount = once(append([]any{a.ControlPlaneServiceAccount}, ready...)...)
	pools := pulumi.StringArray{}
	for _, each := range a.PoolServiceAccounts {
		pools = append(pools, once(append([]any{each}, ready...)...))
	}
	f.PoolServiceAccounts = pools.ToStringArrayOutput()
	return f.outputs(ctx)
}

package hostconfig

import "slices"

// Surroundings are what a cluster's machines find around them, and what their
// network plugin sends. Everything is additive: it opens what it names.
type Surroundings struct {
	// Platform is PlatformLocal by default.
	Platform Platform         `json:"platform,omitempty"`
	Network  []NetworkTraffic `json:"network,omitempty"`
	Services []Service        `json:"services,omitempty"`
	// Resolvers and TimeServers are those of the platform by default. A time
	// server that is known by name only is not reached.
	Resolvers   []string `json:"resolvers,omitempty"`
	TimeServers []string `json:"timeServers,omitempty"`
	// DHCPServers are those of the platform by default, or whoever is in the
	// ranges of the machines.
	DHCPServers []string `json:"dhcpServers,omitempty"`
	// LoadBalancers are where health checks of API servers come from; those of
	// the platform by default.
	LoadBalancers []string `json:"loadBalancers,omitempty"`
}

// Firewall gives the host firewall of a role's machines. Machines that are known
// are named by their addresses; NodeCIDRs stand for those of a role of which
// none is known. What validates as a cluster need not as a firewall: control
// planes and workers that share a range cannot be told apart.
func (c Cluster) Firewall(role Role, s Surroundings) Firewall {
	f := Firewall{Role: role, Managed: c.Managed, Ports: c.Ports, Surroundings: s,
		ControlPlane: c.addresses(c.ControlPlanes), Workers: c.addresses(c.Workers),
		Operators: slices.Clone(c.Operators), PodCIDRs: slices.Clone(c.PodCIDRs)}
	if len(f.PodCIDRs) > 0 {
		f.PodCIDR, f.PodCIDRs = f.PodCIDRs[0], f.PodCIDRs[1:]
	}
	return f.WithDefaults()
}

func (c Cluster) addresses(machines []Machine) []string {
	if len(machines) == 0 {
		return slices.Clone(c.NodeCIDRs)
	}
	addresses := make([]string, 0, len(machines))
	for _, machine := range machines {
		addresses = append(addresses, machine.Address)
	}
	return addresses
}

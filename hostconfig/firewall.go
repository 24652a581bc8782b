package hostconfig

import "slices"

// Role is what a machine is in its cluster.
type Role string

// Roles.
const (
	RoleControlPlane Role = "control-plane"
	RoleWorker       Role = "worker"
)

// Firewall describes the host firewall of one machine, or of every machine of a
// group: nothing in it is a machine's own.
//
// Ranges are addresses or CIDRs, IPv4 or IPv6. Where no machine and no pod has
// an IPv6 range, everything IPv6 is dropped.
type Firewall struct {
	// Role is required.
	Role Role `json:"role"`
	// Managed says that the control plane is the cloud's, see [Topology].
	Managed bool  `json:"managed,omitempty"`
	Ports   Ports `json:"ports"`
	Surroundings
	// ControlPlane and Workers are the machines on the node network, this one
	// included: their addresses, or the ranges from which a group that scales by
	// itself takes them. A range of control planes must not overlap the workers';
	// the single address of one may lie in their range, and a managed control plane,
	// of which no flow is about etcd, may share it.
	ControlPlane []string `json:"controlPlane"`
	Workers      []string `json:"workers,omitempty"`
	// Operators are the ranges from which people reach the API server.
	Operators []string `json:"operators,omitempty"`
	// PodCIDR is the whole cluster's range of pods, PodCIDRs further ones. One is
	// required. Which of them a single machine's pods have need not be known.
	PodCIDR  string   `json:"podCIDR,omitempty"`
	PodCIDRs []string `json:"podCIDRs,omitempty"`
	// NodeInterface faces the node network; "eth0" by default. Here and in
	// PodInterfaces, an asterisk at the end stands for any further characters.
	NodeInterface string `json:"nodeInterface,omitempty"`
	// OperatorInterface faces the operators on a control plane; on the local
	// platform "op0" by default, elsewhere the NodeInterface.
	OperatorInterface string `json:"operatorInterface,omitempty"`
	// PodInterface is a worker's bridge of pods; "cni0" by default, unless
	// PodInterfaces or Network tell others, such as "cali*" and "lxc*".
	PodInterface  string   `json:"podInterface,omitempty"`
	PodInterfaces []string `json:"podInterfaces,omitempty"`
	// PolicyAgent enforces NetworkPolicies on the machine. With it, what it has not
	// judged does not pass between pods and others; without it, pods are open to
	// each other until some other agent forbids it.
	PolicyAgent PolicyAgent `json:"policyAgent,omitempty"`
}

// WithDefaults gives a copy with the default platform, ports and interfaces.
func (f Firewall) WithDefaults() Firewall {
	t := f.Topology()
	f.Platform, f.Ports, f.Services = t.Platform, t.Ports, t.Services
	setDefault(&f.NodeInterface, "eth0")
	if f.Platform == PlatformLocal {
		setDefault(&f.OperatorInterface, "op0")
	} else {
		setDefault(&f.OperatorInterface, f.NodeInterface)
	}
	if f.PodInterface == "" && len(f.PodInterfaces) == 0 {
		f.PodInterfaces = podInterfaces(f.Network)
	}
	if f.PodInterface == "" {
		f.PodInterface = f.PodInterfaces[0]
	}
	if !slices.Contains(f.PodInterfaces, f.PodInterface) {
		f.PodInterfaces = append([]string{f.PodInterface}, f.PodInterfaces...)
	}
	return f
}

// Topology gives what decides which flows this firewall allows, with defaults.
func (f Firewall) Topology() Topology {
	return Topology{Platform: f.Platform, Managed: f.Managed, Ports: f.Ports, Network: f.Network, Services: f.Services,
		IPv6: f.has(familyIPv6)}.WithDefaults()
}

// podRanges are the ranges of pods under both names.
func (f Firewall) podRanges() []string {
	if f.PodCIDR == "" {
		return f.PodCIDRs
	}
	return append([]string{f.PodCIDR}, f.PodCIDRs...)
}

// has tells whether machines or pods have addresses of a family.
func (f Firewall) has(of family) bool {
	return len(ofFamily(slices.Concat(f.ControlPlane, f.Workers, f.podRanges()), of)) > 0
}

// Ranges gives where an endpoint is: sorted addresses and ranges that do not
// overlap, IPv4 before IPv6, and of IPv6 none where the cluster has none.
// Loopback has no range.
func (f Firewall) Ranges(e Endpoint) []string {
	ranges := ofFamily(f.named(e), familyIPv4)
	if f.has(familyIPv6) {
		ranges = append(ranges, ofFamily(f.named(e), familyIPv6)...)
	}
	return ranges
}

// named gives the ranges of an endpoint as they were written.
func (f Firewall) named(e Endpoint) []string {
	platform := func(own []string) []string {
		if len(own) > 0 {
			return own
		}
		return platformRanges[f.Platform][e]
	}
	switch e {
	case ControlPlanes:
		return f.ControlPlane
	case Workers:
		return f.Workers
	case Nodes:
		return slices.Concat(f.ControlPlane, f.Workers)
	case Operators:
		return f.Operators
	case Pods, OwnPods:
		return f.podRanges()
	case Resolvers:
		return platform(f.Resolvers)
	case TimeServers:
		return platform(f.TimeServers)
	case Metadata:
		return platform(nil)
	case LoadBalancers:
		return platform(f.LoadBalancers)
	case DHCPServers:
		return slices.Concat(dhcpBroadcast, f.dhcpServers(platform(f.DHCPServers)))
	case DHCPv6Group:
		return dhcpv6Group
	case DHCPv6Servers:
		return dhcpv6Servers
	}
	for _, service := range f.Services {
		if e == ServiceEndpoint(service.Name) {
			return service.CIDRs
		}
	}
	return nil
}

// dhcpServers falls back to the ranges of the machines, which hold the first
// address of a subnet, where AWS and most routers answer. DHCP is of IPv4.
func (f Firewall) dhcpServers(known []string) []string {
	if len(known) > 0 {
		return known
	}
	return slices.DeleteFunc(slices.Concat(f.ControlPlane, f.Workers), func(value string) bool {
		prefix, err := parseRange(value)
		return err != nil || !prefix.Addr().Is4() || prefix.IsSingleIP()
	})
}

package reference

import "github.com/redoubt-dev/redoubt/hostconfig"

// Example is the cluster whose defaults the page shows: one control plane and
// one worker on Flatcar, whose fields are all told, not learned.
func Example(role hostconfig.Role) hostconfig.Node {
	node := hostconfig.Node{
		Role: role, OS: hostconfig.OSFlatcar, Platform: hostconfig.PlatformMetal,
		Name: "worker-1", Address: "10.80.0.11", PodCIDR: "10.81.1.0/24", TimeServers: []string{"10.90.1.1"},
		Cluster: hostconfig.Cluster{
			Name: "example", Endpoint: "https://10.80.0.10:6443", DNS: []string{"10.82.0.10"},
			PodCIDRs: []string{"10.81.0.0/16"}, ServiceCIDRs: []string{"10.82.0.0/16"}, NodeCIDRs: []string{"10.80.0.0/24"},
			ControlPlanes: []hostconfig.Machine{{Name: "control-plane-1", Address: "10.80.0.10"}},
			Workers:       []hostconfig.Machine{{Name: "worker-1", Address: "10.80.0.11", PodCIDR: "10.81.1.0/24"}},
			Operators:     []string{"10.90.0.0/24"},
		},
	}
	if role == hostconfig.RoleControlPlane {
		node.Name, node.Address, node.PodCIDR = "control-plane-1", "10.80.0.10", ""
	}
	return node
}

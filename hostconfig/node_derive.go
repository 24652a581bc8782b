package hostconfig

import (
	"maps"
	"net/netip"
)

// AddressLearnedAtBoot stands in a derived [Worker] for the address that the
// machine learns when it boots. It is of RFC 5737's range for documentation,
// which no machine has: a kubelet that never learns its own address cannot
// listen, and stops.
const AddressLearnedAtBoot = "192.0.2.1"

// LearnsAddress tells whether the machine asks its platform for its address.
func (n Node) LearnsAddress() bool {
	return n.Address == "" && (n.Platform == PlatformAWS || n.Platform == PlatformGCP)
}

// Worker gives the kubelet and the container runtime of the node, which control
// planes that kubeadm runs have too. An address that the machine learns is
// [AddressLearnedAtBoot]; a range of pods that the network agent hands out is
// the whole cluster's.
func (n Node) Worker() Worker {
	n = n.WithDefaults()
	runtime := n.Runtime.of(n.OS)
	w := Worker{
		ClusterName: n.Cluster.Name, Name: n.Name, KubernetesVersion: n.KubernetesVersion,
		NodeIP: n.Address, APIServer: n.Cluster.Endpoint, CACertificate: n.Cluster.CACertificate,
		PodCIDR: n.PodCIDR, ClusterPodCIDR: ofIPv4(n.Cluster.PodCIDRs),
		ClusterDNS: n.Cluster.DNS, ClusterDomain: n.Cluster.Domain,
		ResolvConf: n.Kubelet.ResolvConf, Labels: n.Labels, Taints: n.Taints, Paths: n.Paths, Ports: n.Cluster.Ports,
		CgroupRoot: n.Kubelet.CgroupRoot, CgroupDriver: n.Kubelet.CgroupDriver, CgroupV1: n.Kubelet.CgroupV1,
		Swap: n.Kubelet.Swap, RestrictOOMScoreAdj: n.Kubelet.RestrictOOMScoreAdj, SharedDisk: n.OS == OSHost,
		SandboxImage: n.SandboxImage, Registries: n.Registries, RuntimeClasses: n.RuntimeClasses,
		ContainerdVersion: runtime.ContainerdVersion, SELinux: runtime.SELinux, ExtraContainerd: runtime.Extra,
		GVisorPlatform: runtime.GVisorPlatform, KataConfig: runtime.KataConfig,
		ExtraKubelet: n.Kubelet.fields(), Exceptions: n.Exceptions,
	}
	if n.LearnsAddress() {
		w.NodeIP = AddressLearnedAtBoot
	}
	if w.PodCIDR == "" {
		w.PodCIDR = w.ClusterPodCIDR
	}
	return w.WithDefaults()
}

// fields gives what the kubelet's own fields and the extra ones change in its
// configuration. An extra field that another one decides is refused, and left out.
func (k Kubelet) fields() map[string]any {
	own := map[string]any{}
	for name, value := range map[string]map[string]string{
		"kubeReserved": k.KubeReserved, "systemReserved": k.SystemReserved, "evictionHard": k.EvictionHard,
	} {
		if len(value) > 0 {
			own[name] = value
		}
	}
	if k.MaxPods != 0 {
		own["maxPods"] = k.MaxPods
	}
	if len(own) == 0 {
		return k.Extra
	}
	fields := maps.Clone(k.Extra)
	if fields == nil {
		return own
	}
	maps.Copy(fields, own)
	return fields
}

// ControlPlaneSpec gives the control plane of the node. Where the cluster has
// several, all are members of etcd.
func (n Node) ControlPlaneSpec() ControlPlane {
	n = n.WithDefaults()
	var s ControlPlaneSettings
	if n.ControlPlane != nil {
		s = *n.ControlPlane
	}
	c := ControlPlane{
		ClusterName: n.Cluster.Name, Name: n.Name, KubernetesVersion: n.KubernetesVersion, Paths: n.Paths, Ports: n.Cluster.Ports,
		AdvertiseAddress: n.Address, BindAddress: s.BindAddress, SANs: s.SANs,
		ServiceCIDR: ofIPv4(n.Cluster.ServiceCIDRs), PodCIDR: ofIPv4(n.Cluster.PodCIDRs), ClusterDomain: n.Cluster.Domain,
		EtcdUser: s.EtcdUser, OIDC: s.OIDC, Audit: s.Audit, Encryption: s.Encryption, Certificates: s.Certificates,
		AllowPrivileged: s.AllowPrivileged, ExtraArgs: s.ExtraArgs, PodSecurity: s.PodSecurity, EventRateLimit: s.EventRateLimit,
		AdmissionPlugins: s.AdmissionPlugins, Exceptions: n.Exceptions,
	}
	if n.LearnsAddress() {
		c.AdvertiseAddress = AddressLearnedAtBoot
	}
	if len(n.Cluster.ControlPlanes) > 1 {
		for _, machine := range n.Cluster.ControlPlanes {
			c.EtcdMembers = append(c.EtcdMembers, EtcdMember{Name: machine.Name, Address: machine.Address})
		}
	}
	return c.WithDefaults()
}

// HostFirewall gives the firewall of the node. It is the same for every node of
// a role. Where the cluster lists no machines of a role, its node ranges stand
// for them.
func (n Node) HostFirewall() Firewall {
	n = n.WithDefaults()
	around := n.Surroundings
	around.Platform = n.Platform
	if len(around.TimeServers) == 0 {
		around.TimeServers = addresses(n.TimeServers)
	}
	f := n.Cluster.Firewall(n.Role, around)
	f.NodeInterface, f.OperatorInterface, f.PodInterface = n.Interfaces.Node, n.Interfaces.Operator, n.Interfaces.Pod
	f.PodInterfaces = nil
	return f.WithDefaults()
}

// addresses leaves names out.
func addresses(servers []string) []string {
	var found []string
	for _, server := range servers {
		if _, err := netip.ParseAddr(server); err == nil {
			found = append(found, server)
		}
	}
	return found
}

// ofIPv4 gives the first IPv4 range, or the first of all where there is none.
func ofIPv4(ranges []string) string {
	for _, value := range ranges {
		if prefix, err := netip.ParsePrefix(value); err == nil && prefix.Addr().Is4() {
			return value
		}
	}
	if len(ranges) > 0 {
		return ranges[0]
	}
	return ""
}

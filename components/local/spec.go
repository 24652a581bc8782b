package local

import "github.com/redoubt-dev/redoubt/hostconfig"

// describe is the cluster in hostconfig's terms. The authority's certificate is
// not known before it is made: it is written as a file of its own.
func (p plan) describe() hostconfig.Cluster {
	cluster := hostconfig.Cluster{
		Name: p.args.Environment, Endpoint: p.nodeEndpoint, Domain: clusterDomain,
		PodCIDRs: []string{p.args.Network.PodCIDR}, ServiceCIDRs: []string{p.args.Network.ServiceCIDR},
		ControlPlanes: []hostconfig.Machine{{Name: controlPlaneName, Address: p.nodeAddress}},
		Ports:         p.ports,
	}
	if p.args.Isolated {
		cluster.NodeCIDRs, cluster.Operators = []string{p.args.Network.NodeCIDR}, []string{p.args.Network.OperatorCIDR}
	}
	for _, w := range p.workers {
		cluster.Workers = append(cluster.Workers, hostconfig.Machine{Name: w.name, Address: w.address, PodCIDR: w.podCIDR})
	}
	return cluster
}

// node is what every machine of the cluster has in common.
func (p plan) node(role hostconfig.Role, name string) hostconfig.Node {
	return hostconfig.Node{
		Role: role, OS: hostconfig.OSHost, Platform: hostconfig.PlatformLocal,
		Name: name, KubernetesVersion: p.args.KubernetesVersion, Cluster: p.describe(),
		Paths: p.paths(name), Exceptions: p.args.Exceptions,
	}
}

// controlPlaneNode is the machine of etcd and the Kubernetes control plane.
func (p plan) controlPlaneNode() hostconfig.Node {
	node := p.node(hostconfig.RoleControlPlane, controlPlaneName)
	node.Address = p.nodeAddress
	settings := &hostconfig.ControlPlaneSettings{
		BindAddress: "127.0.0.1", SANs: []string{"localhost", "127.0.0.1"},
		OIDC: p.args.OIDC, Audit: p.args.Audit, Certificates: p.args.Certificates,
		PodSecurity: p.args.PodSecurity, ExtraArgs: p.args.ExtraArgs,
		Encryption: hostconfig.Encryption{Provider: hostconfig.EncryptionProvider(p.args.Encryption.Provider), Resources: p.args.Encryption.Resources},
	}
	if p.args.Isolated {
		settings.BindAddress, settings.EtcdUser = "0.0.0.0", etcdUser
		settings.SANs = append(settings.SANs, p.operatorAddress)
	}
	if settings.Encryption.Provider == hostconfig.EncryptionKMS {
		settings.Encryption.KMS = &hostconfig.KMS{Name: p.args.Encryption.KMSName, Endpoint: p.kmsEndpoint()}
	}
	node.ControlPlane = settings
	return node
}

// workerNode is a machine with the kubelet and containerd.
func (p plan) workerNode(w workerPlan) hostconfig.Node {
	node := p.node(hostconfig.RoleWorker, w.name)
	node.Address, node.PodCIDR, node.Labels = w.address, w.podCIDR, p.args.NodeLabels
	node.Kubelet = hostconfig.Kubelet{
		CgroupRoot: p.cgroupRoot(w.name), CgroupV1: p.args.CgroupV1, RestrictOOMScoreAdj: p.args.RestrictOOMScoreAdj,
		Extra: p.args.ExtraKubelet,
	}
	node.SandboxImage, node.Registries.Endpoint = sandboxImage, "http://"+registryEndpoint
	return node
}

package hostconfig

// clusterFlows are those of a cluster whose control planes are machines of ours.
func clusterFlows(t Topology) []Flow {
	p := t.Ports
	flows := []Flow{
		operatorsAPI(p), workersAPI(p), podsAPI(p), apiKubelet(p),
		{Name: "api-peers", From: ControlPlanes, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.APIServer,
			Reason: "a control plane that joins copies the cluster's state from another", Controls: []string{"M04", "M14"}},
		{Name: "etcd-client", From: ControlPlanes, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.EtcdClient,
			Reason: "a member that joins asks the others; a single member listens on loopback only", Controls: []string{"M13"}},
		{Name: "etcd-peer", From: ControlPlanes, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.EtcdPeer,
			Reason: "members replicate", Controls: []string{"M13"}},
		podsPods(), kubeletProbes(),
		{Name: "echo-workers", From: ControlPlanes, To: Workers, Protocol: ProtocolEcho,
			Reason: "whether a node is reachable must be told apart from whether its kubelet answers", Controls: []string{"M04"}},
		{Name: "echo-control-plane", From: Workers, To: ControlPlanes, Protocol: ProtocolEcho,
			Reason: "whether the control plane is reachable must be told apart from whether it answers", Controls: []string{"M04"}},
	}
	if t.runsPods(RoleControlPlane) {
		flows = append(flows,
			Flow{Name: "api-kubelet-peers", From: ControlPlanes, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.Kubelet,
				Reason: "the API server serves logs of what runs on another control plane", Controls: []string{"M04", "M16"}},
			Flow{Name: "kubelet-probes-control-plane", From: ControlPlanes, To: OwnPods, Protocol: ProtocolTCP,
				Reason: "the kubelet of a control plane probes the agents that run on it", Controls: []string{"M04"}},
			Flow{Name: "load-balancers-api", From: LoadBalancers, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.APIServer,
				Reason: "the load balancer takes a control plane that is not healthy out of service", Controls: []string{"M04", "M14"}})
	}
	return flows
}

// managedFlows are those of a cluster whose control plane is the cloud's. Nothing
// is known of its inside, so etcd and echoes are in no flow.
func managedFlows(t Topology) []Flow {
	flows := []Flow{
		operatorsAPI(t.Ports), workersAPI(t.Ports), podsAPI(t.Ports), apiKubelet(t.Ports),
		{Name: "api-nodes", From: ControlPlanes, To: Workers, Protocol: ProtocolTCP, Port: 443,
			Reason: "the API server asks aggregated APIs and webhooks that have the addresses of machines", Controls: []string{"M04", "M25"}},
		podsPods(), kubeletProbes(),
	}
	if t.Platform == PlatformAWS {
		// Security groups of EKS: pods have addresses of their machines' interfaces.
		// https://docs.aws.amazon.com/eks/latest/userguide/sec-group-reqs.html
		for _, protocol := range []string{ProtocolUDP, ProtocolTCP} {
			flows = append(flows, Flow{Name: "coredns-" + protocol, From: Workers, To: Workers, Protocol: protocol, Port: 53,
				Reason: "workloads resolve names with CoreDNS on another machine, by the addresses of machines", Controls: []string{"M04"}})
		}
	}
	if t.Platform == PlatformGCP {
		// https://cloud.google.com/kubernetes-engine/docs/concepts/firewall-rules
		flows = append(flows,
			Flow{Name: "pods-konnectivity", From: Pods, To: ControlPlanes, Protocol: ProtocolTCP, Port: 8132,
				Reason: "agents of the cluster open the tunnel through which the API server calls back", Controls: []string{"M04"}},
			Flow{Name: "pods-kubelet", From: Pods, To: Workers, Protocol: ProtocolTCP, Port: t.Ports.Kubelet,
				Reason: "the metrics server of GKE asks the kubelets of all machines, with its account", Controls: []string{"M04", "M16"}})
	}
	return flows
}

func operatorsAPI(p Ports) Flow {
	return Flow{Name: "operators-api", From: Operators, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.APIServer,
		Reason: "people and automation use the API; nothing else is open to them", Controls: []string{"M04", "M14"}}
}

func workersAPI(p Ports) Flow {
	return Flow{Name: "workers-api", From: Workers, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.APIServer,
		Reason: "kubelets register, watch and report", Controls: []string{"M04", "M14"}}
}

func podsAPI(p Ports) Flow {
	return Flow{Name: "pods-api", From: Pods, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.APIServer,
		Reason: "workloads with an account use the API", Controls: []string{"M04", "M14"}}
}

func apiKubelet(p Ports) Flow {
	return Flow{Name: "api-kubelet", From: ControlPlanes, To: Workers, Protocol: ProtocolTCP, Port: p.Kubelet,
		Reason: "the API server serves logs, exec and port-forward through the kubelet", Controls: []string{"M04", "M16"}}
}

func podsPods() Flow {
	return Flow{Name: "pods-pods", From: Pods, To: Pods, Protocol: ProtocolAny,
		Reason: "workloads talk to each other; NetworkPolicy decides which", Controls: []string{"M21"}}
}

func kubeletProbes() Flow {
	return Flow{Name: "kubelet-probes", From: Workers, To: OwnPods, Protocol: ProtocolTCP,
		Reason: "the kubelet probes the pods of its own node, on ports that pods choose", Controls: []string{"M04"}}
}

// loopbackFlows never leave their machine.
func loopbackFlows(t Topology) []Flow {
	p := t.Ports
	locals := []struct {
		name    string
		port    int
		reason  string
		control string
	}{
		{"local-etcd", p.EtcdClient, "the API server stores its objects", "M13"},
		{"local-etcd-peer", p.EtcdPeer, "a single member has no peers", "M13"},
		{"local-etcd-metrics", p.EtcdMetrics, "health and metrics of etcd, for an agent on the machine", "M13"},
		{"local-controller-manager", p.ControllerManager, "health and metrics, for an agent on the machine", "M15"},
		{"local-scheduler", p.Scheduler, "health and metrics, for an agent on the machine", "M15"},
		{"local-kubelet-health", p.KubeletHealth, "health of the kubelet, for its supervisor", "M16"},
	}
	if t.Managed {
		locals = locals[len(locals)-1:] // a worker has a kubelet only
	}
	var flows []Flow
	for _, local := range locals {
		flows = append(flows, Flow{Name: local.name, From: Loopback, To: Loopback, Protocol: ProtocolTCP, Port: local.port,
			Reason: local.reason, Controls: []string{local.control}})
	}
	return flows
}

package hostconfig

// Endpoint is one end of a flow: a role or a kind of range.
type Endpoint string

// Endpoints of flows.
const (
	// Operators are the ranges from which people reach the cluster.
	Operators Endpoint = "operators"
	// ControlPlanes and Workers are machines, by their addresses.
	ControlPlanes Endpoint = "control-plane"
	Workers       Endpoint = "workers"
	// Pods are the cluster's pods on every worker; OwnPods those of one worker.
	Pods    Endpoint = "pods"
	OwnPods Endpoint = "own-pods"
	// Loopback is the same machine.
	Loopback Endpoint = "loopback"
)

// Protocols of flows.
const (
	// ProtocolTCP with port 0 means every port.
	ProtocolTCP = "tcp"
	// ProtocolEcho is an ICMP echo request.
	ProtocolEcho = "icmp-echo"
	// ProtocolAny is every protocol.
	ProtocolAny = "any"
)

// Flow is one kind of traffic that is allowed, and why. Its answers are allowed
// with it, and everything else is dropped.
type Flow struct {
	// Name is unique in the table.
	Name string   `json:"name"`
	From Endpoint `json:"from"`
	To   Endpoint `json:"to"`
	// Protocol is one of the constants above.
	Protocol string `json:"protocol"`
	// Port is the destination port; 0 means every port.
	Port int `json:"port"`
	// Reason says what fails without the flow.
	Reason string `json:"reason"`
	// Controls are what the flow, as narrow as it is, upholds.
	Controls []string `json:"controls"`
}

// PortTable gives every flow of a cluster that listens on these ports. It is the
// one source of host firewalls, cloud firewalls, host policies of the network
// plugin and reachability tests. Ports that are zero have their default.
//
// The address of the instance-metadata services, 169.254.169.254, is in no flow.
func PortTable(p Ports) []Flow {
	p = p.WithDefaults()
	flows := []Flow{
		{Name: "operators-api", From: Operators, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.APIServer,
			Reason: "people and automation use the API; nothing else is open to them", Controls: []string{"M04", "M14"}},
		{Name: "workers-api", From: Workers, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.APIServer,
			Reason: "kubelets register, watch and report", Controls: []string{"M04", "M14"}},
		{Name: "pods-api", From: Pods, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.APIServer,
			Reason: "workloads with an account use the API", Controls: []string{"M04", "M14"}},
		{Name: "api-kubelet", From: ControlPlanes, To: Workers, Protocol: ProtocolTCP, Port: p.Kubelet,
			Reason: "the API server serves logs, exec and port-forward through the kubelet", Controls: []string{"M04", "M16"}},
		{Name: "api-peers", From: ControlPlanes, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.APIServer,
			Reason: "a control plane that joins copies the cluster's state from another", Controls: []string{"M04", "M14"}},
		{Name: "etcd-client", From: ControlPlanes, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.EtcdClient,
			Reason: "a member that joins asks the others; a single member listens on loopback only", Controls: []string{"M13"}},
		{Name: "etcd-peer", From: ControlPlanes, To: ControlPlanes, Protocol: ProtocolTCP, Port: p.EtcdPeer,
			Reason: "members replicate", Controls: []string{"M13"}},
		{Name: "pods-pods", From: Pods, To: Pods, Protocol: ProtocolAny,
			Reason: "workloads talk to each other; NetworkPolicy decides which", Controls: []string{"M21"}},
		{Name: "kubelet-probes", From: Workers, To: OwnPods, Protocol: ProtocolTCP,
			Reason: "the kubelet probes the pods of its own node, on ports that pods choose", Controls: []string{"M04"}},
		{Name: "echo-workers", From: ControlPlanes, To: Workers, Protocol: ProtocolEcho,
			Reason: "whether a node is reachable must be told apart from whether its kubelet answers", Controls: []string{"M04"}},
		{Name: "echo-control-plane", From: Workers, To: ControlPlanes, Protocol: ProtocolEcho,
			Reason: "whether the control plane is reachable must be told apart from whether it answers", Controls: []string{"M04"}},
	}
	for _, port := range p.Webhooks {
		flows = append(flows, Flow{Name: "api-webhook-" + itoa(port), From: ControlPlanes, To: Pods, Protocol: ProtocolTCP, Port: port,
			Reason: "the API server asks admission webhooks and aggregated APIs that run in pods", Controls: []string{"M04", "M25"}})
	}
	for _, local := range []struct {
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
	} {
		flows = append(flows, Flow{Name: local.name, From: Loopback, To: Loopback, Protocol: ProtocolTCP, Port: local.port,
			Reason: local.reason, Controls: []string{local.control}})
	}
	return flows
}

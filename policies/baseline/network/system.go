package network

import (
	"fmt"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// ControlSystem is what an exception names where a namespace of the system has no
// policies.
const ControlSystem = "M21/system-policies"

// Endpoint is a range, and the port of TCP on which it is reached.
type Endpoint struct {
	CIDR string `json:"cidr" jsonschema:"required"`
	// Port is 443 by default.
	Port int `json:"port,omitempty"`
}

func (e Endpoint) port() int {
	if e.Port == 0 {
		return 443
	}
	return e.Port
}

// SystemNamespace is a namespace of an add-on, with all flows of its pods: it gets
// what a tenant gets, nothing that is not named. In kube-system the flows stand
// beside those of the cluster's own pods.
type SystemNamespace struct {
	Namespace string `json:"namespace" jsonschema:"required"`
	Ingress   []Flow `json:"ingress,omitempty"`
	Egress    []Flow `json:"egress,omitempty"`
}

// Flows are those of the namespace's pods.
func (n SystemNamespace) Flows() Tenant { return Tenant{Ingress: n.Ingress, Egress: n.Egress} }

// SystemWorkload is a program that runs as ordinary pods of kube-system. All of
// them may ask the cluster's DNS.
type SystemWorkload struct {
	// Name is a DNS label.
	Name string
	// Labels select its pods.
	Labels          map[string]string
	Ingress, Egress []SystemFlow
}

// SystemFlow is who a workload may hear from or reach: every range, and every pod
// of kube-system with one of the labels; anybody at all where there are neither.
type SystemFlow struct {
	CIDRs []string
	// Pods are labels of pods of kube-system.
	Pods map[string]string
	// APIServer is the API server, where the settings say. It takes no ports.
	APIServer bool
	Ports     []Port
	// Reason says what fails without it.
	Reason string
}

// WithAPIServers has the endpoints as the API server's, unless the settings name some.
func (s Settings) WithAPIServers(endpoints ...Endpoint) Settings {
	if len(s.APIServers) == 0 {
		s.APIServers = endpoints
	}
	return s
}

// WithResolvers has the ranges as those that answer for names, unless the settings
// name some.
func (s Settings) WithResolvers(cidrs ...string) Settings {
	if len(s.Resolvers) == 0 {
		s.Resolvers = cidrs
	}
	return s
}

// SystemObjects gives the policies of kube-system: nothing in or out but names for
// every pod, what the workloads need, and the flows of the settings. Pods that
// share the network of their node, as network plugins do, are not subject to
// policies.
func SystemObjects(workloads []SystemWorkload, s Settings) []runtime.Object {
	const namespace = metav1.NamespaceSystem
	everybody := []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}
	names := []networkingv1.NetworkPolicyIngressRule{{From: everybody, Ports: policyPorts(dnsPorts)}}
	var asks []networkingv1.NetworkPolicyEgressRule
	if len(s.Resolvers) > 0 {
		asks = append(asks, networkingv1.NetworkPolicyEgressRule{To: ranges(s.Resolvers), Ports: policyPorts(dnsPorts)})
	}
	objects := []runtime.Object{
		DefaultDeny(namespace),
		policy(namespace, "dns", "names for every pod", dnsLabels, names, append(asks, toAPIServer(s)...)),
	}
	for _, w := range workloads {
		objects = append(objects, w.policy(s))
	}
	for _, n := range s.System {
		if n.Namespace == namespace {
			objects = append(objects, flowObjects(namespace, n.Flows(), s)...)
		}
	}
	return objects
}

// AddonObjects gives the policies of the other namespaces of the system.
func AddonObjects(s Settings) []runtime.Object {
	var objects []runtime.Object
	for _, n := range s.System {
		if n.Namespace != metav1.NamespaceSystem {
			objects = append(objects, TenantObjects(n.Namespace, n.Flows(), s)...)
		}
	}
	return objects
}

func (w SystemWorkload) policy(s Settings) runtime.Object {
	var (
		in     []networkingv1.NetworkPolicyIngressRule
		out    = []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: dnsLabels}}}, Ports: policyPorts(dnsPorts)}}
		reason string
	)
	say := func(why string) {
		if reason != "" {
			reason += "; "
		}
		reason += why
	}
	for _, flow := range w.Ingress {
		in = append(in, networkingv1.NetworkPolicyIngressRule{From: flow.peers(), Ports: policyPorts(flow.Ports)})
		say(flow.Reason)
	}
	for _, flow := range w.Egress {
		if flow.APIServer {
			out = append(out, toAPIServer(s)...)
		} else {
			out = append(out, networkingv1.NetworkPolicyEgressRule{To: flow.peers(), Ports: policyPorts(flow.Ports)})
		}
		say(flow.Reason)
	}
	return policy(metav1.NamespaceSystem, w.Name, reason, w.Labels, in, out)
}

func (f SystemFlow) peers() []networkingv1.NetworkPolicyPeer {
	peers := ranges(f.CIDRs)
	if f.Pods != nil {
		peers = append(peers, networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: f.Pods}})
	}
	return peers
}

// toAPIServer is a rule for each port on which the API server is reached.
func toAPIServer(s Settings) []networkingv1.NetworkPolicyEgressRule {
	var rules []networkingv1.NetworkPolicyEgressRule
	var ports []int
	for _, e := range s.APIServers {
		if !slices.Contains(ports, e.port()) {
			ports = append(ports, e.port())
		}
	}
	for _, port := range ports {
		var cidrs []string
		for _, e := range s.APIServers {
			if e.port() == port {
				cidrs = append(cidrs, e.CIDR)
			}
		}
		rules = append(rules, networkingv1.NetworkPolicyEgressRule{To: ranges(cidrs), Ports: policyPorts([]Port{{Port: port}})})
	}
	return rules
}

func ranges(cidrs []string) []networkingv1.NetworkPolicyPeer {
	var peers []networkingv1.NetworkPolicyPeer
	for _, cidr := range cidrs {
		peers = append(peers, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}})
	}
	return peers
}

// system judges what the settings say of the system's own namespaces.
func (s Settings) system(p *problems, at string) {
	for i, e := range s.APIServers {
		field := fmt.Sprintf("%s.apiServers[%d]", at, i)
		p.narrow(field+".cidr", e.CIDR)
		if e.Port < 0 || e.Port > 65535 {
			p.add(field+".port", fmt.Sprintf("%d is not a port", e.Port), "write the port of the API server, or leave it out for 443")
		}
	}
	for i, value := range s.Resolvers {
		p.prefix(fmt.Sprintf("%s.resolvers[%d]", at, i), value)
	}
	if s.PodsAskResolvers && s.ClusterPolicies != NoForm {
		// The resolver may have the address of the metadata service, as Google's has.
		p.add(at+".clusterPolicies", "would cut pods off the resolvers that they ask", "leave it out: the tenants' own policies deny all but names there")
	}
	seen := map[string]bool{}
	for i, n := range s.System {
		field := fmt.Sprintf("%s.system[%d]", at, i)
		p.namespace(field+".namespace", n.Namespace)
		if seen[n.Namespace] {
			p.add(field+".namespace", n.Namespace+" stands twice", "put all flows of a namespace into one entry")
		}
		seen[n.Namespace] = true
		if n.Namespace == metav1.NamespaceSystem && len(s.APIServers) == 0 {
			p.add(field+".namespace", "kube-system has policies only where the API server is known: without it DNS would stand still", "write apiServers as well")
		}
		if err := n.Flows().Validate(s); err != nil {
			*p = append(*p, hostconfig.Within(field, err))
		}
	}
}

// narrow is a range that is neither a metadata service's nor most of the internet.
func (p *problems) narrow(at, value string) {
	prefix, ok := p.prefix(at, value)
	if !ok {
		return
	}
	for _, address := range hostconfig.MetadataAddresses() {
		if prefix.Contains(netip.MustParseAddr(address)) {
			p.add(at, value+" holds "+address+", the instance metadata service (M21)", "write narrower ranges: credentials of a machine are for no pod")
			return
		}
	}
	widest := widestIPv4
	if prefix.Addr().Is6() {
		widest = widestIPv6
	}
	if prefix.Bits() < widest {
		p.add(at, fmt.Sprintf("%s is wider than a /%d: it is most of the internet", value, widest), "write the ranges of the destination, or let the traffic pass a proxy with a range of its own")
	}
}

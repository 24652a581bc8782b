package network

import (
	"net/netip"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// denial is a rule of the whole cluster: what no pod reaches, whatever policy a
// namespace has.
type denial struct {
	name, reason string
	to           []string // ranges
	ports        []Port   // all of every protocol when empty
	machines     bool     // the ranges are those of machines
}

// denials are the one definition from which each form is made.
func (s Settings) denials() []denial {
	var metadata []string
	for _, address := range hostconfig.MetadataAddresses() {
		parsed := netip.MustParseAddr(address)
		metadata = append(metadata, netip.PrefixFrom(parsed, parsed.BitLen()).String())
	}
	all := []denial{{name: "metadata", reason: "the credentials of a machine are for no pod (M21)", to: metadata}}
	if len(s.NodeCIDRs) > 0 {
		ports := hostconfig.DefaultPorts()
		machines := denial{name: "machines", reason: "kubelets, etcd and the managers answer to machines alone (M13, M15, M16)", to: slices.Sorted(slices.Values(s.NodeCIDRs)), machines: true}
		for _, port := range []int{ports.EtcdClient, ports.EtcdPeer, ports.EtcdMetrics, ports.Kubelet, 10255, ports.ControllerManager, ports.Scheduler} {
			machines.ports = append(machines.ports, Port{Port: port})
		}
		all = append(all, machines)
	}
	return all
}

// priority of the rules among others of their kind: early, with room before them.
const priority = 10

// exempt are the namespaces for which the rules do not hold. Parts of Kubernetes
// ask kubelets for metrics.
func (s Settings) exempt() []string {
	names := []string{metav1.NamespaceSystem}
	for _, e := range s.Exempt {
		if !slices.Contains(names, e.Namespace) {
			names = append(names, e.Namespace)
		}
	}
	slices.Sort(names)
	return names
}

// ClusterObjects gives the rules of the whole cluster in the form of the settings.
func ClusterObjects(s Settings) []runtime.Object {
	render := map[Form]func(Settings, denial) runtime.Object{
		ClusterNetworkPolicy: clusterNetworkPolicy, AdminNetworkPolicy: adminNetworkPolicy,
		CalicoGlobal: calicoGlobal, CiliumClusterwide: ciliumClusterwide,
	}[s.ClusterPolicies]
	if render == nil {
		return nil
	}
	var objects []runtime.Object
	if s.ClusterPolicies == CalicoGlobal {
		objects = append(objects, custom("projectcalico.org/v3", "Tier", objectMeta("", calicoTier, "before the policies of namespaces"), map[string]any{"order": int64(priority)}))
	}
	for _, d := range s.denials() {
		objects = append(objects, render(s, d))
	}
	return objects
}

func anys(values []string) []any {
	out := make([]any, 0, len(values))
	for _, value := range values {
		out = append(out, value)
	}
	return out
}

// subject selects every namespace but those that are exempt.
func (s Settings) subject() map[string]any {
	return map[string]any{"namespaces": map[string]any{"matchExpressions": []any{
		map[string]any{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": anys(s.exempt())},
	}}}
}

// Admin policies isolate nothing by themselves: what no rule names goes on to the
// policies of namespaces.
func clusterNetworkPolicy(s Settings, d denial) runtime.Object {
	rule := map[string]any{"name": d.name, "action": "Deny", "to": []any{map[string]any{"networks": anys(d.to)}}}
	if protocols := perPort(d.ports, func(p Port) any {
		return map[string]any{lower(p.protocol()): map[string]any{"destinationPort": map[string]any{"number": int64(p.Port)}}}
	}); protocols != nil {
		rule["protocols"] = protocols
	}
	return custom("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", objectMeta("", "redoubt-"+d.name, d.reason), map[string]any{
		"tier": "Admin", "priority": int64(priority), "subject": s.subject(), "egress": []any{rule},
	})
}

func adminNetworkPolicy(s Settings, d denial) runtime.Object {
	rule := map[string]any{"name": d.name, "action": "Deny", "to": []any{map[string]any{"networks": anys(d.to)}}}
	if ports := perPort(d.ports, func(p Port) any {
		return map[string]any{"portNumber": map[string]any{"protocol": p.protocol(), "port": int64(p.Port)}}
	}); ports != nil {
		rule["ports"] = ports
	}
	return custom("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", objectMeta("", "redoubt-"+d.name, d.reason), map[string]any{
		"priority": int64(priority), "subject": s.subject(), "egress": []any{rule},
	})
}

// calicoTier comes before Calico's own tier for NetworkPolicies. In a tier of their
// own the rules can pass on what they do not deny; in that of the NetworkPolicies,
// passing on would skip those.
const calicoTier = "redoubt"

func calicoGlobal(s Settings, d denial) runtime.Object {
	var rules []any
	for _, family := range [2]bool{true, false} { // a rule of Calico is of one family
		var nets []string
		for _, value := range d.to {
			if prefix, err := netip.ParsePrefix(value); err == nil && prefix.Addr().Is4() == family {
				nets = append(nets, value)
			}
		}
		if len(nets) == 0 {
			continue
		}
		if len(d.ports) == 0 {
			rules = append(rules, map[string]any{"action": "Deny", "destination": map[string]any{"nets": anys(nets)}})
			continue
		}
		rules = append(rules, map[string]any{"action": "Deny", "protocol": "TCP", "destination": map[string]any{
			"nets": anys(nets), "ports": perPort(d.ports, func(p Port) any { return int64(p.Port) })}})
	}
	rules = append(rules, map[string]any{"action": "Pass"})
	selector := "kubernetes.io/metadata.name not in {"
	for i, name := range s.exempt() {
		if i > 0 {
			selector += ", "
		}
		selector += "'" + name + "'"
	}
	return custom("projectcalico.org/v3", "GlobalNetworkPolicy", objectMeta("", calicoTier+"."+d.name, d.reason), map[string]any{
		"tier": calicoTier, "order": int64(priority), "namespaceSelector": selector + "}", "types": []any{"Egress"}, "egress": rules,
	})
}

// A denial alone would make Cilium deny everything else to the pods that it
// selects: it is told not to.
func ciliumClusterwide(s Settings, d denial) runtime.Object {
	// To Cilium machines have identities, which ranges do not match.
	rule := map[string]any{"toEntities": []any{"host", "remote-node"}}
	if !d.machines {
		rule = map[string]any{"toCIDR": anys(d.to)}
	}
	if len(d.ports) > 0 {
		rule["toPorts"] = []any{map[string]any{"ports": ciliumPorts(d.ports)}}
	}
	return custom("cilium.io/v2", "CiliumClusterwideNetworkPolicy", objectMeta("", "redoubt-"+d.name, d.reason), map[string]any{
		"endpointSelector": map[string]any{"matchExpressions": []any{
			map[string]any{"key": "k8s:io.kubernetes.pod.namespace", "operator": "NotIn", "values": anys(s.exempt())},
		}},
		"enableDefaultDeny": map[string]any{"ingress": false, "egress": false},
		"egressDeny":        []any{rule},
	})
}

func ciliumPorts(ports []Port) []any {
	return perPort(ports, func(p Port) any {
		port := map[string]any{"port": strconv.Itoa(p.Port), "protocol": p.protocol()}
		if p.EndPort != 0 {
			port["endPort"] = int64(p.EndPort)
		}
		return port
	})
}

func perPort(ports []Port, render func(Port) any) []any {
	var out []any
	for _, p := range ports {
		out = append(out, render(p))
	}
	return out
}

func lower(protocol string) string {
	if protocol == "UDP" {
		return "udp"
	}
	return "tcp"
}

package network

import (
	"maps"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// DNS is what every pod may ask: the cluster's own, whoever installs it.
var dnsLabels = map[string]string{"k8s-app": "kube-dns"}

var dnsPorts = []Port{{Protocol: "UDP", Port: 53}, {Port: 53}}

// TenantObjects gives the policies of a tenant's namespace, each with its kind and
// version: everything denied in both directions, DNS, and the flows.
func TenantObjects(namespace string, t Tenant, s Settings) []runtime.Object {
	objects := []runtime.Object{
		DefaultDeny(namespace),
		policy(namespace, "allow-dns", "names of services and of what the flows lead to", nil, nil, dnsRules(s)),
	}
	return append(objects, flowObjects(namespace, t, s)...)
}

// flowObjects are the flows alone.
func flowObjects(namespace string, t Tenant, s Settings) []runtime.Object {
	var objects []runtime.Object
	for _, f := range t.Ingress {
		objects = append(objects, policy(namespace, ingress+"-"+f.Name, f.Reason, f.Workloads,
			[]networkingv1.NetworkPolicyIngressRule{{From: f.peers(), Ports: policyPorts(f.Ports)}}, nil))
	}
	for _, f := range t.Egress {
		if f.FQDN != "" {
			objects = append(objects, byName(namespace, f))
			continue
		}
		if f.APIServer {
			objects = append(objects, policy(namespace, egress+"-"+f.Name, f.Reason, f.Workloads, nil, toAPIServer(s)))
			continue
		}
		objects = append(objects, policy(namespace, egress+"-"+f.Name, f.Reason, f.Workloads, nil,
			[]networkingv1.NetworkPolicyEgressRule{{To: f.peers(), Ports: policyPorts(f.Ports)}}))
	}
	return objects
}

// DefaultDeny gives the policy by which nothing comes to a namespace's pods and
// nothing leaves them that no other policy names.
func DefaultDeny(namespace string) runtime.Object {
	return policy(namespace, "default-deny", "nothing that is not named", nil, nil, nil)
}

// policy selects pods by their labels, all without. Both directions stand in each
// policy: a plugin may treat one that no policy names as open. Empty lists are
// said, not left out as Kubernetes' types do, so that a rule which somebody adds
// is drift.
func policy(namespace, name, reason string, workloads map[string]string, in []networkingv1.NetworkPolicyIngressRule, out []networkingv1.NetworkPolicyEgressRule) *unstructured.Unstructured {
	typed := &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"},
		ObjectMeta: objectMeta(namespace, name, reason),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: selected(workloads, len(in)+len(out) > 0),
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress:     in, Egress: out,
		},
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		panic(err) // of types that are Kubernetes' own
	}
	delete(content, "status")
	spec, _ := content["spec"].(map[string]any)
	for _, direction := range []string{ingress, egress} {
		if spec[direction] == nil {
			spec[direction] = []any{}
		}
	}
	return &unstructured.Unstructured{Object: content}
}

// selected are pods by their labels. Where something is allowed, those under
// quarantine are left out: the denial of their namespace is all that holds for
// them (M40). An admission policy holds every policy of a tenant to it.
func selected(workloads map[string]string, allows bool) metav1.LabelSelector {
	selector := metav1.LabelSelector{MatchLabels: workloads}
	if allows {
		selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: admission.QuarantineLabel, Operator: metav1.LabelSelectorOpDoesNotExist}}
	}
	return selector
}

func objectMeta(namespace, name, reason string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{admission.LabelManagedBy: admission.ManagedBy},
		Annotations: map[string]string{AnnotationReason: reason}}
}

func dnsRules(s Settings) []networkingv1.NetworkPolicyEgressRule {
	peers := []networkingv1.NetworkPolicyPeer{{
		NamespaceSelector: byNamespace(metav1.NamespaceSystem), PodSelector: &metav1.LabelSelector{MatchLabels: dnsLabels},
	}}
	if s.PodsAskResolvers {
		peers = append(peers, ranges(s.Resolvers)...)
	}
	for _, address := range s.NodeLocalDNS {
		if parsed, err := netip.ParseAddr(address); err == nil {
			peers = append(peers, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: netip.PrefixFrom(parsed, parsed.BitLen()).String()}})
		}
	}
	return []networkingv1.NetworkPolicyEgressRule{{To: peers, Ports: policyPorts(dnsPorts)}}
}

// byNamespace selects by the label that nobody can set.
func byNamespace(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: name}}
}

func (f Flow) peers() []networkingv1.NetworkPolicyPeer {
	if f.CIDR != "" {
		return []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: f.CIDR}}}
	}
	return []networkingv1.NetworkPolicyPeer{{NamespaceSelector: byNamespace(f.Tenant), PodSelector: &metav1.LabelSelector{MatchLabels: f.TenantWorkloads}}}
}

func policyPorts(ports []Port) []networkingv1.NetworkPolicyPort {
	var out []networkingv1.NetworkPolicyPort
	for _, p := range ports {
		protocol, port := corev1.Protocol(p.protocol()), intstr.FromInt(p.Port)
		each := networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &port}
		if p.EndPort != 0 {
			end := int32(p.EndPort)
			each.EndPort = &end
		}
		out = append(out, each)
	}
	return out
}

// byName is a flow to a name on the internet, for Cilium, which learns addresses
// from the answers of the cluster's DNS that it sees:
// https://docs.cilium.io/en/stable/security/policy/language/#dns-based
func byName(namespace string, f Flow) *unstructured.Unstructured {
	name := map[string]any{"matchName": f.FQDN}
	if strings.HasPrefix(f.FQDN, "*") {
		name = map[string]any{"matchPattern": f.FQDN}
	}
	dns := map[string]any{"k8s:io.kubernetes.pod.namespace": metav1.NamespaceSystem}
	for label, value := range dnsLabels {
		dns["k8s:"+label] = value
	}
	selected := map[string]any{}
	for label, value := range f.Workloads {
		selected["k8s:"+label] = value
	}
	return custom("cilium.io/v2", "CiliumNetworkPolicy", objectMeta(namespace, egress+"-"+f.Name, f.Reason), map[string]any{
		"endpointSelector": map[string]any{"matchLabels": selected, "matchExpressions": []any{map[string]any{"key": "k8s:" + admission.QuarantineLabel, "operator": "DoesNotExist"}}},
		"egress": []any{
			map[string]any{"toFQDNs": []any{name}, "toPorts": []any{map[string]any{"ports": ciliumPorts(f.Ports)}}},
			map[string]any{
				"toEndpoints": []any{map[string]any{"matchLabels": dns}},
				"toPorts": []any{map[string]any{
					"ports": []any{map[string]any{"port": "53", "protocol": "ANY"}},
					"rules": map[string]any{"dns": []any{map[string]any{"matchPattern": "*"}}},
				}},
			},
		},
	})
}

// custom is an object whose type the plugin defines.
func custom(apiVersion, kind string, meta metav1.ObjectMeta, spec map[string]any) *unstructured.Unstructured {
	metadata := map[string]any{"name": meta.Name, "labels": texts(meta.Labels), "annotations": texts(meta.Annotations)}
	if meta.Namespace != "" {
		metadata["namespace"] = meta.Namespace
	}
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata, "spec": maps.Clone(spec)}}
}

func texts(values map[string]string) map[string]any {
	out := map[string]any{}
	for key, value := range values {
		out[key] = value
	}
	return out
}

package baseline

import (
	"fmt"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// SystemPoliciesArgs describes what the pods of kube-system may reach. All ranges
// are CIDRs of either family.
type SystemPoliciesArgs struct {
	// Resolvers are where the cluster's DNS asks for names outside.
	Resolvers []string
	// APIServers are where the API server is reached on port 443: the address of
	// its service and what stands behind it.
	APIServers []string
	// Workloads are further pods of the system.
	Workloads []SystemWorkload
}

// SystemWorkload is a program of the system that runs as ordinary pods.
type SystemWorkload struct {
	// Name is a DNS label.
	Name string
	// Labels select its pods.
	Labels map[string]string
	Egress []SystemFlow
}

// SystemFlow is what a workload may reach, over TCP.
type SystemFlow struct {
	CIDRs []string
	Port  int
	// Reason says what fails without it.
	Reason string
}

// SystemPolicies are the network policies of kube-system: nothing in or out but
// DNS for every pod and what the programs there need (M21). Pods that share the
// network of their node, as network plugins do, are not subject to policies.
type SystemPolicies struct {
	pulumi.ResourceState

	// Ready is known once all policies are there: what runs under a strict network
	// plugin waits for it.
	Ready pulumi.StringOutput `pulumi:"ready"`
}

const (
	systemNamespace = "kube-system"
	dnsPort         = 53
	apiPort         = 443
)

// dnsLabels select the cluster's DNS, whoever installs it.
var dnsLabels = map[string]string{"k8s-app": "kube-dns"}

// NewSystemPolicies registers the policies.
func NewSystemPolicies(ctx *pulumi.Context, name string, args *SystemPoliciesArgs, opts ...pulumi.ResourceOption) (*SystemPolicies, error) {
	s := &SystemPolicies{}
	if err := ctx.RegisterComponentResource(systemToken, name, s, opts...); err != nil {
		return nil, err
	}
	everywhere := networkingv1.NetworkPolicyPeerArray{networkingv1.NetworkPolicyPeerArgs{NamespaceSelector: &metav1.LabelSelectorArgs{}}}
	policies := []policy{
		{name: "default-deny", reason: "nothing that is not named"},
		{name: "dns", reason: "names for every pod", labels: dnsLabels,
			ingress: networkingv1.NetworkPolicyIngressRuleArray{networkingv1.NetworkPolicyIngressRuleArgs{From: everywhere, Ports: ports(dnsPort, "UDP", "TCP")}},
			egress:  networkingv1.NetworkPolicyEgressRuleArray{egress(args.Resolvers, dnsPort, "UDP", "TCP"), egress(args.APIServers, apiPort, "TCP")}},
	}
	for _, w := range args.Workloads {
		p := policy{name: w.Name, labels: w.Labels, egress: networkingv1.NetworkPolicyEgressRuleArray{toDNS()}}
		for i, flow := range w.Egress {
			p.egress = append(p.egress, egress(flow.CIDRs, flow.Port, "TCP"))
			if i > 0 {
				p.reason += "; "
			}
			p.reason += flow.Reason
		}
		policies = append(policies, p)
	}
	var ready []any
	for _, p := range policies {
		made, err := networkingv1.NewNetworkPolicy(ctx, name+"-"+p.name, p.args(), pulumi.Parent(s))
		if err != nil {
			return nil, err
		}
		ready = append(ready, made.ID())
	}
	s.Ready = pulumi.All(ready...).ApplyT(func(ids []any) string { return fmt.Sprint(len(ids)) }).(pulumi.StringOutput)
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"ready": s.Ready})
}

// policy is a network policy of kube-system; without labels it holds for every pod.
type policy struct {
	name, reason string
	labels       map[string]string
	ingress      networkingv1.NetworkPolicyIngressRuleArray
	egress       networkingv1.NetworkPolicyEgressRuleArray
}

func (p policy) args() *networkingv1.NetworkPolicyArgs {
	annotations := force()
	annotations["redoubt.dev/reason"] = pulumi.String(p.reason)
	selector := &metav1.LabelSelectorArgs{}
	if p.labels != nil {
		selector.MatchLabels = pulumi.ToStringMap(p.labels)
	}
	// Both directions stand here, empty ones too: a rule that somebody adds is drift.
	if p.ingress == nil {
		p.ingress = networkingv1.NetworkPolicyIngressRuleArray{}
	}
	if p.egress == nil {
		p.egress = networkingv1.NetworkPolicyEgressRuleArray{}
	}
	return &networkingv1.NetworkPolicyArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(p.name), Namespace: pulumi.String(systemNamespace), Annotations: annotations},
		Spec: &networkingv1.NetworkPolicySpecArgs{
			PodSelector: selector, PolicyTypes: pulumi.ToStringArray([]string{"Ingress", "Egress"}), Ingress: p.ingress, Egress: p.egress,
		},
	}
}

// toDNS lets pods ask the cluster's DNS.
func toDNS() networkingv1.NetworkPolicyEgressRuleArgs {
	return networkingv1.NetworkPolicyEgressRuleArgs{Ports: ports(dnsPort, "UDP", "TCP"), To: networkingv1.NetworkPolicyPeerArray{
		networkingv1.NetworkPolicyPeerArgs{PodSelector: &metav1.LabelSelectorArgs{MatchLabels: pulumi.ToStringMap(dnsLabels)}}}}
}

func egress(cidrs []string, port int, protocols ...string) networkingv1.NetworkPolicyEgressRuleArgs {
	var to networkingv1.NetworkPolicyPeerArray
	for _, cidr := range cidrs {
		to = append(to, networkingv1.NetworkPolicyPeerArgs{IpBlock: &networkingv1.IPBlockArgs{Cidr: pulumi.String(cidr)}})
	}
	return networkingv1.NetworkPolicyEgressRuleArgs{To: to, Ports: ports(port, protocols...)}
}

func ports(port int, protocols ...string) networkingv1.NetworkPolicyPortArray {
	var out networkingv1.NetworkPolicyPortArray
	for _, protocol := range protocols {
		out = append(out, networkingv1.NetworkPolicyPortArgs{Port: pulumi.Int(port), Protocol: pulumi.String(protocol)})
	}
	return out
}

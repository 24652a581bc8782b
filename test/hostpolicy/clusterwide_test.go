package hostpolicy

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/cilium/pkg/fqdn/re"
	cilium "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/option"
	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	admin "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	cluster "sigs.k8s.io/network-policy-api/apis/v1alpha2"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
)

// clusterSettings has everything that rules of the whole cluster depend on.
func clusterSettings(form network.Form, plugin network.Plugin) network.Settings {
	return network.Settings{Plugin: plugin, ClusterPolicies: form, NodeCIDRs: []string{"10.80.0.0/24", "fd80::/64"},
		Exempt: []network.Exempt{{Namespace: "monitoring", Reason: "it reads the metrics of kubelets"}}}
}

// objectsOf gives the rules of the whole cluster as JSON, by kind and name.
func objectsOf(t *testing.T, s network.Settings) map[string][]byte {
	t.Helper()
	if err := s.Validate("network"); err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for _, object := range network.ClusterObjects(s) {
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		made := object.(*unstructured.Unstructured)
		found[made.GetKind()+"/"+made.GetName()] = text
	}
	return found
}

func strictly(t *testing.T, name string, text []byte, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
}

// holds demands that every address of metadata is among the ranges.
func holds(t *testing.T, name string, ranges []string) {
	t.Helper()
	for _, address := range hostconfig.MetadataAddresses() {
		parsed := netip.MustParseAddr(address)
		if !slices.ContainsFunc(ranges, func(text string) bool {
			prefix, err := netip.ParsePrefix(text)
			return err == nil && prefix.Contains(parsed)
		}) {
			t.Errorf("%s: %s is not denied: %v", name, address, ranges)
		}
	}
}

func TestCiliumClusterwide(t *testing.T) {
	objects := objectsOf(t, clusterSettings(network.CiliumClusterwide, network.Cilium))
	for name, text := range objects {
		var policy cilium.CiliumClusterwideNetworkPolicy
		strictly(t, name, text, &policy)
		if err := policy.Spec.Sanitize(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if rules, err := policy.Parse(slog.New(slog.DiscardHandler), "prod"); err != nil || len(rules) != 1 {
			t.Errorf("%s: %d rules: %v", name, len(rules), err)
		}
		// Without it, whoever is selected would lose everything else.
		if d := policy.Spec.EnableDefaultDeny; d.Egress == nil || *d.Egress || d.Ingress == nil || *d.Ingress {
			t.Errorf("%s denies what it does not name", name)
		}
		if !strings.Contains(string(text), `"NotIn"`) || !strings.Contains(string(text), "monitoring") || !strings.Contains(string(text), "kube-system") {
			t.Errorf("%s: %s", name, text)
		}
	}
	var policy cilium.CiliumClusterwideNetworkPolicy
	strictly(t, "metadata", objects["CiliumClusterwideNetworkPolicy/redoubt-metadata"], &policy)
	var ranges []string
	for _, each := range policy.Spec.EgressDeny[0].ToCIDR {
		ranges = append(ranges, string(each))
	}
	holds(t, "cilium", ranges)
	if len(objects) != 2 {
		t.Errorf("%d objects", len(objects))
	}
}

func TestCalicoGlobal(t *testing.T) {
	objects := objectsOf(t, clusterSettings(network.CalicoGlobal, network.Calico))
	var tier calico.Tier
	strictly(t, "tier", objects["Tier/redoubt"], &tier)
	// Calico's own tiers for Kubernetes' policies have 1,000,000 and 10,000.
	if tier.Spec.Order == nil || *tier.Spec.Order >= 1000 {
		t.Errorf("the tier comes too late: %+v", tier.Spec)
	}
	for name, text := range objects {
		if strings.HasPrefix(name, "Tier/") {
			continue
		}
		var policy calico.GlobalNetworkPolicy
		strictly(t, name, text, &policy)
		if policy.Spec.Tier != tier.Name || !strings.HasPrefix(policy.Name, tier.Name+".") {
			t.Errorf("%s is in tier %q", name, policy.Spec.Tier)
		}
		// What is not denied goes on to the next tier; in the tier of NetworkPolicies
		// the same rule would skip them, and without it the tier would deny the rest.
		last := policy.Spec.Egress[len(policy.Spec.Egress)-1]
		if last.Action != calico.Pass || len(last.Destination.Nets) > 0 {
			t.Errorf("%s ends with %+v", name, last)
		}
		for _, rule := range policy.Spec.Egress[:len(policy.Spec.Egress)-1] {
			if rule.Action != calico.Deny || len(rule.Destination.Ports) > 0 && rule.Protocol == nil {
				t.Errorf("%s: %+v", name, rule)
			}
		}
		if policy.Spec.NamespaceSelector != "kubernetes.io/metadata.name not in {'kube-system', 'monitoring'}" {
			t.Errorf("%s selects %q", name, policy.Spec.NamespaceSelector)
		}
	}
	var policy calico.GlobalNetworkPolicy
	strictly(t, "metadata", objects["GlobalNetworkPolicy/redoubt.metadata"], &policy)
	var ranges []string
	for _, rule := range policy.Spec.Egress {
		ranges = append(ranges, rule.Destination.Nets...)
	}
	holds(t, "calico", ranges)
}

func TestAdminPolicies(t *testing.T) {
	for name, text := range objectsOf(t, clusterSettings(network.ClusterNetworkPolicy, network.Standard)) {
		var policy cluster.ClusterNetworkPolicy
		strictly(t, name, text, &policy)
		if policy.Spec.Tier != cluster.AdminTier || policy.Spec.Priority < 0 || policy.Spec.Priority > 1000 || policy.Spec.Subject.Namespaces == nil {
			t.Errorf("%s: %+v", name, policy.Spec)
		}
		var ranges []string
		for _, rule := range policy.Spec.Egress {
			if rule.Action != cluster.ClusterNetworkPolicyRuleActionDeny {
				t.Errorf("%s: %s", name, rule.Action)
			}
			for _, peer := range rule.To {
				for _, each := range peer.Networks {
					ranges = append(ranges, string(each))
				}
			}
		}
		if strings.HasSuffix(name, "metadata") {
			holds(t, name, ranges)
		} else if len(policy.Spec.Egress[0].Protocols) == 0 || policy.Spec.Egress[0].Protocols[0].TCP == nil {
			t.Errorf("%s denies every port: %+v", name, policy.Spec.Egress)
		}
	}
	for name, text := range objectsOf(t, clusterSettings(network.AdminNetworkPolicy, network.Standard)) {
		var policy admin.AdminNetworkPolicy
		strictly(t, name, text, &policy)
		if policy.Spec.Subject.Namespaces == nil || policy.Spec.Egress[0].Action != admin.AdminNetworkPolicyRuleActionDeny {
			t.Errorf("%s: %+v", name, policy.Spec)
		}
		if ports := policy.Spec.Egress[0].Ports; strings.HasSuffix(name, "machines") && (ports == nil || (*ports)[0].PortNumber == nil) {
			t.Errorf("%s denies every port", name)
		}
	}
}

// TestFlowsByName: what names a host, Cilium's own rules judge.
func TestFlowsByName(t *testing.T) {
	option.Config.EnableL7Proxy = true
	// The agent makes it when it starts; names are compiled through it.
	if err := re.InitRegexCompileLRU(slog.New(slog.DiscardHandler), 1024); err != nil {
		t.Fatal(err)
	}
	s := network.Settings{Plugin: network.Cilium}
	tenant := network.Tenant{Egress: []network.Flow{
		{Name: "api", FQDN: "api.example.org", Workloads: map[string]string{"app": "shop"}, Ports: []network.Port{{Port: 443}}, Reason: "payments are made there"},
		{Name: "updates", FQDN: "*.example.org", Ports: []network.Port{{Port: 443}, {Port: 8000, EndPort: 8100}}, Reason: "updates come from there"},
	}}
	if err := tenant.Validate(s); err != nil {
		t.Fatal(err)
	}
	judged := 0
	for _, object := range network.TenantObjects("shop", tenant, s) {
		made := object.(*unstructured.Unstructured)
		if made.GetKind() != "CiliumNetworkPolicy" {
			continue
		}
		text, err := json.Marshal(made)
		if err != nil {
			t.Fatal(err)
		}
		var policy cilium.CiliumNetworkPolicy
		strictly(t, made.GetName(), text, &policy)
		policy.ObjectMeta.UID = "x"
		rules, err := policy.Parse(slog.New(slog.DiscardHandler), "prod")
		if err != nil || len(rules) != 1 || len(rules[0].Egress) != 2 {
			t.Errorf("%s: %v: %v", made.GetName(), rules, err)
			continue
		}
		if names := rules[0].Egress[0].ToFQDNs; len(names) != 1 || fmt.Sprint(names[0].MatchName, names[0].MatchPattern) != tenant.Egress[judged].FQDN {
			t.Errorf("%s: %v", made.GetName(), names)
		}
		judged++
	}
	if judged != 2 {
		t.Errorf("%d were judged", judged)
	}
}

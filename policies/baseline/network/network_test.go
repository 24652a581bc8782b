package network

import (
	"encoding/json"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// good is a flow with nothing wrong, for a test to change in one place.
func good(change func(*Flow)) Flow {
	f := Flow{Name: "database", CIDR: "10.20.0.0/24", Ports: []Port{{Port: 5432}}, Reason: "orders are kept there"}
	change(&f)
	return f
}

func TestFlowsAreRefused(t *testing.T) {
	for name, each := range map[string]struct {
		flow  Flow
		field string
	}{
		"no name":              {good(func(f *Flow) { f.Name = "" }), "egress[0].name"},
		"no end":               {good(func(f *Flow) { f.CIDR = "" }), "egress[0]:"},
		"two ends":             {good(func(f *Flow) { f.Tenant = "other" }), "egress[0]:"},
		"not a range":          {good(func(f *Flow) { f.CIDR = "10.20.0.1" }), "egress[0].cidr"},
		"host bits":            {good(func(f *Flow) { f.CIDR = "10.20.0.1/24" }), "10.20.0.0/24"},
		"everything":           {good(func(f *Flow) { f.CIDR = "0.0.0.0/0" }), "egress[0].cidr"},
		"half of everything":   {good(func(f *Flow) { f.CIDR = "0.0.0.0/1" }), "wider than a /8"},
		"everything of IPv6":   {good(func(f *Flow) { f.CIDR = "::/0" }), "egress[0].cidr"},
		"metadata":             {good(func(f *Flow) { f.CIDR = "169.254.169.254/32" }), "M21"},
		"around metadata":      {good(func(f *Flow) { f.CIDR = "169.254.0.0/16" }), "M21"},
		"a range with it":      {good(func(f *Flow) { f.CIDR = "169.0.0.0/8" }), "M21"},
		"metadata of IPv6":     {good(func(f *Flow) { f.CIDR = "fd00:ec2::254/128" }), "M21"},
		"metadata in disguise": {good(func(f *Flow) { f.CIDR = "::ffff:169.254.169.254/128" }), "egress[0].cidr"},
		"loopback":             {good(func(f *Flow) { f.CIDR = "127.0.0.1/32" }), "loopback"},
		"multicast":            {good(func(f *Flow) { f.CIDR = "224.0.0.0/24" }), "multicast"},
		"pod identity, any":    {good(func(f *Flow) { f.CIDR = "169.254.170.23/32" }), "port 80"},
		"a name":               {good(func(f *Flow) { f.CIDR, f.FQDN = "", "api.example.org" }), "no policies by name"},
		"no port":              {good(func(f *Flow) { f.Ports = nil }), "egress[0].ports"},
		"port 0":               {good(func(f *Flow) { f.Ports = []Port{{}} }), "ports[0].port"},
		"a range backwards":    {good(func(f *Flow) { f.Ports = []Port{{Port: 90, EndPort: 80}} }), "ports[0].endPort"},
		"a protocol":           {good(func(f *Flow) { f.Ports = []Port{{Protocol: "ICMP", Port: 1}} }), "ports[0].protocol"},
		"a label":              {good(func(f *Flow) { f.Workloads = map[string]string{"a b": "c"} }), "workloads"},
		"pods of nobody":       {good(func(f *Flow) { f.TenantWorkloads = map[string]string{"a": "c"} }), "tenantWorkloads"},
		"a namespace":          {good(func(f *Flow) { f.CIDR, f.Tenant = "", "Other" }), "egress[0].tenant"},
		"to the API server":    {good(func(f *Flow) { f.CIDR, f.APIServer, f.Ports = "", true, nil }), "apiServers"},
		"its port":             {good(func(f *Flow) { f.CIDR, f.APIServer = "", true }), "egress[0].ports"},
		"no reason":            {good(func(f *Flow) { f.Reason = "n/a" }), "egress[0].reason"},
	} {
		if err := (Tenant{Egress: []Flow{each.flow}}).Validate(Settings{}); err == nil || !strings.Contains(err.Error(), each.field) {
			t.Errorf("%s: want %q, got %v", name, each.field, err)
		}
	}
	twice := Tenant{Ingress: []Flow{good(func(*Flow) {}), good(func(*Flow) {})}}
	if err := twice.Validate(Settings{}); err == nil || !strings.Contains(err.Error(), "ingress[1].name") {
		t.Errorf("a name twice: %v", err)
	}
	fromName := Tenant{Ingress: []Flow{good(func(f *Flow) { f.CIDR, f.FQDN = "", "api.example.org" })}}
	fromAPI := Tenant{Ingress: []Flow{good(func(f *Flow) { f.CIDR, f.APIServer, f.Ports = "", true, nil })}}
	if err := fromAPI.Validate(Settings{APIServers: []Endpoint{{CIDR: "10.0.0.9/32"}}}); err == nil || !strings.Contains(err.Error(), "in egress") {
		t.Errorf("ingress from the API server: %v", err)
	}
	if err := fromName.Validate(Settings{Plugin: Cilium}); err == nil || !strings.Contains(err.Error(), "destinations alone") {
		t.Errorf("ingress from a name: %v", err)
	}
}

func TestFlowsAreAccepted(t *testing.T) {
	for name, flow := range map[string]Flow{
		"a range":      good(func(*Flow) {}),
		"IPv6":         good(func(f *Flow) { f.CIDR = "2001:db8::/48" }),
		"ports":        good(func(f *Flow) { f.Ports = []Port{{Protocol: "UDP", Port: 1000, EndPort: 2000}} }),
		"a tenant":     good(func(f *Flow) { f.CIDR, f.Tenant = "", "other" }),
		"a name":       good(func(f *Flow) { f.CIDR, f.FQDN = "", "*.example.org" }),
		"API server":   good(func(f *Flow) { f.CIDR, f.APIServer, f.Ports = "", true, nil }),
		"pod identity": good(func(f *Flow) { f.CIDR, f.Ports = "169.254.170.23/32", []Port{{Port: 80}} }),
	} {
		if err := (Tenant{Egress: []Flow{flow}}).Validate(Settings{Plugin: Cilium, APIServers: []Endpoint{{CIDR: "10.0.0.9/32", Port: 6443}}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSettingsAreRefused(t *testing.T) {
	for want, s := range map[string]Settings{
		"network.plugin":                                              {Plugin: "flannel"},
		"network.clusterPolicies: \"iptables\"":                       {ClusterPolicies: "iptables"},
		"only cilium reads this form":                                 {ClusterPolicies: CiliumClusterwide, Plugin: Calico},
		"network.nodeLocalDNS[0]":                                     {NodeLocalDNS: []string{"169.254.169.254"}},
		"network.nodeCIDRs[0]":                                        {NodeCIDRs: []string{"10.0.0.1/8"}},
		"network.apiServers[0].cidr: 0.0.0.0/0 holds 169.254.169.254": {APIServers: []Endpoint{{CIDR: "0.0.0.0/0"}}},
		"network.apiServers[0].cidr: 0.0.0.0/1 is wider":              {APIServers: []Endpoint{{CIDR: "0.0.0.0/1"}}},
		"network.apiServers[0].port":                                  {APIServers: []Endpoint{{CIDR: "10.0.0.9/32", Port: 70000}}},
		"network.resolvers[0]":                                        {Resolvers: []string{"10.0.0.2"}},
		"network.clusterPolicies: would cut":                          {Plugin: Cilium, ClusterPolicies: CiliumClusterwide, PodsAskResolvers: true},
		"network.system[0].namespace":                                 {System: []SystemNamespace{{Namespace: "kube-system"}}},
		"network.system[1].namespace: addon stands twice":             {System: []SystemNamespace{{Namespace: "addon"}, {Namespace: "addon"}}},
		"network.system[0].egress[0].cidr":                            {System: []SystemNamespace{{Namespace: "addon", Egress: []Flow{good(func(f *Flow) { f.CIDR = "0.0.0.0/0" })}}}},
		"network.exempt[0].reason":                                    {Exempt: []Exempt{{Namespace: "monitoring"}}},
	} {
		if err := s.Validate("network"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// Every policy of a tenant names both directions, selects by the name of the
// namespace that nobody can change, and says why it is there.
func TestTenantPolicies(t *testing.T) {
	objects := TenantObjects("shop", Tenant{
		Ingress: []Flow{{Name: "front", Tenant: "front", TenantWorkloads: map[string]string{"app": "web"}, Workloads: map[string]string{"app": "api"}, Ports: []Port{{Port: 8080}}, Reason: "people order"}},
		Egress:  []Flow{good(func(*Flow) {})},
	}, Settings{NodeLocalDNS: []string{"169.254.20.10"}})
	specs := map[string]string{}
	for _, object := range objects {
		made := object.(*unstructured.Unstructured)
		if made.GetAnnotations()[AnnotationReason] == "" || made.GetNamespace() != "shop" {
			t.Errorf("%s: %v", made.GetName(), made.Object["metadata"])
		}
		var typed networkingv1.NetworkPolicy
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(made.Object, &typed, true); err != nil {
			t.Error(err)
		}
		if len(typed.Spec.PolicyTypes) != 2 {
			t.Errorf("%s has %v", made.GetName(), typed.Spec.PolicyTypes)
		}
		text, err := json.Marshal(made.Object["spec"])
		if err != nil {
			t.Fatal(err)
		}
		specs[made.GetName()] = string(text)
	}
	const released = `"matchExpressions":[{"key":"redoubt.dev/quarantine","operator":"DoesNotExist"}]`
	const types = `"policyTypes":["Ingress","Egress"]`
	for name, want := range map[string]string{
		"default-deny": `{"egress":[],"ingress":[],"podSelector":{},` + types + `}`,
		"allow-dns": `{"egress":[{"ports":[{"port":53,"protocol":"UDP"},{"port":53,"protocol":"TCP"}],"to":[` +
			`{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"kube-system"}},"podSelector":{"matchLabels":{"k8s-app":"kube-dns"}}},` +
			`{"ipBlock":{"cidr":"169.254.20.10/32"}}]}],"ingress":[],"podSelector":{` + released + `},` + types + `}`,
		"ingress-front": `{"egress":[],"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"front"}},"podSelector":{"matchLabels":{"app":"web"}}}],` +
			`"ports":[{"port":8080,"protocol":"TCP"}]}],"podSelector":{` + released + `,"matchLabels":{"app":"api"}},` + types + `}`,
		"egress-database": `{"egress":[{"ports":[{"port":5432,"protocol":"TCP"}],"to":[{"ipBlock":{"cidr":"10.20.0.0/24"}}]}],"ingress":[],"podSelector":{` + released + `},` + types + `}`,
	} {
		if specs[name] != want {
			t.Errorf("%s:\n got %s\nwant %s", name, specs[name], want)
		}
	}
	if len(specs) != 4 {
		t.Errorf("%d policies", len(specs))
	}
}

// Where pods ask the resolvers of the cloud themselves, tenants may, on the port of
// DNS alone: the metadata service has the same address (M21).
func TestNamesFromTheCloud(t *testing.T) {
	s := Settings{Resolvers: []string{"169.254.169.254/32"}}
	text := func() string {
		encoded, err := json.Marshal(TenantObjects("shop", Tenant{}, s))
		if err != nil {
			t.Fatal(err)
		}
		return string(encoded)
	}
	if strings.Contains(text(), "169.254") {
		t.Errorf("tenants reach the resolver of the cluster's DNS: %s", text())
	}
	s.PodsAskResolvers = true
	if want := `"egress":[{"ports":[{"port":53,"protocol":"UDP"},{"port":53,"protocol":"TCP"}],"to":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"kube-system"}},"podSelector":{"matchLabels":{"k8s-app":"kube-dns"}}},{"ipBlock":{"cidr":"169.254.169.254/32"}}]}]`; !strings.Contains(text(), want) || strings.Count(text(), "169.254.169.254") != 1 {
		t.Errorf("got %s", text())
	}
}

// An add-on has what a tenant has; kube-system is apart.
func TestAddonsAreIsolated(t *testing.T) {
	objects := AddonObjects(Settings{System: []SystemNamespace{{Namespace: "kube-system"}, {Namespace: "addon", Egress: []Flow{good(func(*Flow) {})}}}})
	var names []string
	for _, object := range objects {
		made := object.(*unstructured.Unstructured)
		names = append(names, made.GetNamespace()+"/"+made.GetName())
	}
	if got := strings.Join(names, " "); got != "addon/default-deny addon/allow-dns addon/egress-database" {
		t.Error(got)
	}
}

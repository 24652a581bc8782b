package baseline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
	"github.com/redoubt-dev/redoubt/policies/baseline/roles"
)

// TenantSpec is a tenant in plain values, as settings give it.
type TenantSpec struct {
	// Name is the namespace.
	Name string `json:"name" jsonschema:"required"`
	// Labels are added to the namespace; those of Pod Security are refused.
	Labels map[string]string `json:"labels"`
	// Quota bounds the whole namespace. Names and quantities are those of a
	// ResourceQuota; they add to the defaults or replace one.
	Quota map[string]string `json:"quota"`
	// ContainerDefaults, ContainerRequests and ContainerMax bound a container:
	// its limits and requests when it names none, and the most it may name.
	ContainerDefaults map[string]string `json:"containerDefaults"`
	ContainerRequests map[string]string `json:"containerRequests"`
	ContainerMax      map[string]string `json:"containerMax"`
	// Class is "restricted", the default, or "baseline" for programs that cannot be
	// restricted: its level of Pod Security, and what the admission policies warn of
	// and refuse elsewhere. Baseline needs an exception for M22/baseline-class.
	Class string `json:"class,omitempty"`
	// Ingress and Egress are all traffic of its pods but DNS: nothing else passes.
	Ingress []network.Flow `json:"ingress,omitempty"`
	Egress  []network.Flow `json:"egress,omitempty"`
	// Registries and IngressHosts narrow what the cluster allows to these: registries
	// as in policies.registries, and names, or *.example.org for those below one.
	Registries   []string `json:"registries,omitempty"`
	IngressHosts []string `json:"ingressHosts,omitempty"`
	// Pool is the isolation pool where its pods run, and run alone: nodes with the
	// label redoubt.dev/pool of this value and the taint of the same name.
	Pool string `json:"pool,omitempty"`
	// Access says who is who in the namespace: groups of the identity provider.
	Access roles.Tenant `json:"access"`
}

// Defaults of a tenant: small enough that one tenant cannot take a node from
// the others, large enough for a few services. Node ports and load balancers
// would pass the private network by, so there are none.
var (
	defaultQuota = map[string]string{
		"requests.cpu": "2", "requests.memory": "2Gi", "limits.cpu": "4", "limits.memory": "4Gi",
		"requests.ephemeral-storage": "5Gi", "limits.ephemeral-storage": "10Gi",
		"pods": "20", "services": "10", "secrets": "50", "configmaps": "50", "persistentvolumeclaims": "10",
		"services.nodeports": "0", "services.loadbalancers": "0",
	}
	defaultLimits   = map[string]string{"cpu": "200m", "memory": "128Mi", "ephemeral-storage": "256Mi"}
	defaultRequests = map[string]string{"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"}
	defaultMax      = map[string]string{"cpu": "2", "memory": "2Gi", "ephemeral-storage": "2Gi"}
)

// Classes of tenants.
const (
	ClassRestricted = "restricted"
	ClassBaseline   = "baseline"
	// ControlClass is what an exception names for a tenant of the class baseline.
	ControlClass = "M22/baseline-class"
)

// podSecurityPrefix is the prefix of the labels that set a namespace's level.
const podSecurityPrefix = "pod-security.kubernetes.io/"

// reservedNamespaces belong to Kubernetes itself.
var reservedNamespaces = []string{"default", "kube-system", "kube-public", "kube-node-lease"}

const systemNamespace = "kube-system"

// unusedNamespaces are those of Kubernetes where no pod runs.
var unusedNamespaces = []string{"default", "kube-public", "kube-node-lease"}

// withDefaults fills in what the settings leave open.
func (t TenantSpec) withDefaults() TenantSpec {
	if t.Class == "" {
		t.Class = ClassRestricted
	}
	t.Quota = merged(defaultQuota, t.Quota)
	t.ContainerDefaults = merged(defaultLimits, t.ContainerDefaults)
	t.ContainerRequests = merged(defaultRequests, t.ContainerRequests)
	t.ContainerMax = merged(defaultMax, t.ContainerMax)
	return t
}

// flows are the tenant's, as package network takes them.
func (t TenantSpec) flows() network.Tenant {
	return network.Tenant{Ingress: t.Ingress, Egress: t.Egress}
}

// ValidateTenants reports everything that is wrong with the tenants of a cluster
// with this network and these exceptions, by their index.
func ValidateTenants(tenants []TenantSpec, in network.Settings, exceptions []hostconfig.Exception) []error {
	problems := make([]error, len(tenants))
	flows := map[string]network.Tenant{}
	for i, t := range tenants {
		problems[i] = t.ValidateIn(in, exceptions)
		if _, twice := flows[t.Name]; twice {
			problems[i] = errors.Join(problems[i], fmt.Errorf("name: there are two tenants %s: give each its own namespace", t.Name))
		}
		flows[t.Name] = t.flows()
	}
	for _, n := range in.System {
		if i := slices.IndexFunc(tenants, func(t TenantSpec) bool { return t.Name == n.Namespace }); i >= 0 {
			problems[i] = errors.Join(problems[i], fmt.Errorf("name: %s is a namespace of the system in baseline.network.system: write it in one of the two", n.Namespace))
			continue
		}
		if n.Namespace != systemNamespace { // the cluster's own pods have flows beside these
			flows[n.Namespace] = n.Flows()
		}
	}
	for i, t := range tenants {
		problems[i] = errors.Join(problems[i], network.Unanswered(flows, t.Name))
	}
	return problems
}

// ValidateIn reports everything that is wrong with the tenant in a cluster with
// this network and these exceptions.
func (t TenantSpec) ValidateIn(in network.Settings, exceptions []hostconfig.Exception) error {
	problems := []error{t.Validate(), t.flows().Validate(in)}
	if t.Class == ClassBaseline && !hostconfig.Excepted(exceptions, ControlClass) {
		problems = append(problems, fmt.Errorf("class: %q is less than restricted and weakens control %s: %s", t.Class, ControlClass, hostconfig.AcceptRisk(ControlClass)))
	}
	return errors.Join(problems...)
}

// Validate reports everything that is wrong with the tenant by itself.
func (t TenantSpec) Validate() error {
	var problems []error
	if !slices.Contains([]string{"", ClassRestricted, ClassBaseline}, t.Class) {
		problems = append(problems, fmt.Errorf("class: %q is not a class: write restricted or baseline", t.Class))
	}
	for i, registry := range t.Registries {
		if !admission.IsRegistry(registry) {
			problems = append(problems, fmt.Errorf("registries[%d]: %q is not a registry: write a host, and perhaps a path, without scheme and without tag: registry.example.org/team", i, registry))
		}
	}
	for i, host := range t.IngressHosts {
		if len(validation.IsDNS1123Subdomain(strings.TrimPrefix(host, "*."))) > 0 || !strings.Contains(host, ".") {
			problems = append(problems, fmt.Errorf("ingressHosts[%d]: %q is not a name: write it like shop.example.org or *.shop.example.org", i, host))
		}
	}
	if t.Pool != "" && len(validation.IsDNS1123Label(t.Pool)) > 0 {
		problems = append(problems, fmt.Errorf("pool: %q is not the name of a pool: write the value of the nodes' label %s", t.Pool, admission.LabelPool))
	}
	for _, message := range validation.IsDNS1123Label(t.Name) {
		problems = append(problems, fmt.Errorf("name: %q: %s", t.Name, message))
	}
	if slices.Contains(reservedNamespaces, t.Name) {
		problems = append(problems, fmt.Errorf("name: namespace %s belongs to Kubernetes: choose another", t.Name))
	}
	for label := range t.Labels {
		if len(label) >= len(podSecurityPrefix) && label[:len(podSecurityPrefix)] == podSecurityPrefix {
			problems = append(problems, fmt.Errorf("labels: %s is set by Redoubt to the class (M22): remove it", label))
		}
		if label == admission.LabelPodRules {
			problems = append(problems, fmt.Errorf("labels: %s is set by Redoubt where nothing narrows the tenant's pods (M24): remove it", label))
		}
	}
	if err := t.Access.Validate("access"); err != nil {
		problems = append(problems, err)
	}
	for field, quantities := range map[string]map[string]string{
		"quota": t.Quota, "containerDefaults": t.ContainerDefaults, "containerRequests": t.ContainerRequests, "containerMax": t.ContainerMax,
	} {
		for name, quantity := range quantities {
			if q, err := resource.ParseQuantity(quantity); err != nil || q.Sign() < 0 {
				problems = append(problems, fmt.Errorf("%s.%s: %q is not a quantity: write it like 500m, 2 or 1Gi", field, name, quantity))
			}
		}
	}
	return errors.Join(problems...)
}

func merged(defaults, own map[string]string) map[string]string {
	out := map[string]string{}
	for name, quantity := range defaults {
		out[name] = quantity
	}
	for name, quantity := range own {
		out[name] = quantity
	}
	return out
}

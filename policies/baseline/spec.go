package baseline

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

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

// podSecurityPrefix is the prefix of the labels that set a namespace's level.
const podSecurityPrefix = "pod-security.kubernetes.io/"

// reservedNamespaces belong to Kubernetes itself.
var reservedNamespaces = []string{"default", "kube-system", "kube-public", "kube-node-lease"}

// withDefaults fills in what the settings leave open.
func (t TenantSpec) withDefaults() TenantSpec {
	t.Quota = merged(defaultQuota, t.Quota)
	t.ContainerDefaults = merged(defaultLimits, t.ContainerDefaults)
	t.ContainerRequests = merged(defaultRequests, t.ContainerRequests)
	t.ContainerMax = merged(defaultMax, t.ContainerMax)
	return t
}

// Validate reports everything that is wrong with the tenant.
func (t TenantSpec) Validate() error {
	var problems []error
	for _, message := range validation.IsDNS1123Label(t.Name) {
		problems = append(problems, fmt.Errorf("name: %q: %s", t.Name, message))
	}
	if slices.Contains(reservedNamespaces, t.Name) {
		problems = append(problems, fmt.Errorf("name: namespace %s belongs to Kubernetes: choose another", t.Name))
	}
	for label := range t.Labels {
		if len(label) >= len(podSecurityPrefix) && label[:len(podSecurityPrefix)] == podSecurityPrefix {
			problems = append(problems, fmt.Errorf("labels: %s is set by Redoubt to restricted (M22): remove it", label))
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

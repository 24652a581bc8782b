package baseline

import (
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// recorder keeps what a program registers.
type recorder struct {
	mu        sync.Mutex
	resources map[string]resource.PropertyMap // by type
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resources[args.TypeToken] = args.Inputs
	return args.Name, args.Inputs, nil
}

func (*recorder) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

// tenant registers a tenant and gives the inputs of what it consists of.
func tenant(t *testing.T, spec TenantSpec) map[string]resource.PropertyMap {
	t.Helper()
	r := &recorder{resources: map[string]resource.PropertyMap{}}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := NewTenant(ctx, "demo", &TenantArgs{Spec: spec})
		return err
	}, pulumi.WithMocks("redoubt", "test", r))
	if err != nil {
		t.Fatal(err)
	}
	return r.resources
}

// A user's quota adds to the defaults; what it does not name keeps its bound.
func TestQuotaAddsToTheDefaults(t *testing.T) {
	quota := tenant(t, TenantSpec{Name: "demo", Quota: map[string]string{"pods": "5", "count/jobs.batch": "3"}})["kubernetes:core/v1:ResourceQuota"]
	hard := quota["spec"].ObjectValue()["hard"].ObjectValue()
	for name, want := range map[resource.PropertyKey]string{"pods": "5", "count/jobs.batch": "3", "services.nodeports": "0", "services.loadbalancers": "0", "limits.cpu": "4"} {
		if got := hard[name]; !got.IsString() || got.StringValue() != want {
			t.Errorf("%s = %v, want %s", name, got, want)
		}
	}
}

// Both directions are denied in so many words: a rule that somebody adds must
// be a difference from the declaration.
func TestDefaultDenyNamesBothDirections(t *testing.T) {
	spec := tenant(t, TenantSpec{Name: "demo"})["kubernetes:networking.k8s.io/v1:NetworkPolicy"]["spec"].ObjectValue()
	for _, direction := range []resource.PropertyKey{"ingress", "egress"} {
		if rules := spec[direction]; !rules.IsArray() || len(rules.ArrayValue()) != 0 {
			t.Errorf("%s = %v, want an empty list", direction, rules)
		}
	}
	if types := spec["policyTypes"].ArrayValue(); len(types) != 2 {
		t.Errorf("policyTypes = %v", types)
	}
}

func TestNamespaceIsRestricted(t *testing.T) {
	labels := tenant(t, TenantSpec{Name: "demo", Labels: map[string]string{"team": "a"}})["kubernetes:core/v1:Namespace"]["metadata"].ObjectValue()["labels"].ObjectValue()
	for label, want := range map[resource.PropertyKey]string{
		"team": "a", podSecurityPrefix + "enforce": "restricted", podSecurityPrefix + "audit": "restricted", podSecurityPrefix + "warn": "restricted",
		podSecurityPrefix + "enforce-version": "v1.35",
	} {
		if got := labels[label]; !got.IsString() || got.StringValue() != want {
			t.Errorf("%s = %v, want %s", label, got, want)
		}
	}
}

func TestTenantRefusals(t *testing.T) {
	for want, spec := range map[string]TenantSpec{
		"name: \"Demo\"":                  {Name: "Demo"},
		"belongs to Kubernetes":           {Name: "default"},
		"is set by Redoubt to restricted": {Name: "a", Labels: map[string]string{podSecurityPrefix + "warn": "baseline"}},
		"containerMax.cpu: \"lots\"":      {Name: "a", ContainerMax: map[string]string{"cpu": "lots"}},
		"quota.pods: \"-1\"":              {Name: "a", Quota: map[string]string{"pods": "-1"}},
	} {
		if err := spec.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

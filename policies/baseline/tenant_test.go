package baseline

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
)

// recorder keeps what a program registers.
type recorder struct {
	mu        sync.Mutex
	resources map[string]resource.PropertyMap // by type, and by name
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resources[args.TypeToken] = args.Inputs
	r.resources[args.Name] = args.Inputs
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
	quota := tenant(t, TenantSpec{Name: "demo", Quota: map[string]string{"pods": "5", "count/jobs.batch": "3"}})["demo-quota"]
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
	spec := tenant(t, TenantSpec{Name: "demo"})["demo-default-deny"]["spec"].ObjectValue()
	for _, direction := range []resource.PropertyKey{"ingress", "egress"} {
		if rules := spec[direction]; !rules.IsArray() || len(rules.ArrayValue()) != 0 {
			t.Errorf("%s = %v, want an empty list", direction, rules)
		}
	}
	if types := spec["policyTypes"].ArrayValue(); len(types) != 2 {
		t.Errorf("policyTypes = %v", types)
	}
}

// M21, M23: what bounds a tenant carries the platform's label, by which nobody else changes or deletes it.
func TestBoundsAreThePlatforms(t *testing.T) {
	made := tenant(t, TenantSpec{Name: "demo"})
	for _, name := range []string{"demo-quota", "demo-limits", "demo-default-deny", "demo-platform-priority"} {
		labels := made[name]["metadata"].ObjectValue()["labels"]
		if !labels.IsObject() || labels.ObjectValue()[admission.LabelManagedBy].StringValue() != admission.ManagedBy {
			t.Errorf("%s has the labels %v", name, labels)
		}
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
		"name: \"Demo\"":                 {Name: "Demo"},
		"belongs to Kubernetes":          {Name: "default"},
		"is set by Redoubt to the class": {Name: "a", Labels: map[string]string{podSecurityPrefix + "warn": "baseline"}},
		"containerMax.cpu: \"lots\"":     {Name: "a", ContainerMax: map[string]string{"cpu": "lots"}},
		"class: \"lax\" is not a class":  {Name: "a", Class: "lax"},
		"registries[0]: \"https://r\"":   {Name: "a", Registries: []string{"https://r"}},
		"ingressHosts[0]: \"localhost\"": {Name: "a", IngressHosts: []string{"localhost"}},
		"pool: \"A pool\"":               {Name: "a", Pool: "A pool"},
		"quota.pods: \"-1\"":             {Name: "a", Quota: map[string]string{"pods": "-1"}},
	} {
		if err := spec.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// What the admission policies read of a tenant stands on its namespace, and only
// what was said.
func TestNamespaceTellsWhatIsNarrowed(t *testing.T) {
	metadata := func(spec TenantSpec) map[string]string {
		out := map[string]string{}
		for key, value := range tenant(t, spec)["kubernetes:core/v1:Namespace"]["metadata"].ObjectValue()["annotations"].ObjectValue() {
			out[string(key)] = value.StringValue()
		}
		return out
	}
	got := metadata(TenantSpec{Name: "demo", Registries: []string{"r.example.org/a", "r.example.org/b"}, IngressHosts: []string{"*.a.example.org"}, Pool: "cards"})
	for key, want := range map[string]string{admission.AnnotationRegistries: "r.example.org/a,r.example.org/b", admission.AnnotationIngressHosts: "*.a.example.org"} {
		if got[key] != want {
			t.Errorf("%s = %q, want %q", key, got[key], want)
		}
	}
	pool := tenant(t, TenantSpec{Name: "demo", Pool: "cards"})["kubernetes:core/v1:Namespace"]["metadata"].ObjectValue()["labels"].ObjectValue()[admission.LabelPool]
	if !pool.IsString() || pool.StringValue() != "cards" {
		t.Errorf("pool: %v", pool)
	}
	if got := metadata(TenantSpec{Name: "demo"}); len(got) != 1 {
		t.Errorf("annotations of a tenant that says nothing: %v", got)
	}
}

// M24, M26: the label by which pods are judged sooner is on a tenant where nothing narrows what they may do, and on no
// other: the policy pod-rules would refuse it.
func TestTenantSaysWhetherPodsAreNarrowed(t *testing.T) {
	for name, c := range map[string]struct {
		spec TenantSpec
		want bool
	}{
		"nothing":         {TenantSpec{}, true},
		"hosts":           {TenantSpec{IngressHosts: []string{"a.example.org"}}, true}, // are not of pods
		"a label":         {TenantSpec{Labels: map[string]string{"team": "a"}}, true},
		"registries":      {TenantSpec{Registries: []string{"r.example.org/a"}}, false},
		"a pool":          {TenantSpec{Pool: "cards"}, false},
		"a pool by label": {TenantSpec{Labels: map[string]string{admission.LabelPool: "cards"}}, false},
		"user namespaces": {TenantSpec{Labels: map[string]string{admission.LabelUserNamespaces: "required"}}, false},
	} {
		c.spec.Name = "demo"
		labels := tenant(t, c.spec)["kubernetes:core/v1:Namespace"]["metadata"].ObjectValue()["labels"].ObjectValue()
		if _, got := labels[admission.LabelPodRules]; got != c.want {
			t.Errorf("%s: labelled %t", name, got)
		}
	}
	err := TenantSpec{Name: "demo", Labels: map[string]string{admission.LabelPodRules: admission.PodRulesOfCluster}}.ValidateIn(network.Settings{}, nil)
	if err == nil || !strings.Contains(err.Error(), admission.LabelPodRules) {
		t.Errorf("a label of the tenant's own: %v", err)
	}
}

// The class baseline weakens Pod Security: it needs an exception, enforces less and
// still warns of the same.
func TestClassBaselineNeedsAnException(t *testing.T) {
	spec := TenantSpec{Name: "demo", Class: ClassBaseline}
	if err := spec.ValidateIn(network.Settings{}, nil); err == nil || !strings.Contains(err.Error(), ControlClass) {
		t.Errorf("without an exception: %v", err)
	}
	accepted := []hostconfig.Exception{{Control: ControlClass, Reason: "a program of a vendor runs as root", Expires: "2027-01-31"}}
	if err := spec.ValidateIn(network.Settings{}, accepted); err != nil {
		t.Error(err)
	}
	r := &recorder{resources: map[string]resource.PropertyMap{}}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := NewTenant(ctx, "demo", &TenantArgs{Spec: spec, Exceptions: accepted})
		return err
	}, pulumi.WithMocks("redoubt", "test", r))
	if err != nil {
		t.Fatal(err)
	}
	labels := r.resources["kubernetes:core/v1:Namespace"]["metadata"].ObjectValue()["labels"].ObjectValue()
	if labels[podSecurityPrefix+"enforce"].StringValue() != ClassBaseline || labels[podSecurityPrefix+"warn"].StringValue() != ClassRestricted {
		t.Errorf("labels: %v", labels)
	}
}

// Flows between tenants hold at both ends or at none.
func TestTenantsAreJudgedTogether(t *testing.T) {
	ports := []network.Port{{Port: 8443}}
	shop := TenantSpec{Name: "shop", Egress: []network.Flow{{Name: "cards", Tenant: "cards", Ports: ports, Reason: "orders are paid"}}}
	cards := TenantSpec{Name: "cards", Ingress: []network.Flow{{Name: "shop", Tenant: "shop", Ports: ports, Reason: "orders are paid"}}}
	if err := errors.Join(ValidateTenants([]TenantSpec{shop, cards}, network.Settings{}, nil)...); err != nil {
		t.Error(err)
	}
	cards.Ingress = nil
	problems := ValidateTenants([]TenantSpec{shop, cards, shop}, network.Settings{}, nil)
	if problems[0] == nil || !strings.Contains(problems[0].Error(), "egress[0]") || problems[1] != nil || !strings.Contains(problems[2].Error(), "two tenants shop") {
		t.Errorf("%v", problems)
	}
}

package hostconfig

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func TestBootstrapGolden(t *testing.T) {
	var documents []string
	seen := map[string]bool{}
	for _, object := range BootstrapObjects() {
		accessor, err := meta.Accessor(object)
		if err != nil {
			t.Fatal(err)
		}
		kind := object.GetObjectKind().GroupVersionKind()
		if kind.Empty() || accessor.GetName() == "" || seen[kind.Kind+accessor.GetName()] {
			t.Errorf("incomplete or repeated: %+v", object)
		}
		seen[kind.Kind+accessor.GetName()] = true
		document, err := renderYAML(object)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, document)
	}
	golden.Compare(t, "bootstrap.yaml", strings.Join(documents, "---\n"))
}

func objectsOf[T runtime.Object](t *testing.T) map[string]T {
	t.Helper()
	found := map[string]T{}
	for _, object := range BootstrapObjects() {
		if typed, ok := object.(T); ok {
			accessor, err := meta.Accessor(object)
			if err != nil {
				t.Fatal(err)
			}
			found[accessor.GetName()] = typed
		}
	}
	return found
}

// forbiddenGrants turn into every right of the cluster.
var forbiddenGrants = map[string][]string{
	"nodes/proxy":                         {"get", "create", "update", "patch", "delete"},
	"certificatesigningrequests/approval": {"update", "patch"},
	"certificatesigningrequests/status":   {"update", "patch"},
	"nodes/status":                        {"update", "patch"},
	"pods/binding":                        {"create"},
	"signers":                             {"approve", "sign"},
	"serviceaccounts":                     {"impersonate"},
	"users":                               {"impersonate"},
	"groups":                              {"impersonate"},
	"clusterroles":                        {"bind", "escalate"},
	"roles":                               {"bind", "escalate"},
	"mutatingadmissionpolicies":           {"create"},
	"storageversionmigrations":            {"create"},
}

func TestPlatformAdminIsEnumerated(t *testing.T) {
	role := objectsOf[*rbacv1.ClusterRole](t)["redoubt:platform-admin"]
	if role == nil || role.AggregationRule != nil {
		t.Fatal("no role, or one that others can add to")
	}
	for _, rule := range role.Rules {
		for _, list := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs} {
			for _, item := range list {
				if strings.Contains(item, "*") {
					t.Errorf("a wildcard: %+v", rule)
				}
			}
		}
		for _, verb := range rule.Verbs {
			// Virtual resources of the project's own group grant nothing by themselves.
			if slices.Contains([]string{"impersonate", "escalate", "bind", "approve", "sign", "use"}, verb) && !slices.Equal(rule.APIGroups, []string{"redoubt.dev"}) {
				t.Errorf("%s: %+v", verb, rule)
			}
			for _, resource := range rule.Resources {
				if slices.Contains(forbiddenGrants[resource], verb) {
					t.Errorf("%s of %s is granted", verb, resource)
				}
			}
		}
	}
}

// TestPlatformAdminHoldsWhatTenantsGet: the API server refuses a role that grants
// more than its author holds.
func TestPlatformAdminHoldsWhatTenantsGet(t *testing.T) {
	role := objectsOf[*rbacv1.ClusterRole](t)["redoubt:platform-admin"]
	holds := func(group, resource, verb string) bool {
		return slices.ContainsFunc(role.Rules, func(rule rbacv1.PolicyRule) bool {
			return slices.Contains(rule.APIGroups, group) && slices.Contains(rule.Resources, resource) && slices.Contains(rule.Verbs, verb)
		})
	}
	for _, each := range []struct{ group, resources, verbs string }{
		{"", "pods services configmaps secrets serviceaccounts persistentvolumeclaims", "get list watch create update patch delete deletecollection"},
		{"", "pods/log", "get"},
		{"", "pods/exec pods/attach pods/portforward", "get create"},
		{"", "pods/eviction serviceaccounts/token", "create"},
		{"", "pods/ephemeralcontainers pods/resize", "update patch"},
		{"", "namespaces resourcequotas limitranges", "create update delete"},
		{"", "nodes", "get list update patch delete"},
		{"apps", "deployments statefulsets daemonsets replicasets", "create update patch delete"},
		{"apps", "deployments/scale", "update patch"},
		{"batch", "jobs cronjobs", "create delete"},
		{"autoscaling", "horizontalpodautoscalers", "create"},
		{"policy", "poddisruptionbudgets", "create"},
		{"networking.k8s.io", "networkpolicies ingresses", "create delete"},
		{"rbac.authorization.k8s.io", "roles rolebindings clusterroles clusterrolebindings", "create update delete"},
		{"storage.k8s.io", "storageclasses", "create"},
		{"scheduling.k8s.io", "priorityclasses", "create"},
		{"node.k8s.io", "runtimeclasses", "create"},
		{"admissionregistration.k8s.io", "validatingadmissionpolicies validatingadmissionpolicybindings validatingwebhookconfigurations mutatingwebhookconfigurations", "create delete"},
		{"apiextensions.k8s.io", "customresourcedefinitions", "create"},
		{"certificates.k8s.io", "certificatesigningrequests", "get list watch delete"},
		{"coordination.k8s.io", "leases", "create update"},
		{"events.k8s.io", "events", "create"},
		{"authorization.k8s.io", "selfsubjectaccessreviews", "create"},
	} {
		for _, resource := range strings.Fields(each.resources) {
			for _, verb := range strings.Fields(each.verbs) {
				if !holds(each.group, resource, verb) {
					t.Errorf("%s of %s.%s is missing", verb, resource, each.group)
				}
			}
		}
	}
}

func TestBindings(t *testing.T) {
	bindings := objectsOf[*rbacv1.ClusterRoleBinding](t)
	got := map[string]string{}
	for _, binding := range bindings {
		if binding.RoleRef.Name == "cluster-admin" {
			t.Error("something is bound to cluster-admin (CIS 5.1.1)")
		}
		for _, subject := range binding.Subjects {
			if slices.Contains([]string{"system:anonymous", "system:unauthenticated", "system:authenticated", "system:masters"}, subject.Name) {
				t.Errorf("%s binds %s", binding.Name, subject.Name)
			}
			got[binding.RoleRef.Name] = subject.Kind + " " + subject.Name
		}
	}
	want := map[string]string{
		"redoubt:platform-admin":   "Group redoubt:platform-admins",
		"redoubt:agent":            "User redoubt:agent",
		"system:node-bootstrapper": "Group system:bootstrappers:redoubt",
		"system:kubelet-api-admin": "User kube-apiserver-kubelet-client",
		"redoubt:policy-agent":     "Group redoubt:policy-agents",
	}
	for role, subject := range want {
		if got[role] != subject {
			t.Errorf("%s is bound to %q", role, got[role])
		}
	}
	// nodeclient would let any token obtain any node's certificate.
	if len(got) != len(want) {
		t.Errorf("bindings: %v", got)
	}
}

// TestPolicyAgentsOnlyRead: each node has one, and what a node holds a stolen
// node gives away.
func TestPolicyAgentsOnlyRead(t *testing.T) {
	for _, rule := range objectsOf[*rbacv1.ClusterRole](t)["redoubt:policy-agent"].Rules {
		for _, verb := range rule.Verbs {
			if !slices.Contains(strings.Fields(verbsRead), verb) {
				t.Errorf("%s: %+v", verb, rule)
			}
		}
		for _, resource := range rule.Resources {
			if slices.Contains([]string{"secrets", "configmaps", "*"}, resource) || strings.Contains(resource, "/") {
				t.Errorf("%s: %+v", resource, rule)
			}
		}
	}
}

func TestAgentApprovesForNodesOnly(t *testing.T) {
	role := objectsOf[*rbacv1.ClusterRole](t)["redoubt:agent"]
	for _, rule := range role.Rules {
		if slices.Contains(rule.Resources, "signers") {
			approves := slices.Equal(rule.Verbs, []string{"approve"}) && slices.Equal(rule.ResourceNames,
				[]string{"kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving", SignerPolicyAgent})
			signs := slices.Equal(rule.Verbs, []string{"sign"}) && slices.Equal(rule.ResourceNames, []string{SignerPolicyAgent})
			if !approves && !signs {
				t.Errorf("signers: %+v", rule)
			}
		} else if slices.Contains(rule.Verbs, "create") || slices.Contains(rule.Verbs, "delete") {
			t.Errorf("more than it needs: %+v", rule)
		}
	}
}

func TestNodeGroups(t *testing.T) {
	if got := GroupNodeBootstrapper("worker-1"); got != "system:bootstrappers:redoubt:node:worker-1" {
		t.Error(got)
	}
}

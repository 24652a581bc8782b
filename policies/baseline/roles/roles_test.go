package roles

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

var all = map[string][]rbacv1.PolicyRule{
	Operator: OperatorRules(), Auditor: AuditorRules(), Responder: ResponderRules(), BreakGlass: BreakGlassRules(),
	Developer: DeveloperRules(), Debugger: DebuggerRules(), Viewer: ViewerRules(),
}

// each gives every verb on every resource of rules.
func each(rules []rbacv1.PolicyRule, do func(group, resource, verb string)) {
	for _, r := range rules {
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					do(group, resource, verb)
				}
			}
		}
	}
}

func holds(rules []rbacv1.PolicyRule, group, resource, verb string) bool {
	found := false
	each(rules, func(g, r, v string) { found = found || g == group && r == resource && v == verb })
	return found
}

// TestRolesAreEnumeratedAndHeld: no wildcard, nothing by which a right is taken (CIS 5.1.3, 5.1.8), and nothing that
// the author of the roles does not hold.
func TestRolesAreEnumeratedAndHeld(t *testing.T) {
	admin := hostconfig.PlatformAdminRules()
	for name, rules := range all {
		each(rules, func(group, resource, verb string) {
			if strings.Contains(group+resource+verb, "*") || slices.Contains([]string{"escalate", "bind", "impersonate", "approve", "sign"}, verb) {
				t.Errorf("%s: %s %s %s", name, verb, group, resource)
			}
			if !holds(admin, group, resource, verb) {
				t.Errorf("%s grants %s %s %s, which the platform's administrator does not hold", name, verb, group, resource)
			}
		})
	}
}

// TestAuditorReadsEverythingButSecrets is by the administrator's own rules.
func TestAuditorReadsEverythingButSecrets(t *testing.T) {
	each(AuditorRules(), func(group, resource, verb string) {
		if resource == "secrets" || !strings.Contains(verbsRead, verb) || verb == "get" && slices.Contains(hidden, resource) {
			t.Errorf("%s %s %s", verb, group, resource)
		}
	})
	each(hostconfig.PlatformAdminRules(), func(group, resource, verb string) {
		if slices.Contains(strings.Fields(verbsRead), verb) && !slices.Contains(hidden, resource) && !holds(AuditorRules(), group, resource, verb) {
			t.Errorf("the auditor does not %s %s %s", verb, group, resource)
		}
	})
	for _, name := range []string{Operator, Responder, Viewer} {
		if holds(all[name], "", "secrets", "get") || holds(all[name], "", "secrets", "list") {
			t.Errorf("%s reads secrets", name)
		}
	}
}

// TestDevelopersBoundNothing: what bounds a tenant is not in its hands.
func TestDevelopersBoundNothing(t *testing.T) {
	for _, name := range []string{Developer, Debugger, Viewer} {
		each(all[name], func(group, resource, verb string) {
			bounds := []string{"networkpolicies", "resourcequotas", "limitranges", "roles", "rolebindings", "namespaces", "endpoints", "endpointslices", "serviceaccounts/token", "events"}
			if slices.Contains(bounds, resource) && !slices.Contains(strings.Fields(verbsRead), verb) {
				t.Errorf("%s may %s %s", name, verb, resource)
			}
		})
	}
	if holds(all[Developer], "", "secrets", "list") || holds(all[Developer], "", "pods/exec", "create") {
		t.Error("developers list secrets, or get into pods")
	}
}

func TestBindingsNameGroupsAlone(t *testing.T) {
	s := Spec{PlatformAdmins: []string{"oidc:a"}, Operators: []string{"oidc:b", "oidc:c"}, Auditors: []string{"oidc:d"}, IncidentResponders: []string{"oidc:e"}, BreakGlass: []string{"oidc:f"}}
	tenant := Tenant{Developers: []string{"oidc:x"}, Debuggers: []string{"oidc:x"}, Viewers: []string{"oidc:y"}}
	bound := map[string]string{}
	for _, object := range append(Objects(s), TenantObjects("team-a", tenant)...) {
		accessor, err := meta.Accessor(object)
		if err != nil {
			t.Fatal(err)
		}
		if object.GetObjectKind().GroupVersionKind().Empty() || accessor.GetLabels()["app.kubernetes.io/managed-by"] != "redoubt" {
			t.Errorf("incomplete: %+v", object)
		}
		var subjects []rbacv1.Subject
		var ref rbacv1.RoleRef
		switch object := object.(type) {
		case *rbacv1.ClusterRoleBinding:
			subjects, ref = object.Subjects, object.RoleRef
		case *rbacv1.RoleBinding:
			subjects, ref = object.Subjects, object.RoleRef
			if object.Namespace != "team-a" {
				t.Errorf("%+v", object)
			}
		}
		for _, subject := range subjects {
			if subject.Kind != rbacv1.GroupKind || ref.Name == "cluster-admin" {
				t.Errorf("%+v is bound to %s", subject, ref.Name)
			}
			bound[ref.Name] += subject.Name + " "
		}
	}
	if bound[Operator] != "oidc:b oidc:c " || bound[PlatformAdmin] != "oidc:a " || bound[Developer] != "oidc:x " || len(bound) != 8 {
		t.Errorf("%v", bound)
	}
	// Where the role is there already it is somebody else's; without groups nothing is bound.
	for _, object := range Objects(Spec{Bootstrapped: true}) {
		if role, ok := object.(*rbacv1.ClusterRole); !ok || role.Name == PlatformAdmin {
			t.Errorf("%+v", object)
		}
	}
}

// TestRefusals: everything that is wrong is said at once.
func TestRefusals(t *testing.T) {
	err := Spec{PlatformAdmins: []string{"system:masters", ""}, Operators: []string{"oidc:a", "oidc:a"}, Auditors: []string{"oidc:a", "oidc:e"},
		BreakGlass: []string{"oidc:e"}}.Validate("baseline.access")
	for _, want := range []string{
		`baseline.access.platformAdmins[0]: "system:masters" is a group of the cluster itself`, `platformAdmins[1]: "" is no name`, `operators[1]: "oidc:a" stands here twice`,
		`auditors[0]: "oidc:a" is in operators too`, `breakGlass[0]: "oidc:e" is in auditors too`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if err := (Tenant{Developers: []string{"kubeadm:cluster-admins", " x"}}).Validate("access"); err == nil || strings.Count(err.Error(), "access.developers[") != 2 {
		t.Errorf("%v", err)
	}
}

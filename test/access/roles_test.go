package access

import (
	"slices"
	"strings"
	"sync"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/redoubt-dev/redoubt/policies/access"
	"github.com/redoubt-dev/redoubt/policies/access/live"
	"github.com/redoubt-dev/redoubt/policies/baseline/roles"
)

// kind is a resource that the API server serves.
type kind struct {
	group, resource string
	namespaced      bool
	verbs           []string
}

func served(t *testing.T, client *kubernetes.Clientset) []kind {
	t.Helper()
	lists, err := client.Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	var out []kind
	for _, list := range lists {
		group, _, found := strings.Cut(list.GroupVersion, "/")
		if !found {
			group = ""
		}
		for _, r := range list.APIResources {
			out = append(out, kind{group, r.Name, r.Namespaced, r.Verbs})
		}
	}
	return out
}

// allowed asks the API server's own authorizer.
func allowed(t *testing.T, client *kubernetes.Clientset, group, namespace, verb string, k kind) bool {
	t.Helper()
	resource, subresource, _ := strings.Cut(k.resource, "/")
	review, err := client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "oidc:somebody", Groups: []string{group, "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: k.group, Resource: resource, Subresource: subresource},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Error(err)
		return false
	}
	return review.Status.Allowed
}

// TestAuditorListsEverythingButSecrets asks for every kind that is served: one that Kubernetes adds is seen here (M20).
func TestAuditorListsEverythingButSecrets(t *testing.T) {
	client := server(t).masters()
	kinds := served(t, client)
	if len(kinds) < 50 {
		t.Fatalf("%d kinds are served", len(kinds))
	}
	for _, k := range kinds {
		if !slices.Contains(k.verbs, "list") {
			continue
		}
		want := k.resource != "secrets"
		if got := allowed(t, client, "oidc:auditors", "", "list", k); got != want && k.resource != "componentstatuses" {
			t.Errorf("the auditor lists %s.%s: %v", k.resource, k.group, got)
		}
	}
}

// subresources are those by which rights are taken, beside what discovery prefers.
var subresources = []kind{{"", "pods/exec", true, nil}, {"", "pods/attach", true, nil}, {"", "pods/portforward", true, nil}, {"", "pods/log", true, nil},
	{"", "pods/ephemeralcontainers", true, nil}, {"", "serviceaccounts/token", true, nil}, {"", "nodes/proxy", false, nil}, {"apps", "deployments/scale", true, nil},
	{"certificates.k8s.io", "certificatesigningrequests/approval", false, nil}, {"redoubt.dev", "quarantines", false, nil}, {"redoubt.dev", "platform", false, nil}}

// TestReviewSaysWhatTheAuthorizerSays: the pure review and the real authorizer agree on every group, verb and kind.
func TestReviewSaysWhatTheAuthorizerSays(t *testing.T) {
	client := server(t).masters()
	c, err := live.Collect(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	kinds := append(served(t, client), subresources...)
	verbs := []string{"get", "list", "create", "patch", "delete", "impersonate", "bind", "escalate", "impose", "administer"}
	groups := []string{"oidc:operators", "oidc:auditors", "oidc:responders", "oidc:break-glass", "oidc:a", "oidc:a-debug", "oidc:a-view", "system:authenticated"}
	var wait sync.WaitGroup
	slots := make(chan struct{}, 8)
	asked, yes := 0, 0
	for _, group := range groups {
		for _, namespace := range []string{"team-a", "team-b"} {
			for i, k := range kinds {
				verb := verbs[(i+len(group)+len(namespace))%len(verbs)] // each kind meets several verbs over groups and namespaces
				for _, verb := range []string{verb, "get"} {
					said := access.Can(c, access.Subject{Kind: access.KindGroup, Name: group}, verb, k.group, k.resource, namespace)
					asked++
					if said == access.Yes {
						yes++
					}
					wait.Add(1)
					slots <- struct{}{}
					go func() {
						defer wait.Done()
						defer func() { <-slots }()
						if got := allowed(t, client, group, namespace, verb, k); got != (said == access.Yes) {
							t.Errorf("%s may %s %s.%s in %s: %v, the review says %s", group, verb, k.resource, k.group, namespace, got, said)
						}
					}()
				}
			}
		}
	}
	wait.Wait()
	if asked < 1000 || yes < 100 || asked-yes < 100 {
		t.Errorf("%d questions, %d yes: too few to show anything", asked, yes)
	}
}

// TestReviewFindsWhatEachGroupBecomes: of the baseline's roles, none but those of the platform leads to every right.
func TestReviewFindsWhatEachGroupBecomes(t *testing.T) {
	c, err := live.Collect(t.Context(), server(t).of("oidc:auditors"))
	if err != nil {
		t.Fatalf("an auditor cannot review: %v", err)
	}
	report := access.Run(c)
	for group, want := range map[string]access.Answer{"oidc:platform": access.Yes, "oidc:operators": access.No, "oidc:auditors": access.No, "oidc:a": access.No, "oidc:a-debug": access.No, "oidc:b": access.No} {
		i := slices.IndexFunc(report.Reviews, func(r access.Review) bool { return r.Subject.Name == group })
		if i < 0 {
			t.Errorf("%s is not reviewed", group)
			continue
		}
		if got := report.Reviews[i].Answers["everything"].Answer; got != want {
			t.Errorf("%s has every right: %s, want %s; %+v", group, got, want, report.Reviews[i].Answers["everything"])
		}
	}
	// A right that somebody adds shows at once.
	c.ClusterRoleBindings = append(c.ClusterRoleBindings, rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "added"},
		RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "edit"}, Subjects: []rbacv1.Subject{{Kind: "Group", Name: "oidc:auditors"}}})
	if got := access.Look(c, access.Subject{Kind: access.KindGroup, Name: "oidc:auditors"}).Answers["everything"]; got.Answer != access.Yes {
		t.Errorf("edit everywhere leads to the controllers of the cluster: %+v", got)
	}
}

// TestNobodyWritesMoreThanHeHas: the API server refuses it, for whoever runs the cluster and for the emergency.
func TestNobodyWritesMoreThanHeHas(t *testing.T) {
	a := server(t)
	for _, group := range []string{"oidc:platform", "oidc:break-glass", "oidc:operators", "oidc:responders", "oidc:a"} {
		client := a.of(group).RbacV1()
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "take"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: group}}}
		if _, err := client.ClusterRoleBindings().Create(t.Context(), binding, dry); !apierrors.IsForbidden(err) {
			t.Errorf("%s binds cluster-admin: %v", group, err)
		}
		for _, rule := range []rbacv1.PolicyRule{
			{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}, {Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"groups"}},
			{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"nodes/proxy"}},
		} {
			role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "take"}, Rules: []rbacv1.PolicyRule{rule}}
			if _, err := client.ClusterRoles().Create(t.Context(), role, dry); !apierrors.IsForbidden(err) {
				t.Errorf("%s writes a role with %v: %v", group, rule, err)
			}
		}
	}
	// And what the platform may write, it can.
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "own"}, Rules: roles.DeveloperRules()}
	if _, err := a.of("oidc:platform").RbacV1().ClusterRoles().Create(t.Context(), role, dry); err != nil {
		t.Error(err)
	}
}

var dry = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}

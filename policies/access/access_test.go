package access

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// rights reads rules of the form "verbs group/resources[=names]"; the core group is empty.
func rights(lines ...string) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for _, line := range lines {
		fields := strings.Fields(line)
		group, resource, _ := strings.Cut(fields[len(fields)-1], ":")
		resource, names, named := strings.Cut(resource, "=")
		rule := rbacv1.PolicyRule{Verbs: fields[:len(fields)-1], APIGroups: []string{group}, Resources: []string{resource}}
		if named {
			rule.ResourceNames = []string{names}
		}
		out = append(out, rule)
	}
	return out
}

var someone = Subject{Kind: KindGroup, Name: "oidc:someone"}

// cluster has one group that holds the rules in a namespace, or everywhere, and an account with every right.
func cluster(namespace string, rules []rbacv1.PolicyRule) Cluster {
	c := Cluster{
		ClusterRoles: []rbacv1.ClusterRole{
			{ObjectMeta: metav1.ObjectMeta{Name: "cluster-admin"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: rights("get :secrets")},
			{ObjectMeta: metav1.ObjectMeta{Name: "held"}, Rules: rules},
		},
		ClusterRoleBindings: []rbacv1.ClusterRoleBinding{
			{ObjectMeta: metav1.ObjectMeta{Name: "robot"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "reader"},
				Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "team-a", Name: "robot"}, {Kind: "User", Name: "alice"}, {Kind: "Group", Name: "system:bootstrappers:x"}}},
		},
		Accounts:    []Account{{Namespace: "team-a", Name: "robot"}, {Namespace: "team-a", Name: "default"}, {Namespace: "team-b", Name: "default"}},
		Pods:        []Pod{},
		PodSecurity: map[string]string{"team-a": "restricted", "team-b": "restricted", "kube-system": "privileged"},
	}
	subjects := []rbacv1.Subject{{Kind: "Group", Name: someone.Name}}
	ref := rbacv1.RoleRef{Kind: "ClusterRole", Name: "held"}
	if namespace == everywhere {
		c.ClusterRoleBindings = append(c.ClusterRoleBindings, rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "held"}, RoleRef: ref, Subjects: subjects})
	} else {
		c.RoleBindings = append(c.RoleBindings, rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "held", Namespace: namespace}, RoleRef: ref, Subjects: subjects})
	}
	return c
}

var (
	robot = Subject{Kind: KindAccount, Namespace: "team-a", Name: "robot"}
	alice = Subject{Kind: KindUser, Name: "alice"}
	node  = Subject{Kind: KindNode}
)

// path is a way from some rights to an identity, by a rule.
type path struct {
	rule, namespace string
	rights          []string
	to              Subject
	answer          Answer
	change          func(*Cluster)
}

func paths() []path {
	return []path{
		{rule: "impersonate", rights: []string{"impersonate :users=alice"}, to: alice, answer: Yes},
		{rule: "impersonate", rights: []string{"impersonate :groups"}, to: everything, answer: Yes},
		{rule: "impersonate", namespace: "team-a", rights: []string{"impersonate :serviceaccounts"}, to: robot, answer: Yes},
		{rule: "issue-token", namespace: "team-a", rights: []string{"create :serviceaccounts/token"}, to: robot, answer: Yes},
		{rule: "issue-token", namespace: "team-a", rights: []string{"create :serviceaccounts/token=robot"}, to: robot, answer: Yes},
		{rule: "token-secret", namespace: "team-a", rights: []string{"create :secrets", "watch :secrets"}, to: robot, answer: Yes},
		{rule: "read-secret", namespace: "team-a", rights: []string{"list :secrets"}, to: robot, answer: Unknown},
		{rule: "run-as", namespace: "team-a", rights: []string{"create :pods"}, to: robot, answer: Yes},
		{rule: "run-as", namespace: "team-a", rights: []string{"patch batch:cronjobs"}, to: robot, answer: Yes},
		{rule: "run-as", namespace: "team-a", rights: []string{"update apps:statefulsets"}, to: robot, answer: Yes},
		{rule: "run-as", namespace: "team-a", rights: []string{"create :pods"}, to: robot, answer: Unknown, change: func(c *Cluster) { c.Accounts = nil }},
		{rule: "run-privileged", namespace: "kube-system", rights: []string{"create apps:daemonsets"}, to: node, answer: Yes},
		{rule: "run-privileged", namespace: "team-c", rights: []string{"create :pods"}, to: node, answer: Unknown},
		{rule: "run-privileged", rights: []string{"create :pods", "patch :namespaces"}, to: node, answer: Unknown, change: func(c *Cluster) { delete(c.PodSecurity, "kube-system") }},
		{rule: "exec", namespace: "team-a", rights: []string{"create :pods/exec"}, to: robot, answer: Yes, change: runs},
		{rule: "exec", namespace: "team-a", rights: []string{"create :pods/attach"}, to: robot, answer: Yes, change: runs},
		{rule: "exec", namespace: "team-a", rights: []string{"patch :pods/ephemeralcontainers"}, to: robot, answer: Yes, change: runs},
		{rule: "exec", namespace: "team-a", rights: []string{"get :pods/exec"}, to: robot, answer: Unknown, change: runs},
		{rule: "exec", namespace: "team-a", rights: []string{"create :pods/exec"}, to: robot, answer: Unknown, change: func(c *Cluster) { c.Pods = nil }},
		{rule: "image", namespace: "team-a", rights: []string{"patch :pods"}, to: robot, answer: Yes, change: runs},
		{rule: "nodes-proxy", rights: []string{"get :nodes/proxy"}, to: robot, answer: Yes, change: runs},
		{rule: "escalate", rights: []string{"escalate rbac.authorization.k8s.io:clusterroles", "update rbac.authorization.k8s.io:clusterroles"}, to: everything, answer: Yes},
		{rule: "escalate", namespace: "team-a", rights: []string{"escalate rbac.authorization.k8s.io:roles", "patch rbac.authorization.k8s.io:roles"},
			to: Subject{Kind: KindEverything, Namespace: "team-a"}, answer: Yes},
		{rule: "bind", rights: []string{"bind rbac.authorization.k8s.io:clusterroles", "create rbac.authorization.k8s.io:clusterrolebindings"}, to: everything, answer: Yes},
		{rule: "bind", rights: []string{"bind rbac.authorization.k8s.io:clusterroles=cluster-admin", "create rbac.authorization.k8s.io:clusterrolebindings"},
			to: Subject{Kind: KindRole, Name: "cluster-admin"}, answer: Yes},
		{rule: "bind", namespace: "team-a", rights: []string{"bind rbac.authorization.k8s.io:clusterroles", "create rbac.authorization.k8s.io:rolebindings"},
			to: Subject{Kind: KindEverything, Namespace: "team-a"}, answer: Yes},
		{rule: "bind", namespace: "team-a", rights: []string{"bind rbac.authorization.k8s.io:clusterroles=reader", "create rbac.authorization.k8s.io:rolebindings"},
			to: Subject{Kind: KindRole, Namespace: "team-a", Name: "reader"}, answer: Yes},
		{rule: "certificate", rights: []string{"create certificates.k8s.io:certificatesigningrequests", "update certificates.k8s.io:certificatesigningrequests/approval",
			"approve certificates.k8s.io:signers=kubernetes.io/kube-apiserver-client"}, to: alice, answer: Yes},
		{rule: "certificate", rights: []string{"create certificates.k8s.io:certificatesigningrequests", "update certificates.k8s.io:certificatesigningrequests/approval",
			"approve certificates.k8s.io:signers=kubernetes.io/*"}, to: node, answer: Yes},
		{rule: "bootstrap-token", namespace: "kube-system", rights: []string{"create :secrets"}, to: Subject{Kind: KindGroup, Name: "system:bootstrappers:x"}, answer: Unknown},
		{rule: "mutate", rights: []string{"patch admissionregistration.k8s.io:mutatingwebhookconfigurations"}, to: everything, answer: Yes},
		{rule: "mutate", rights: []string{"create admissionregistration.k8s.io:mutatingadmissionpolicies", "create admissionregistration.k8s.io:mutatingadmissionpolicybindings"}, to: everything, answer: Yes},
		{rule: "observe", rights: []string{"create admissionregistration.k8s.io:validatingwebhookconfigurations"}, to: everything, answer: Unknown},
		{rule: "api-service", rights: []string{"update apiregistration.k8s.io:apiservices"}, to: everything, answer: Unknown},
		{rule: "host-volume", rights: []string{"create :persistentvolumes"}, to: node, answer: Unknown},
		{rule: "eks-identities", namespace: "kube-system", rights: []string{"patch :configmaps=aws-auth"}, to: everything, answer: Unknown},
	}
}

// TestEveryPath takes each path, and takes each right away that it needs: then it is gone. Without its rule there is
// none either.
func TestEveryPath(t *testing.T) {
	for _, each := range paths() {
		name := each.rule + " " + strings.Join(each.rights, ", ")
		look := func(rights []rbacv1.PolicyRule) (reached, bool) {
			c := cluster(each.namespace, rights)
			if each.change != nil {
				each.change(&c)
			}
			how, found := newReviewer(&c).close(someone).is[each.to]
			return how, found
		}
		if how, found := look(rights(each.rights...)); !found || how.answer != each.answer || how.by != each.rule {
			t.Errorf("%s: %v, want %s %s", name, how, each.answer, each.rule)
		}
		all := rules
		rules = slices.DeleteFunc(slices.Clone(all), func(r rule) bool { return r.id == each.rule })
		if how, found := look(rights(each.rights...)); found && how.answer == each.answer {
			t.Errorf("%s: without the rule still there: %v", name, how)
		}
		rules = all
		for i := range each.rights {
			if how, found := look(rights(slices.Delete(slices.Clone(each.rights), i, i+1)...)); found && how.by == each.rule {
				t.Errorf("%s: without %q still there: %v", name, each.rights[i], how)
			}
		}
	}
}

// runs has robot's token in a running pod of its namespace.
func runs(c *Cluster) { c.Pods = []Pod{{Namespace: "team-a", Name: "p", Account: "robot", Token: true}} }

func TestRulesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rules {
		if r.id == "" || r.title == "" || seen[r.id] {
			t.Errorf("%+v", r)
		}
		seen[r.id] = true
		if r.find != nil && !slices.ContainsFunc(paths(), func(p path) bool { return p.rule == r.id }) {
			t.Errorf("no path is tried by %s", r.id)
		}
	}
}

// Nothing leads anywhere from rights that only read.
func TestReadersStayWhoTheyAre(t *testing.T) {
	c := cluster(everywhere, rights("get :pods", "list :nodes", "watch apps:deployments", "get :pods/log", "list :configmaps", "create authorization.k8s.io:selfsubjectaccessreviews"))
	if got := newReviewer(&c).review(someone); len(got.Becomes) != 0 {
		t.Errorf("%+v", got.Becomes)
	}
}

// A chain: what one step gives makes the next one possible, and the path tells both.
func TestPathsChain(t *testing.T) {
	c := cluster("team-a", rights("create :pods"))
	c.ClusterRoles[1].Rules = rights("escalate rbac.authorization.k8s.io:clusterroles", "patch rbac.authorization.k8s.io:clusterroles")
	review := newReviewer(&c).review(someone)
	f := review.Answers["everything"]
	if f.Answer != Yes || len(f.Through) != 2 || !strings.Contains(f.Through[0], "run-as") || !strings.Contains(f.Through[1], "escalate") {
		t.Errorf("%+v", f)
	}
	// With an account that is not known to exist, the same is unknown.
	c.Accounts = nil
	if f := newReviewer(&c).review(someone).Answers["everything"]; f.Answer != Unknown {
		t.Errorf("%+v", f)
	}
}

// What one identity has and another has count together once somebody is both.
func TestRightsAddUp(t *testing.T) {
	c := cluster("team-a", rights("create :pods", "create :secrets"))
	c.ClusterRoles[1].Rules = rights("get :secrets") // robot's
	c.Accounts = append(c.Accounts, Account{Namespace: "team-a", Name: "other"})
	how := newReviewer(&c).close(someone).is[Subject{Kind: KindAccount, Namespace: "team-a", Name: "robot"}]
	if how.by != "run-as" {
		t.Errorf("%+v", how)
	}
	c = cluster("kube-system", rights("create :pods"))
	c.PodSecurity["kube-system"] = "restricted"
	if how, found := newReviewer(&c).close(someone).is[node]; found {
		t.Errorf("restricted pods reach the node: %+v", how)
	}
}

// A role that is missing is unknown, never nothing.
func TestMissingRoleIsUnknown(t *testing.T) {
	c := cluster(everywhere, nil)
	c.ClusterRoles = slices.DeleteFunc(c.ClusterRoles, func(r rbacv1.ClusterRole) bool { return r.Name == "held" })
	if f := newReviewer(&c).review(someone).Answers["secrets"]; f.Answer != Unknown || !strings.Contains(f.Source, "not given") {
		t.Errorf("%+v", f)
	}
}

// Aggregated roles have what the labels choose, also before their controller has run.
func TestAggregation(t *testing.T) {
	c := cluster(everywhere, nil)
	c.ClusterRoles[2].AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"to": "held"}}}}
	c.ClusterRoles[1].Labels = map[string]string{"to": "held"}
	if f := newReviewer(&c).review(someone).Answers["secrets"]; f.Answer != Yes {
		t.Errorf("%+v", f)
	}
}

func TestQuestionsSayWhere(t *testing.T) {
	c := cluster("team-b", rights("get :secrets", "get :pods/log", "get :configmaps=one"))
	review := newReviewer(&c).review(someone)
	if f := review.Answers["secrets"]; f.Answer != Yes || !slices.Equal(f.Namespaces, []string{"team-b"}) {
		t.Errorf("%+v", f)
	}
	if f := review.Answers["configuration"]; !slices.Equal(f.Names, []string{"one"}) {
		t.Errorf("%+v", f)
	}
	if _, found := review.Answers["workloads"]; found {
		t.Error("reads only")
	}
	text := Run(c).Text()
	for _, want := range []string{"group oidc:someone\n  by RoleBinding team-b/held (ClusterRole held)", "secrets       yes in team-b", "configuration yes in team-b, for one alone"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// Subresources, wildcards and names, as the authorizer reads them.
func TestCovers(t *testing.T) {
	for _, each := range []struct {
		rule string
		r    right
		want bool
	}{
		{"get :pods", right{"get", "", "pods", ""}, true},
		{"get :pods", right{"get", "", "pods/log", ""}, false},
		{"get :*", right{"get", "", "pods/log", ""}, true},
		{"get :*/log", right{"get", "", "pods/log", ""}, true},
		{"* *:*", right{"impersonate", "", "users", "a"}, true},
		{"get apps:pods", right{"get", "", "pods", ""}, false},
		{"get :pods=a", right{"get", "", "pods", "b"}, false},
		{"get :pods=a", right{"get", "", "pods", "a"}, true},
	} {
		if got := covers(rights(each.rule)[0], each.r); got != each.want {
			t.Errorf("%s: %+v: %v", each.rule, each.r, got)
		}
	}
}

// The group of masters is everything, whatever RBAC says; everybody who is authenticated has what all have.
func TestMemberships(t *testing.T) {
	c := cluster(everywhere, nil)
	c.ClusterRoleBindings[0].Subjects = append(c.ClusterRoleBindings[0].Subjects, rbacv1.Subject{Kind: "Group", Name: groupMasters})
	if f := newReviewer(&c).review(Subject{Kind: KindGroup, Name: groupMasters}).Answers["everything"]; f.Answer != Yes {
		t.Errorf("%+v", f)
	}
	c.ClusterRoleBindings[0].Subjects = []rbacv1.Subject{{Kind: "Group", Name: groupAuthenticated}}
	if f := newReviewer(&c).review(someone).Answers["secrets"]; f.Answer != Yes {
		t.Errorf("%+v", f)
	}
}

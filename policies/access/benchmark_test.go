package access

import (
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestBenchmark: each recommendation fails for somebody who has the right, and holds without, for a role that is
// accepted, and for what is Kubernetes' own.
func TestBenchmark(t *testing.T) {
	own := map[string]string{"cluster-admin": ""}
	for id, rule := range map[string]string{
		"5.1.2": "list :secrets", "5.1.3": "* apps:deployments", "5.1.4": "create :pods", "5.1.8": "impersonate :users", "5.1.9": "create :persistentvolumes",
		"5.1.10": "get :nodes/proxy", "5.1.11": "update certificates.k8s.io:certificatesigningrequests/approval", "5.1.12": "patch admissionregistration.k8s.io:mutatingwebhookconfigurations",
		"5.1.13": "create :serviceaccounts/token",
	} {
		judge := func(c Cluster, accepted ...string) Verdict {
			own["cluster-admin"] = Digest(c.ClusterRoles[0])
			c.ClusterRoleBindings = slices.DeleteFunc(slices.Clone(c.ClusterRoleBindings), func(b rbacv1.ClusterRoleBinding) bool { return b.Name == "robot" })
			verdicts := Benchmark(c, accepted, own)
			return verdicts[slices.IndexFunc(verdicts, func(v Verdict) bool { return v.ID == id })]
		}
		if v := judge(cluster(everywhere, rights(rule))); v.Holds || len(v.Who) != 1 {
			t.Errorf("%s holds for somebody who may %s: %v", id, rule, v)
		}
		if v := judge(cluster(everywhere, rights("get :pods"))); !v.Holds {
			t.Errorf("%s does not hold: %v", id, v)
		}
		if v := judge(cluster(everywhere, rights(rule)), "held"); !v.Holds && id != "5.1.3" {
			t.Errorf("%s: an accepted role: %v", id, v)
		}
		c := cluster(everywhere, rights(rule))
		c.ClusterRoleBindings[1].Subjects[0].Name = "system:kube-controller-manager"
		if v := judge(c); !v.Holds && id != "5.1.3" {
			t.Errorf("%s: Kubernetes' own: %v", id, v)
		}
		// Everybody is not Kubernetes' own.
		c.ClusterRoleBindings[1].Subjects[0].Name = groupAuthenticated
		if v := judge(c); v.Holds {
			t.Errorf("%s holds although everybody may %s", id, rule)
		}
	}
}

func TestClusterAdminAndMasters(t *testing.T) {
	c := cluster(everywhere, nil)
	bind := func(name, group string) {
		c.ClusterRoleBindings = append(c.ClusterRoleBindings, rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"}, Subjects: []rbacv1.Subject{{Kind: "Group", Name: group}}})
	}
	bind("cluster-admin", groupMasters)
	if v := c.clusterAdmin(); len(v.Who) != 0 || len(c.masters().Who) != 0 {
		t.Errorf("%v", v)
	}
	bind("mine", "oidc:ops")
	bind("again", groupMasters)
	if len(c.clusterAdmin().Who) != 1 || len(c.masters().Who) != 1 {
		t.Errorf("%v %v", c.clusterAdmin(), c.masters())
	}
	// A role of Kubernetes' name that somebody changed is not let off.
	own := Wildcards(c)
	if v := c.wildcards(own); len(v.Who) != 0 {
		t.Errorf("%v", v)
	}
	c.ClusterRoles[0].Rules = append(c.ClusterRoles[0].Rules, rights("get :pods")...)
	if v := c.wildcards(own); len(v.Who) != 1 {
		t.Errorf("%v", v)
	}
}

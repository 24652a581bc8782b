package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Verdict is our own answer to a recommendation of the CIS Kubernetes benchmark,
// sections 5.1 and 5.2. kube-bench's checks of them pass on empty lists, take the
// name of a group for that of a user, or count what Kubernetes makes itself; so its
// raw result is shown beside this one, and this one decides.
type Verdict struct {
	// ID is that of the recommendation, such as 5.1.1.
	ID string
	// Title is what must hold.
	Title string
	Holds bool
	// Who are subjects or roles for which it does not hold.
	Who []string
}

// holders is a recommendation that nobody has a right in the whole cluster, but for
// Kubernetes' own parts and the roles that are accepted.
type holders struct {
	id, title string
	find      func(v view) hold
}

var recommendations = []holders{
	{"5.1.2", "nobody reads Secrets of the whole cluster", func(v view) hold { return either(v.grants, reads, "", "secrets", everywhere) }},
	{"5.1.4", "nobody runs pods in the whole cluster", func(v view) hold { return v.runs(everywhere) }},
	{"5.1.8", "nobody binds, escalates or impersonates", func(v view) hold {
		return some(either(v.grants, "bind escalate", rbacGroup, "clusterroles", everywhere), either(v.grants, "bind escalate", rbacGroup, "roles", everywhere),
			either(v.grants, "impersonate", "", "users", everywhere), either(v.grants, "impersonate", "", "groups", everywhere), either(v.grants, "impersonate", "", "serviceaccounts", everywhere))
	}},
	{"5.1.9", "nobody makes persistent volumes", func(v view) hold { return either(v.grants, "create", "", "persistentvolumes", everywhere) }},
	{"5.1.10", "nobody reaches the kubelets through nodes/proxy", func(v view) hold { return either(v.grants, "get create", "", "nodes/proxy", everywhere) }},
	{"5.1.11", "nobody approves certificates", func(v view) hold {
		return either(v.grants, "update patch", csrGroup, "certificatesigningrequests/approval", everywhere)
	}},
	{"5.1.12", "nobody writes admission webhooks", func(v view) hold {
		return some(either(v.grants, mutates, admissionGroup, "validatingwebhookconfigurations", everywhere), either(v.grants, mutates, admissionGroup, "mutatingwebhookconfigurations", everywhere))
	}},
	{"5.1.13", "nobody issues tokens of accounts", func(v view) hold { return either(v.grants, "create", "", "serviceaccounts/token", everywhere) }},
}

// Benchmark judges a cluster by sections 5.1 and 5.2. Accepted are cluster roles that may
// have what others may not: those of the platform and of an emergency. Builtin has
// the digests of the cluster roles with wildcards that this version of Kubernetes
// makes itself, see [Digest]: a role of such a name that was changed is not let off.
func Benchmark(c Cluster, accepted []string, builtin map[string]string) []Verdict {
	out := []Verdict{c.clusterAdmin(), c.wildcards(builtin), c.masters()}
	r := newReviewer(&c)
	for _, each := range recommendations {
		verdict := Verdict{ID: each.id, Title: each.title, Who: []string{}}
		for _, s := range r.subjects {
			if ofKubernetes(s) {
				continue
			}
			v := view{cluster: &c, namespaces: r.namespaces, subjects: r.subjects, grants: slices.DeleteFunc(slices.Clone(r.index[s]), func(g grant) bool {
				return slices.ContainsFunc(accepted, func(role string) bool { return strings.HasSuffix(g.source, "(ClusterRole "+role+")") })
			})}
			if h := each.find(v); h.answer > No {
				verdict.Who = append(verdict.Who, s.String()+" by "+h.source)
			}
		}
		out = append(out, verdict)
	}
	for i := range out {
		out[i].Holds = len(out[i].Who) == 0
	}
	out = append(out, c.podVerdicts()...)
	slices.SortStableFunc(out, func(a, b Verdict) int { return len(a.ID) - len(b.ID) })
	return out
}

// ofKubernetes tells whether a subject is one of Kubernetes' own parts. What is
// everybody is not.
func ofKubernetes(s Subject) bool {
	if s.Kind == KindAccount {
		return s.Namespace == "kube-system"
	}
	everybody := []string{groupAuthenticated, groupAnonymous, groupAccounts, userAnonymous}
	return strings.HasPrefix(s.Name, "system:") && !strings.HasPrefix(s.Name, groupAccounts+":") && !slices.Contains(everybody, s.Name)
}

// clusterAdmin is 5.1.1.
func (c Cluster) clusterAdmin() Verdict {
	v := Verdict{ID: "5.1.1", Title: "nobody is bound to cluster-admin", Who: []string{}}
	note := func(binding string, ref rbacv1.RoleRef, subjects []rbacv1.Subject, namespace string) {
		for _, s := range subjects {
			// Kubernetes' own binding names the group that passes every authorizer anyway.
			if of := subjectOf(s, namespace); ref.Name == "cluster-admin" && of != (Subject{Kind: KindGroup, Name: groupMasters}) {
				v.Who = append(v.Who, of.String()+" by "+binding)
			}
		}
	}
	for _, b := range c.ClusterRoleBindings {
		note("ClusterRoleBinding "+b.Name, b.RoleRef, b.Subjects, "")
	}
	for _, b := range c.RoleBindings {
		note("RoleBinding "+b.Namespace+"/"+b.Name, b.RoleRef, b.Subjects, b.Namespace)
	}
	return v
}

// masters is 5.1.7.
func (c Cluster) masters() Verdict {
	v := Verdict{ID: "5.1.7", Title: "no binding names system:masters, but that of Kubernetes", Who: []string{}}
	for _, b := range c.ClusterRoleBindings {
		if b.Name != "cluster-admin" && slices.ContainsFunc(b.Subjects, func(s rbacv1.Subject) bool { return s.Name == groupMasters }) {
			v.Who = append(v.Who, "ClusterRoleBinding "+b.Name)
		}
	}
	return v
}

// wildcards is 5.1.3. Roles of the same name as Kubernetes' own are let off only
// where they say the same.
func (c Cluster) wildcards(builtin map[string]string) Verdict {
	v := Verdict{ID: "5.1.3", Title: "no role has a wildcard, but those of Kubernetes as it makes them", Who: []string{}}
	for _, r := range c.ClusterRoles {
		if hasWildcard(r.Rules) && builtin[r.Name] != Digest(r) {
			v.Who = append(v.Who, "ClusterRole "+r.Name)
		}
	}
	for _, r := range c.Roles {
		if hasWildcard(r.Rules) {
			v.Who = append(v.Who, "Role "+r.Namespace+"/"+r.Name)
		}
	}
	return v
}

func hasWildcard(rules []rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.Verbs, "*") || slices.Contains(r.APIGroups, "*") || slices.Contains(r.Resources, "*")
	})
}

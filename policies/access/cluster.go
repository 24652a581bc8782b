package access

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Cluster is what a review looks at.
type Cluster struct {
	Roles               []rbacv1.Role               `json:"roles"`
	ClusterRoles        []rbacv1.ClusterRole        `json:"clusterRoles"`
	RoleBindings        []rbacv1.RoleBinding        `json:"roleBindings"`
	ClusterRoleBindings []rbacv1.ClusterRoleBinding `json:"clusterRoleBindings"`
	// Accounts are the service accounts; nil where they are not known.
	Accounts []Account `json:"accounts"`
	// Pods are those that run; nil where they are not known.
	Pods []Pod `json:"pods"`
	// PodSecurity has, by namespace, the level of Pod Security that is enforced
	// there: privileged, baseline or restricted; "" where it is not known. A
	// namespace that is not in it is not known.
	PodSecurity map[string]string `json:"podSecurity"`
	// Authorizers are those beside RBAC, whose rights are not seen here.
	Authorizers []string `json:"authorizers"`
}

// Account is a service account.
type Account struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Automounts tells whether it gives its token to every pod; nil, as left out, is yes.
	Automounts *bool `json:"automounts,omitempty"`
}

// Pod is what matters about a pod to somebody who gets into it.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Account   string `json:"account"`
	// Token tells whether the API's token of the account is in it.
	Token bool `json:"token"`
	// Unasked tells that neither the pod nor its account asked for the token.
	Unasked bool `json:"unasked,omitempty"`
	// Does is what it does that Pod Security is about, see [Does].
	Does []string `json:"does,omitempty"`
}

// Kinds of subjects.
const (
	KindUser    = rbacv1.UserKind
	KindGroup   = rbacv1.GroupKind
	KindAccount = rbacv1.ServiceAccountKind
	// KindRole are the rights of a role, for one who can bind it to himself; in
	// a namespace, where it has one.
	KindRole = "Role"
	// KindNode is root on a node of the cluster.
	KindNode = "Node"
	// KindEverything is every right in the cluster, or in a namespace where it
	// has one.
	KindEverything = "Everything"
)

// Subject is somebody who has rights, or what somebody can become.
type Subject struct {
	Kind string `json:"kind"`
	// Namespace is that of a service account.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// String is how reports write it: "group oidc:ops", "account kube-system/default".
func (s Subject) String() string {
	switch s.Kind {
	case KindEverything:
		if s.Namespace != "" {
			return "every right in namespace " + s.Namespace
		}
		return "every right in the cluster"
	case KindNode:
		return "root on a node"
	case KindAccount:
		return "account " + s.Namespace + "/" + s.Name
	case KindRole:
		if s.Namespace != "" {
			return "role " + s.Name + " in " + s.Namespace
		}
		return "role " + s.Name
	}
	return strings.ToLower(s.Kind) + " " + s.Name
}

func compareSubjects(a, b Subject) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// Groups that every cluster gives to whoever is who.
const (
	groupMasters       = "system:masters"
	groupAuthenticated = "system:authenticated"
	groupAnonymous     = "system:unauthenticated"
	groupAccounts      = "system:serviceaccounts"
	groupNodes         = "system:nodes"
	userAnonymous      = "system:anonymous"
)

// memberships are the groups that somebody is in by being who he is. Those of a
// user are the identity provider's to say.
func memberships(s Subject) []Subject {
	group := func(name string) Subject { return Subject{Kind: KindGroup, Name: name} }
	switch {
	case s.Kind == KindAccount:
		return []Subject{group(groupAccounts), group(groupAccounts + ":" + s.Namespace), group(groupAuthenticated)}
	case s.Kind == KindUser && s.Name == userAnonymous:
		return []Subject{group(groupAnonymous)}
	case s.Kind == KindUser:
		return []Subject{group(groupAuthenticated)}
	case s.Kind == KindGroup && s.Name != groupAuthenticated && s.Name != groupAnonymous:
		return []Subject{group(groupAuthenticated)}
	}
	return nil
}

// subjectOf reads a subject of a binding. A user whose name is that of a service
// account is that account: Kubernetes knows no difference.
func subjectOf(s rbacv1.Subject, namespace string) Subject {
	if s.Kind == rbacv1.ServiceAccountKind {
		if s.Namespace != "" {
			namespace = s.Namespace
		}
		return Subject{Kind: KindAccount, Namespace: namespace, Name: s.Name}
	}
	if rest, ok := strings.CutPrefix(s.Name, "system:serviceaccount:"); ok && s.Kind == rbacv1.UserKind {
		if namespace, name, ok := strings.Cut(rest, ":"); ok {
			return Subject{Kind: KindAccount, Namespace: namespace, Name: name}
		}
	}
	return Subject{Kind: s.Kind, Name: s.Name}
}

// subjects are all that a binding names or that exist, each once.
func (c Cluster) subjects() []Subject {
	seen := map[Subject]bool{}
	for _, b := range c.ClusterRoleBindings {
		for _, s := range b.Subjects {
			seen[subjectOf(s, "")] = true
		}
	}
	for _, b := range c.RoleBindings {
		for _, s := range b.Subjects {
			seen[subjectOf(s, b.Namespace)] = true
		}
	}
	for _, a := range c.Accounts {
		seen[Subject{Kind: KindAccount, Namespace: a.Namespace, Name: a.Name}] = true
	}
	all := make([]Subject, 0, len(seen))
	for s := range seen {
		all = append(all, s)
	}
	slices.SortFunc(all, compareSubjects)
	return all
}

// namespaces are all that are known, each once.
func (c Cluster) namespaces() []string {
	seen := map[string]bool{}
	for namespace := range c.PodSecurity {
		seen[namespace] = true
	}
	for _, b := range c.RoleBindings {
		seen[b.Namespace] = true
	}
	for _, s := range c.subjects() {
		if s.Kind == KindAccount {
			seen[s.Namespace] = true
		}
	}
	for _, p := range c.Pods {
		seen[p.Namespace] = true
	}
	all := make([]string, 0, len(seen))
	for namespace := range seen {
		all = append(all, namespace)
	}
	slices.Sort(all)
	return all
}

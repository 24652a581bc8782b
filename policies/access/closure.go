package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// reached is what somebody can become, and how.
type reached struct {
	answer Answer
	by     string // id of the rule
	from   Subject
	reason string
}

// closure is all that somebody is and can become. Steps that are certain are
// followed first, and what follows from them alone is certain.
type closure struct {
	is     map[Subject]reached
	order  []Subject
	grants []grant
}

// reviewer has what all reviews of a cluster share.
type reviewer struct {
	cluster    *Cluster
	index      index
	subjects   []Subject
	namespaces []string
}

func newReviewer(c *Cluster) *reviewer {
	return &reviewer{cluster: c, index: c.grants(), subjects: c.subjects(), namespaces: c.namespaces()}
}

// close follows every path from a subject.
func (r *reviewer) close(from Subject) closure {
	c := closure{is: map[Subject]reached{}}
	c.add(from, reached{answer: Yes})
	for _, least := range []Answer{Yes, Unknown} {
		for r.extend(&c, least) {
		}
	}
	return c
}

func (c *closure) add(s Subject, how reached) bool {
	if old, known := c.is[s]; known && old.answer >= how.answer {
		return false
	}
	if _, known := c.is[s]; !known {
		c.order = append(c.order, s)
	}
	c.is[s] = how
	return true
}

// extend adds what the rules find in one round, and tells whether it was new.
// Nothing is more than everything.
func (r *reviewer) extend(c *closure, least Answer) bool {
	if c.is[everything].answer >= least {
		return false
	}
	more := false
	for _, s := range slices.Clone(c.order) {
		how := c.is[s]
		if how.answer < least {
			continue
		}
		for _, group := range memberships(s) {
			more = c.add(group, reached{answer: how.answer, by: "member", from: s, reason: "is in it"}) || more
		}
		for _, next := range r.definition(s) {
			more = c.add(next.to, reached{answer: weaker(how.answer, next.answer), by: next.by, from: s, reason: next.because}) || more
		}
	}
	c.grants = r.grantsOf(c, least)
	v := view{cluster: r.cluster, grants: c.grants, namespaces: r.namespaces, subjects: r.subjects, own: ownNamespaces(c.grants)}
	for _, rule := range rules {
		if rule.find == nil {
			continue
		}
		for _, next := range rule.find(v) {
			if answer := weaker(next.answer, c.is[next.from].answer); answer >= least && next.to != next.from {
				more = c.add(next.to, reached{answer: answer, by: rule.id, from: next.from, reason: next.because}) || more
			}
		}
	}
	return more
}

// definition is what somebody is without any object that says so.
func (r *reviewer) definition(s Subject) []step {
	switch {
	case s.Kind == KindGroup && s.Name == groupMasters:
		return []step{{to: everything, answer: Yes, by: "masters", because: "passes every authorizer"}}
	case s.Kind == KindGroup && s.Name == groupNodes, s.Kind == KindUser && strings.HasPrefix(s.Name, "system:node:"):
		return []step{{to: Subject{Kind: KindNode}, answer: Yes, by: "node", because: "is a kubelet"}}
	case s.Kind == KindNode:
		// What lies on a control plane's node is the cluster itself; whether a way leads there is not known.
		out := []step{{to: everything, answer: Unknown, by: "node", because: "if it is a node of the control plane"}}
		v := view{cluster: r.cluster, subjects: r.subjects}
		for _, namespace := range r.namespaces {
			for _, c := range v.tokensIn(namespace) {
				out = append(out, step{to: c.account, answer: c.answer, by: "node", because: "the token of a pod on the node"})
			}
		}
		return out
	}
	return nil
}

// grantsOf puts the grants of all identities together that are as certain.
func (r *reviewer) grantsOf(c *closure, least Answer) []grant {
	var out []grant
	for _, s := range c.order {
		how := c.is[s]
		if how.answer < least {
			continue
		}
		for _, g := range r.rightsOf(s) {
			if g.answer = weaker(g.answer, how.answer); g.answer >= least {
				g.holder = s
				out = append(out, g)
			}
		}
	}
	return out
}

func (r *reviewer) rightsOf(s Subject) []grant {
	switch s.Kind {
	case KindEverything:
		all := rbacv1.PolicyRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}, NonResourceURLs: []string{"*"}}
		return []grant{{namespace: s.Namespace, rule: all, source: s.String(), answer: Yes}}
	case KindRole:
		return r.cluster.bound(rbacv1.RoleRef{Kind: "ClusterRole", Name: s.Name}, s.Namespace, s.String())
	}
	return r.index[s]
}

func ownNamespaces(grants []grant) []string {
	seen := map[string]bool{}
	for _, g := range grants {
		if g.namespace != everywhere {
			seen[g.namespace] = true
		}
	}
	out := make([]string, 0, len(seen))
	for namespace := range seen {
		out = append(out, namespace)
	}
	slices.Sort(out)
	return out
}

// path tells how somebody becomes a subject, the first step first.
func (c closure) path(to Subject) []string {
	var out []string
	for seen := map[Subject]bool{}; !seen[to]; {
		seen[to] = true
		how := c.is[to]
		if how.by == "" {
			break
		}
		if how.by != "member" {
			out = append(out, how.from.String()+": "+how.by+" by "+how.reason+" → "+to.String())
		}
		to = how.from
	}
	slices.Reverse(out)
	return out
}

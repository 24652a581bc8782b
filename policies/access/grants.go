package access

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Answer is what a review says to a question.
type Answer int

// Answers, in the order of what they allow.
const (
	No Answer = iota
	// Unknown: it depends on something that was not given.
	Unknown
	Yes
)

// String is the word of reports.
func (a Answer) String() string { return [...]string{"no", "unknown", "yes"}[a] }

// MarshalText writes the word.
func (a Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// everywhere is the namespace of what holds in all of them, and of what has none.
const everywhere = ""

// grant is a rule that somebody has, and where.
type grant struct {
	// namespace is where it holds; everywhere for all of the cluster.
	namespace string
	rule      rbacv1.PolicyRule
	// source says by what: "ClusterRoleBinding a (ClusterRole b)".
	source string
	// answer is Unknown where the role was not given.
	answer Answer
	// holder is who has it; set when the grants of several are put together.
	holder Subject
}

// index has the grants of each subject.
type index map[Subject][]grant

// grants reads all bindings.
func (c Cluster) grants() index {
	out := index{}
	for _, b := range c.ClusterRoleBindings {
		for _, s := range b.Subjects {
			to := subjectOf(s, "")
			out[to] = append(out[to], c.bound(b.RoleRef, everywhere, "ClusterRoleBinding "+b.Name)...)
		}
	}
	for _, b := range c.RoleBindings {
		for _, s := range b.Subjects {
			to := subjectOf(s, b.Namespace)
			out[to] = append(out[to], c.bound(b.RoleRef, b.Namespace, "RoleBinding "+b.Namespace+"/"+b.Name)...)
		}
	}
	return out
}

// bound gives the rules of a role that is bound. A role that is not there grants
// nothing now, and everything that its next author likes.
func (c Cluster) bound(ref rbacv1.RoleRef, namespace, binding string) []grant {
	source := fmt.Sprintf("%s (%s %s)", binding, ref.Kind, ref.Name)
	rules, found := c.rules(ref, namespace)
	if !found {
		return []grant{{namespace: namespace, source: source + ", a role that was not given", answer: Unknown,
			rule: rbacv1.PolicyRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}}
	}
	var out []grant
	for _, rule := range rules {
		out = append(out, grant{namespace: namespace, rule: rule, source: source, answer: Yes})
	}
	return out
}

// rules are those of a role; aggregated roles are resolved as their controller
// does, from what was given.
func (c Cluster) rules(ref rbacv1.RoleRef, namespace string) ([]rbacv1.PolicyRule, bool) {
	if ref.Kind == "Role" {
		i := slices.IndexFunc(c.Roles, func(r rbacv1.Role) bool { return r.Name == ref.Name && r.Namespace == namespace })
		if i < 0 {
			return nil, false
		}
		return c.Roles[i].Rules, true
	}
	i := slices.IndexFunc(c.ClusterRoles, func(r rbacv1.ClusterRole) bool { return r.Name == ref.Name })
	if i < 0 {
		return nil, false
	}
	role := c.ClusterRoles[i]
	rules := slices.Clone(role.Rules)
	if role.AggregationRule == nil {
		return rules, true
	}
	for _, each := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&each)
		if err != nil {
			continue // the controller skips it too
		}
		for _, other := range c.ClusterRoles {
			if other.Name != role.Name && selector.Matches(labels.Set(other.Labels)) {
				rules = append(rules, other.Rules...)
			}
		}
	}
	return rules, true
}

// right is one verb on one kind of thing.
type right struct {
	verb, group, resource string // the resource with its subresource: pods/exec
	// name is that of the object; "" asks for all of them.
	name string
}

// hold is what somebody's grants say to a right.
type hold struct {
	answer Answer
	// names are the only objects for which it holds; empty for all.
	names  []string
	source string
	holder Subject
}

// has looks for a right in a namespace, or in the whole cluster.
func has(grants []grant, r right, namespace string) hold {
	best := hold{}
	for _, g := range grants {
		if g.namespace != everywhere && g.namespace != namespace || !covers(g.rule, r) || g.answer < best.answer {
			continue
		}
		named := r.name == "" && len(g.rule.ResourceNames) > 0
		switch {
		case g.answer > best.answer, len(best.names) > 0 && !named:
			best = hold{answer: g.answer, source: g.source, holder: g.holder}
			if named {
				best.names = slices.Clone(g.rule.ResourceNames)
			}
		case named && len(best.names) > 0:
			best.names = append(best.names, g.rule.ResourceNames...)
		}
	}
	return best
}

// either is the strongest of several verbs.
func either(grants []grant, verbs string, group, resource, namespace string) hold {
	best := hold{}
	for _, verb := range strings.Fields(verbs) {
		h := has(grants, right{verb: verb, group: group, resource: resource}, namespace)
		if h.answer > best.answer || h.answer == best.answer && len(best.names) > 0 && len(h.names) == 0 {
			best = h
		}
	}
	return best
}

// covers tells whether a rule gives a right, as the RBAC authorizer matches:
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
func covers(rule rbacv1.PolicyRule, r right) bool {
	if !matches(rule.Verbs, r.verb) || !matches(rule.APIGroups, r.group) {
		return false
	}
	if r.name != "" && len(rule.ResourceNames) > 0 && !slices.Contains(rule.ResourceNames, r.name) {
		return false
	}
	_, subresource, nested := strings.Cut(r.resource, "/")
	return matches(rule.Resources, r.resource) || nested && slices.Contains(rule.Resources, "*/"+subresource)
}

func matches(list []string, item string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, item)
}

package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Report says who can do what.
type Report struct {
	Reviews []Review `json:"reviews"`
	// Notes are what the review could not see.
	Notes []string `json:"notes"`
}

// Review is about one subject.
type Review struct {
	Subject Subject `json:"subject"`
	// Bindings are those that name the subject, with their roles.
	Bindings []string `json:"bindings"`
	// Answers are what the subject can do, by the id of [Questions], with what it
	// can become; what is missing is no.
	Answers map[string]Finding `json:"answers"`
	// Becomes are whose rights it can take on.
	Becomes []Becoming `json:"becomes"`
}

// Finding is the answer to a question.
type Finding struct {
	Answer Answer `json:"answer"`
	// Namespaces are where; "*" for the whole cluster.
	Namespaces []string `json:"namespaces"`
	// Unknown are further namespaces, where the answer is unknown.
	Unknown []string `json:"unknown,omitempty"`
	// Names are the only objects for which it holds; none for all.
	Names []string `json:"names,omitempty"`
	// Through is the way there where the subject's own rights do not suffice.
	Through []string `json:"through,omitempty"`
	// Source is the binding and role that grant it.
	Source string `json:"source"`
}

// Becoming is an identity that somebody can take on.
type Becoming struct {
	Subject Subject  `json:"subject"`
	Answer  Answer   `json:"answer"`
	Path    []string `json:"path"`
}

// Run reviews a cluster.
func Run(c Cluster) Report {
	r := newReviewer(&c)
	report := Report{Reviews: []Review{}, Notes: c.notes()}
	for _, s := range r.subjects {
		report.Reviews = append(report.Reviews, r.review(s))
	}
	return report
}

// Look reviews one subject, which no binding needs to name.
func Look(c Cluster, s Subject) Review { return newReviewer(&c).review(s) }

func (r *reviewer) review(s Subject) Review {
	c := r.close(s)
	out := Review{Subject: s, Bindings: r.bindings(s), Answers: map[string]Finding{}, Becomes: []Becoming{}}
	v := view{cluster: r.cluster, grants: r.grantsOf(&c, Unknown), namespaces: r.namespaces, subjects: r.subjects}
	v.own = ownNamespaces(v.grants)
	for _, q := range Questions {
		if f := q.ask(c, v); f.Answer > No {
			out.Answers[q.ID] = f
		}
	}
	for _, to := range c.order {
		how := c.is[to]
		if how.by == "" || how.by == "member" {
			continue
		}
		out.Becomes = append(out.Becomes, Becoming{Subject: to, Answer: how.answer, Path: c.path(to)})
	}
	slices.SortStableFunc(out.Becomes, func(a, b Becoming) int {
		return cmp.Or(cmp.Compare(b.Answer, a.Answer), compareSubjects(a.Subject, b.Subject))
	})
	return out
}

func (r *reviewer) bindings(s Subject) []string {
	out := []string{}
	for _, g := range r.index[s] {
		if !slices.Contains(out, g.source) {
			out = append(out, g.source)
		}
	}
	slices.Sort(out)
	return out
}

// notes say what was not given.
func (c Cluster) notes() []string {
	out := []string{}
	if c.Accounts == nil {
		out = append(out, "which service accounts there are was not given: those that bindings name may be there")
	}
	if c.Pods == nil {
		out = append(out, "which pods run was not given: whose tokens lie in them is unknown")
	}
	for _, namespace := range c.namespaces() {
		if c.PodSecurity[namespace] == "" {
			out = append(out, "the level of Pod Security of namespace "+namespace+" was not given")
		}
	}
	for _, name := range c.Authorizers {
		out = append(out, "the authorizer "+name+" grants rights too, which are not seen here")
	}
	return out
}

// ByGroup is the short form, for the output of a stack: by subject, what it can
// do in words, such as "workloads: yes in team-a".
func (r Report) ByGroup() map[string][]string {
	out := map[string][]string{}
	for _, review := range r.Reviews {
		lines := []string{}
		for _, q := range Questions {
			if f, ok := review.Answers[q.ID]; ok {
				lines = append(lines, q.ID+": "+f.words())
			}
		}
		out[review.Subject.String()] = lines
	}
	return out
}

func (f Finding) words() string {
	text := fmt.Sprintf("%s in %s", f.Answer, places(f.Namespaces))
	if len(f.Names) > 0 {
		text += ", for " + strings.Join(f.Names, ", ") + " alone"
	}
	if len(f.Unknown) > 0 {
		text += ", unknown in " + places(f.Unknown)
	}
	if len(f.Through) > 0 {
		text += ", by becoming somebody else"
	}
	return text
}

// most is how many namespaces are listed before they are counted.
const most = 8

func places(namespaces []string) string {
	switch {
	case slices.Contains(namespaces, "*"):
		return "all of the cluster"
	case len(namespaces) > most:
		return fmt.Sprintf("%d namespaces", len(namespaces))
	}
	return strings.Join(namespaces, ", ")
}

// ForPeople leaves out what Kubernetes gives its own components, unless such a
// subject can be had by everybody who can connect.
func (r Report) ForPeople() Report {
	r.Reviews = slices.DeleteFunc(slices.Clone(r.Reviews), func(review Review) bool {
		s := review.Subject
		own := strings.HasPrefix(s.Name, "system:") || s.Kind == KindAccount && s.Namespace == "kube-system"
		return own && !slices.Contains([]string{groupAuthenticated, groupAnonymous, groupAccounts, userAnonymous}, s.Name)
	})
	return r
}

// Can answers whether somebody may do something by his own rights and those of
// the groups that he is in by being who he is, as the RBAC authorizer would. The
// resource has its subresource with it: pods/exec. Without a namespace, the
// question is about all of the cluster.
func Can(c Cluster, s Subject, verb, group, resource, namespace string) Answer {
	r := newReviewer(&c)
	own := closure{is: map[Subject]reached{}}
	own.add(s, reached{answer: Yes})
	for _, of := range memberships(s) {
		own.add(of, reached{answer: Yes})
	}
	return has(r.grantsOf(&own, Unknown), right{verb: verb, group: group, resource: resource}, namespace).answer
}

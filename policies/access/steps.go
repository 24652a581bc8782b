package access

import (
	"slices"
	"strings"
)

// step is one identity taking on the rights of another.
type step struct {
	to     Subject
	answer Answer
	// by is the id of the rule, because the grant that allows it.
	by, because string
	from        Subject
}

// view is what the rules look at: the grants of all that somebody already is.
type view struct {
	cluster    *Cluster
	grants     []grant
	namespaces []string
	subjects   []Subject
	// own are the namespaces in which there are grants of that namespace alone.
	own []string
}

// each calls do for every namespace in which ask says more than no. What holds
// in the whole cluster is asked once.
func (v view) each(ask func(namespace string) hold, do func(namespace string, h hold)) {
	all := ask(everywhere)
	where := v.own
	if all.answer > No {
		where = v.namespaces
	}
	for _, namespace := range where {
		h := all
		if slices.Contains(v.own, namespace) {
			if own := ask(namespace); own.answer > h.answer || len(h.names) > 0 {
				h = own
			}
		}
		if h.answer > No {
			do(namespace, h)
		}
	}
}

// either asks for one of several verbs on a resource.
func (v view) either(verbs, group, resource string) func(string) hold {
	return func(namespace string) hold { return either(v.grants, verbs, group, resource, namespace) }
}

// both is the weaker of two holds, with the source of the first.
func both(a, b hold) hold {
	if b.answer < a.answer {
		a.answer = b.answer
	}
	return a
}

// some is the stronger of several.
func some(holds ...hold) hold {
	best := hold{}
	for _, h := range holds {
		if h.answer > best.answer {
			best = h
		}
	}
	return best
}

// candidate is a service account that may be had.
type candidate struct {
	account Subject
	answer  Answer
}

// accountsIn are the service accounts of a namespace. Where they are not known,
// those that have rights may be there.
func (v view) accountsIn(namespace string) []candidate {
	var out []candidate
	makes := either(v.grants, "create", "", "serviceaccounts", namespace).answer
	for _, s := range v.subjects {
		if s.Kind != KindAccount || s.Namespace != namespace {
			continue
		}
		switch {
		case slices.ContainsFunc(v.cluster.Accounts, func(a Account) bool { return a.Namespace == s.Namespace && a.Name == s.Name }):
			out = append(out, candidate{s, Yes})
		case makes > No: // rights wait for it
			out = append(out, candidate{s, makes})
		case v.cluster.Accounts == nil:
			out = append(out, candidate{s, Unknown})
		}
	}
	return out
}

// tokensIn are the accounts whose tokens lie in running pods of a namespace.
func (v view) tokensIn(namespace string) []candidate {
	if v.cluster.Pods == nil {
		out := v.accountsIn(namespace)
		for i := range out {
			out[i].answer = Unknown
		}
		return out
	}
	seen := map[Subject]bool{}
	var out []candidate
	for _, p := range v.cluster.Pods {
		s := Subject{Kind: KindAccount, Namespace: p.Namespace, Name: p.Account}
		if p.Namespace == namespace && p.Token && !seen[s] {
			seen[s] = true
			out = append(out, candidate{s, Yes})
		}
	}
	return out
}

// mutates are the verbs that write an object of which something can be chosen.
const mutates = "create update patch"

// templates are the resources that carry a pod's template, by API group.
var templates = map[string][]string{
	"":      {"replicationcontrollers"},
	"apps":  {"deployments", "statefulsets", "daemonsets", "replicasets"},
	"batch": {"jobs", "cronjobs"},
}

// runs tells who may choose a pod that runs in a namespace: its account and what
// it may do on the node. A pod that exists cannot be given another account.
func (v view) runs(namespace string) hold {
	best := either(v.grants, "create", "", "pods", namespace)
	for group, resources := range templates {
		for _, resource := range resources {
			best = some(best, either(v.grants, mutates, group, resource, namespace))
		}
	}
	return best
}

// enters tells who may run a program in a running pod of a namespace.
func (v view) enters(namespace string) hold {
	best := some(either(v.grants, "create", "", "pods/exec", namespace), either(v.grants, "create", "", "pods/attach", namespace),
		either(v.grants, "update patch", "", "pods/ephemeralcontainers", namespace))
	// Before Kubernetes 1.35 a websocket asks with get, and that was enough.
	old := some(either(v.grants, "get", "", "pods/exec", namespace), either(v.grants, "get", "", "pods/attach", namespace))
	if best.answer == No && old.answer > No {
		best, best.answer = old, Unknown
	}
	return best
}

func weaker(a, b Answer) Answer { return min(a, b) }

// named gives the names that a hold is for, or all of the given.
func named(h hold, all []string) []string {
	if len(h.names) > 0 {
		return h.names
	}
	return all
}

// of lists the names of all subjects of a kind.
func (v view) of(kind string) []string {
	var out []string
	for _, s := range v.subjects {
		if s.Kind == kind && !strings.HasPrefix(s.Name, "system:anonymous") {
			out = append(out, s.Name)
		}
	}
	return out
}

package admission

import (
	"regexp"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// What the API server charges for is to turn an object, the parameters and the namespace
// into CEL's form: once for the conditions of a policy, and thrice more for its
// validations, messages and annotations. So the objects for pods ask their one cheap
// question as a condition, and a pod that violates nothing is turned once.
//
// A condition does not see the namespace, which may narrow what the cluster allows. The
// question is therefore that of a namespace which narrows nothing. Wherever the platform
// has not said with [LabelPodRules] that this is so, a second object of the same mode
// looks at the pods too: it has the members that read the namespace, and no condition.

// questionName is that of the condition.
const questionName = "suspect"

// narrowedSuffix ends the id of the second object.
const narrowedSuffix = "-narrowed"

// onPods tells whether the object is for pods and what they are made from.
func (g group) onPods() bool {
	first := g.members[0]
	return len(first.Templates) > 0 && slices.ContainsFunc(first.Rules, func(r admissionv1.NamedRuleWithOperations) bool { return slices.Contains(r.Resources, "pods") })
}

// asks tells whether the object asks its question as a condition. It does not where somebody
// else's policy is a member: whether that can do without the namespace is not known.
func (g group) asks() bool {
	return g.elsewhere == "" && g.onPods() && !slices.ContainsFunc(g.members, func(m member) bool { return m.found.violated == nil })
}

// question is CEL of type bool, without variables and without the namespace: whether any
// member has findings in a namespace that narrows nothing. A sentinel is always asked.
func (g group) question(s Settings) string {
	out := g.inline(g.suspect())
	if g.relaxedOnly() && len(s.BaselineNamespaces) > manyNames {
		out = ofBaseline + ` && (` + out + `)`
	}
	return out + ` || request.?name.orValue('').startsWith('` + sentinelPrefix + `')`
}

// bound are variables that a question asks for often. The others stand where they are used.
var bound = []string{"spec", "allowed"}

var variableUsed = regexp.MustCompile(`variables\.([a-zA-Z0-9_]+)`)

// inline gives an expression without variables and without the namespace.
func (g group) inline(expression string) string {
	known := g.known()
	out := expand(expression, known, bound)
	for _, name := range bound {
		if _, has := known[name]; has {
			// The list of one gives the value a name.
			out = `[` + expand(known[name], known, bound) + `].exists(` + name + `, ` + out + `)`
		}
	}
	return strings.ReplaceAll(out, readsNamespace, "dyn(null)")
}

// known are the expressions of variables by their names.
func (g group) known() map[string]string {
	out := map[string]string{}
	for _, v := range g.variables() {
		out[v.Name] = v.Expression
	}
	return out
}

// expand puts the expressions of variables in their places, but for some, which keep their names.
func expand(expression string, known map[string]string, but []string) string {
	return variableUsed.ReplaceAllStringFunc(expression, func(used string) string {
		name := strings.TrimPrefix(used, "variables.")
		if slices.Contains(but, name) {
			return name
		}
		return `(` + expand(known[name], known, but) + `)`
	})
}

// readsNamespace is what an expression says that reads the namespace.
const readsNamespace = "namespaceObject"

// narrowed is the second object: the members that read the namespace; false if there are none.
func (g group) narrowed(s Settings) (group, bool) {
	if !g.asks() {
		return group{}, false
	}
	second := group{id: g.id + narrowedSuffix, mode: g.mode, elsewhere: g.question(s)}
	for _, m := range g.members {
		if strings.Contains(expand(m.violated(), g.known(), nil), readsNamespace) {
			second.members = append(second.members, m)
		}
	}
	return second, len(second.members) > 0
}

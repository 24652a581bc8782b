package admission

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// Operations, in the words of rules.
const (
	create  = "CREATE"
	update  = "UPDATE"
	remove  = "DELETE"
	connect = "CONNECT"
)

// rule is a rule of matching for resources of an API group, in every version; the
// operations are separated by spaces.
func rule(group, operations string, resources ...string) admissionv1.NamedRuleWithOperations {
	var out admissionv1.NamedRuleWithOperations
	for _, operation := range strings.Fields(operations) {
		out.Operations = append(out.Operations, admissionv1.OperationType(operation))
	}
	out.APIGroups, out.APIVersions, out.Resources = []string{group}, []string{"*"}, resources
	return out
}

// podRules are every way to give a pod its containers: an ephemeral container
// comes by its subresource alone, and a resize changes limits.
var podRules = []admissionv1.NamedRuleWithOperations{
	rule("", create+" "+update, "pods", "pods/ephemeralcontainers", "pods/resize"),
}

// templateRules are what controllers make pods from.
var templateRules = []admissionv1.NamedRuleWithOperations{
	rule("apps", create+" "+update, "deployments", "statefulsets", "daemonsets", "replicasets"),
	rule("batch", create+" "+update, "jobs", "cronjobs"),
	rule("", create+" "+update, "replicationcontrollers", "podtemplates"),
}

// variable is a CEL expression with a name.
func variable(name, expression string) admissionv1.Variable {
	return admissionv1.Variable{Name: name, Expression: expression}
}

// condition is a CEL expression that decides whether a policy has a say.
func condition(name, expression string) admissionv1.MatchCondition {
	return admissionv1.MatchCondition{Name: name, Expression: expression}
}

// notTheServer leaves out the API server itself, which writes its own roles,
// priority levels and namespaces when it starts: refused, it would not start. Both
// the name and the group are asked for, as the loopback identity has both.
var notTheServer = condition("not-the-api-server",
	`!(request.userInfo.username == 'system:apiserver' && 'system:masters' in request.userInfo.?groups.orValue([]))`)

// NotRewritten leaves out what a self-managed cluster does about keys of encryption
// (M18): an object is written anew under the key that writes now, and nothing in it
// changes. It would otherwise keep the old key needed for as long as it is protected.
var NotRewritten = condition("not-rewritten",
	`!(request.userInfo.username == '`+nodeconfig.UserEncryption+`' && request.operation == 'UPDATE' && dyn(object) == dyn(oldObject))`)

// isPlatform asks the authorizer whether the user is the platform.
const isPlatform = `authorizer.group('` + Group + `').resource('` + ResourcePlatform + `').check('` + VerbAdminister + `').allowed()`

// containerLists are the three lists of a pod that hold containers.
var containerLists = []string{"containers", "initContainers", "ephemeralContainers"}

// finding is what a policy has against an object, in CEL: cheaply whether there is
// anything, which every object pays for, and what to say of it.
type finding struct {
	violated []violation
	// told is a list of strings.
	told string
}

// violation is bad for one of the items of a list, which is c in the expression, or
// for the object where the list is empty.
type violation struct{ list, bad string }

// complete gives a policy of the catalogue its Violated and Findings.
func (p Policy) complete() Policy {
	p.Violated, p.Findings = anyOf(p.found.violated), p.found.told
	return p
}

// anyOf is CEL of type bool: whether there is any of some violations. What is asked of
// the same list is asked in one pass.
func anyOf(violations []violation) string {
	var lists []string
	bad := map[string][]string{}
	for _, v := range violations {
		if bad[v.list] == nil {
			lists = append(lists, v.list)
		}
		bad[v.list] = append(bad[v.list], v.bad)
	}
	var parts []string
	for _, list := range lists {
		part := "(" + strings.Join(bad[list], ") || (") + ")"
		if list != "" {
			part = list + ".exists(c, " + part + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " || ")
}

// Lists of a pod. They are no variables, each of which costs the API server as much
// as a dozen comparisons: what is asked of a list is asked in one pass, see [anyOf].
const (
	lastingContainer = `(variables.spec.?containers.orValue([]) + variables.spec.?initContainers.orValue([]))`
	everyContainer   = `(variables.spec.?containers.orValue([]) + variables.spec.?initContainers.orValue([]) + variables.spec.?ephemeralContainers.orValue([]))`
	volumes          = `variables.spec.?volumes.orValue([])`
	tolerations      = `variables.spec.?tolerations.orValue([])`
	// podAnnotations is a map, whose keys are the items.
	podAnnotations = `(request.kind.kind == 'Pod' ? dyn(object) : variables.pod).?metadata.?annotations.orValue({})`
)

// containers gives the findings of every container c for which an expression is
// true: its field, and the value of another expression, or nothing if empty.
func containers(bad, field, value string) finding {
	return containersIn(everyContainer, containerLists, bad, field, value)
}

// lasting leaves out ephemeral containers, which have no such field.
func lasting(bad, field, value string) finding {
	return containersIn(lastingContainer, containerLists[:2], bad, field, value)
}

func containersIn(list string, lists []string, bad, field, value string) finding {
	if value != "" {
		value = ` + ' is "' + string(` + value + `) + '"'`
	}
	var out []string
	for _, name := range lists {
		out = append(out, `variables.spec.?`+name+`.orValue([]).filter(c, `+bad+`).map(c, variables.path + '`+name+`[' + c.name + '].`+field+`'`+value+`)`)
	}
	return finding{[]violation{{list, bad}}, strings.Join(out, " + ")}
}

// each gives a finding for every item c of a list for which an expression is true.
func each(list, bad, say string) finding {
	return finding{[]violation{{list, bad}}, list + `.filter(c, ` + bad + `).map(c, ` + say + `)`}
}

// either gives one finding, or none.
func either(bad, say string) finding {
	return finding{[]violation{{"", bad}}, `(` + bad + ` ? [` + say + `] : [])`}
}

// all joins findings.
func all(findings ...finding) finding {
	var out finding
	var told []string
	for _, f := range findings {
		out.violated = append(out.violated, f.violated...)
		told = append(told, f.told)
	}
	out.told = strings.Join(told, " + ")
	return out
}

// quoted is a list of strings as CEL writes it.
func quoted(values ...string) string { return `['` + strings.Join(values, `', '`) + `']` }

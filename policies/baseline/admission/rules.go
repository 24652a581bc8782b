package admission

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
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

// isPlatform asks the authorizer whether the user is the platform.
const isPlatform = `authorizer.group('` + Group + `').resource('` + ResourcePlatform + `').check('` + VerbAdminister + `').allowed()`

// containerLists are the three lists of a pod that hold containers.
var containerLists = []string{"containers", "initContainers", "ephemeralContainers"}

// containers gives the findings of every container c for which an expression is
// true: its field, and the value of another expression, or nothing if empty.
func containers(bad, field, value string) string {
	return containersIn(containerLists, bad, field, value)
}

func containersIn(lists []string, bad, field, value string) string {
	if value != "" {
		value = ` + ' is "' + string(` + value + `) + '"'`
	}
	var out []string
	for _, list := range lists {
		out = append(out, `variables.spec.?`+list+`.orValue([]).filter(c, `+bad+`).map(c, variables.path + '`+list+`[' + c.name + '].`+field+`'`+value+`)`)
	}
	return strings.Join(out, " + ")
}

// either gives one finding, or none.
func either(bad, finding string) string { return `(` + bad + ` ? [` + finding + `] : [])` }

// all joins findings.
func all(findings ...string) string { return strings.Join(findings, " + ") }

// quoted is a list of strings as CEL writes it.
func quoted(values ...string) string { return `['` + strings.Join(values, `', '`) + `']` }

package admission

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// group is what becomes one object: members of a family that have one mode, in all
// namespaces or in those of one class.
type group struct {
	id      string
	mode    Mode
	members []member
	// elsewhere is CEL of type bool, of a second object: the question of the first, which has
	// its say where it is true. See [group.narrowed].
	elsewhere string
}

// member is a policy with the class where its mode is the group's.
type member struct {
	Policy
	where class
}

type class int

const (
	anyClass class = iota
	// restrictedOnly and baselineOnly leave out the other class, where the mode is
	// another.
	restrictedOnly
	baselineOnly
)

// families are policies of one family each, in their order.
func families(policies []Policy) [][]Policy {
	var out [][]Policy
	at := map[string]int{}
	for _, p := range policies {
		if i, there := at[p.Family]; there && p.Family != "" {
			out[i] = append(out[i], p)
			continue
		}
		at[p.Family] = len(out)
		out = append(out, []Policy{p})
	}
	return out
}

// alike checks what members of a family must have in common.
func alike(family []Policy) error {
	first, variables := family[0], map[string]string{}
	for _, p := range family {
		same := p.Scope == first.Scope && p.Unless == first.Unless && p.NoParameters == first.NoParameters && p.Sentinel == first.Sentinel &&
			reflect.DeepEqual(p.Templates, first.Templates) && reflect.DeepEqual(p.Conditions, first.Conditions)
		if !same {
			return fmt.Errorf("policies %s and %s are of the family %q and differ in what it has in common (Scope, Templates, Conditions, Unless, NoParameters, Sentinel): make them alike, or give one no family", first.ID, p.ID, p.Family)
		}
		for _, v := range p.Variables {
			if before, there := variables[v.Name]; there && before != v.Expression {
				return fmt.Errorf("policy %s: the variable %s stands for something else in its family %q: give it a name of its own", p.ID, v.Name, p.Family)
			}
			variables[v.Name] = v.Expression
		}
	}
	return nil
}

// group gives the members of a family that have a mode somewhere.
func (s Settings) group(family []Policy, mode Mode) group {
	g := group{id: family[0].ID, mode: mode}
	if family[0].Family != "" {
		g.id = family[0].Family + "-" + string(mode)
	}
	for _, p := range family {
		own, relaxed := s.mode(p, p.Mode), s.mode(p, p.Mode)
		if p.Relaxed != "" && len(s.BaselineNamespaces) > 0 {
			relaxed = s.mode(p, p.Relaxed)
		}
		switch {
		case own == mode && relaxed == mode:
			g.members = append(g.members, member{p, anyClass})
		case own == mode:
			g.members = append(g.members, member{p, restrictedOnly})
		case relaxed == mode:
			g.members = append(g.members, member{p, baselineOnly})
		}
	}
	return g
}

func (g group) policies() []Policy {
	var out []Policy
	for _, m := range g.members {
		out = append(out, m.Policy)
	}
	return out
}

// rules are all that the members look at.
func (g group) rules() []admissionv1.NamedRuleWithOperations {
	return union(g.policies(), func(p Policy) []admissionv1.NamedRuleWithOperations { return slices.Concat(p.Rules, p.Templates) })
}

func union(policies []Policy, of func(Policy) []admissionv1.NamedRuleWithOperations) []admissionv1.NamedRuleWithOperations {
	var out []admissionv1.NamedRuleWithOperations
	for _, p := range policies {
		for _, rule := range of(p) {
			if !slices.ContainsFunc(out, func(r admissionv1.NamedRuleWithOperations) bool { return reflect.DeepEqual(r, rule) }) {
				out = append(out, rule)
			}
		}
	}
	return out
}

// ofBaseline tells whether the namespace is of the class baseline. The names are
// one text: a list of a thousand, or a selector of them, would be read anew for every
// object.
const ofBaseline = `params.data.baselineNamespaces.contains('\n' + request.?namespace.orValue('') + '\n')`

// relaxedOnly tells whether all members are for namespaces of the class baseline
// alone.
func (g group) relaxedOnly() bool {
	return !slices.ContainsFunc(g.members, func(m member) bool { return m.where != baselineOnly })
}

// manyNames is how many namespaces a selector may name: it is read anew for every
// object, at about half a microsecond a name, and at a hundred costs what it costs to
// ask the condition that stands in for it.
const manyNames = 100

// conditions are the question of an object for pods. They keep others that are for the class baseline
// alone from other namespaces, where these are too many for a selector.
func (g group) conditions(s Settings) []admissionv1.MatchCondition {
	switch {
	case g.asks():
		return []admissionv1.MatchCondition{condition(questionName, g.question(s))}
	case g.relaxedOnly() && len(s.BaselineNamespaces) > manyNames:
		return []admissionv1.MatchCondition{condition("class-baseline", ofBaseline+` || request.?name.orValue('').startsWith('`+sentinelPrefix+`')`)}
	}
	return nil
}

// variables of the object: those of all members, what they find, and what is said.
func (g group) variables() []admissionv1.Variable {
	first := g.members[0].Policy
	out := []admissionv1.Variable{
		// The API server's own clock: it writes the time of creation before it asks the
		// policies. Other operations have the object's age, and connections none.
		variable("clock", `object != null && dyn(object).?metadata.?creationTimestamp.hasValue() ? timestamp(dyn(object).metadata.creationTimestamp) : `+
			`(oldObject != null && dyn(oldObject).?metadata.?creationTimestamp.hasValue() ? timestamp(dyn(oldObject).metadata.creationTimestamp) : timestamp('1970-01-01T00:00:00Z'))`),
		variable("exceptions", exceptions(first)),
	}
	if g.onPods() {
		out = append(out, pods()...)
	}
	var violated []string
	for _, m := range g.members {
		for _, v := range m.Variables {
			if !slices.ContainsFunc(out, func(o admissionv1.Variable) bool { return o.Name == v.Name }) {
				out = append(out, v)
			}
		}
		violated = append(violated, `((`+m.violatedHere()+`) ? ['`+m.ID+`'] : [])`)
	}
	found := strings.Join(violated, " + ")
	if g.elsewhere != "" {
		found = `(` + g.elsewhere + `) ? [] : ` + found
	}
	out = append(out,
		variable("violated", found),
		// Asked only of what violates something: who violates nothing needs no exception.
		variable(Refused, `variables.violated.filter(v, !variables.exceptions.exists(e, e.startsWith(v + ' ')))`))
	for _, p := range g.policies() {
		out = append(out, variable(p.saidVariable(), p.said()))
	}
	return out
}

// suspect is whether any member has findings, in whatever class: all that most
// objects are ever asked. What is asked of the same list is asked in one pass.
func (g group) suspect() string {
	var all []violation
	for _, p := range g.policies() {
		if p.found.violated != nil {
			all = append(all, p.found.violated...)
		} else {
			all = append(all, violation{"", p.violated()})
		}
	}
	return anyOf(all)
}

func (p Policy) violated() string {
	if p.Violated == "" {
		return `size(` + p.Findings + `) > 0`
	}
	return p.Violated
}

// violatedHere is whether there are findings in a namespace of the member's class.
func (m member) violatedHere() string {
	violated := m.violated()
	switch m.where {
	case restrictedOnly:
		return `(` + violated + `) && !` + ofBaseline
	case baselineOnly:
		return `(` + violated + `) && ` + ofBaseline
	}
	return violated
}

// Refused is the variable of every object with the ids of the policies that an
// object violates without an exception.
const Refused = "refused"

// maxFindings bounds what a message says of fields, shared by the policies that are
// violated, and maxMessage the whole: the API server drops messages that are longer
// than 5 KiB.
const (
	maxFindings = 3000
	maxMessage  = 4800
)

// Said is CEL of what a policy of an object says: the fields, the rule and the
// remedy; an empty text if it has nothing to say. A variable each, and not one expression of all:
// the time that the API server takes to compile one grows with the square of it.
func Said(p Policy) string { return "variables." + p.saidVariable() }

func (p Policy) saidVariable() string {
	return "said_" + strings.NewReplacer("-", "_", ".", "_").Replace(p.ID)
}

func (p Policy) said() string {
	most := fmt.Sprintf(`%d / size(variables.violated)`, maxFindings)
	return `('` + p.ID + `' in variables.` + Refused + ` ? [(` + p.Findings + `).join(', ')].map(f, size(f) > ` + most + ` ? f.substring(0, ` + most + `) + ' …' : f)[0] + ` + celString(": "+p.rule()) + ` : '')`
}

// rule is what the policy demands, and the remedy.
func (p Policy) rule() string {
	return fmt.Sprintf("%s; %s (%s, %s)", p.Title, p.Remedy, p.Control(), strings.Join(p.Controls, ", "))
}

// validation holds the findings of all members against an object, in one message: a
// refusal tells of one validation alone.
func (g group) validation() admissionv1.Validation {
	expression, unsuspected := `size(variables.`+Refused+`) == 0`, ""
	if !g.asks() { // or the condition has asked already
		expression, unsuspected = `!(`+g.suspect()+`) || `+expression, `!(`+g.suspect()+`) ? '' : `
	}
	if unless := g.members[0].Unless; unless != "" {
		expression += " || " + unless
	}
	var said []string
	for _, p := range g.policies() {
		said = append(said, Said(p))
	}
	// The static text stands in where the other cannot be made.
	static := "it violates one of " + Group + "'s policies " + strings.Join(ids(g.policies()), ", ")
	if len(g.members) == 1 {
		static = g.members[0].rule()
	}
	return admissionv1.Validation{
		Expression: expression, Message: static,
		MessageExpression: unsuspected + fmt.Sprintf(`[[%[1]s].filter(s, s != '').join(' | ')].map(m, size(m) > %[2]d ? m.substring(0, %[2]d) + ' …' : m)[0]`, strings.Join(said, ", "), maxMessage),
	}
}

// exceptions is CEL of the entries of the parameters that let the object off, each
// with the id of a policy, the day and the reason.
func exceptions(p Policy) string {
	if p.NoParameters {
		return `[].map(e, '')`
	}
	// Those of a namespace have a key, so that no other's are read.
	return `(request.?namespace.orValue('') != '' ? params.data[?'exceptions.' + request.namespace].orValue('').split('\n') : ` +
		`params.data[?'exceptions'].orValue('').split('\n').filter(e, e.startsWith(request.?name.orValue('') + ' ')).map(e, e.substring(size(request.name) + 1)))` +
		`.filter(e, e != '' && timestamp(e.split(' ')[1]) > variables.clock)`
}

// pods are variables that policies on pods have: where the object keeps the pod, the
// path to its specification, and this.
func pods() []admissionv1.Variable {
	return []admissionv1.Variable{
		variable("pod", `request.kind.kind == 'Pod' ? dyn(object) : request.kind.kind == 'CronJob' ? dyn(object).spec.jobTemplate.spec.template : `+
			`request.kind.kind == 'PodTemplate' ? dyn(object).template : dyn(object).spec.?template.orValue({'spec': {}})`),
		variable("path", `{'Pod': 'spec.', 'CronJob': 'spec.jobTemplate.spec.template.spec.', 'PodTemplate': 'template.spec.'}[?request.kind.kind].orValue('spec.template.spec.')`),
		variable("spec", `(request.kind.kind == 'Pod' ? dyn(object) : variables.pod).?spec.orValue({})`),
	}
}

package hostconfig

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// Merge says how a user's value meets the hardened one.
type Merge string

// Merge rules.
const (
	// Additive values join the hardened ones.
	Additive Merge = "additive"
	// Overwritable values replace the hardened one, within the rule's bounds.
	Overwritable Merge = "overwritable"
	// Locked values cannot change without an exception.
	Locked Merge = "locked"
)

// Rule is the merge rule of one flag or configuration field.
type Rule struct {
	// Name is the flag without dashes, or the field's JSON name.
	Name  string `json:"name"`
	Merge Merge  `json:"merge"`
	// Control is the control that a locked value, or the bound of another,
	// upholds. Empty where nothing is upheld, and where Field decides.
	Control string `json:"control,omitempty"`
	// Field is the field of the specification that decides the value: such a
	// rule is locked, and no exception lifts it.
	Field string `json:"field,omitempty"`
	// Bound describes the values that are accepted, in words.
	Bound string `json:"bound,omitempty"`

	// Since is the first minor that has the flag or field, and Gone the first
	// that no longer has it, for example "v1.36". Empty means every supported minor.
	Since string `json:"since,omitempty"`
	Gone  string `json:"gone,omitempty"`

	accepts func(minor, value string) bool
}

// In tells whether a minor such as "v1.36" has the flag or field.
func (r Rule) In(minor string) bool {
	n := minorNumber(minor)
	return (r.Since == "" || n >= minorNumber(r.Since)) && (r.Gone == "" || n < minorNumber(r.Gone))
}

// absent says from where to where the flag or field exists.
func (r Rule) absent(minor string) *FieldError {
	if r.Gone != "" && minorNumber(minor) >= minorNumber(r.Gone) {
		return &FieldError{Problem: fmt.Sprintf("does not exist in %s: %s removed it", minor, r.Gone), Remedy: "leave it out"}
	}
	return &FieldError{Problem: fmt.Sprintf("does not exist in %s: it begins with %s", minor, r.Since), Remedy: "leave it out, or use " + r.Since}
}

// ArgumentRules gives the rule of every flag that the component has in any
// supported minor, by name; [Rule.In] tells in which.
// A flag that is not among them is refused: nobody judged yet what it weakens.
func ArgumentRules(component string) []Rule {
	rules := argumentRules[component]
	sorted := make([]Rule, 0, len(rules))
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		sorted = append(sorted, rules[name])
	}
	return sorted
}

var argumentRules = map[string]map[string]Rule{
	ComponentEtcd:              etcdRules(),
	ComponentAPIServer:         apiServerRules(),
	ComponentControllerManager: controllerManagerRules(),
	ComponentScheduler:         schedulerRules(),
}

// judge says why a user's value may not stand, or nothing.
func (r Rule) judge(minor, value, hardened string, isSet bool, exceptions []Exception) *FieldError {
	switch {
	case !r.In(minor):
		return r.absent(minor)
	case r.Field != "":
		if isSet && value == hardened {
			return nil
		}
		return &FieldError{Problem: "is decided by the field " + r.Field, Remedy: "set " + r.Field + " instead"}
	case r.Merge == Locked:
		if (isSet && value == hardened) || excepted(exceptions, r.Control) {
			return nil
		}
		problem := fmt.Sprintf("is locked to %q", hardened)
		if !isSet {
			problem = "must stay unset"
		}
		return &FieldError{Problem: fmt.Sprintf("%s by control %s", problem, r.Control), Remedy: acceptRisk(r.Control)}
	case r.accepts != nil && !r.accepts(minor, value):
		if excepted(exceptions, r.Control) {
			return nil
		}
		return &FieldError{
			Problem: fmt.Sprintf("%q is outside the bound of control %s: %s", value, r.Control, r.Bound),
			Remedy:  acceptRisk(r.Control),
		}
	}
	return nil
}

// merge puts a user's flags over the hardened ones. What may not stand is left
// out and reported, so that the result is never weaker than the hardened set.
func mergeArguments(component, minor string, hardened, extra map[string]string, exceptions []Exception) (map[string]string, []error) {
	merged := maps.Clone(hardened)
	var refused []error
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		value := extra[name]
		field := fmt.Sprintf("extraArgs[%q][%q]", component, name)
		rule, known := argumentRules[component][name]
		if !known {
			refused = append(refused, fieldError(field, fmt.Sprintf("%s has no flag %q whose effect on the controls is known", component, name),
				"use a flag of this version of "+component+", without leading dashes"))
			continue
		}
		if strings.ContainsAny(value, "\n\r\x00") {
			refused = append(refused, fieldError(field, "the value contains a line break or a NUL", "write it on one line"))
			continue
		}
		current, isSet := hardened[name]
		if problem := rule.judge(minor, value, current, isSet, exceptions); problem != nil {
			problem.Field = field
			refused = append(refused, problem)
			continue
		}
		if rule.Merge == Additive {
			value = unionList(current, value)
		}
		merged[name] = value
	}
	return merged, refused
}

// unionList joins two comma-separated lists, in order and without repetition. A
// key=value item replaces an earlier one with the same key, because programs
// take the last and a reader should see only one.
func unionList(a, b string) string {
	var order []string
	values := map[string]string{}
	for _, item := range strings.Split(a+","+b, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		key, _, _ := strings.Cut(item, "=")
		if _, seen := values[key]; !seen {
			order = append(order, key)
		}
		values[key] = item
	}
	items := make([]string, 0, len(order))
	for _, key := range order {
		items = append(items, values[key])
	}
	return strings.Join(items, ",")
}

// renderArguments gives "--flag=value" in the order of the flags' names.
func renderArguments(arguments map[string]string) []string {
	rendered := make([]string, 0, len(arguments))
	for name, value := range arguments {
		rendered = append(rendered, "--"+name+"="+value)
	}
	sort.Strings(rendered)
	return rendered
}

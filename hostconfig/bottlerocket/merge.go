package bottlerocket

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// merge puts the leaves of a user's tree over the current one. What may not
// stand is left out and reported under the name that field gives it. The
// hardened tree says what locked values are; current already holds them.
func merge(current *Settings, hardened, user Settings, exceptions []hostconfig.Exception, field func(leaf) string) []error {
	var refused []error
	for _, l := range leaves(user) {
		before, isSet := lookup(hardened, l.path)
		rule, known := ruleFor(l)
		name := field(l)
		if strings.HasPrefix(name, rule.Field) {
			rule.Field = "" // this is the field that decides
		}
		problem := &hostconfig.FieldError{Problem: "has no rule, so nobody judged what it weakens", Remedy: "report this as a defect"}
		if known {
			problem = rule.judge(l, before, isSet, exceptions)
		}
		if problem == nil {
			problem = checkFormat(l)
		}
		if problem != nil {
			problem.Field = name
			refused = append(refused, problem)
			continue
		}
		value := l.value
		if rule.Merge == hostconfig.Additive && value.Kind() == reflect.Slice {
			if present, found := lookup(*current, l.path); found {
				value = union(present.value, value)
			}
		}
		put(reflect.ValueOf(current).Elem(), l.path, value)
	}
	return refused
}

// union joins two lists in order, without repetition.
func union(a, b reflect.Value) reflect.Value {
	joined := reflect.MakeSlice(a.Type(), 0, a.Len()+b.Len())
	seen := map[string]bool{}
	for _, list := range []reflect.Value{a, b} {
		for i := range list.Len() {
			item := list.Index(i)
			if text := fmt.Sprint(item.Interface()); !seen[text] {
				seen[text] = true
				joined = reflect.Append(joined, item)
			}
		}
	}
	return joined
}

// judge says why a user's value may not stand, or nothing.
func (r Rule) judge(l, hardened leaf, isSet bool, exceptions []hostconfig.Exception) *hostconfig.FieldError {
	same := isSet && l.text() == hardened.text()
	if !isSet && r.want != "" {
		same = l.text() == r.want
	}
	switch {
	case same:
		return nil
	case r.Never != "":
		return &hostconfig.FieldError{Problem: r.Never, Remedy: "leave it out; no exception lifts this"}
	case r.Field != "":
		return &hostconfig.FieldError{Problem: "is decided by the field " + r.Field, Remedy: "set " + r.Field + " instead"}
	case hostconfig.Excepted(exceptions, r.Control):
		return nil
	case r.Merge == hostconfig.Locked:
		locked := "must stay unset"
		if isSet {
			locked = fmt.Sprintf("is locked to %q", hardened.text())
		} else if r.want != "" {
			locked = fmt.Sprintf("is locked to %q", r.want)
		}
		return &hostconfig.FieldError{Problem: locked + " by control " + r.Control, Remedy: hostconfig.AcceptRisk(r.Control)}
	case r.accepts != nil && !r.accepts(l):
		return &hostconfig.FieldError{
			Problem: fmt.Sprintf("%q is outside the bound of control %s: %s", l.text(), r.Control, r.Bound),
			Remedy:  hostconfig.AcceptRisk(r.Control),
		}
	}
	return nil
}

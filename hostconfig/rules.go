package hostconfig

import (
	"strconv"
	"strings"
	"time"
)

// ruleSet collects the rules of one component, and panics on a flag that is
// named twice: a table that contradicts itself must not build.
type ruleSet map[string]Rule

func (s ruleSet) add(rule Rule) ruleSet {
	if _, twice := s[rule.Name]; twice {
		panic("hostconfig: two rules for " + rule.Name)
	}
	s[rule.Name] = rule
	return s
}

// locked adds flags that uphold a control.
func (s ruleSet) locked(control string, names ...string) ruleSet {
	for _, name := range names {
		s.add(Rule{Name: name, Merge: Locked, Control: control})
	}
	return s
}

// decidedBy adds flags that a field of the specification decides.
func (s ruleSet) decidedBy(field string, names ...string) ruleSet {
	for _, name := range names {
		s.add(Rule{Name: name, Merge: Locked, Field: field})
	}
	return s
}

// overwritable adds flags that uphold no control.
func (s ruleSet) overwritable(names ...string) ruleSet {
	for _, name := range names {
		s.add(Rule{Name: name, Merge: Overwritable})
	}
	return s
}

// bounded adds a flag whose value may change as long as a control is upheld.
func (s ruleSet) bounded(control, name, bound string, accepts func(string) bool) ruleSet {
	return s.add(Rule{Name: name, Merge: Overwritable, Control: control, Bound: bound, accepts: everywhere(accepts)})
}

// additive adds a list to which a user may add what upholds the control.
func (s ruleSet) additive(control, name, bound string, accepts func(string) bool) ruleSet {
	return s.add(Rule{Name: name, Merge: Additive, Control: control, Bound: bound, accepts: everywhere(accepts)})
}

// gates adds the feature gates, which differ between minors.
func (s ruleSet) gates(control, name string, accepts func(minor, value string) bool) ruleSet {
	return s.add(Rule{Name: name, Merge: Additive, Control: control, Bound: gatesBound, accepts: accepts})
}

// since says in which minor flags begin that were added before.
func (s ruleSet) since(minor string, names ...string) ruleSet {
	return s.change(names, func(r *Rule) { r.Since = minor })
}

// gone says from which minor on flags that were added before do not exist.
func (s ruleSet) gone(minor string, names ...string) ruleSet {
	return s.change(names, func(r *Rule) { r.Gone = minor })
}

func (s ruleSet) change(names []string, do func(*Rule)) ruleSet {
	for _, name := range names {
		rule, known := s[name]
		if !known {
			panic("hostconfig: no rule for " + name)
		}
		do(&rule)
		s[name] = rule
	}
	return s
}

// everywhere makes a bound that holds in every minor.
func everywhere(accepts func(string) bool) func(minor, value string) bool {
	return func(_, value string) bool { return accepts(value) }
}

func integerBetween(low, high int) func(string) bool {
	return func(value string) bool {
		n, err := strconv.Atoi(value)
		return err == nil && n >= low && n <= high
	}
}

func durationBetween(low, high time.Duration) func(string) bool {
	return func(value string) bool {
		d, err := time.ParseDuration(value)
		return err == nil && d >= low && d <= high
	}
}

func oneOf(values ...string) func(string) bool {
	return func(value string) bool {
		for _, v := range values {
			if v == value {
				return true
			}
		}
		return false
	}
}

// subsetOf accepts a list that is not empty and has no other items: an empty
// list usually means the program's own, weaker default.
func subsetOf(values []string) func(string) bool {
	isMember := oneOf(values...)
	return func(value string) bool {
		for _, item := range strings.Split(value, ",") {
			if !isMember(item) {
				return false
			}
		}
		return true
	}
}

package bottlerocket

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Rule is the merge rule of one setting.
type Rule struct {
	// Path is the setting below "settings", with "*" for keys that a user chooses.
	// A rule for a key by name goes before it.
	Path  string           `json:"path"`
	Merge hostconfig.Merge `json:"merge"`
	// Control is what a locked value, or the bound of another, upholds.
	Control string `json:"control,omitempty"`
	// Field is the field of [Spec] that decides the value; [Spec.Settings] must not.
	Field string `json:"field,omitempty"`
	// Bound describes the accepted values, in words.
	Bound string `json:"bound,omitempty"`
	// Never says why no exception lifts the rule.
	Never string `json:"never,omitempty"`

	// want is the value that a locked setting has where the hardened tree has none.
	want    string
	accepts func(leaf) bool
}

// Rules gives the rule of every setting of the model, sorted by path. Single
// sysctls and modules have narrower ones, see [SysctlRules] and [ModuleRules].
func Rules() []Rule {
	sorted := make([]Rule, 0, len(rules))
	for _, path := range slices.Sorted(maps.Keys(rules)) {
		sorted = append(sorted, rules[path])
	}
	return sorted
}

type ruleSet map[string]Rule

func (s ruleSet) add(rule Rule, prefix string, names ...string) ruleSet {
	for _, name := range names {
		rule.Path = prefix + name
		if _, twice := s[rule.Path]; twice {
			panic("bottlerocket: two rules for " + rule.Path)
		}
		s[rule.Path] = rule
	}
	return s
}

func (s ruleSet) locked(control, prefix string, names ...string) ruleSet {
	return s.add(Rule{Merge: hostconfig.Locked, Control: control}, prefix, names...)
}

// lockedIn locks what one field of Spec may still change with an exception.
func (s ruleSet) lockedIn(field, control, prefix string, names ...string) ruleSet {
	return s.add(Rule{Merge: hostconfig.Locked, Control: control, Field: field}, prefix, names...)
}

func (s ruleSet) never(reason, prefix string, names ...string) ruleSet {
	return s.add(Rule{Merge: hostconfig.Locked, Never: reason}, prefix, names...)
}

func (s ruleSet) decidedBy(field, prefix string, names ...string) ruleSet {
	return s.add(Rule{Merge: hostconfig.Locked, Field: field}, prefix, names...)
}

func (s ruleSet) free(prefix string, names ...string) ruleSet {
	return s.add(Rule{Merge: hostconfig.Overwritable}, prefix, names...)
}

func (s ruleSet) additiveIn(field, prefix string, names ...string) ruleSet {
	return s.add(Rule{Merge: hostconfig.Additive, Field: field}, prefix, names...)
}

func (s ruleSet) bounded(control, path, bound string, accepts func(leaf) bool) ruleSet {
	return s.add(Rule{Merge: hostconfig.Overwritable, Control: control, Bound: bound, accepts: accepts}, "", path)
}

func oneOf(values ...string) func(leaf) bool {
	return func(l leaf) bool { return slices.Contains(values, l.text()) }
}

func integerBetween(low, high int64) func(leaf) bool {
	return func(l leaf) bool {
		n, err := strconv.ParseInt(l.text(), 10, 64)
		return err == nil && n >= low && n <= high
	}
}

// ruleFor gives the rule of a leaf: that of its key where one exists, else that
// of its pattern.
func ruleFor(l leaf) (Rule, bool) {
	pattern := strings.Join(l.pattern, ".")
	switch pattern {
	case "kernel.sysctl.*":
		if rule, found := sysctlRule(l.path[2]); found {
			return rule, true
		}
	case "kernel.modules.*.allowed", "kernel.modules.*.autoload":
		if rule, found := moduleRule(l.path[2], l.path[3]); found {
			return rule, true
		}
	}
	if rule, found := rules[strings.Join(l.path, ".")]; found {
		return rule, true
	}
	rule, found := rules[pattern]
	return rule, found
}

// SysctlRules gives the rules of single sysctls, sorted by path. Those below
// net.ipv4.conf and net.ipv6.conf hold for every interface.
func SysctlRules() []Rule {
	sorted := make([]Rule, 0, len(lockedSysctls))
	for _, name := range slices.Sorted(maps.Keys(lockedSysctls)) {
		rule, _ := sysctlRule(name)
		sorted = append(sorted, rule)
	}
	return sorted
}

func sysctlRule(name string) (Rule, bool) {
	path := "kernel.sysctl." + name
	name = canonicalSysctl(name)
	if value, found := hostconfig.KubeletSysctls()[name]; found {
		return Rule{Path: path, Merge: hostconfig.Locked, Field: sysctlField, want: value,
			Never: "the operating system sets what the kubelet demands, and the kubelet does not start with another value"}, true
	}
	locked, found := lockedSysctls[name]
	if !found {
		locked, found = lockedSysctls[everyInterface(name)]
	}
	return Rule{Path: path, Merge: hostconfig.Locked, Control: locked.control, Field: sysctlField, want: locked.value}, found
}

// ModuleRules gives the rules of single kernel modules, sorted by path.
func ModuleRules() []Rule {
	var sorted []Rule
	for _, name := range slices.Sorted(maps.Keys(lockedModules)) {
		for _, field := range []string{"allowed", "autoload"} {
			rule, _ := moduleRule(name, field)
			sorted = append(sorted, rule)
		}
	}
	return sorted
}

func moduleRule(name, field string) (Rule, bool) {
	control, found := lockedModules[hostconfig.ModuleName(name)]
	return Rule{Path: "kernel.modules." + name + "." + field, Merge: hostconfig.Locked, Control: control, want: "false"}, found
}

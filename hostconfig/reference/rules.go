package reference

import (
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// change says in words whether a setting can be changed, and how, and which
// minors have it where not all do.
func change(rule hostconfig.Rule) string {
	text := mergeText(rule)
	if rule.Since != "" {
		text += "; since " + rule.Since
	}
	if rule.Gone != "" {
		text += "; gone in " + rule.Gone
	}
	return text
}

func mergeText(rule hostconfig.Rule) string {
	switch {
	case rule.Field != "":
		return "by the field " + code(rule.Field)
	case rule.Merge == hostconfig.Locked:
		return "locked: needs an exception"
	case rule.Merge == hostconfig.Additive && rule.Bound != "":
		return "add: " + rule.Bound
	case rule.Merge == hostconfig.Additive:
		return "add"
	case rule.Bound != "":
		return "replace within: " + rule.Bound
	default:
		return "replace"
	}
}

// ruleRows gives the rows of a table of rules; rules of the same kind that have
// no default stand in one row, or the tables would be mostly empty cells.
func ruleRows(rules []hostconfig.Rule, defaults map[string]string) [][]string {
	var rows [][]string
	type kind struct{ control, change string }
	grouped := map[kind][]string{}
	var order []kind
	for _, rule := range rules {
		value, isSet := defaults[rule.Name]
		if isSet {
			rows = append(rows, []string{code(rule.Name), code(shorten(value)), rule.Control, change(rule)})
			continue
		}
		k := kind{rule.Control, change(rule)}
		if grouped[k] == nil {
			order = append(order, k)
		}
		grouped[k] = append(grouped[k], code(rule.Name))
	}
	slices.SortFunc(order, func(a, b kind) int { return strings.Compare(a.control+a.change, b.control+b.change) })
	for _, k := range order {
		rows = append(rows, []string{strings.Join(grouped[k], ", "), "unset", k.control, k.change})
	}
	return rows
}

// shorten keeps a table readable: a long list is shown by its beginning.
func shorten(value string) string {
	const widest = 120
	if len(value) <= widest {
		return value
	}
	return value[:widest] + " …"
}

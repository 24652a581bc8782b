package hostconfig

import (
	"slices"
	"strings"
)

// NodeField tells of one field of [Node] whether and how it can be changed.
type NodeField struct {
	// Path is the field in JSON, with "[]" after a list and "[*]" after a map
	// whose items have fields of their own.
	Path  string `json:"path"`
	Merge Merge  `json:"merge"`
	// Controls are the ids of what the field upholds.
	Controls []string `json:"controls,omitempty"`
	// Exception is the id that an exception must name, so that the field may leave
	// its bound or its locked value. Empty where nothing lifts it, and "*" where
	// the field's own rules name one for each key.
	Exception string `json:"exception,omitempty"`
	// Bound describes the values that are accepted, in words.
	Bound string `json:"bound,omitempty"`
	// Decided is what decides the value instead of the user.
	Decided string `json:"decided,omitempty"`
	// Default is the hardened default, in words. Empty means nothing.
	Default string `json:"default,omitempty"`
	// OS are the operating systems that have the field; empty means all.
	OS []OS `json:"os,omitempty"`
	// Role is the one role that has the field; empty means both.
	Role Role `json:"role,omitempty"`
}

// Required is the default of a field that has none and must be set.
const Required = "required"

// Change says in words whether and how the field can be changed.
func (f NodeField) Change() string {
	var b strings.Builder
	switch {
	case f.Decided != "":
		return "no: decided by " + f.Decided
	case f.Merge == Locked && f.Exception == "":
		return "no"
	case f.Merge == Locked:
		b.WriteString("no")
	case f.Merge == Additive:
		b.WriteString("adds to the hardened values")
	default:
		b.WriteString("yes")
	}
	if f.Bound != "" {
		b.WriteString(": " + f.Bound)
	}
	switch f.Exception {
	case "":
	case "*":
		b.WriteString("; otherwise with an exception for the control that the refusal names")
	default:
		b.WriteString("; otherwise with an exception for " + f.Exception)
	}
	return b.String()
}

// NodeFields gives the merge rule of every field of [Node], sorted by path.
func NodeFields() []NodeField {
	sorted := slices.Clone(nodeFields)
	for i := range sorted {
		// Validation reads the table: nobody may change it through what is given here.
		sorted[i].Controls, sorted[i].OS = slices.Clone(sorted[i].Controls), slices.Clone(sorted[i].OS)
	}
	slices.SortFunc(sorted, func(a, b NodeField) int { return strings.Compare(a.Path, b.Path) })
	return sorted
}

// nodeTable collects the fields, and panics on one that is named twice: a table
// that contradicts itself must not build.
type nodeTable struct {
	fields []NodeField
	seen   map[string]bool
}

func (t *nodeTable) add(f NodeField) {
	if t.seen[f.Path] {
		panic("hostconfig: two rules for the node's " + f.Path)
	}
	if t.seen == nil {
		t.seen = map[string]bool{}
	}
	t.seen[f.Path] = true
	t.fields = append(t.fields, f)
}

// only narrows what was added since a mark to operating systems or a role.
func (t *nodeTable) only(role Role, systems []OS, add func()) {
	mark := len(t.fields)
	add()
	for i := mark; i < len(t.fields); i++ {
		t.fields[i].Role = role
		if t.fields[i].OS == nil {
			t.fields[i].OS = systems
		}
	}
}

// free adds fields that uphold no control by themselves.
func (t *nodeTable) free(value string, paths ...string) {
	for _, path := range paths {
		t.add(NodeField{Path: path, Merge: Overwritable, Default: value})
	}
}

// bounded adds a field whose value may change as long as the controls are upheld.
func (t *nodeTable) bounded(path, value, bound string, controls ...string) {
	t.add(NodeField{Path: path, Merge: Overwritable, Default: value, Bound: bound, Controls: controls})
}

// additive adds a field whose items join the hardened ones.
func (t *nodeTable) additive(path, bound, exception string, controls ...string) {
	t.add(NodeField{Path: path, Merge: Additive, Bound: bound, Exception: exception, Controls: controls})
}

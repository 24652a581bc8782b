package cloud

import (
	"cmp"
	"slices"
)

// Level is how bad a finding is.
type Level string

// Levels. An error fails the rehearsal.
const (
	Error   Level = "error"
	Warning Level = "warning"
	Note    Level = "note"
)

// Finding is one thing that a rehearsal found.
type Finding struct {
	Level Level `json:"level"`
	// Step is where it was found.
	Step string `json:"step"`
	// Subject is what it is about: a resource, a namespace, a pool.
	Subject string `json:"subject,omitempty"`
	Problem string `json:"problem"`
	Remedy  string `json:"remedy,omitempty"`
}

// sorted gives the worst first, otherwise in the order of the steps.
func sorted(findings []Finding) []Finding {
	order := map[Level]int{Error: 0, Warning: 1, Note: 2}
	out := slices.Clone(findings)
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(order[a.Level], order[b.Level]) })
	return out
}

// count counts the findings of a level.
func count(findings []Finding, level Level) int {
	n := 0
	for _, f := range findings {
		if f.Level == level {
			n++
		}
	}
	return n
}

package controls

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// State is what is known of a control.
type State string

// States. What could not be looked at is never satisfied.
const (
	Satisfied     State = "satisfied"
	Failed        State = "failed"
	Accepted      State = "accepted" // failed, and an exception says why and until when
	NotTested     State = "not tested"
	Manual        State = "manual"         // people uphold it
	ProviderOwned State = "provider-owned" // the cloud upholds it
	NotApplicable State = "not applicable"
)

// States are all of them, what needs attention first.
func States() []State {
	return []State{Failed, Accepted, NotTested, Manual, ProviderOwned, NotApplicable, Satisfied}
}

// Level is how near to the running thing was looked.
type Level string

// Levels.
const (
	// Resources: what a cloud holds, with the properties that it was given.
	Resources Level = "resources"
	// LiveAPI: what a real API server answers.
	LiveAPI Level = "live API"
)

// Observation is one look at something, for some controls.
type Observation struct {
	// Controls are their ids.
	Controls []string `json:"-"`
	// About says what was looked at.
	About string `json:"about"`
	Level Level  `json:"level"`
	// Wrong is what was found wrong; nothing when the controls are upheld.
	Wrong []string `json:"wrong,omitempty"`
}

// Limit is a setting that the cloud has and the tools cannot express.
type Limit struct {
	Field        string   `json:"field"`
	Controls     []string `json:"controls"`
	Consequence  string   `json:"consequence"`
	Compensation string   `json:"compensation"`
}

// Result is what is known of one control.
type Result struct {
	Control
	State State `json:"state"`
	// Why is the reason of every state but satisfied and failed.
	Why          string        `json:"why,omitempty"`
	Observations []Observation `json:"observations,omitempty"`
	// Limits are the fields, among the report's limits, that touch it.
	Limits []string `json:"limits,omitempty"`
}

// Report is the evidence of one environment.
type Report struct {
	Environment string `json:"environment"`
	// Scope says what was looked at, and what it is not.
	Scope      string                 `json:"scope"`
	Collected  time.Time              `json:"collected"`
	Results    []Result               `json:"results"`
	Limits     []Limit                `json:"limits"`
	Exceptions []hostconfig.Exception `json:"exceptions"`
}

// Judge gives every control of the catalogue a state, in the catalogue's order. Controls that were looked at and are in no
// catalogue come last, by their ids.
func (r Report) Judge(catalogue []Control, seen []Observation) Report {
	catalogue = slices.Clone(catalogue)
	known := map[string]bool{}
	for _, c := range catalogue {
		known[c.ID] = true
	}
	var more []Control
	for _, o := range seen {
		for _, id := range o.Controls {
			if !known[id] {
				known[id] = true
				more = append(more, Control{ID: id, Title: rows[id]})
			}
		}
	}
	slices.SortFunc(more, func(a, b Control) int { return strings.Compare(a.ID, b.ID) })
	r.Results = nil
	for _, c := range append(catalogue, more...) {
		r.Results = append(r.Results, r.judge(c, seen))
	}
	return r
}

func (r Report) judge(c Control, seen []Observation) Result {
	result := Result{Control: c}
	wrong := false
	for _, o := range seen {
		if slices.Contains(o.Controls, c.ID) {
			result.Observations = append(result.Observations, o)
			wrong = wrong || len(o.Wrong) > 0
		}
	}
	for _, l := range r.Limits {
		if slices.Contains(l.Controls, c.ID) {
			result.Limits = append(result.Limits, l.Field)
		}
	}
	switch {
	case wrong:
		result.State = Failed
	case len(result.Observations) > 0:
		result.State = Satisfied
	case c.Answer == Nobody:
		result.State, result.Why = Failed, c.Reason
	case c.Answer == Provider:
		result.State, result.Why = ProviderOwned, c.Reason
	case c.Answer == People:
		result.State, result.Why = Manual, c.Reason
	case c.Answer == Unused:
		result.State, result.Why = NotApplicable, c.Reason
	case len(result.Limits) > 0:
		result.State, result.Why = NotTested, "the provider cannot say it: see what is done instead"
	default:
		result.State, result.Why = NotTested, "nothing looked at it"
	}
	if result.State == Failed {
		r.excuse(&result)
	}
	return result
}

// excuse looks for exceptions. One that names the control accepts its risk; one of a part, such as M17/retention, accepts
// no more than the part, and explains the rest.
func (r Report) excuse(result *Result) {
	for _, e := range r.Exceptions {
		whole, part, _ := strings.Cut(e.Control, "/")
		if whole != result.ID || e.Expires < r.Collected.UTC().Format(time.DateOnly) {
			continue
		}
		why := fmt.Sprintf("%s (until %s)", e.Reason, e.Expires)
		if part == "" {
			result.State, result.Why = Accepted, why
			return
		}
		if result.Why != "" {
			result.Why += "; "
		}
		result.Why += "accepted in part, " + e.Control + ": " + why
	}
}

// Count tells how many controls are in each state.
func (r Report) Count() map[State]int {
	counts := map[State]int{}
	for _, each := range r.Results {
		counts[each.State]++
	}
	return counts
}

// Summary is a line such as "52 of 67 satisfied, 1 failed, 14 provider-owned".
func (r Report) Summary() string {
	counts := r.Count()
	parts := []string{fmt.Sprintf("%d of %d satisfied", counts[Satisfied], len(r.Results))}
	for _, state := range States() {
		if n := counts[state]; n > 0 && state != Satisfied {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(parts, ", ")
}

package rehearse

import (
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// Result is what an operation did.
type Result struct {
	Operation   Operation
	Environment string
	// Outputs are the stack's. Those of a failed operation are missing.
	Outputs auto.OutputMap
	// Changes counts steps by kind: create, update, delete, replace, same, ...
	Changes map[apitype.OpType]int
	// Steps are the resources that were worked on, in the order in which they ended. Those that stayed the same are
	// not among them.
	Steps []Step
	// Phases are the durations, in the order of Options.Phases; phases without steps are missing.
	Phases []PhaseDuration
	// Duration is the whole operation's, with what surrounds the engine.
	Duration time.Duration
	// Verified are the lines of Options.Verify.
	Verified []string
	// Warnings are the engine's and the providers', each once.
	Warnings []string
	// Events are the engine's, in order.
	Events []events.EngineEvent
}

// Step is one resource's part of an operation.
type Step struct {
	URN      string
	Type     string
	Op       apitype.OpType
	Started  time.Time
	Duration time.Duration
	Failed   bool
}

// PhaseDuration is the time during which at least one step of the phase was under way.
type PhaseDuration struct {
	Name     string
	Steps    int
	Duration time.Duration
}

// Creates counts the resources that were (or, in a preview, would be) made.
func (r Result) Creates() int { return r.Changes[apitype.OpCreate] }

// Updates counts the resources that were changed in place.
func (r Result) Updates() int { return r.Changes[apitype.OpUpdate] }

// Replaces counts the resources that were replaced.
func (r Result) Replaces() int { return r.Changes[apitype.OpReplace] }

// Deletes counts the resources that were removed.
func (r Result) Deletes() int { return r.Changes[apitype.OpDelete] }

// Same counts the resources that were left alone.
func (r Result) Same() int { return r.Changes[apitype.OpSame] }

// Changed counts every resource that was not left alone.
func (r Result) Changed() int {
	n := 0
	for op, count := range r.Changes {
		if op != apitype.OpSame && op != apitype.OpRead {
			n += count
		}
	}
	return n
}

// Output returns a text output, "" when there is none of the name.
func (r Result) Output(name string) string {
	text, _ := r.Outputs[name].Value.(string)
	return text
}

// phases sums the steps up. Steps of a phase run side by side: the time counts once.
func phases(steps []Step, of []Phase) []PhaseDuration {
	var out []PhaseDuration
	for _, phase := range of {
		var mine []Step
		for _, step := range steps {
			for _, prefix := range phase.Types {
				if strings.HasPrefix(step.Type, prefix) {
					mine = append(mine, step)
					break
				}
			}
		}
		if len(mine) > 0 {
			out = append(out, PhaseDuration{Name: phase.Name, Steps: len(mine), Duration: covered(mine)})
		}
	}
	return out
}

// covered is the length of the union of the steps' intervals.
func covered(steps []Step) time.Duration {
	var total time.Duration
	done := make([]bool, len(steps))
	for i := range steps {
		if done[i] {
			continue
		}
		from, to := steps[i].Started, steps[i].Started.Add(steps[i].Duration)
		done[i] = true
		for grown := true; grown; {
			grown = false
			for j := range steps {
				end := steps[j].Started.Add(steps[j].Duration)
				if done[j] || steps[j].Started.After(to) || end.Before(from) {
					continue
				}
				done[j], grown = true, true
				if steps[j].Started.Before(from) {
					from = steps[j].Started
				}
				if end.After(to) {
					to = end
				}
			}
		}
		total += to.Sub(from)
	}
	return total
}

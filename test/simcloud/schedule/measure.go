package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Operation is what was done to one resource. Its times are since a moment that all of a run have in common.
type Operation struct {
	URN string
	// Delete removes; the others make a resource or change it.
	Delete bool
	// Start is when it was asked for, Accepted when the cloud took it, after refusals that were waited out.
	Start, Accepted, End time.Duration
}

// Operations are those of a simulated cloud's timeline, or of a part of it: one run of the engine.
func Operations(spans []simcloud.Span) []Operation {
	var out []Operation
	for _, s := range spans {
		since := func(t time.Time) time.Duration { return t.Sub(simcloud.Epoch) }
		out = append(out, Operation{URN: s.URN, Delete: s.Operation == simcloud.Delete, Start: since(s.Start), Accepted: since(s.Accepted), End: since(s.End)})
	}
	return out
}

// Step is an operation in its run. Its times are since the run's first operation began.
type Step struct {
	Operation
	// Earliest is when it could have started, had nothing waited for anything but what it depends on.
	Earliest time.Duration
	// Slack is how much later than that it could have started without making the run longer than its longest chain.
	Slack time.Duration
}

// Takes is how long it took, with refusals that were waited out.
func (s Step) Takes() time.Duration { return s.End - s.Start }

// Waited is how long the provider waited for the cloud to take it.
func (s Step) Waited() time.Duration { return s.Accepted - s.Start }

// Late is how much later it started than it could have.
func (s Step) Late() time.Duration { return s.Start - s.Earliest }

// Report is how a run used its time.
type Report struct {
	// Makespan is from the first operation's start to the last one's end.
	Makespan time.Duration
	// Bound is the length of the longest chain: no run with operations as long as these is shorter.
	Bound time.Duration
	// Work is the sum of all operations.
	Work time.Duration
	// Slots is how many operations were under way at once, at most.
	Slots int
	// Steps are all operations in the order in which they started; Path are those of the longest chain, which for equal
	// chains is the one whose end, and whose links before that, have the first URNs of the alphabet.
	Steps, Path []Step
}

// Ratio is the makespan over its bound; 1 for a run that took no time.
func (r *Report) Ratio() float64 {
	if r.Bound == 0 {
		return 1
	}
	return float64(r.Makespan) / float64(r.Bound)
}

// Slack is what a better order or more slots could win.
func (r *Report) Slack() time.Duration { return r.Makespan - r.Bound }

// Measure compares a run's operations with what they had to wait for. A resource may be made or changed once and deleted
// once, in either order.
func (g *Graph) Measure(operations []Operation) (*Report, error) {
	w, err := g.weigh(operations)
	if err != nil {
		return nil, err
	}
	out := &Report{}
	if len(operations) == 0 {
		return out, nil
	}
	first, last := operations[0].Start, operations[0].End
	for _, o := range operations {
		first, last = min(first, o.Start), max(last, o.End)
		out.Work += o.End - o.Start
	}
	out.Makespan, out.Slots = last-first, slots(operations)
	order := w.chains()
	for _, end := range w.finish {
		out.Bound = max(out.Bound, end)
	}
	steps := map[int]Step{}
	for _, n := range order {
		o := w.operations[n]
		if o == nil {
			continue
		}
		s := Step{Operation: *o, Earliest: w.finish[n] - w.length(n), Slack: out.Bound - w.tail[n] - w.finish[n]}
		s.Start, s.Accepted, s.End = s.Start-first, s.Accepted-first, s.End-first
		steps[n], out.Steps = s, append(out.Steps, s)
	}
	slices.SortStableFunc(out.Steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.URN, b.URN))
	})
	for _, n := range w.longest(out.Bound) {
		if s, ok := steps[n]; ok {
			out.Path = append(out.Path, s)
		}
	}
	return out, nil
}

// slots counts the operations under way at once. One that ends as another one begins made room for it.
func slots(operations []Operation) (most int) {
	type event struct {
		at  time.Duration
		add int
	}
	var events []event
	for _, o := range operations {
		if o.End > o.Start {
			events = append(events, event{o.Start, 1}, event{o.End, -1})
		}
	}
	slices.SortFunc(events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), a.add-b.add)
	})
	now := 0
	for _, e := range events {
		now += e.add
		most = max(most, now)
	}
	return most
}

// weigh puts the operations on the graph.
func (g *Graph) weigh(operations []Operation) (*weighed, error) {
	n := len(g.resources)
	w := &weighed{g: g, operations: make([]*Operation, 2*n), before: make([][]int, 2*n)}
	for _, o := range operations {
		i, ok := g.number[o.URN]
		if !ok {
			return nil, fmt.Errorf("%s was worked on and is not in the deployment: give the deployment of before the run where things were deleted", o.URN)
		}
		if o.End < o.Accepted || o.Accepted < o.Start {
			return nil, fmt.Errorf("%s ends before it starts: %s, %s, %s", o.URN, o.Start, o.Accepted, o.End)
		}
		if o.Delete {
			i += n
		}
		if w.operations[i] != nil {
			return nil, fmt.Errorf("%s was worked on twice: measure one run at a time", o.URN)
		}
		w.operations[i] = &o
	}
	w.connect()
	return w, nil
}

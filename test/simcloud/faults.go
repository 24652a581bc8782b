package simcloud

import (
	"path"
	"sync"
)

// Operation is what is done to a resource.
type Operation string

// The operations of a provider.
const (
	Create Operation = "create"
	Read   Operation = "read"
	Update Operation = "update"
	Delete Operation = "delete"
	Invoke Operation = "invoke"
)

// Effect is how much of an operation happens before its fault shows.
type Effect int

// The effects.
const (
	// Nothing has happened.
	Nothing Effect = iota
	// Unfinished means that the thing exists, the engine is told its id, and it never became ready.
	Unfinished
	// AnswerLost means that it happened and the answer never arrived: the engine knows nothing of it.
	AnswerLost
)

// Fault makes operations fail on demand.
type Fault struct {
	Operation Operation
	// Type is the token, "" for every type. Name is a pattern (path.Match) of the resource's name, "" for every name.
	Type, Name string
	// Skip lets so many operations through first; Times is how many fail then, 1 when zero, every one when negative.
	Skip, Times int
	Effect      Effect
	Err         *Error
}

// Throttle is a fault that answers so many calls with a refusal that the provider tries again after.
func Throttle(operation Operation, token string, times int) Fault {
	return Fault{Operation: operation, Type: token, Times: times,
		Err: &Error{Code: "ThrottlingException", Message: "Rate exceeded", Throttled: true}}
}

// faults are the plans that are still to happen.
type faults struct {
	mu    sync.Mutex
	plans []*Fault
}

func (f *faults) add(fault Fault) {
	if fault.Times == 0 {
		fault.Times = 1
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plans = append(f.plans, &fault)
}

// next is the fault of an operation that begins now, nil when it goes well.
func (f *faults) next(operation Operation, token, name string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, plan := range f.plans {
		if plan.Operation != operation || plan.Type != "" && plan.Type != token || plan.Times == 0 {
			continue
		}
		if plan.Name != "" {
			if match, err := path.Match(plan.Name, name); err != nil || !match {
				continue
			}
		}
		if plan.Skip > 0 {
			plan.Skip--
			continue
		}
		if plan.Times > 0 {
			plan.Times--
		}
		happened := *plan
		return &happened
	}
	return nil
}

package simcloud

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Definition is a cloud's own part.
type Definition struct {
	// Package is the Pulumi package, Version that of the SDK whose types are used.
	Package, Version string
	Types            []*ResourceType
	Functions        map[string]Function
	Latencies        Latencies
	// Provider are the arguments of the provider resource; Scope finds the region in them or says what is wrong.
	Provider *Type
	Scope    func(config Values) (string, error)
	// Frame words an error as the provider does: the operation, the status, a request id.
	Frame func(token string, operation Operation, e *Error) string
	// Complete adds what every resource of the cloud has, such as merged tags, to the state.
	Complete func(t *ResourceType, config, inputs, state Values)
	// Retries is how often the provider tries again when it is throttled.
	Retries int
}

// Options tune a Cloud.
type Options struct {
	// Journal is the file that keeps what exists; empty: in memory only.
	Journal string
	// Factor is how many times faster than real time the cloud's clock runs; 0: waiting is free.
	Factor float64
	// VirtualTime makes free waiting a measure: operations side by side take their time once, so that the clock tells
	// what the cloud would have taken. It costs some tens of milliseconds for each moment at which anything ends, and
	// seconds while something else runs in this process or below it.
	VirtualTime bool
}

// Cloud is one simulated account: what exists in it, its clock and its faults.
type Cloud struct {
	Definition
	Clock *Clock

	types  map[string]*ResourceType
	faults faults

	mu       sync.Mutex // guards store and timeline; held while an operation is judged
	store    *store
	timeline []Span
}

// Span is one operation that took simulated time.
type Span struct {
	Operation  Operation
	URN        string
	Type, Name string
	// Start is when it was asked for, Accepted when the cloud took it after refusals that the provider waited out.
	Start, Accepted, End time.Time
	Failed               bool
}

// Open makes a cloud, with what its journal says exists.
func Open(definition Definition, options Options) (*Cloud, error) {
	clock := NewClock(options.Factor)
	if options.VirtualTime {
		if options.Factor != 0 {
			return nil, fmt.Errorf("a factor of %g and virtual time: a clock is the one or the other", options.Factor)
		}
		clock = NewVirtualClock()
	}
	kept, err := openStore(options.Journal)
	if err != nil {
		return nil, err
	}
	c := &Cloud{Definition: definition, Clock: clock, types: map[string]*ResourceType{}, store: kept}
	if c.Retries == 0 {
		c.Retries = 25
	}
	for _, t := range definition.Types {
		if c.types[t.Token] != nil {
			return nil, fmt.Errorf("%s is defined twice", t.Token)
		}
		c.types[t.Token] = t
	}
	for _, t := range definition.Types {
		for _, r := range t.References {
			for _, to := range r.To {
				if c.types[to] == nil {
					return nil, fmt.Errorf("%s.%s leads to %s, which is not defined", t.Token, r.Path, to)
				}
			}
		}
	}
	for _, o := range kept.objects { // the clock goes on where the last run ended
		if ahead := o.Usable.Sub(c.Clock.Now()); ahead > 0 {
			c.Clock.Advance(ahead)
		}
	}
	return c, nil
}

// Close ends the journal.
func (c *Cloud) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store.close()
}

// Inject plans a fault.
func (c *Cloud) Inject(fault Fault) { c.faults.add(fault) }

// Timeline gives the operations so far, in the order in which they ended.
func (c *Cloud) Timeline() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.timeline)
}

// Objects are what exists, in the order in which it was made; of the types, if any are named.
func (c *Cloud) Objects(types ...string) []Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Object
	for _, o := range c.store.sorted() {
		if len(types) == 0 || slices.Contains(types, o.Type) {
			out = append(out, *o)
		}
	}
	return out
}

// Put makes an object exist behind the engine's back, as somebody at a console would, or a service that acts by
// itself. Its type must be known; nothing is judged.
func (c *Cloud) Put(o Object) error {
	if c.types[o.Type] == nil {
		return fmt.Errorf("%s is not a type of this cloud", o.Type)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o.Ready = true
	return c.store.put(&o)
}

// Remove makes an object disappear behind the engine's back.
func (c *Cloud) Remove(o Object) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store.remove(o.Key())
}

// Find gives the objects of a type in a scope for which match says yes. It is for judgements: the cloud is locked.
func (c *Cloud) Find(scope, token string, match func(*Object) bool) []*Object {
	if t := c.types[token]; t != nil && t.Global {
		scope = ""
	}
	var out []*Object
	for _, o := range c.store.sorted() {
		if o.Type == token && o.Scope == scope && (match == nil || match(o)) {
			out = append(out, o)
		}
	}
	return out
}

// Get is the object of an id, nil when there is none. It is for judgements.
func (c *Cloud) Get(scope, token, id string) *Object {
	if t := c.types[token]; t != nil && t.Global {
		scope = ""
	}
	return c.store.objects[(&Object{Scope: scope, Type: token, ID: id}).Key()]
}

// By is the object of a type whose property has a value, nil when there is none. It is for judgements.
func (c *Cloud) By(scope, token, property, value string) *Object {
	found := c.Find(scope, token, func(o *Object) bool { return o.State.String(property) == value })
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// Visible tells whether other services see an object yet.
func (c *Cloud) Visible(o *Object) bool { return !c.Clock.Now().Before(o.Usable) }

// Next numbers things of a sequence. It is for judgements.
func (c *Cloud) Next(sequence string) int {
	n, err := c.store.count(sequence)
	if err != nil {
		panic(err) // the journal cannot be written: nothing may go on
	}
	return n
}

// Reached is how far a sequence has been numbered, 0 when it never was. It is for judgements.
func (c *Cloud) Reached(sequence string) int { return c.store.counter[sequence] }

// Release removes what an object brought along and needs no more. It is for judgements.
func (c *Cloud) Release(o *Object) error { return c.drop(o) }

// Look runs something with the cloud locked, as judgements are: for what tests compute from what exists.
func (c *Cloud) Look(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

package rehearse

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
)

// stackType is the engine's type of the stack itself.
const stackType = "pulumi:pulumi:Stack"

// hiddenSecret is how the engine writes a secret into its events.
const hiddenSecret = "[secret]"

// observer gathers what the engine reports while it works.
type observer struct {
	channel chan events.EngineEvent
	done    sync.WaitGroup

	events   []events.EngineEvent
	started  map[string]time.Time
	steps    []Step
	changes  map[apitype.OpType]int
	warnings []string
	problems []Problem
	outputs  map[string]any // of the stack, secrets hidden
}

func observe() *observer {
	o := &observer{channel: make(chan events.EngineEvent, 64), started: map[string]time.Time{}, changes: map[apitype.OpType]int{}}
	o.done.Add(1)
	go func() {
		defer o.done.Done()
		for event := range o.channel {
			o.take(event, time.Now())
		}
	}()
	return o
}

// finish waits until every event has been taken. The Automation API closes the channel when the operation ends, but
// not when it fails before it starts.
func (o *observer) finish() {
	func() {
		defer func() { _ = recover() }()
		close(o.channel)
	}()
	o.done.Wait()
}

// take records one event. Events carry whole seconds, so the time of arrival is used: they come over a local socket.
func (o *observer) take(event events.EngineEvent, now time.Time) {
	o.events = append(o.events, event)
	switch {
	case event.ResourcePreEvent != nil:
		m := event.ResourcePreEvent.Metadata
		if m.Op != apitype.OpSame {
			o.started[m.URN+string(m.Op)] = now
		}
	case event.ResOutputsEvent != nil:
		m := event.ResOutputsEvent.Metadata
		o.step(m, now, false)
		if m.Type == stackType && m.New != nil {
			o.outputs = m.New.Outputs
		}
	case event.ResOpFailedEvent != nil:
		o.step(event.ResOpFailedEvent.Metadata, now, true)
	case event.SummaryEvent != nil:
		for op, n := range event.SummaryEvent.ResourceChanges {
			o.changes[op] = n
		}
	case event.DiagnosticEvent != nil:
		o.diagnose(*event.DiagnosticEvent)
	case event.ErrorEvent != nil:
		o.problems = append(o.problems, Problem{Message: event.ErrorEvent.Error})
	}
}

func (o *observer) step(m apitype.StepEventMetadata, now time.Time, failed bool) {
	started, ok := o.started[m.URN+string(m.Op)]
	if !ok {
		return
	}
	delete(o.started, m.URN+string(m.Op))
	o.steps = append(o.steps, Step{URN: m.URN, Type: m.Type, Op: m.Op, Started: started, Duration: now.Sub(started), Failed: failed})
}

func (o *observer) diagnose(d apitype.DiagnosticEvent) {
	text := strings.TrimSpace(colors.Never.Colorize(d.Message))
	switch {
	case d.Ephemeral || text == "":
	case d.Severity == "warning":
		if name := resourceName(d.URN); d.URN != "" && !strings.Contains(d.URN, "::"+stackType+"::") {
			text = name + ": " + text
		}
		if !slices.Contains(o.warnings, text) {
			o.warnings = append(o.warnings, text)
		}
	case d.Severity == "error":
		o.problems = append(o.problems, Problem{URN: d.URN, Message: text})
	}
}

// known returns the stack's outputs where the events tell all of them; ok is false when some are secret.
func (o *observer) known() (outputs auto.OutputMap, ok bool) {
	out := auto.OutputMap{}
	for name, value := range o.outputs {
		if containsHidden(value) {
			return nil, false
		}
		out[name] = auto.OutputValue{Value: value}
	}
	return out, o.outputs != nil
}

func containsHidden(value any) bool {
	switch v := value.(type) {
	case string:
		return v == hiddenSecret
	case map[string]any:
		for _, item := range v {
			if containsHidden(item) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, containsHidden)
	}
	return false
}

package simcloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Pauses between attempts, in simulated time.
const (
	throttlePause = time.Second // doubled at each further refusal, up to throttleMost
	throttleMost  = 30 * time.Second
	retryPause    = 5 * time.Second
)

// attempt judges an operation with the cloud locked, and again while it is throttled or something is not visible yet.
func (s *Server) attempt(ctx context.Context, operation Operation, token, name string, judge func() error) error {
	started, pause := s.cloud.Clock.Now(), throttlePause
	for tries := 0; ; {
		err := s.once(operation, token, name, judge)
		var refused *Error
		if !errors.As(err, &refused) {
			return err
		}
		wait := retryPause
		switch {
		case refused.Throttled && tries < s.cloud.Retries:
			wait, pause = pause, min(2*pause, throttleMost)
			tries++
		case refused.Patience > s.cloud.Clock.Now().Sub(started):
		default:
			return err
		}
		if err := s.cloud.Clock.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// once judges with the cloud locked. A rule that panics is a fault of the simulation, which the engine is told like any
// other error: it would see only a broken connection.
func (s *Server) once(operation Operation, token, name string, judge func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the simulation of %s is wrong: %v", token, r)
		}
	}()
	if fault := s.cloud.faults.next(operation, token, name); fault != nil {
		if fault.Effect == Nothing {
			return fault.Err
		}
		s.cloud.mu.Lock()
		defer s.cloud.mu.Unlock()
		if err := judge(); err != nil {
			return err
		}
		return &struckError{fault}
	}
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	return judge()
}

// struckError is a fault that shows after the operation has had its effect.
type struckError struct{ fault *Fault }

func (e *struckError) Error() string { return e.fault.Err.Error() }

// span waits for the time that an accepted operation takes and records it.
func (s *Server) span(ctx context.Context, operation Operation, urn string, started time.Time, takes time.Duration) error {
	accepted := s.cloud.Clock.Now()
	err := s.cloud.Clock.Sleep(ctx, takes)
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	s.cloud.timeline = append(s.cloud.timeline, Span{Operation: operation, URN: urn, Type: string(resource.URN(urn).Type()), Name: resource.URN(urn).Name(),
		Start: started, Accepted: accepted, End: s.cloud.Clock.Now(), Failed: err != nil})
	return err
}

// state is what a reader is told of an object.
func (s *Server) state(t *ResourceType, at *session, inputs, complete, computed Values) (Values, error) {
	out := complete.Copy()
	for name, value := range computed {
		out[name] = value
	}
	out = out.Copy()
	if s.cloud.Complete != nil {
		s.cloud.Complete(t, at.config, inputs, out)
		out = out.Copy()
	}
	for _, f := range t.Outputs.Check(out) {
		if !strings.HasPrefix(f.Problem, "missing") {
			return nil, fmt.Errorf("the simulation of %s is wrong at %s: %s", t.Token, f.Path, f.Problem)
		}
	}
	return out, nil
}

// Create makes a resource; in a preview it tells what is known and what is not.
func (s *Server) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	t, at, inputs, err := s.begin(ctx, req.GetUrn(), req.GetProperties())
	if err != nil {
		return nil, err
	}
	if req.GetPreview() {
		properties, err := t.foretell(inputs, nil).wire()
		return &pulumirpc.CreateResponse{Properties: properties}, err
	}
	ctx, done := s.operation(ctx)
	defer done()
	name, started := resource.URN(req.GetUrn()).Name(), s.cloud.Clock.Now()
	var made *Object
	var change *Change
	err = s.attempt(ctx, Create, t.Token, name, func() error {
		change = &Change{Cloud: s.cloud, Scope: at.scope, Name: name, New: t.complete(inputs), Out: Values{}}
		made, err = s.create(t, at, change, inputs)
		return err
	})
	var struck *struckError
	if errors.As(err, &struck) {
		if struck.fault.Effect == Unfinished {
			return nil, s.unfinished(t, made, inputs, struck.fault)
		}
		return nil, s.worded(t.Token, Create, struck.fault.Err)
	}
	if err != nil {
		return nil, s.worded(t.Token, Create, err)
	}
	if err := s.span(ctx, Create, req.GetUrn(), started, s.cloud.Latencies[t.Token].Create+change.Extra); err != nil {
		return nil, s.unfinished(t, made, inputs, &Fault{Err: Errorf("Cancelled", "waiting for %s %s: %v", what(t.Token), made.ID, err)})
	}
	if change.Fails != nil {
		return nil, s.unfinished(t, made, inputs, &Fault{Err: change.Fails})
	}
	if err := s.ready(t, made); err != nil {
		return nil, err
	}
	properties, err := made.State.wire()
	return &pulumirpc.CreateResponse{Id: made.ID, Properties: properties}, err
}

// create judges and makes an object. The cloud is locked.
func (s *Server) create(t *ResourceType, at *session, change *Change, inputs Values) (*Object, error) {
	if err := s.cloud.references(at.scope, t, change.New); err != nil {
		return nil, err
	}
	t.finish(change)
	if err := t.Create(change); err != nil {
		return nil, err
	}
	scope := at.scope
	if t.Global {
		scope = ""
	}
	state, err := s.state(t, at, inputs, change.New, change.Out)
	if err != nil {
		return nil, err
	}
	made := &Object{Scope: scope, Type: t.Token, ID: change.ID, Inputs: inputs, State: state, Usable: s.cloud.Clock.Now().Add(t.Lag)}
	if s.cloud.store.objects[made.Key()] != nil {
		return nil, Errorf("EntityAlreadyExists", "%s %s already exists", what(t.Token), made.ID)
	}
	for _, beside := range change.Beside {
		if beside.Owner == "" {
			beside.Owner = made.Key()
		}
		beside.Ready = true
		if err := s.cloud.store.put(beside); err != nil {
			return nil, err
		}
	}
	return made, s.cloud.store.put(made)
}

// finish gives a name to what is made with the beginning of one: the rest is a moment and a number, as providers make it.
func (t *ResourceType) finish(change *Change) {
	n := t.Naming
	if n == nil || n.Prefix == "" || !change.New.Has(n.Prefix) || change.New.Has(n.Property) {
		return
	}
	name := fmt.Sprintf("%s%s%08x", change.New.String(n.Prefix), change.Cloud.Clock.Now().Format("20060102150405"), change.Cloud.Next("name"))
	change.New[n.Property], change.Out[n.Property] = name, name
}

// ready ends the making of an object.
func (s *Server) ready(t *ResourceType, o *Object) error {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	o.Ready, o.Usable = true, s.cloud.Clock.Now().Add(t.Lag)
	return s.cloud.store.put(o)
}

// unfinished tells the engine of something that exists and is not ready.
func (s *Server) unfinished(t *ResourceType, o *Object, inputs Values, fault *Fault) error {
	message := s.worded(t.Token, Create, fault.Err).Error()
	state, err := o.State.wire()
	if err != nil {
		return err
	}
	given, err := inputs.wire()
	if err != nil {
		return err
	}
	return rpcerror.WithDetails(rpcerror.New(codes.Unknown, message), &pulumirpc.ErrorResourceInitFailed{
		Id: o.ID, Properties: state, Inputs: given, Reasons: []string{message}})
}

// foretell is the state as a preview knows it: what is computed, and not said by the program, is unknown, or as it was.
func (t *ResourceType) foretell(inputs, before Values) Values {
	out := t.complete(inputs)
	for name := range t.Outputs.Fields {
		if _, there := out[name]; there {
			continue
		}
		if value, was := before[name]; was {
			out[name] = value
		} else if before == nil {
			out[name] = Unknown{}
		}
	}
	return out
}

// Read tells what exists. An id that is gone comes back empty.
func (s *Server) Read(ctx context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	t, at, _, err := s.begin(ctx, req.GetUrn(), nil)
	if err != nil {
		return nil, err
	}
	ctx, done := s.operation(ctx)
	defer done()
	out := &pulumirpc.ReadResponse{}
	err = s.attempt(ctx, Read, t.Token, resource.URN(req.GetUrn()).Name(), func() error {
		o := s.cloud.Get(at.scope, t.Token, req.GetId())
		if o == nil {
			return nil
		}
		out.Id = o.ID
		var failed error
		if out.Properties, failed = o.State.wire(); failed != nil {
			return failed
		}
		out.Inputs, failed = o.Inputs.wire()
		return failed
	})
	if err != nil {
		return nil, s.worded(t.Token, Read, err)
	}
	return out, nil
}

// Delete removes a resource; one that is gone already is no error.
func (s *Server) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	t, at, _, err := s.begin(ctx, req.GetUrn(), nil)
	if err != nil {
		return nil, err
	}
	ctx, done := s.operation(ctx)
	defer done()
	name, started := resource.URN(req.GetUrn()).Name(), s.cloud.Clock.Now()
	judge := func() error {
		o := s.cloud.Get(at.scope, t.Token, req.GetId())
		if o == nil {
			return nil
		}
		if err := s.cloud.free(o); err != nil {
			return err
		}
		if t.Delete != nil {
			return t.Delete(&Change{Cloud: s.cloud, Scope: at.scope, Name: name, Old: o.State, Object: o})
		}
		return nil
	}
	if err := s.attempt(ctx, Delete, t.Token, name, judge); err != nil {
		return nil, s.worded(t.Token, Delete, err)
	}
	if err := s.span(ctx, Delete, req.GetUrn(), started, s.cloud.Latencies[t.Token].Delete); err != nil {
		return nil, err
	}
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if o := s.cloud.Get(at.scope, t.Token, req.GetId()); o != nil {
		if err := s.cloud.drop(o); err != nil {
			return nil, err
		}
	}
	return &emptypb.Empty{}, nil
}

package simcloud

import (
	"context"
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Update changes a resource in place, and waits for one that was not ready when its making ended.
func (s *Server) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	t, at, inputs, err := s.begin(ctx, req.GetUrn(), req.GetNews())
	if err != nil {
		return nil, err
	}
	if req.GetPreview() {
		olds, err := fromWire(req.GetOlds())
		if err != nil {
			return nil, err
		}
		given, err := fromWire(req.GetOldInputs())
		if err != nil {
			return nil, err
		}
		for name := range given { // what the program said and no longer says does not stay
			delete(olds, name)
		}
		foretold := t.foretell(inputs, olds)
		for input, outputs := range t.Renews {
			if input != "" && same(given[input], inputs[input]) {
				continue
			}
			for _, output := range outputs {
				foretold[output] = Unknown{}
			}
		}
		properties, err := foretold.wire()
		return &pulumirpc.UpdateResponse{Properties: properties}, err
	}
	ctx, done := s.operation(ctx)
	defer done()
	name, started := resource.URN(req.GetUrn()).Name(), s.cloud.Clock.Now()
	var changed *Object
	var change *Change
	latency := s.cloud.Latencies[t.Token]
	takes := latency.Update
	err = s.attempt(ctx, Update, t.Token, name, func() error {
		o := s.cloud.Get(at.scope, t.Token, req.GetId())
		if o == nil {
			return Errorf("ResourceNotFoundException", "%s %s does not exist", what(t.Token), req.GetId())
		}
		if !o.Ready {
			takes = latency.Create
		}
		change = &Change{Cloud: s.cloud, Scope: at.scope, Name: name, New: t.complete(inputs), Old: o.State, Object: o, Out: Values{}}
		changed, err = s.update(t, at, change, inputs)
		return err
	})
	var struck *struckError
	if err != nil && !errors.As(err, &struck) {
		return nil, s.worded(t.Token, Update, err)
	}
	if struck != nil {
		return nil, s.worded(t.Token, Update, struck.fault.Err)
	}
	if err := s.span(ctx, Update, req.GetUrn(), started, takes+change.Extra); err != nil {
		return nil, err
	}
	if change.Fails != nil {
		return nil, s.worded(t.Token, Update, change.Fails)
	}
	if err := s.ready(t, changed); err != nil {
		return nil, err
	}
	properties, err := changed.State.wire()
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

// update judges and makes a change. The cloud is locked.
func (s *Server) update(t *ResourceType, at *session, change *Change, inputs Values) (*Object, error) {
	if err := s.cloud.references(at.scope, t, change.New); err != nil {
		return nil, err
	}
	if t.Update != nil {
		if err := t.Update(change); err != nil {
			return nil, err
		}
	}
	computed := Values{}
	for name := range t.Outputs.Fields { // what was computed stays, unless it is computed anew
		if !change.New.Has(name) && !change.Object.Inputs.Has(name) && change.Old.Has(name) {
			computed[name] = change.Old[name]
		}
	}
	for name, value := range change.Out {
		computed[name] = value
	}
	state, err := s.state(t, at, inputs, change.New, computed)
	if err != nil {
		return nil, err
	}
	for _, beside := range change.Beside {
		if beside.Owner == "" {
			beside.Owner = change.Object.Key()
		}
		beside.Ready = true
		if err := s.cloud.store.put(beside); err != nil {
			return nil, err
		}
	}
	changed := *change.Object
	changed.Inputs, changed.State = inputs, state
	return &changed, s.cloud.store.put(&changed)
}

package kubeapply

import (
	"context"
	"reflect"
	"sort"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Diff compares the inputs with those last applied, which a refresh has replaced by live values wherever these had
// drifted. Defaults and rewriting by the API server therefore never show as a change.
func (s *Server) Diff(ctx context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	urn := resource.URN(req.GetUrn())
	olds, err := unmarshal(req.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	applied, _, _ := parseState(olds)
	if applied == nil {
		if applied, err = unmarshal(req.GetOldInputs()); err != nil {
			return nil, err
		}
	}
	k, err := parseKind(urn, news)
	if err != nil {
		return nil, err
	}
	before, after := strip(applied), strip(news)
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true}
	difference := before.Diff(after, resource.IsInternalPropertyKey)
	if difference == nil {
		return response, nil
	}
	detailed := plugin.NewDetailedDiffFromObjectDiff(difference, false)
	response.Changes = pulumirpc.DiffResponse_DIFF_SOME
	response.DetailedDiff = make(map[string]*pulumirpc.PropertyDiff, len(detailed))
	for path, d := range detailed {
		response.DetailedDiff[path] = &pulumirpc.PropertyDiff{Kind: diffKinds[d.Kind], InputDiff: false}
	}
	for _, key := range difference.ChangedKeys() {
		response.Diffs = append(response.Diffs, string(key))
	}
	for _, rule := range immutableFields(k, s.session(ctx).configured()) {
		if rule.changed(before, after) {
			response.Replaces = append(response.Replaces, rule.mark(response.DetailedDiff)...)
		}
	}
	sort.Strings(response.Diffs)
	sort.Strings(response.Replaces)
	response.DeleteBeforeReplace = len(response.Replaces) > 0 && !autonamed(after) && sameIdentity(before, after)
	return response, nil
}

var diffKinds = map[plugin.DiffKind]pulumirpc.PropertyDiff_Kind{
	plugin.DiffAdd:           pulumirpc.PropertyDiff_ADD,
	plugin.DiffAddReplace:    pulumirpc.PropertyDiff_ADD_REPLACE,
	plugin.DiffDelete:        pulumirpc.PropertyDiff_DELETE,
	plugin.DiffDeleteReplace: pulumirpc.PropertyDiff_DELETE_REPLACE,
	plugin.DiffUpdate:        pulumirpc.PropertyDiff_UPDATE,
	plugin.DiffUpdateReplace: pulumirpc.PropertyDiff_UPDATE_REPLACE,
}

// autonamed tells that a replacement gets a name of its own and can be made first.
func autonamed(inputs resource.PropertyMap) bool {
	return annotationOf(inputs.Mappable(), annotationAutonamed) != ""
}

// sameIdentity tells that the new object takes the old one's place, so that the old one has to go first.
func sameIdentity(before, after resource.PropertyMap) bool {
	for _, rule := range []immutable{{path: []string{"metadata", "name"}}, {path: []string{"metadata", "namespace"}}, {path: []string{"kind"}}} {
		if rule.changed(before, after) {
			return false
		}
	}
	return true
}

// changed compares the values at the rule's path.
func (i immutable) changed(before, after resource.PropertyMap) bool {
	was, is := i.value(before), i.value(after)
	if len(i.path) == 2 && i.path[1] == "namespace" {
		was, is = canonicalNamespace(was), canonicalNamespace(is)
	}
	if containsUnknown(was) || containsUnknown(is) {
		return !was.IsComputed() && !was.IsNull() || !is.IsNull()
	}
	return !reflect.DeepEqual(was.Mappable(), is.Mappable())
}

// value is what an object has at the rule's path, without the fields that may change.
func (i immutable) value(in resource.PropertyMap) resource.PropertyValue {
	v := resource.NewObjectProperty(in)
	for _, step := range i.path {
		if !v.IsObject() {
			return resource.NewNullProperty()
		}
		v = v.ObjectValue()[resource.PropertyKey(step)]
	}
	if len(i.except) == 0 || !v.IsObject() {
		return v
	}
	kept := v.ObjectValue().Copy()
	for _, key := range i.except {
		delete(kept, resource.PropertyKey(key))
	}
	return resource.NewObjectProperty(kept)
}

// mark turns the detailed differences at or around the rule's path into reasons for a replacement and returns their
// paths; the rule's own path stands in when the difference is reported elsewhere.
func (i immutable) mark(detailed map[string]*pulumirpc.PropertyDiff) []string {
	var out []string
	for path, d := range detailed {
		parsed, err := resource.ParsePropertyPath(path)
		if err != nil || !i.covers(parsed) {
			continue
		}
		switch d.Kind {
		case pulumirpc.PropertyDiff_ADD:
			d.Kind = pulumirpc.PropertyDiff_ADD_REPLACE
		case pulumirpc.PropertyDiff_DELETE:
			d.Kind = pulumirpc.PropertyDiff_DELETE_REPLACE
		case pulumirpc.PropertyDiff_UPDATE:
			d.Kind = pulumirpc.PropertyDiff_UPDATE_REPLACE
		}
		out = append(out, path)
	}
	if len(out) == 0 {
		own := resource.PropertyPath{}
		for _, step := range i.path {
			own = append(own, step)
		}
		detailed[own.String()] = &pulumirpc.PropertyDiff{Kind: pulumirpc.PropertyDiff_UPDATE_REPLACE}
		out = append(out, own.String())
	}
	return out
}

// covers tells whether a difference at path is inside the rule's field, or contains it.
func (i immutable) covers(path resource.PropertyPath) bool {
	for n, step := range path {
		name, isName := step.(string)
		switch {
		case n < len(i.path):
			if !isName || name != i.path[n] {
				return false
			}
		case n == len(i.path) && isName:
			for _, mutable := range i.except {
				if name == mutable {
					return false
				}
			}
			return true
		default:
			return true
		}
	}
	return true
}

func canonicalNamespace(v resource.PropertyValue) resource.PropertyValue {
	if v.IsNull() || v.IsString() && v.StringValue() == "" {
		return resource.NewStringProperty("default")
	}
	return v
}

func containsUnknown(v resource.PropertyValue) bool { return v.ContainsUnknowns() }

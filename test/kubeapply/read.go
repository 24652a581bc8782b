package kubeapply

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Read fetches an object for refresh, get and import. An object that is gone, or was replaced by another of its name,
// reads as an empty id, so that the engine makes it again. The inputs returned are those recorded, with live values
// where somebody changed a field that we manage: exactly what the next deployment will put right.
func (s *Server) Read(ctx context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	ctx, done := s.operation(ctx)
	defer done()
	urn := resource.URN(req.GetUrn())
	olds, err := unmarshal(req.GetProperties())
	if err != nil {
		return nil, err
	}
	applied, then, manager := parseState(olds)
	if inputs, err := unmarshal(req.GetInputs()); err != nil {
		return nil, err
	} else if len(inputs) > 0 {
		applied = inputs
	}
	k, err := parseKind(urn, applied)
	if err != nil {
		return nil, err
	}
	namespace, name := parseID(req.GetId())

	var live *unstructured.Unstructured
	c, err := s.session(ctx).connect()
	if err == nil {
		err = s.retry(ctx, c, func() error {
			client, _, err := c.resource(k, namespace)
			if err != nil {
				return err
			}
			live, err = client.Get(ctx, name, metav1.GetOptions{})
			return err
		})
	}
	var down unreachable
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return &pulumirpc.ReadResponse{}, nil
	case errors.As(err, &down) && s.deletesUnreachable(ctx):
		return &pulumirpc.ReadResponse{}, nil
	case errors.As(err, &down):
		return nil, down
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", k.gvk.Kind, req.GetId(), err)
	}
	recorded := unstructured.Unstructured{Object: then}
	if uid := recorded.GetUID(); uid != "" && uid != live.GetUID() && !k.patch {
		return &pulumirpc.ReadResponse{}, nil
	}

	now := live.Object
	inputs := applied
	if len(applied) == 0 {
		inputs = fromObject(importable(now))
	} else {
		drifted := managed(toObject(applied), secretView(k, then, applied), secretView(k, now, applied)).(map[string]any)
		inputs = fromObject(drifted)
		if reflect.DeepEqual(toObject(inputs), toObject(applied)) {
			inputs = applied
			keepMeasurements(k, then, now)
		}
		markSecrets(inputs, applied)
	}
	if k.isSecret() {
		inputs = inputs.Copy()
		for _, key := range []resource.PropertyKey{"data", "stringData"} {
			if v, ok := inputs[key]; ok && !v.IsSecret() {
				inputs[key] = resource.MakeSecret(v)
			}
		}
	}
	properties, err := marshal(state(k, inputs, now, managerOf(urn, manager, toObject(inputs))))
	if err != nil {
		return nil, err
	}
	out, err := marshal(inputs)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.ReadResponse{Id: req.GetId(), Properties: properties, Inputs: out}, nil
}

// missing marks a field that an object does not have.
type missing struct{}

// managed returns the input with the live values of those of its fields that changed since they were recorded. What
// the API server made of a value when it was applied (a quantity in canonical form, a default inside a list item) is in
// the record too, so it is not taken for a change, in whatever kind.
func managed(input, then, now any) any {
	if reflect.DeepEqual(then, now) || equivalent(input, now) {
		return input
	}
	switch in := input.(type) {
	case map[string]any:
		live, ok := now.(map[string]any)
		if !ok {
			return now
		}
		recorded, _ := then.(map[string]any)
		out := make(map[string]any, len(in))
		for key, value := range in {
			was, is := lookup(recorded, key), lookup(live, key)
			if value = managed(value, was, is); value != (missing{}) {
				out[key] = value
			}
		}
		return out
	case []any:
		live, ok := now.([]any)
		recorded, _ := then.([]any)
		if !ok || len(live) != len(in) || len(recorded) != len(in) {
			return now
		}
		out := make([]any, len(in))
		for i := range in {
			out[i] = managed(in[i], recorded[i], live[i])
		}
		return out
	}
	return now
}

func lookup(m map[string]any, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	return missing{}
}

// equivalent compares scalars as the API server does: numbers by value, quantities in any notation.
func equivalent(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	x, isText := a.(string)
	y, alsoText := b.(string)
	if !isText || !alsoText {
		return reflect.DeepEqual(a, b)
	}
	if x == y {
		return true
	}
	p, err := apiresource.ParseQuantity(x)
	if err != nil {
		return false
	}
	q, err := apiresource.ParseQuantity(y)
	return err == nil && p.Cmp(q) == 0
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// secretView shows a Secret's data also as the stringData it was written with: the API server never returns that.
func secretView(k kind, object map[string]any, applied resource.PropertyMap) map[string]any {
	written := plain(applied["stringData"])
	data, ok := object["data"].(map[string]any)
	if !k.isSecret() || !ok || !written.IsObject() {
		return object
	}
	text := map[string]any{}
	for key := range written.ObjectValue() {
		encoded, _ := data[string(key)].(string)
		if decoded, err := base64.StdEncoding.DecodeString(encoded); err == nil && encoded != "" {
			text[string(key)] = string(decoded)
		}
	}
	out := make(map[string]any, len(object)+1)
	for key, v := range object {
		out[key] = v
	}
	out["stringData"] = text
	return out
}

// keepMeasurements leaves a status that only measures (how many replicas, how much of a quota) as it was recorded, so
// that a refresh reports what somebody changed and not that time went by. Addresses a cluster hands out are kept up.
func keepMeasurements(k kind, then, now map[string]any) {
	switch k.gvk.Kind {
	case "Service", "Ingress", "Gateway", "PersistentVolumeClaim":
		return
	}
	if status, ok := then["status"]; ok {
		now["status"] = status
	}
}

// importable reduces a live object to what a program would write.
func importable(live map[string]any) map[string]any {
	out := withoutBookkeeping(live)
	delete(out, "status")
	metadata, _ := out["metadata"].(map[string]any)
	kept := map[string]any{}
	for _, key := range []string{"name", "namespace", "labels", "annotations", "finalizers", "ownerReferences"} {
		if v, ok := metadata[key]; ok {
			kept[key] = v
		}
	}
	out["metadata"] = kept
	return out
}

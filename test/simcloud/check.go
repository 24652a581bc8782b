package simcloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// defaultsKey lists, within the inputs, the properties that this provider filled in.
const defaultsKey = "__defaults"

// Check judges a resource's properties without asking the API: their names and types, which are required, and the
// rules of the type. It names what has no name.
func (s *Server) Check(ctx context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	_, end := s.cloud.Clock.Begin(ctx)
	defer end()
	t, at, inputs, err := s.begin(ctx, req.GetUrn(), req.GetNews())
	if err != nil {
		return nil, err
	}
	olds, err := fromWire(req.GetOlds())
	if err != nil {
		return nil, err
	}
	name := resource.URN(req.GetUrn()).Name()
	seed := req.GetRandomSeed()
	if len(seed) == 0 {
		seed = []byte(req.GetUrn())
	}
	t.name(inputs, olds, name, seed)
	findings := t.Inputs.Check(inputs)
	if len(findings) == 0 && t.Check != nil {
		plan := &Plan{Cloud: s.cloud, Scope: at.scope, Values: t.complete(inputs)}
		t.Check(plan)
		findings = plan.Findings
	}
	out := &pulumirpc.CheckResponse{}
	for _, f := range findings {
		out.Failures = append(out.Failures, &pulumirpc.CheckFailure{
			Reason: fmt.Sprintf("%s. Examine values at '%s'.", f.Problem, join(name, f.Path))})
	}
	out.Inputs, err = inputs.wire()
	return out, err
}

// name gives a resource a name of the provider's making, and keeps it for as long as the program gives none.
func (t *ResourceType) name(inputs, olds Values, logical string, seed []byte) {
	n := t.Naming
	if n == nil || !n.Automatic || inputs.Has(n.Property) || n.Prefix != "" && inputs.Has(n.Prefix) {
		return
	}
	inputs[defaultsKey] = []any{n.Property}
	for _, made := range olds.Strings(defaultsKey) {
		if made == n.Property {
			inputs[n.Property] = olds.String(n.Property)
			return
		}
	}
	sum := sha256.Sum256(append([]byte(logical+"\x00"), seed...))
	suffix := "-" + hex.EncodeToString(sum[:])[:7]
	if n.Max > 0 && len(logical)+len(suffix) > n.Max {
		logical = logical[:n.Max-len(suffix)]
	}
	inputs[n.Property] = logical + suffix
	if n.Make != nil {
		inputs[n.Property] = n.Make(logical + suffix)
	}
}

// complete gives the properties with the type's defaults, without the provider's own keys.
func (t *ResourceType) complete(inputs Values) Values {
	out := inputs.Copy()
	delete(out, defaultsKey)
	fill(out, t.Defaults.Copy())
	return out
}

// fill adds what is missing, also within objects that are there.
func fill(into, from map[string]any) {
	for name, value := range from {
		there, ok := into[name]
		if !ok {
			into[name] = value
			continue
		}
		a, okA := there.(map[string]any)
		b, okB := value.(map[string]any)
		if okA && okB {
			fill(a, b)
		}
	}
}

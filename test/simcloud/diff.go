package simcloud

import (
	"context"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Diff compares the inputs with those last applied, which a refresh replaces by what really exists. A change of a
// property in the type's Replace list makes a new resource; the old one goes first where both would have one name.
func (s *Server) Diff(ctx context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	_, end := s.cloud.Clock.Begin(ctx)
	defer end()
	t, err := s.typeOf(req.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := fromWire(req.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := fromWire(req.GetNews())
	if err != nil {
		return nil, err
	}
	out := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true}
	difference := olds.properties().Diff(news.properties(), resource.IsInternalPropertyKey)
	if difference == nil {
		return out, nil
	}
	out.Changes = pulumirpc.DiffResponse_DIFF_SOME
	out.DetailedDiff = map[string]*pulumirpc.PropertyDiff{}
	replace := t.Replace
	if t.ReplaceIf != nil {
		replace = append(slices.Clone(replace), t.ReplaceIf(olds, news)...)
	}
	for path, d := range plugin.NewDetailedDiffFromObjectDiff(difference, false) {
		kind := d.Kind
		if slices.ContainsFunc(replace, func(pattern string) bool { return covered(path, pattern) || covered(pattern, path) }) {
			kind = kind.AsReplace()
			out.Replaces = append(out.Replaces, path)
		}
		out.DetailedDiff[path] = &pulumirpc.PropertyDiff{Kind: kinds[kind]}
	}
	for _, key := range difference.ChangedKeys() {
		out.Diffs = append(out.Diffs, string(key))
	}
	slices.Sort(out.Replaces)
	if n := t.Naming; n != nil && len(out.Replaces) > 0 {
		automatic := slices.Contains(news.Strings(defaultsKey), n.Property)
		// A name that the API makes from a prefix is another each time.
		out.DeleteBeforeReplace = !automatic && news.Has(n.Property) && same(olds[n.Property], news[n.Property])
	}
	return out, nil
}

var kinds = map[plugin.DiffKind]pulumirpc.PropertyDiff_Kind{
	plugin.DiffAdd:           pulumirpc.PropertyDiff_ADD,
	plugin.DiffAddReplace:    pulumirpc.PropertyDiff_ADD_REPLACE,
	plugin.DiffDelete:        pulumirpc.PropertyDiff_DELETE,
	plugin.DiffDeleteReplace: pulumirpc.PropertyDiff_DELETE_REPLACE,
	plugin.DiffUpdate:        pulumirpc.PropertyDiff_UPDATE,
	plugin.DiffUpdateReplace: pulumirpc.PropertyDiff_UPDATE_REPLACE,
}

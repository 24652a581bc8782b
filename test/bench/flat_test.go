package bench

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// raw is a resource of any type.
type raw struct{ pulumi.CustomResourceState }

// rawProvider is the provider of any cloud.
type rawProvider struct{ pulumi.ProviderResourceState }

// flat is a program that registers what a deployment holds, resource by resource, with no component: the same types,
// names, properties and waiting, so that what a component costs is all that it lacks. What a preview of the environment
// did not know comes from the same resources as there, and is not known here either.
func flat(b *testing.B, preview rehearse.Result, deployment []byte) pulumi.RunFunc {
	b.Helper()
	var state apitype.DeploymentV3
	if err := json.Unmarshal(deployment, &state); err != nil {
		b.Fatal(err)
	}
	var provider string
	var given map[string]any
	var all []apitype.ResourceV3
	for _, r := range state.Resources {
		switch {
		case strings.HasPrefix(string(r.Type), "pulumi:providers:"):
			provider, given = string(r.Type), r.Inputs
		case r.Custom && !strings.HasPrefix(string(r.Type), "pulumi:"):
			all = append(all, r)
		}
	}
	planned := map[string]map[string]any{}
	for _, event := range preview.Events {
		if e := event.ResourcePreEvent; e != nil && e.Metadata.New != nil {
			planned[e.Metadata.URN] = e.Metadata.New.Inputs
		}
	}
	if provider == "" || len(all) == 0 {
		b.Fatalf("%d resources, provider %v", len(all), provider)
	}
	return func(ctx *pulumi.Context) error {
		in, config := &rawProvider{}, pulumi.Map{}
		for name, value := range given {
			if text, ok := value.(string); ok {
				config[name] = pulumi.String(text)
			}
		}
		if err := ctx.RegisterResource(provider, "flat", config, in); err != nil {
			return err
		}
		made, named := map[resource.URN]*raw{}, map[string]int{}
		for _, r := range all {
			made[r.URN] = &raw{}
			// What had parents of its own to tell it apart has a number here.
			name := r.URN.Name()
			if named[string(r.Type)+name]++; named[string(r.Type)+name] > 1 {
				name = fmt.Sprintf("%s-%d", name, named[string(r.Type)+name])
			}
			options := []pulumi.ResourceOption{pulumi.Provider(in), pulumi.Protect(r.Protect), pulumi.DependsOn(waits(r, made))}
			if err := ctx.RegisterResource(string(r.Type), name, properties(r, planned[string(r.URN)], made), made[r.URN], options...); err != nil {
				return err
			}
		}
		return nil
	}
}

// properties are those that the program gave, without those that the provider added.
func properties(r apitype.ResourceV3, planned map[string]any, made map[resource.URN]*raw) pulumi.Map {
	added, _ := r.Inputs["__defaults"].([]any)
	out := pulumi.Map{}
	for name, value := range r.Inputs {
		if strings.HasPrefix(name, "__") || slices.Contains(added, any(name)) {
			continue
		}
		var from []any
		for _, urn := range r.PropertyDependencies[resource.PropertyKey(name)] {
			if m := made[urn]; m != nil {
				from = append(from, m.ID())
			}
		}
		out[name] = later(planned[name], value, from)
	}
	return out
}

// later is a value of which some parts are known only when other resources are.
func later(planned, value any, from []any) pulumi.Input {
	switch p := planned.(type) {
	case string:
		if p == plugin.UnknownStringValue {
			return pulumi.All(from...).ApplyT(func([]any) any { return value })
		}
	case map[string]any:
		if v, ok := value.(map[string]any); ok {
			out := pulumi.Map{}
			for name, part := range v {
				out[name] = later(p[name], part, from)
			}
			return out
		}
	case []any:
		if v, ok := value.([]any); ok && len(v) == len(p) {
			out := pulumi.Array{}
			for i, part := range v {
				out = append(out, later(p[i], part, from))
			}
			return out
		}
	}
	return pulumi.Any(value)
}

// waits are the resources that a resource waits for though no property names them.
func waits(r apitype.ResourceV3, made map[resource.URN]*raw) (out []pulumi.Resource) {
	named := map[resource.URN]bool{}
	for _, urns := range r.PropertyDependencies {
		for _, urn := range urns {
			named[urn] = true
		}
	}
	for _, urn := range r.Dependencies {
		if m := made[urn]; m != nil && !named[urn] {
			out = append(out, m)
		}
	}
	return out
}

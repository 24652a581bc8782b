package provider

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
)

// driftProperty is the output that names what differs on the host. It is empty
// when the host is as declared; a refresh fills it, an update empties it.
const driftProperty = "drift"

// diff compares declared with recorded inputs property by property, and adds
// what the host itself says. Properties in replace cannot change in place.
func diff(recorded, declared any, drift []string, replace ...string) p.DiffResponse {
	response := p.DiffResponse{DetailedDiff: map[string]p.PropertyDiff{}}
	was, want := properties(recorded), properties(declared)
	names := maps.Clone(was)
	maps.Copy(names, want)
	for name := range names {
		if was[name] == want[name] {
			continue
		}
		kind := p.Update
		if slices.Contains(replace, name) {
			kind = p.UpdateReplace
		}
		response.DetailedDiff[name] = p.PropertyDiff{Kind: kind, InputDiff: true}
	}
	if len(drift) > 0 {
		response.DetailedDiff[driftProperty] = p.PropertyDiff{Kind: p.Update}
	}
	response.HasChanges = len(response.DetailedDiff) > 0
	return response
}

// properties is the JSON of each of a resource's inputs, by Pulumi name.
func properties(value any) map[string]string {
	out := map[string]string{}
	v := reflect.ValueOf(value)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("pulumi"), ",")
		if name == "" {
			continue
		}
		// JSON makes nil and empty lists, and values behind pointers, equal.
		text, err := json.Marshal(v.Field(i).Interface())
		if err != nil || string(text) == "null" || string(text) == "[]" || string(text) == "{}" {
			continue
		}
		out[name] = string(text)
	}
	return out
}

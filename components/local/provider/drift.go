package provider

import (
	"encoding/json"
	"reflect"
	"sort"
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
	for _, name := range union(was, want) {
		if reflect.DeepEqual(was[name], want[name]) {
			continue
		}
		kind := p.Update
		if contains(replace, name) {
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

// properties is the property map of a resource's inputs, keyed by Pulumi name.
func properties(value any) map[string]any {
	out := map[string]any{}
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

func union(a, b map[string]any) []string {
	var names []string
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

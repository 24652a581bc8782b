package kubeapply

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"google.golang.org/protobuf/types/known/structpb"
)

// The state's own keys, the same as the official provider's.
const (
	inputsKey         = "__inputs"
	initialVersionKey = "__initialApiVersion"
	fieldManagerKey   = "__fieldManager"
)

// dashes maps the property names the SDKs use for the schema extensions of CustomResourceDefinitions, whose JSON names
// are no identifiers.
var dashes = map[string]string{
	"x_kubernetes_embedded_resource":       "x-kubernetes-embedded-resource",
	"x_kubernetes_int_or_string":           "x-kubernetes-int-or-string",
	"x_kubernetes_list_map_keys":           "x-kubernetes-list-map-keys",
	"x_kubernetes_list_type":               "x-kubernetes-list-type",
	"x_kubernetes_map_type":                "x-kubernetes-map-type",
	"x_kubernetes_preserve_unknown_fields": "x-kubernetes-preserve-unknown-fields",
	"x_kubernetes_validations":             "x-kubernetes-validations",
}

var underscores = func() map[string]string {
	out := make(map[string]string, len(dashes))
	for k, v := range dashes {
		out[v] = k
	}
	return out
}()

func unmarshal(in *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(in, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, SkipNulls: true})
}

func marshal(in resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(in, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, SkipNulls: true})
}

// plain unwraps a secret or a known output at the top of a value.
func plain(v resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case v.IsSecret():
			v = v.SecretValue().Element
		case v.IsOutput() && v.OutputValue().Known:
			v = v.OutputValue().Element
		default:
			return v
		}
	}
}

// strip copies properties without their secret marks, for comparing.
func strip(in resource.PropertyMap) resource.PropertyMap {
	out := make(resource.PropertyMap, len(in))
	for k, v := range in {
		out[k] = stripValue(v)
	}
	return out
}

func stripValue(v resource.PropertyValue) resource.PropertyValue {
	v = plain(v)
	switch {
	case v.IsObject():
		return resource.NewObjectProperty(strip(v.ObjectValue()))
	case v.IsArray():
		items := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, item := range v.ArrayValue() {
			items[i] = stripValue(item)
		}
		return resource.NewArrayProperty(items)
	}
	return v
}

// toObject turns properties into the JSON object for the API server. Values that are not known must be gone by then.
func toObject(in resource.PropertyMap) map[string]any {
	return strip(in).MapRepl(func(key string) (string, bool) {
		dashed, ok := dashes[key]
		return dashed, ok
	}, nil)
}

// fromObject turns a JSON object into properties.
func fromObject(in map[string]any) resource.PropertyMap {
	return resource.NewPropertyMapFromMapRepl(in, func(key string) (resource.PropertyKey, bool) {
		underscored, ok := underscores[key]
		return resource.PropertyKey(underscored), ok
	}, nil)
}

// markSecrets marks in out what is secret in like. A list with a secret anywhere is secret as a whole: the API server
// may reorder it.
func markSecrets(out, like resource.PropertyMap) {
	for key, from := range like {
		to, ok := out[key]
		if !ok || to.IsSecret() {
			continue
		}
		switch {
		case from.IsSecret() || from.IsOutput() && from.OutputValue().Secret:
			out[key] = resource.MakeSecret(to)
		case from.IsObject() && to.IsObject():
			markSecrets(to.ObjectValue(), from.ObjectValue())
		case from.ContainsSecrets():
			out[key] = resource.MakeSecret(to)
		}
	}
}

// state is what the engine keeps of an object: the live object at the top, for outputs, and our own keys beside it.
// Bookkeeping that changes without anyone changing the object is left out, so that a refresh without drift is quiet.
func state(k kind, inputs resource.PropertyMap, live map[string]any, manager string) resource.PropertyMap {
	out := fromObject(withoutBookkeeping(live))
	kept := inputs.Copy()
	markSecrets(out, inputs)
	if k.isSecret() {
		// Whatever the program marked: the contents of a Secret are secret.
		for _, m := range []resource.PropertyMap{out, kept} {
			for _, key := range []resource.PropertyKey{"data", "stringData"} {
				if v, ok := m[key]; ok && !v.IsSecret() {
					m[key] = resource.MakeSecret(v)
				}
			}
		}
	}
	out[inputsKey] = resource.NewObjectProperty(kept)
	out[initialVersionKey] = resource.NewStringProperty(k.gvk.GroupVersion().String())
	out[fieldManagerKey] = resource.NewStringProperty(manager)
	return out
}

// parseState splits what state made.
func parseState(in resource.PropertyMap) (inputs resource.PropertyMap, live map[string]any, manager string) {
	rest := resource.PropertyMap{}
	for key, v := range in {
		switch key {
		case inputsKey:
			if v = plain(v); v.IsObject() {
				inputs = v.ObjectValue()
			}
		case fieldManagerKey:
			if v = plain(v); v.IsString() {
				manager = v.StringValue()
			}
		case initialVersionKey:
		default:
			rest[key] = v
		}
	}
	return inputs, toObject(rest), manager
}

func withoutBookkeeping(live map[string]any) map[string]any {
	out := make(map[string]any, len(live))
	for k, v := range live {
		out[k] = v
	}
	if metadata, ok := live["metadata"].(map[string]any); ok {
		kept := make(map[string]any, len(metadata))
		for k, v := range metadata {
			if k != "managedFields" && k != "resourceVersion" {
				kept[k] = v
			}
		}
		out["metadata"] = kept
	}
	return out
}

package simcloud

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"google.golang.org/protobuf/types/known/structpb"
)

// Unknown stands for a value that is known only after something else has been made.
type Unknown struct{}

// Values are properties as plain data: string, float64, bool, []any, map[string]any, and Unknown during a preview.
type Values map[string]any

// fromWire reads properties of the engine. Secrets arrive as plain values: the provider asks the engine to keep track
// of them.
func fromWire(in *structpb.Struct) (Values, error) {
	properties, err := plugin.UnmarshalProperties(in, plugin.MarshalOptions{KeepUnknowns: true, SkipNulls: true})
	if err != nil {
		return nil, err
	}
	return fromProperties(properties), nil
}

func fromProperties(in resource.PropertyMap) Values {
	out, _ := plain(resource.NewObjectProperty(in)).(map[string]any)
	return out
}

func plain(v resource.PropertyValue) any {
	switch {
	case v.IsSecret():
		return plain(v.SecretValue().Element)
	case v.IsOutput() && v.OutputValue().Known:
		return plain(v.OutputValue().Element)
	case v.IsComputed(), v.IsOutput():
		return Unknown{}
	case v.IsString():
		return v.StringValue()
	case v.IsNumber():
		return v.NumberValue()
	case v.IsBool():
		return v.BoolValue()
	case v.IsAsset(): // a file as what it is told by: where it lies, and its hash
		return map[string]any{"path": v.AssetValue().Path, "hash": v.AssetValue().Hash}
	case v.IsArray():
		items := make([]any, len(v.ArrayValue()))
		for i, item := range v.ArrayValue() {
			items[i] = plain(item)
		}
		return items
	case v.IsObject():
		items := make(map[string]any, len(v.ObjectValue()))
		for key, item := range v.ObjectValue() {
			items[string(key)] = plain(item)
		}
		return items
	}
	return nil
}

func (v Values) properties() resource.PropertyMap {
	return property(map[string]any(v)).ObjectValue()
}

func property(value any) resource.PropertyValue {
	switch v := value.(type) {
	case Unknown:
		return resource.MakeComputed(resource.NewStringProperty(""))
	case Values:
		return property(map[string]any(v))
	case map[string]any:
		out := resource.PropertyMap{}
		for key, item := range v {
			out[resource.PropertyKey(key)] = property(item)
		}
		return resource.NewObjectProperty(out)
	case map[string]string:
		out := resource.PropertyMap{}
		for key, item := range v {
			out[resource.PropertyKey(key)] = resource.NewStringProperty(item)
		}
		return resource.NewObjectProperty(out)
	case []any:
		out := make([]resource.PropertyValue, len(v))
		for i, item := range v {
			out[i] = property(item)
		}
		return resource.NewArrayProperty(out)
	case []string:
		out := make([]resource.PropertyValue, len(v))
		for i, item := range v {
			out[i] = resource.NewStringProperty(item)
		}
		return resource.NewArrayProperty(out)
	case int:
		return resource.NewNumberProperty(float64(v))
	}
	return resource.NewPropertyValue(value)
}

func (v Values) wire() (*structpb.Struct, error) {
	return plugin.MarshalProperties(v.properties(), plugin.MarshalOptions{KeepUnknowns: true, SkipNulls: true})
}

// Copy is a deep copy in which numbers, lists and maps have the types that Values promise.
func (v Values) Copy() Values { return fromProperties(v.properties()) }

// Get follows a path such as "vpcConfig.subnetIds" or "rules[0].port"; nil when there is nothing there, Unknown when
// something on the way is not known yet.
func (v Values) Get(path string) any {
	var at any = map[string]any(v)
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		switch here := at.(type) {
		case map[string]any:
			at = here[step]
		case Values:
			at = here[step]
		case map[string]string:
			if text, ok := here[step]; ok {
				at = text
			} else {
				at = nil
			}
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(here) {
				return nil
			}
			at = here[i]
		case Unknown:
			return here
		default:
			return nil
		}
	}
	return at
}

// Has tells whether there is something, known or not.
func (v Values) Has(path string) bool { return v.Get(path) != nil }

// Known tells whether nothing at the path, or within it, is still to be known.
func (v Values) Known(path string) bool { return !containsUnknown(v.Get(path)) }

func containsUnknown(value any) bool {
	switch v := value.(type) {
	case Unknown:
		return true
	case map[string]any:
		for _, item := range v {
			if containsUnknown(item) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if containsUnknown(item) {
				return true
			}
		}
	}
	return false
}

// String is the text at the path, "" when there is none or it is not known.
func (v Values) String(path string) string { s, _ := v.Get(path).(string); return s }

// Bool is false when there is none or it is not known.
func (v Values) Bool(path string) bool { b, _ := v.Get(path).(bool); return b }

// Bytes are those of the file that lies at a path; false when there is none, or none that can be read.
func (v Values) Bytes(path string) ([]byte, bool) {
	file := v.String(path + ".path")
	if file == "" {
		return nil, false
	}
	contents, err := os.ReadFile(file)
	return contents, err == nil
}

// Int is 0 when there is none or it is not known.
func (v Values) Int(path string) int {
	switch n := v.Get(path).(type) {
	case float64:
		return int(n)
	case int:
		return n
	}
	return 0
}

// Strings are the known texts of a list.
func (v Values) Strings(path string) []string {
	var out []string
	switch items := v.Get(path).(type) {
	case []any:
		for _, item := range items {
			if text, ok := item.(string); ok {
				out = append(out, text)
			}
		}
	case []string:
		return items
	}
	return out
}

// List are the objects of a list; items that are no objects are empty.
func (v Values) List(path string) []Values {
	items, _ := v.Get(path).([]any)
	out := make([]Values, len(items))
	for i, item := range items {
		switch o := item.(type) {
		case map[string]any:
			out[i] = o
		case Values:
			out[i] = o
		}
	}
	return out
}

// Texts are the known texts of a map.
func (v Values) Texts(path string) map[string]string {
	out := map[string]string{}
	items, _ := v.Get(path).(map[string]any)
	for key, item := range items {
		if text, ok := item.(string); ok {
			out[key] = text
		}
	}
	return out
}

// each gives every value at a path in which "[]" stands for every item of a list, with its own path.
func (v Values) each(path string, do func(at string, value any)) {
	head, rest, many := strings.Cut(path, "[]")
	if !many {
		if value := v.Get(path); value != nil {
			do(path, value)
		}
		return
	}
	items, _ := v.Get(head).([]any)
	for i := range items {
		v.each(head+"["+strconv.Itoa(i)+"]"+rest, do)
	}
}

// same compares plain data.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

package simcloud

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Kind is the shape of a property.
type Kind int

// The kinds of properties.
const (
	Text Kind = iota
	Number
	Truth
	List
	Map
	Struct
	Anything
)

func (k Kind) String() string {
	return [...]string{"a string", "a number", "a boolean", "a list", "a map", "an object", "any value"}[k]
}

// Type is what a property may hold.
type Type struct {
	Kind   Kind
	Elem   *Type             // of lists and maps
	Fields map[string]*Field // of objects
}

// Field is one property of an object.
type Field struct {
	Type     *Type
	Required bool
	Whole    bool // the number must be whole
}

type elementTyper interface{ ElementType() reflect.Type }

// Inputs derives the properties a resource type takes from its SDK argument struct, such as ec2.VpcArgs{}. A field
// that is neither a pointer, a list nor a map is required; which lists and maps are required cannot be seen in the
// struct, so they are named.
func Inputs(args any, required ...string) *Type {
	t := reflect.TypeOf(args)
	if typed, ok := args.(elementTyper); ok {
		t = typed.ElementType()
	}
	out := typeOf(t, nil)
	for _, name := range required {
		field, ok := out.Fields[name]
		if !ok {
			panic(fmt.Sprintf("%s has no property %s", t, name))
		}
		field.Required = true
	}
	return out
}

// Outputs derives the properties of a resource from its SDK struct, such as ec2.Vpc{}. Required are those that a
// program reads as plain values: a provider always sets them.
func Outputs(resource any) *Type {
	out := &Type{Kind: Struct, Fields: map[string]*Field{}}
	t := reflect.TypeOf(resource)
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("pulumi")
		if name == "" {
			continue
		}
		output, ok := reflect.Zero(t.Field(i).Type).Interface().(pulumi.Output)
		if !ok {
			panic(fmt.Sprintf("%s.%s is no output", t, t.Field(i).Name))
		}
		out.Fields[name] = fieldOf(output.ElementType(), nil)
	}
	return out
}

// typeOf follows a Go type. Types that contain themselves end in Anything at their second level.
func typeOf(t reflect.Type, within []reflect.Type) *Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return &Type{Kind: Text}
	case reflect.Bool:
		return &Type{Kind: Truth}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64:
		return &Type{Kind: Number}
	case reflect.Slice:
		return &Type{Kind: List, Elem: typeOf(t.Elem(), within)}
	case reflect.Map:
		return &Type{Kind: Map, Elem: typeOf(t.Elem(), within)}
	case reflect.Struct:
		if slices.Contains(within, t) {
			return &Type{Kind: Anything}
		}
		within = append(slices.Clone(within), t)
		out := &Type{Kind: Struct, Fields: map[string]*Field{}}
		for i := range t.NumField() {
			if name := t.Field(i).Tag.Get("pulumi"); name != "" {
				out.Fields[name] = fieldOf(t.Field(i).Type, within)
			}
		}
		return out
	}
	return &Type{Kind: Anything}
}

func fieldOf(t reflect.Type, within []reflect.Type) *Field {
	required := t.Kind() != reflect.Pointer && t.Kind() != reflect.Slice && t.Kind() != reflect.Map && t.Kind() != reflect.Interface
	bare := t
	for bare.Kind() == reflect.Pointer {
		bare = bare.Elem()
	}
	whole := bare.Kind() == reflect.Int || bare.Kind() == reflect.Int32 || bare.Kind() == reflect.Int64
	return &Field{Type: typeOf(t, within), Required: required, Whole: whole}
}

// Finding is one thing that is wrong with a resource's properties.
type Finding struct {
	// Path is the property, such as "vpcConfig.subnetIds[0]".
	Path    string
	Problem string
}

// Check compares properties with the type. Values that are not known yet fit everything; names that begin with two
// underscores belong to the engine.
func (t *Type) Check(values Values) []Finding {
	var out []Finding
	t.check("", map[string]any(values), &out)
	return out
}

func (t *Type) check(path string, value any, out *[]Finding) {
	add := func(at, format string, a ...any) {
		*out = append(*out, Finding{Path: at, Problem: fmt.Sprintf(format, a...)})
	}
	if _, unknown := value.(Unknown); unknown || t.Kind == Anything {
		return
	}
	mismatch := func() { add(path, "expected %s, got %s", t.Kind, describe(value)) }
	switch t.Kind {
	case Text:
		if _, ok := value.(string); !ok {
			mismatch()
		}
	case Truth:
		if _, ok := value.(bool); !ok {
			mismatch()
		}
	case Number:
		if _, ok := value.(float64); !ok {
			mismatch()
		}
	case List:
		items, ok := value.([]any)
		if !ok {
			mismatch()
		}
		for i, item := range items {
			t.Elem.check(fmt.Sprintf("%s[%d]", path, i), item, out)
		}
	case Map:
		items, ok := value.(map[string]any)
		if !ok {
			mismatch()
		}
		for _, name := range sortedKeys(items) {
			t.Elem.check(path+"["+name+"]", items[name], out)
		}
	case Struct:
		items, ok := value.(map[string]any)
		if !ok {
			mismatch()
			return
		}
		for _, name := range sortedKeys(items) {
			if strings.HasPrefix(name, "__") {
				continue
			}
			field, known := t.Fields[name]
			if !known {
				add(join(path, name), "unsupported argument: %s is not expected here%s", name, nearest(name, t.Fields))
				continue
			}
			if number, ok := items[name].(float64); ok && field.Whole && number != float64(int64(number)) {
				add(join(path, name), "expected a whole number, got %v", number)
				continue
			}
			field.Type.check(join(path, name), items[name], out)
		}
		for _, name := range sortedKeys(t.Fields) {
			if _, given := items[name]; !given && t.Fields[name].Required {
				add(join(path, name), "missing required argument: the argument %q is required, but no definition was found", name)
			}
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "nothing"
	case string:
		return fmt.Sprintf("the string %q", v)
	case bool:
		return fmt.Sprintf("the boolean %v", v)
	case float64:
		return fmt.Sprintf("the number %v", v)
	case []any:
		return "a list"
	}
	return "an object"
}

// nearest suggests the name that was probably meant.
func nearest(name string, among map[string]*Field) string {
	for _, candidate := range sortedKeys(among) {
		a, b := strings.ToLower(name), strings.ToLower(candidate)
		if a == b || strings.TrimSuffix(a, "s") == strings.TrimSuffix(b, "s") || len(a) > 3 && (strings.HasPrefix(b, a) || strings.HasPrefix(a, b)) {
			return fmt.Sprintf("; did you mean %q?", candidate)
		}
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

package bottlerocket

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// leaf is one value of a settings tree: a scalar or a whole list.
type leaf struct {
	// path are the keys below settings; pattern is the same with "*" for keys
	// that a user chooses.
	path, pattern []string
	value         reflect.Value
}

func (l leaf) name() string { return pathName(l.path) }

// text gives a scalar as it is, and anything else as JSON.
func (l leaf) text() string {
	value := reflect.Indirect(l.value)
	switch value.Kind() {
	case reflect.String:
		return value.String()
	case reflect.Bool:
		return strconv.FormatBool(value.Bool())
	case reflect.Int64:
		return strconv.FormatInt(value.Int(), 10)
	}
	document, err := json.Marshal(value.Interface())
	if err != nil {
		return err.Error()
	}
	return string(document)
}

// pathName writes a path as TOML does: settings.kernel.sysctl."vm.max_map_count".
func pathName(path []string) string {
	var b strings.Builder
	b.WriteString("settings")
	for _, key := range path {
		b.WriteByte('.')
		if key == "" || strings.Trim(key, bareKey) != "" {
			key = strconv.Quote(key)
		}
		b.WriteString(key)
	}
	return b.String()
}

const bareKey = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*"

// key gives the TOML key of a field.
func key(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
	return name
}

// isTable tells whether values of a type have keys below them.
func isTable(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Map
}

func extend(path []string, key string) []string { return append(slices.Clip(path), key) }

// leaves gives every value that is set, in the order of the document.
func leaves(settings Settings) []leaf {
	var found []leaf
	collect(reflect.ValueOf(settings), nil, nil, &found)
	return found
}

func collect(value reflect.Value, path, pattern []string, found *[]leaf) {
	if value.Kind() == reflect.Pointer {
		if value.IsNil() {
			return
		}
		if isTable(value.Type()) {
			value = value.Elem()
		}
	}
	switch value.Kind() {
	case reflect.Struct:
		for i := range value.NumField() {
			name := key(value.Type().Field(i))
			collect(value.Field(i), extend(path, name), extend(pattern, name), found)
		}
	case reflect.Map:
		for _, name := range sortedKeys(value) {
			collect(value.MapIndex(reflect.ValueOf(name)), extend(path, name), extend(pattern, "*"), found)
		}
	case reflect.Slice:
		// An empty list inside a map is a value ("splash" = []); as a field it is unset.
		if value.Len() > 0 || len(pattern) > 0 && pattern[len(pattern)-1] == "*" {
			*found = append(*found, leaf{path, pattern, value})
		}
	default:
		*found = append(*found, leaf{path, pattern, value})
	}
}

func sortedKeys(value reflect.Value) []string {
	names := map[string]bool{}
	for _, name := range value.MapKeys() {
		names[name.String()] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// lookup gives the value at a path, if it is set.
func lookup(settings Settings, path []string) (leaf, bool) {
	var found []leaf
	value := reflect.ValueOf(settings)
	for _, name := range path {
		if value = reflect.Indirect(value); !value.IsValid() {
			return leaf{}, false
		}
		switch value.Kind() {
		case reflect.Struct:
			value = fieldByKey(value, name)
		case reflect.Map:
			value = value.MapIndex(reflect.ValueOf(name))
		default:
			return leaf{}, false
		}
		if !value.IsValid() {
			return leaf{}, false
		}
	}
	collect(value, path, path, &found)
	if len(found) != 1 || len(found[0].path) != len(path) {
		return leaf{}, false
	}
	return found[0], true
}

func fieldByKey(value reflect.Value, name string) reflect.Value {
	for i := range value.NumField() {
		if key(value.Type().Field(i)) == name {
			return value.Field(i)
		}
	}
	return reflect.Value{}
}

// put sets the value at a path and makes the tables on the way. An invalid value
// removes what is there. The target must be addressable or a fresh copy: maps
// and structs on the way are never shared with another tree.
func put(target reflect.Value, path []string, value reflect.Value) {
	if target.Kind() == reflect.Pointer && isTable(target.Type()) {
		if target.IsNil() {
			target.Set(reflect.New(target.Type().Elem()))
		}
		target = target.Elem()
	}
	if len(path) == 0 {
		if !value.IsValid() {
			value = reflect.Zero(target.Type())
		}
		target.Set(value)
		return
	}
	if target.Kind() == reflect.Struct {
		put(fieldByKey(target, path[0]), path[1:], value)
		return
	}
	if target.IsNil() {
		target.Set(reflect.MakeMap(target.Type()))
	}
	name := reflect.ValueOf(path[0])
	if len(path) == 1 && !value.IsValid() {
		target.SetMapIndex(name, reflect.Value{})
		return
	}
	entry := reflect.New(target.Type().Elem()).Elem()
	if current := target.MapIndex(name); current.IsValid() {
		entry.Set(current)
	}
	put(entry, path[1:], value)
	target.SetMapIndex(name, entry)
}

// patterns gives the pattern of every leaf that the model has, sorted.
func patterns() []string {
	var found []string
	var visit func(t reflect.Type, path []string)
	visit = func(t reflect.Type, path []string) {
		if isTable(t) && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch t.Kind() {
		case reflect.Struct:
			for i := range t.NumField() {
				visit(t.Field(i).Type, extend(path, key(t.Field(i))))
			}
		case reflect.Map:
			visit(t.Elem(), extend(path, "*"))
		default:
			found = append(found, strings.Join(path, "."))
		}
	}
	visit(reflect.TypeFor[Settings](), nil)
	slices.Sort(found)
	return found
}

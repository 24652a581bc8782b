package hostconfig

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// leavesOf walks a type and gives the path of every field that has no fields of
// its own. Units and durations are described by their own packages.
func leavesOf(t reflect.Type, path string) []string {
	switch {
	case t == reflect.TypeFor[systemd.Service]() || t == reflect.TypeFor[Duration]():
		return []string{strings.TrimSuffix(path, "[]")}
	case t.Kind() == reflect.Pointer:
		return leavesOf(t.Elem(), path)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return leavesOf(t.Elem(), path+"[]")
	case t.Kind() != reflect.Struct:
		return []string{path}
	}
	var leaves []string
	for _, field := range reflect.VisibleFields(t) {
		if field.Anonymous && jsonName(field) == "" {
			continue
		}
		leaves = append(leaves, leavesOf(field.Type, strings.TrimPrefix(path+"."+jsonName(field), "."))...)
	}
	return leaves
}

func TestEveryFieldOfANodeHasARule(t *testing.T) {
	var listed []string
	for _, field := range NodeFields() {
		listed = append(listed, field.Path)
	}
	found := leavesOf(reflect.TypeFor[Node](), "")
	for _, path := range found {
		if !slices.Contains(listed, path) {
			t.Errorf("nobody said whether %s can be changed: add it to the table of fields", path)
		}
	}
	for _, path := range listed {
		if !slices.Contains(found, path) {
			t.Errorf("the table of fields has %s, and Node does not", path)
		}
	}
	if len(found) < 100 {
		t.Errorf("only %d fields were walked", len(found))
	}
}

// A rule is complete, and says in words whether the field can be changed.
func TestRulesOfANodeAreComplete(t *testing.T) {
	for _, field := range NodeFields() {
		if field.Merge == "" || strings.Contains(field.Path, "..") {
			t.Errorf("%s has no rule", field.Path)
		}
		if field.Merge == Locked && field.Exception == "" && field.Decided == "" {
			t.Errorf("%s is locked by nothing", field.Path)
		}
		for _, control := range field.Controls {
			if !controlPattern.MatchString(control) {
				t.Errorf("%s: %q is not a control id", field.Path, control)
			}
		}
		if e := field.Exception; e != "" && e != "*" && !controlPattern.MatchString(e) {
			t.Errorf("%s: %q is no control that an exception can name", field.Path, e)
		}
		if field.Change() == "" {
			t.Errorf("%s does not say how it changes", field.Path)
		}
	}
	want := map[string]string{
		"kubelet.cgroupDriver":             "no: decided by os",
		"controlPlane.podSecurity.enforce": "no; otherwise with an exception for M22",
		"labels":                           "adds to the hardened values: outside of the domains that NodeRestriction keeps from nodes",
		"kubelet.swap":                     "yes",
	}
	for _, field := range NodeFields() {
		if text, found := want[field.Path]; found && field.Change() != text {
			t.Errorf("%s: %q, want %q", field.Path, field.Change(), text)
		}
	}
}

// fill sets a field to something other than its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		fill(v.Field(0))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem())
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	}
}

// What an operating system or a role lacks is refused there, field by field.
func TestFieldsWithoutEffectAreRefused(t *testing.T) {
	tried := 0
	for _, field := range narrowedFields {
		for _, kind := range nodeKinds {
			if (len(field.OS) == 0 || slices.Contains(field.OS, kind.os)) && (field.Role == "" || field.Role == kind.role) {
				continue
			}
			n := nodeOf(t, kind.os, kind.role)
			v := reflect.ValueOf(&n).Elem()
			for _, i := range field.index {
				if v.Kind() == reflect.Pointer {
					if v.IsNil() {
						v.Set(reflect.New(v.Type().Elem()))
					}
					v = v.Elem()
				}
				v = v.Field(i)
			}
			fill(v)
			refused(t, n.Validate(now), field.set, "no effect")
			tried++
		}
	}
	if tried < 50 {
		t.Errorf("only %d fields were tried", tried)
	}
}

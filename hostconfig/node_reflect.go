package hostconfig

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// nodeFields refuses what is set where it has no effect: a setting that nothing
// renders would be believed to protect.
func (p *problems) nodeFields(n Node) {
	refused := map[string]bool{}
	for _, each := range narrowedFields {
		elsewhere := len(each.OS) > 0 && !slices.Contains(each.OS, n.OS)
		// What does not exist as a role or a system is reported by itself.
		if (!elsewhere && (each.Role == "" || each.Role == n.Role || machineFields[n.Role] == "")) || systems[n.OS] == nil {
			continue
		}
		if field := fieldAt(reflect.ValueOf(n), each.index); refused[each.set] || !field.IsValid() || field.IsZero() ||
			(field.Kind() == reflect.Slice || field.Kind() == reflect.Map) && field.Len() == 0 {
			continue
		}
		refused[each.set] = true
		if elsewhere {
			p.add(each.set, "has no effect on "+string(n.OS), fmt.Sprintf("leave it out, or write it for %v", each.OS))
		} else {
			p.add(each.set, "has no effect on a "+string(n.Role), "leave it out, or write it for a "+string(each.Role))
		}
	}
}

// narrowed is a field that not every node has, with where it is in the struct.
type narrowed struct {
	NodeField
	set   string // the path up to the first list
	index []int
}

// narrowedFields is made once: every validation reads it.
var narrowedFields = func() []narrowed {
	var all []narrowed
	for _, field := range NodeFields() {
		if len(field.OS) == 0 && field.Role == "" {
			continue
		}
		set, _, _ := strings.Cut(field.Path, "[")
		at, index := reflect.TypeFor[Node](), []int(nil)
		for _, name := range strings.Split(set, ".") {
			if at.Kind() == reflect.Pointer {
				at = at.Elem()
			}
			found := slices.IndexFunc(reflect.VisibleFields(at), func(f reflect.StructField) bool { return jsonName(f) == name })
			if found < 0 {
				panic("hostconfig: a node has no field " + field.Path)
			}
			index, at = append(index, found), at.Field(found).Type
		}
		all = append(all, narrowed{field, set, index})
	}
	return all
}()

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// fieldAt is FieldByIndex that stops at a nil pointer.
func fieldAt(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

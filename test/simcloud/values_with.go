package simcloud

import (
	"fmt"
	"strconv"
	"strings"
)

// With is a copy in which the property at a path, such as "nodePools[0].spot", has another value; nil removes it.
func (v Values) With(path string, value any) Values {
	out, _ := with(map[string]any(v.Copy()), strings.Split(strings.ReplaceAll(path, "[", ".["), "."), value).(map[string]any)
	return out
}

// with gives a tree in which a value stands at the end of some steps; a step is a name, or the place in a list as [0].
func with(tree any, steps []string, value any) any {
	if len(steps) == 0 {
		return value
	}
	if place, ok := strings.CutPrefix(steps[0], "["); ok {
		list, _ := tree.([]any)
		i, err := strconv.Atoi(strings.TrimSuffix(place, "]"))
		if err != nil || i > len(list) {
			panic(fmt.Sprintf("no place %s in %v", steps[0], tree))
		}
		if i == len(list) {
			list = append(list, nil)
		}
		list[i] = with(list[i], steps[1:], value)
		return list
	}
	fields, _ := tree.(map[string]any)
	if fields == nil {
		fields = map[string]any{}
	}
	if fields[steps[0]] = with(fields[steps[0]], steps[1:], value); fields[steps[0]] == nil {
		delete(fields, steps[0])
	}
	return fields
}

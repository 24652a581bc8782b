package filterpattern

import (
	"encoding/json"
	"strings"
)

// truth has a third value: AWS's documentation does not say.
type truth int

const (
	no truth = iota
	unsaid
	yes
)

func of(b bool) truth {
	if b {
		return yes
	}
	return no
}

// Match tells whether a log event matches. What a pattern says of a property with != when the event has no such
// property is not documented: then said is false, unless the rest of the pattern decides. A pattern that is to be
// relied upon never depends on it.
func (p *Pattern) Match(event string) (matches, said bool) {
	if p.columns != nil {
		return p.matchColumns(event), true
	}
	if p.root == nil {
		for _, term := range p.terms {
			if !strings.Contains(event, term) {
				return false, true
			}
		}
		return true, true
	}
	var value any
	if err := json.Unmarshal([]byte(event), &value); err != nil {
		return false, true // a line of another component in the same group
	}
	t := p.root.match(value)
	return t == yes, t != unsaid
}

func (n anyOf) match(event any) truth {
	out := no
	for _, each := range n {
		out = max(out, each.match(event))
	}
	return out
}

func (n allOf) match(event any) truth {
	out := yes
	for _, each := range n {
		out = min(out, each.match(event))
	}
	return out
}

func (c condition) match(event any) truth {
	found := find(event, c.path)
	if len(found) == 0 {
		switch c.operator {
		case "NOT EXISTS":
			return yes
		case "!=":
			return unsaid
		}
		return no
	}
	out := no
	for _, value := range found {
		out = max(out, c.compare(value))
	}
	return out
}

// find gives the values that a path leads to.
func find(value any, path []step) []any {
	if len(path) == 0 {
		return []any{value}
	}
	var out []any
	here, rest := path[0], path[1:]
	switch v := value.(type) {
	case map[string]any:
		for name, each := range v {
			if here.any || here.name == name && name != "" {
				out = append(out, find(each, rest)...)
			}
		}
	case []any:
		for i, each := range v {
			if here.any || here.name == "" && here.index == i {
				out = append(out, find(each, rest)...)
			}
		}
	}
	return out
}

func (c condition) compare(value any) truth {
	switch c.operator {
	case "NULL":
		return of(value == nil)
	case "TRUE", "FALSE":
		return of(value == (c.operator == "TRUE"))
	case "NOT EXISTS":
		return no
	}
	if c.number != nil {
		n, ok := value.(float64)
		if !ok {
			return of(c.operator == "!=")
		}
		switch w := *c.number; c.operator {
		case "=":
			return of(n == w)
		case "!=":
			return of(n != w)
		case ">":
			return of(n > w)
		case ">=":
			return of(n >= w)
		case "<":
			return of(n < w)
		}
		return of(n <= *c.number)
	}
	text, ok := value.(string)
	return of((ok && like(c.text, text)) == (c.operator == "="))
}

// like compares with a text that may begin and end with *. Case counts.
func like(pattern, value string) bool {
	before, after := strings.HasPrefix(pattern, "*"), strings.HasSuffix(pattern, "*")
	core := strings.Trim(pattern, "*")
	switch {
	case before && after:
		return strings.Contains(value, core)
	case before:
		return strings.HasSuffix(value, core)
	case after:
		return strings.HasPrefix(value, core)
	}
	return value == core
}

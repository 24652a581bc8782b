package filterpattern

import (
	"fmt"
	"strconv"
	"strings"
)

// column is one value of a space-delimited event, and what is asked of it: nothing, or one of several conditions.
type column struct {
	name  string
	oneOf []condition
}

// parseColumns reads a pattern of space-delimited events: [name, name = value, name = value || name > 1]. An ellipsis and
// && are not modelled.
func parseColumns(pattern string) (*Pattern, error) {
	if !strings.HasSuffix(pattern, "]") {
		return nil, fmt.Errorf("at %d: \"]\" is expected", len(pattern))
	}
	out := &Pattern{columns: []column{}}
	for _, each := range strings.Split(pattern[1:len(pattern)-1], ",") {
		tokens, err := lex(each)
		if err != nil {
			return nil, err
		}
		p := &parser{tokens: tokens}
		c := column{}
		for {
			t := p.next()
			if t.kind != word || strings.ContainsAny(t.value, ".*+") || c.name != "" && t.value != c.name {
				return nil, fmt.Errorf("the name of a column is expected, not %v in %q", t, each)
			}
			c.name = t.value
			if p.peek().kind == end && len(c.oneOf) == 0 {
				break
			}
			t = p.next()
			if t.kind != symbol || !strings.ContainsAny(t.value, "=<>") {
				return nil, fmt.Errorf("an operator is expected, not %v in %q", t, each)
			}
			asked := condition{operator: t.value}
			if err := p.value(&asked); err != nil {
				return nil, err
			}
			if c.oneOf = append(c.oneOf, asked); !p.accept("||") {
				break
			}
		}
		if t := p.next(); t.kind != end {
			return nil, fmt.Errorf("%v follows the column %s", t, c.name)
		}
		out.columns = append(out.columns, c)
	}
	return out, nil
}

// matchColumns compares an event that has as many values as the pattern has columns.
func (p *Pattern) matchColumns(event string) bool {
	values := strings.Fields(event)
	if len(values) != len(p.columns) {
		return false
	}
	for i, c := range p.columns {
		if len(c.oneOf) > 0 && !c.holds(values[i]) {
			return false
		}
	}
	return true
}

func (c column) holds(value string) bool {
	for _, asked := range c.oneOf {
		var given any = value
		if asked.number != nil {
			if n, err := strconv.ParseFloat(value, 64); err == nil {
				given = n
			}
		}
		if asked.compare(given) == yes {
			return true
		}
	}
	return false
}

package filterpattern

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Longest is the length that the API takes:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
const Longest = 1024

// mostWildcards is how many selectors of a compound pattern may have a wildcard.
const mostWildcards = 3

// Pattern is a pattern that was understood.
type Pattern struct {
	terms   []string // of a pattern of terms
	columns []column // of one for space-delimited events; nil otherwise
	root    node     // of one for JSON; nil otherwise
}

// node is a part of a JSON pattern.
type node interface{ match(event any) truth }

type (
	anyOf     []node
	allOf     []node
	condition struct {
		path     []step
		operator string // = != > >= < <=, "NULL", "TRUE", "FALSE", "NOT EXISTS"
		number   *float64
		text     string
	}
	// step is a name, an index, or anything.
	step struct {
		name  string
		index int // of an array, when the name is empty
		any   bool
	}
)

// Parse reads a pattern. The error says what CloudWatch Logs would refuse.
func Parse(pattern string) (*Pattern, error) {
	trimmed := strings.TrimSpace(pattern)
	switch {
	case len(pattern) > Longest:
		return nil, fmt.Errorf("it has %d characters; at most %d are allowed", len(pattern), Longest)
	case strings.Contains(trimmed, "%"):
		return nil, errors.New("regular expressions are not modelled here")
	case strings.HasPrefix(trimmed, "["):
		return parseColumns(trimmed)
	case !strings.HasPrefix(trimmed, "{"):
		return parseTerms(trimmed)
	}
	tokens, err := lex(trimmed)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	if err := p.symbol("{"); err != nil {
		return nil, err
	}
	root, err := p.any()
	if err != nil {
		return nil, err
	}
	if err := p.symbol("}"); err != nil {
		return nil, err
	}
	if t := p.next(); t.kind != end {
		return nil, fmt.Errorf("at %d: %v follows the pattern", t.at, t)
	}
	if p.wildcards > mostWildcards {
		return nil, fmt.Errorf("%d selectors have a wildcard; at most %d are allowed", p.wildcards, mostWildcards)
	}
	return &Pattern{root: root}, nil
}

// termPattern is a word; what has other characters stands in quotes.
var termPattern = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

func parseTerms(pattern string) (*Pattern, error) {
	p := &Pattern{}
	for pattern = strings.TrimSpace(pattern); pattern != ""; pattern = strings.TrimSpace(pattern) {
		if pattern[0] == '"' {
			value, n, err := quoted(pattern)
			if err != nil {
				return nil, err
			}
			p.terms, pattern = append(p.terms, value), pattern[n:]
			continue
		}
		term, rest, _ := strings.Cut(pattern, " ")
		if !termPattern.MatchString(term) {
			return nil, fmt.Errorf("the term %q needs quotes", term)
		}
		p.terms, pattern = append(p.terms, term), rest
	}
	return p, nil
}

type parser struct {
	tokens    []token
	wildcards int
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) symbol(want string) error {
	if t := p.next(); t.kind != symbol || t.value != want {
		return fmt.Errorf("at %d: %q is expected, not %v", t.at, want, t)
	}
	return nil
}

func (p *parser) accept(want string) bool {
	if t := p.peek(); t.kind != symbol || t.value != want {
		return false
	}
	p.next()
	return true
}

// any reads what || joins; && binds closer.
func (p *parser) any() (node, error) {
	var out anyOf
	for {
		one, err := p.all()
		if err != nil {
			return nil, err
		}
		if out = append(out, one); !p.accept("||") {
			return out, nil
		}
	}
}

func (p *parser) all() (node, error) {
	var out allOf
	for {
		one, err := p.unit()
		if err != nil {
			return nil, err
		}
		if out = append(out, one); !p.accept("&&") {
			return out, nil
		}
	}
}

func (p *parser) unit() (node, error) {
	if !p.accept("(") {
		return p.condition()
	}
	inner, err := p.any()
	if err != nil {
		return nil, err
	}
	return inner, p.symbol(")")
}

func (p *parser) condition() (node, error) {
	t := p.next()
	if t.kind != selector {
		return nil, fmt.Errorf("at %d: a selector such as $.name is expected, not %v", t.at, t)
	}
	c := condition{}
	var err error
	if c.path, err = p.path(t); err != nil {
		return nil, err
	}
	switch t = p.next(); {
	case t.kind == word && t.value == "IS":
		t = p.next()
		if c.operator = t.value; t.kind != word || c.operator != "NULL" && c.operator != "TRUE" && c.operator != "FALSE" {
			return nil, fmt.Errorf("at %d: NULL, TRUE or FALSE follows IS, not %v", t.at, t)
		}
		return c, nil
	case t.kind == word && t.value == "NOT":
		if t = p.next(); t.kind != word || t.value != "EXISTS" {
			return nil, fmt.Errorf("at %d: EXISTS follows NOT, not %v", t.at, t)
		}
		c.operator = "NOT EXISTS"
		return c, nil
	case t.kind == symbol && strings.ContainsAny(t.value, "=<>"):
		c.operator = t.value
		return c, p.value(&c)
	}
	return nil, fmt.Errorf("at %d: an operator is expected, not %v", t.at, t)
}

func (p *parser) value(c *condition) error {
	t := p.next()
	if t.kind != text && t.kind != word {
		return fmt.Errorf("at %d: a value is expected, not %v", t.at, t)
	}
	if number, err := strconv.ParseFloat(t.value, 64); err == nil && t.kind == word {
		c.number = &number
		return nil
	}
	if c.operator != "=" && c.operator != "!=" {
		return fmt.Errorf("at %d: %s compares numbers, not %v", t.at, c.operator, t)
	}
	if len(t.value) > 2 && strings.Contains(t.value[1:len(t.value)-1], "*") {
		return fmt.Errorf("at %d: a * stands at the beginning or at the end of %v", t.at, t)
	}
	c.text = t.value
	return nil
}

var (
	stepPattern = regexp.MustCompile(`^(?:\.([A-Za-z0-9_-]+|\*)|\[([0-9]+|\*)\])`)
	anyStep     = "*"
)

// path reads a selector. A name holds letters, digits, - and _ only.
func (p *parser) path(t token) ([]step, error) {
	var out []step
	wild := 0
	for rest := t.value[1:]; rest != "" || len(out) == 0; {
		parts := stepPattern.FindStringSubmatch(rest)
		if parts == nil {
			return nil, fmt.Errorf("at %d: %v is not a selector: it is made of names, as in $.name.name, and of indices, as in $.list[0]", t.at, t)
		}
		rest = rest[len(parts[0]):]
		switch {
		case parts[1] == anyStep || parts[2] == anyStep:
			out = append(out, step{any: true})
			wild++
		case parts[1] != "":
			out = append(out, step{name: parts[1]})
		default:
			index, err := strconv.Atoi(parts[2])
			if err != nil {
				return nil, fmt.Errorf("at %d: %w", t.at, err)
			}
			out = append(out, step{index: index})
		}
	}
	if wild > 1 {
		return nil, fmt.Errorf("at %d: %v has more than one wildcard", t.at, t)
	}
	p.wildcards += wild
	return out, nil
}

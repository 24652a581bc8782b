package iampolicy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Kind is where a document is used, which decides what it may and must contain.
type Kind int

// The kinds of documents.
const (
	// Identity policies are attached to roles: they name no principal.
	Identity Kind = iota
	// Inline policies are identity policies within a role.
	Inline
	// Trust policies say who may assume a role: they name no resource.
	Trust
	// Key policies belong to KMS keys.
	Key
	// Bucket policies belong to S3 buckets.
	Bucket
	// Resource policies belong to other things, such as repositories and log groups.
	Resource
	// Endpoint policies belong to VPC endpoints.
	Endpoint
)

// limits are the sizes in bytes without white space. The limit of an endpoint policy counts white space too:
// https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html.
var limits = map[Kind]int{Identity: 6144, Inline: 10240, Trust: 2048, Key: 32768, Bucket: 20480, Resource: 10240, Endpoint: 20480}

// Document is a parsed policy.
type Document struct {
	Version    string
	ID         string
	Statements []Statement
	// Size is its length in bytes without white space.
	Size int
}

// Statement is one statement of a document.
type Statement struct {
	Sid, Effect             string
	Action, NotAction       []string
	Resource, NotResource   []string
	Principal, NotPrincipal *Principal
	// Condition is by operator, then by key.
	Condition map[string]map[string][]string
}

// Principal is who a statement is about.
type Principal struct {
	Anyone                                 bool // "*", or "AWS": "*"
	AWS, Service, Federated, CanonicalUser []string
}

// Parse reads a document of a kind. The error holds everything that is wrong with it, joined.
func Parse(text string, kind Kind) (Document, error) {
	tree, err := strictJSON([]byte(text))
	if err != nil {
		return Document{}, fmt.Errorf("syntax errors in policy: %w", err)
	}
	top, ok := tree.(map[string]any)
	if !ok {
		return Document{}, errors.New("syntax errors in policy: a policy is a JSON object")
	}
	var compact bytes.Buffer
	_ = json.Compact(&compact, []byte(text))
	r := &reader{kind: kind}
	doc := Document{Size: compact.Len()}
	r.only("policy", top, "Version", "Id", "Statement")
	doc.Version = r.text("policy", "Version", top["Version"])
	doc.ID = r.text("policy", "Id", top["Id"])
	statements := asList(top["Statement"])
	if len(statements) == 0 {
		r.add("policy: it needs at least one Statement")
	}
	for i, each := range statements {
		doc.Statements = append(doc.Statements, r.statement(fmt.Sprintf("statement %d", i+1), each))
	}
	r.judge(doc)
	if doc.Size > limits[kind] {
		r.add("policy: %d bytes without white space; at most %d are allowed", doc.Size, limits[kind])
	}
	return doc, errors.Join(r.problems...)
}

// reader gathers what is wrong.
type reader struct {
	kind     Kind
	problems []error
}

func (r *reader) add(format string, a ...any) {
	r.problems = append(r.problems, fmt.Errorf(format, a...))
}

func (r *reader) only(where string, fields map[string]any, names ...string) {
	var unknown []string
	for name := range fields {
		if !slices.Contains(names, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		r.add("%s: unknown element %s (names are case-sensitive)", where, name)
	}
}

func (r *reader) text(where, name string, value any) string {
	text, ok := value.(string)
	if value != nil && !ok {
		r.add("%s: %s must be a string", where, name)
	}
	return text
}

func (r *reader) texts(where, name string, value any) []string {
	var out []string
	for _, item := range asList(value) {
		switch v := item.(type) {
		case string:
			out = append(out, v)
		case bool, json.Number:
			out = append(out, fmt.Sprint(v))
		default:
			r.add("%s: %s must hold strings", where, name)
		}
	}
	if value != nil && len(asList(value)) == 0 {
		r.add("%s: %s is empty", where, name)
	}
	return out
}

func (r *reader) statement(where string, value any) Statement {
	fields, ok := value.(map[string]any)
	if !ok {
		r.add("%s: it must be an object", where)
		return Statement{}
	}
	r.only(where, fields, "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition")
	s := Statement{
		Sid: r.text(where, "Sid", fields["Sid"]), Effect: r.text(where, "Effect", fields["Effect"]),
		Action: r.texts(where, "Action", fields["Action"]), NotAction: r.texts(where, "NotAction", fields["NotAction"]),
		Resource: r.texts(where, "Resource", fields["Resource"]), NotResource: r.texts(where, "NotResource", fields["NotResource"]),
		Principal: r.principal(where, fields["Principal"]), NotPrincipal: r.principal(where, fields["NotPrincipal"]),
	}
	if fields["Condition"] != nil {
		s.Condition = r.conditions(where, fields["Condition"])
	}
	return s
}

func (r *reader) principal(where string, value any) *Principal {
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		if v != "*" {
			r.add(`%s: a principal is "*" or an object such as {"AWS": …}`, where)
		}
		return &Principal{Anyone: v == "*"}
	case map[string]any:
		r.only(where+": principal", v, "AWS", "Service", "Federated", "CanonicalUser")
		p := &Principal{AWS: r.texts(where, "AWS", v["AWS"]), Service: r.texts(where, "Service", v["Service"]),
			Federated: r.texts(where, "Federated", v["Federated"]), CanonicalUser: r.texts(where, "CanonicalUser", v["CanonicalUser"])}
		p.Anyone = slices.Contains(p.AWS, "*")
		return p
	}
	r.add(`%s: a principal is "*" or an object`, where)
	return nil
}

func asList(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{value}
}

// strictJSON reads JSON and refuses a key that occurs twice in one object: IAM does, and encoding/json takes the last.
func strictJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	value, err := strictValue(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the policy")
	}
	return value, nil
}

func strictValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		out := map[string]any{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			name, _ := key.(string)
			if _, twice := out[name]; twice {
				return nil, fmt.Errorf("the key %q occurs twice", name)
			}
			if out[name], err = strictValue(d); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return out, err
	case json.Delim('['):
		out := []any{}
		for d.More() {
			item, err := strictValue(d)
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
		_, err := d.Token()
		return out, err
	}
	return token, nil
}

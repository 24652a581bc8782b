package fakecloud

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Role is what instances run as. On AWS its instance profile has the same name.
type Role struct {
	// Name is the role's name on AWS; on GCP the service account's id, the part
	// of its e-mail name before the @.
	Name string
	// Policies are IAM policy documents of AWS.
	Policies []string
	// Grants are IAM bindings of GCP.
	Grants []Grant
}

type role struct {
	Role
	statements []statement
	grants     []grant
}

// statement is one of an IAM policy document.
type statement struct {
	Sid, Effect               string
	Action, NotAction         texts
	Resource, NotResource     texts
	Principal                 principal
	Condition                 map[string]map[string]texts
	NotPrincipal, Unsupported json.RawMessage
}

// texts is one string or a list.
type texts []string

func (t *texts) UnmarshalJSON(data []byte) error {
	var one any
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	if _, list := one.([]any); list {
		return json.Unmarshal(data, (*[]string)(t))
	}
	*t = texts{fmt.Sprint(one)} // conditions may be booleans or numbers
	return nil
}

// principal is "*" or a map of kinds.
type principal struct {
	any   bool
	kinds map[string]texts
}

func (p *principal) UnmarshalJSON(data []byte) error {
	if string(data) == `"*"` {
		p.any = true
		return nil
	}
	return json.Unmarshal(data, &p.kinds)
}

// operators are those of conditions that this package can judge.
var operators = []string{"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "ArnEquals", "ArnLike", "Bool", "Null", "StringEqualsIfExists", "NumericLessThan"}

// parsePolicy reads a policy document. What it does not know is an error.
func parsePolicy(document string, resourceBased bool) ([]statement, error) {
	var policy struct {
		Version, Id string //nolint // Id is AWS's spelling
		Statement   []statement
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(document)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&policy); err != nil {
		return nil, fmt.Errorf("MalformedPolicyDocument: %w", err)
	}
	if policy.Version != "2012-10-17" {
		return nil, fmt.Errorf("MalformedPolicyDocument: version %q", policy.Version)
	}
	for _, s := range policy.Statement {
		hasPrincipal := s.Principal.any || s.Principal.kinds != nil
		switch {
		case s.Effect != "Allow" && s.Effect != "Deny":
			return nil, fmt.Errorf("MalformedPolicyDocument: effect %q", s.Effect)
		case (len(s.Action) == 0) == (len(s.NotAction) == 0), (len(s.Resource) == 0) == (len(s.NotResource) == 0):
			return nil, fmt.Errorf("MalformedPolicyDocument: statement %q needs one of Action and NotAction, Resource and NotResource", s.Sid)
		case s.NotPrincipal != nil || s.Unsupported != nil:
			return nil, fmt.Errorf("statement %q has an element that fakecloud cannot judge", s.Sid)
		case hasPrincipal != resourceBased:
			return nil, fmt.Errorf("MalformedPolicyDocument: statement %q: a principal belongs into resource policies, and there only", s.Sid)
		}
		for operator := range s.Condition {
			if !slices.Contains(operators, operator) {
				return nil, fmt.Errorf("statement %q: fakecloud cannot judge the operator %q", s.Sid, operator)
			}
		}
	}
	return policy.Statement, nil
}

// AddRole adds or replaces a role.
func (c *Cloud) AddRole(r Role) error {
	parsed := &role{Role: r}
	for _, document := range r.Policies {
		statements, err := parsePolicy(document, false)
		if err != nil {
			return fmt.Errorf("role %s: %w", r.Name, err)
		}
		parsed.statements = append(parsed.statements, statements...)
	}
	for _, each := range r.Grants {
		compiled, err := compileGrant(each)
		if err != nil {
			return fmt.Errorf("role %s: %w", r.Name, err)
		}
		parsed.grants = append(parsed.grants, compiled)
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.roles[r.Name] = parsed
	return nil
}

// access is what a request wants to do.
type access struct {
	session          *session // nil for nobody
	action, resource string
	context          map[string]string
}

// verdict of a set of statements.
type verdict struct{ allow, deny bool }

func (c *Cloud) judge(statements []statement, a access) verdict {
	var v verdict
	for _, s := range statements {
		if !c.applies(s, a) {
			continue
		}
		if s.Effect == "Deny" {
			v.deny = true
		} else {
			v.allow = true
		}
	}
	return v
}

func (c *Cloud) applies(s statement, a access) bool {
	matches := func(patterns texts, value string, fold bool) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return like(pattern, value, fold) })
	}
	if len(s.Action) > 0 && !matches(s.Action, a.action, true) || len(s.NotAction) > 0 && matches(s.NotAction, a.action, true) {
		return false
	}
	if len(s.Resource) > 0 && !matches(s.Resource, a.resource, false) || len(s.NotResource) > 0 && matches(s.NotResource, a.resource, false) {
		return false
	}
	if s.Principal.kinds != nil && !slices.ContainsFunc(s.Principal.kinds["AWS"], func(p string) bool { return c.isPrincipal(p, a.session) }) {
		return false
	}
	for operator, tests := range s.Condition {
		for name, wanted := range tests {
			if !condition(operator, a.value(c, name), wanted) {
				return false
			}
		}
	}
	return true
}

// isPrincipal: the account itself stands for what its roles are allowed by their
// own policies, which the caller of judge adds.
func (c *Cloud) isPrincipal(p string, s *session) bool {
	return p == "*" || s != nil && p == c.roleARN(s.role)
}

// delegates tells whether a resource policy lets the account's identity policies decide.
func (c *Cloud) delegates(statements []statement, a access) bool {
	for _, s := range statements {
		if s.Effect != "Allow" {
			continue
		}
		for _, p := range s.Principal.kinds["AWS"] {
			if p == "arn:aws:iam::"+c.account+":root" || p == c.account {
				s.Principal = principal{any: true}
				if c.applies(s, a) {
					return true
				}
			}
		}
	}
	return false
}

// value gives a condition key of a request.
func (a access) value(c *Cloud, name string) *string {
	text := func(value string) *string { return &value }
	switch strings.ToLower(name) {
	case "aws:securetransport":
		return text("true") // there is no plain listener
	case "aws:principalarn":
		if a.session != nil {
			return text(c.roleARN(a.session.role))
		}
		return nil
	case "aws:principalaccount", "aws:sourceaccount", "kms:calleraccount":
		if a.session != nil {
			return text(c.account)
		}
		return nil
	case "aws:requestedregion":
		return text(c.region)
	}
	for key, value := range a.context {
		if strings.EqualFold(key, name) {
			return &value
		}
	}
	return nil
}

func condition(operator string, have *string, wanted texts) bool {
	one := func(match func(string) bool) bool { return slices.ContainsFunc(wanted, match) }
	if operator == "Null" {
		return one(func(w string) bool { return (have == nil) == (w == "true") })
	}
	if have == nil {
		// Negated operators and those with IfExists hold when the key is absent.
		return strings.Contains(operator, "Not") || strings.HasSuffix(operator, "IfExists")
	}
	switch strings.TrimSuffix(operator, "IfExists") {
	case "StringEquals", "Bool":
		return slices.Contains(wanted, *have)
	case "StringNotEquals":
		return !slices.Contains(wanted, *have)
	case "NumericLessThan":
		value, err := strconv.ParseFloat(*have, 64)
		return err == nil && one(func(w string) bool {
			limit, err := strconv.ParseFloat(w, 64)
			return err == nil && value < limit
		})
	case "StringNotLike":
		return !one(func(w string) bool { return like(w, *have, false) })
	}
	return one(func(w string) bool { return like(w, *have, false) })
}

// like matches * and ?.
func like(pattern, value string, fold bool) bool {
	expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	if fold {
		expression = "(?i)" + expression
	}
	matched, err := regexp.MatchString("(?s)^(?:"+expression+")$", value)
	return err == nil && matched
}

// authorize judges an access to a resource with or without a policy of its own,
// as within one account: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (c *Cloud) authorize(a access, resourcePolicy []statement) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	var identity verdict
	if a.session != nil && c.roles[a.session.role] != nil {
		identity = c.judge(c.roles[a.session.role].statements, a)
	}
	own := c.judge(resourcePolicy, a)
	return !identity.deny && !own.deny && (identity.allow || own.allow)
}

// authorizeKey judges the use of a key, which its own policy must allow or leave
// to the account.
func (c *Cloud) authorizeKey(a access, keyPolicy []statement) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	if a.session == nil || c.roles[a.session.role] == nil {
		return false
	}
	identity, own := c.judge(c.roles[a.session.role].statements, a), c.judge(keyPolicy, a)
	if identity.deny || own.deny {
		return false
	}
	return own.allow || identity.allow && c.delegates(keyPolicy, a)
}

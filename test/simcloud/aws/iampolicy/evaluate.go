package iampolicy

import (
	"slices"
	"strings"
)

// Request is what somebody wants to do.
type Request struct {
	// Principal is an ARN, a service such as "logs.eu-central-1.amazonaws.com", or an account's root ARN, which stands
	// for everybody in the account whom IAM permits.
	Principal string
	Action    string
	Resource  string
	// Context holds the values of condition keys. A condition on a key that is not here does not hold, except one that
	// demands its absence.
	Context map[string]string
}

// Allows tells whether a document by itself permits a request: an explicit Deny wins. An identity policy is asked
// without regard to the principal.
func (d Document) Allows(q Request) bool {
	allowed := false
	for _, s := range d.Statements {
		if !s.about(q) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func (s Statement) about(q Request) bool {
	action := strings.ToLower(q.Action)
	names := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return Matches(strings.ToLower(p), action) })
	}
	if len(s.Action) > 0 && !names(s.Action) || len(s.NotAction) > 0 && names(s.NotAction) {
		return false
	}
	covers := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return Matches(p, q.Resource) })
	}
	if q.Resource != "" && (len(s.Resource) > 0 && !covers(s.Resource) || len(s.NotResource) > 0 && covers(s.NotResource)) {
		return false
	}
	if s.Principal != nil && !s.Principal.Is(q.Principal) || s.NotPrincipal != nil && s.NotPrincipal.Is(q.Principal) {
		return false
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			if !holds(operator, q.Context, key, values) {
				return false
			}
		}
	}
	return true
}

// Is tells whether a principal is among those meant: itself, its account, or anyone.
func (p *Principal) Is(who string) bool {
	if p.Anyone || slices.Contains(p.AWS, who) || slices.Contains(p.Service, who) || slices.Contains(p.Federated, who) {
		return true
	}
	parts := strings.Split(who, ":")
	if len(parts) < 6 || parts[4] == "" {
		return false
	}
	return slices.Contains(p.AWS, parts[4]) || slices.Contains(p.AWS, "arn:"+parts[1]+":iam::"+parts[4]+":root")
}

// holds evaluates one condition on texts. Numbers, dates and addresses are not compared: such a condition holds when
// its key is there.
func holds(operator string, context map[string]string, key string, values []string) bool {
	bare := strings.TrimPrefix(strings.TrimPrefix(operator, "ForAllValues:"), "ForAnyValue:")
	value, there := "", false
	for name, v := range context {
		if strings.EqualFold(name, key) {
			value, there = v, true
		}
	}
	if bare == "Null" {
		return len(values) == 1 && (values[0] == "true") == !there
	}
	ifExists := strings.HasSuffix(bare, "IfExists")
	bare = strings.TrimSuffix(bare, "IfExists")
	negative := strings.Contains(bare, "Not")
	if !there {
		return ifExists || negative || strings.HasPrefix(operator, "ForAllValues:")
	}
	like := strings.HasSuffix(bare, "Like") || strings.HasPrefix(bare, "Arn")
	found := slices.ContainsFunc(values, func(v string) bool {
		switch {
		case strings.HasPrefix(bare, "Numeric"), strings.HasPrefix(bare, "Date"), strings.Contains(bare, "IpAddress"):
			return !negative
		case like:
			return Matches(v, value)
		case strings.HasSuffix(bare, "IgnoreCase"), bare == "Bool":
			return strings.EqualFold(v, value)
		}
		return v == value
	})
	return found != negative
}

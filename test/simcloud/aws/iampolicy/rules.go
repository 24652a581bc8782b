package iampolicy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	sid     = regexp.MustCompile(`^[A-Za-z0-9]+$`)
	account = regexp.MustCompile(`^\d{12}$`)
	service = regexp.MustCompile(`^[a-z0-9.-]+\.amazonaws\.com(\.cn)?$`)
	// An ARN has six parts; the fifth, the account, and the fourth, the region, may be empty.
	arn          = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov|\*):[a-z0-9*?-]+:[a-z0-9*?-]*:(\d{12}|aws|[0-9*?]*|\$\{[^}]+\}):.+$`)
	principalARN = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):(iam::\d{12}:(root|role/.+|user/.+)|sts::\d{12}:(assumed-role|federated-user)/.+)$`)
	federated    = regexp.MustCompile(`^(arn:aws[a-z-]*:iam::\d{12}:(oidc-provider|saml-provider)/.+|cognito-identity\.amazonaws\.com|accounts\.google\.com|www\.amazon\.com|graph\.facebook\.com)$`)
)

// judge applies the rules of the grammar and of the document's kind.
func (r *reader) judge(doc Document) {
	if doc.Version != "2012-10-17" && doc.Version != "2008-10-17" {
		r.add(`policy: Version must be "2012-10-17", got %q`, doc.Version)
	}
	seen := map[string]bool{}
	for i, s := range doc.Statements {
		where := fmt.Sprintf("statement %d", i+1)
		if s.Sid != "" {
			// Resource policies of KMS and S3 allow spaces in a Sid; identity policies do not.
			if !sid.MatchString(s.Sid) && (r.kind == Identity || r.kind == Inline || r.kind == Trust) {
				r.add("%s: Sid %q may hold only A-Z, a-z and 0-9", where, s.Sid)
			}
			if seen[s.Sid] {
				r.add("%s: Statement IDs (SID) in a single policy must be unique: %q", where, s.Sid)
			}
			seen[s.Sid] = true
		}
		if s.Effect != "Allow" && s.Effect != "Deny" {
			r.add("%s: Effect must be Allow or Deny (case-sensitive), got %q", where, s.Effect)
		}
		r.actions(where, s)
		r.resources(where, s)
		r.principals(where, s)
	}
}

func (r *reader) actions(where string, s Statement) {
	if (len(s.Action) == 0) == (len(s.NotAction) == 0) {
		r.add("%s: Policy statement must contain actions: either Action or NotAction", where)
	}
	for _, action := range slices.Concat(s.Action, s.NotAction) {
		if problem := actionProblem(action); problem != "" {
			r.add("%s: %s", where, problem)
		}
		if r.kind == Trust && !strings.HasPrefix(strings.ToLower(action), "sts:") {
			r.add("%s: AssumeRole policy may only specify STS AssumeRole actions, got %q", where, action)
		}
		if r.kind == Key && action != "*" && !strings.HasPrefix(strings.ToLower(action), "kms:") {
			r.add("%s: a key policy speaks of kms actions only, got %q", where, action)
		}
	}
}

func (r *reader) resources(where string, s Statement) {
	given := len(s.Resource) + len(s.NotResource)
	switch {
	case r.kind == Trust && given > 0:
		r.add("%s: Has prohibited field Resource", where)
	case r.kind == Trust:
	case r.kind == Resource && given == 0: // the resource a policy is attached to is meant
	case (len(s.Resource) == 0) == (len(s.NotResource) == 0):
		r.add("%s: Policy statement must contain resources: either Resource or NotResource", where)
	}
	for _, resource := range slices.Concat(s.Resource, s.NotResource) {
		switch {
		case resource == "*":
		case r.kind == Key:
			// A key policy is about its own key.
			if !strings.HasPrefix(resource, "arn:") {
				r.add(`%s: Resource of a key policy must be "*", got %q`, where, resource)
			}
		case !arn.MatchString(resource):
			r.add(`%s: Resource %s must be in ARN format or "*"`, where, resource)
		case strings.HasPrefix(resource, "arn:aws:iam:") && !strings.HasPrefix(resource, "arn:aws:iam::"):
			r.add("%s: IAM resource %s cannot contain region information", where, resource)
		case strings.HasPrefix(resource, "arn:aws:s3:") && !strings.HasPrefix(resource, "arn:aws:s3:::") && !strings.Contains(resource, "accesspoint") && !strings.Contains(resource, ":storage-lens"):
			r.add("%s: S3 resource %s has neither region nor account", where, resource)
		}
	}
}

func (r *reader) principals(where string, s Statement) {
	given := s.Principal != nil || s.NotPrincipal != nil
	switch r.kind {
	case Identity, Inline:
		if given {
			r.add("%s: Policy document should not specify a principal", where)
		}
		return
	}
	if (s.Principal == nil) == (s.NotPrincipal == nil) {
		r.add("%s: it must contain either Principal or NotPrincipal", where)
		return
	}
	for _, p := range []*Principal{s.Principal, s.NotPrincipal} {
		if p == nil {
			continue
		}
		if r.kind == Trust && p.Anyone && s.Effect == "Allow" && len(s.Condition) == 0 {
			r.add("%s: a role that anyone may assume", where)
		}
		for _, each := range p.AWS {
			if each != "*" && !account.MatchString(each) && !principalARN.MatchString(each) {
				r.add(`%s: Invalid principal in policy: "AWS":%q`, where, each)
			}
		}
		for _, each := range p.Service {
			if !service.MatchString(each) {
				r.add(`%s: Invalid principal in policy: "SERVICE":%q`, where, each)
			}
		}
		for _, each := range p.Federated {
			if !federated.MatchString(each) {
				r.add(`%s: Invalid principal in policy: "FEDERATED":%q`, where, each)
			}
		}
	}
}

// operators are the condition operators; each may end in IfExists, and begin with ForAllValues: or ForAnyValue:.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
var operators = []string{"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike",
	"StringNotLike", "NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan",
	"NumericGreaterThanEquals", "DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan",
	"DateGreaterThanEquals", "Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"}

func (r *reader) conditions(where string, value any) map[string]map[string][]string {
	fields, ok := value.(map[string]any)
	if !ok {
		r.add("%s: Condition must be an object", where)
		return nil
	}
	out := map[string]map[string][]string{}
	for operator, keys := range fields {
		bare := strings.TrimPrefix(strings.TrimPrefix(operator, "ForAllValues:"), "ForAnyValue:")
		if bare != "Null" && !slices.Contains(operators, strings.TrimSuffix(bare, "IfExists")) {
			r.add("%s: Invalid Condition type: %s", where, operator)
		}
		inner, ok := keys.(map[string]any)
		if !ok || len(inner) == 0 {
			r.add("%s: condition %s must name keys", where, operator)
			continue
		}
		out[operator] = map[string][]string{}
		for key, values := range inner {
			if !strings.Contains(key, ":") {
				r.add("%s: Conditions must be prefaced by a vendor, e.g. aws: or kms:, got %q", where, key)
			}
			out[operator][key] = r.texts(where, key, values)
		}
	}
	return out
}

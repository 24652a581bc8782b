package hostconfig

import (
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// match tells whether a rule covers a request for every object, namespace and
// ordinary user (always), for some of them (sometimes), or not at all.
type match int

const (
	never match = iota
	sometimes
	always
)

// auditLevelsOf gives every level at which the policy may record such a request.
// There are several where a rule singles out object names, namespaces or users:
// a demand holds for all of them.
//
// It follows k8s.io/apiserver/pkg/audit/policy, against which a test compares
// it; that package is not used because it brings the whole request machinery.
func auditLevelsOf(policy *auditv1.Policy, request AuditRequest) []auditv1.Level {
	var levels []auditv1.Level
	for _, rule := range policy.Rules {
		switch auditRuleMatches(rule, request) {
		case always:
			return append(levels, rule.Level)
		case sometimes:
			levels = append(levels, rule.Level)
		}
	}
	return append(levels, auditv1.LevelNone)
}

func auditRuleMatches(rule auditv1.PolicyRule, request AuditRequest) match {
	if len(rule.Verbs) > 0 && !slices.Contains(rule.Verbs, request.Verb) {
		return never
	}
	who := min(subjectMatches(rule.Users, []string{request.User}), subjectMatches(rule.UserGroups, request.Groups))
	switch {
	case who == never:
		return never
	case len(rule.Namespaces) > 0 || len(rule.Resources) > 0:
		return min(who, auditRuleMatchesResource(rule, request))
	case len(rule.NonResourceURLs) > 0 && !matchesPath(rule.NonResourceURLs, request):
		return never
	}
	return who
}

// subjectMatches compares users or groups. A demand names one of each kind of
// user, so that a rule for another one of the kind is a rule for some of them.
func subjectMatches(listed, actual []string) match {
	if len(listed) == 0 {
		return always
	}
	if slices.ContainsFunc(actual, func(name string) bool { return slices.Contains(listed, name) }) {
		return always
	}
	for _, name := range actual {
		if kind := subjectKind(name); kind != "" && slices.ContainsFunc(listed, func(other string) bool { return subjectKind(other) == kind }) {
			return sometimes
		}
	}
	return never
}

// subjectKinds are beginnings of the names of users and groups of which there are
// many. The system's own service accounts are a kind of their own.
var subjectKinds = []string{
	"system:serviceaccount:kube-system:", "system:serviceaccount:", "system:serviceaccounts:", "system:node:", "system:bootstrap:", "system:",
}

// subjectKind gives the kind of a name, or nothing for one of the system's that
// stands for itself alone.
func subjectKind(name string) string {
	for _, kind := range subjectKinds {
		if strings.HasPrefix(name, kind) {
			if kind == "system:" || name == "system:serviceaccounts:kube-system" {
				return ""
			}
			return kind
		}
	}
	return "person"
}

func matchesPath(specs []string, request AuditRequest) bool {
	return request.Resource == "" && slices.ContainsFunc(specs, func(spec string) bool {
		return spec == "*" || spec == request.Path ||
			strings.HasSuffix(spec, "*") && strings.HasPrefix(request.Path, strings.TrimRight(spec, "*"))
	})
}

func auditRuleMatchesResource(rule auditv1.PolicyRule, request AuditRequest) match {
	if request.Resource == "" {
		return never
	}
	where := always
	if len(rule.Namespaces) > 0 {
		where = sometimes
	}
	if len(rule.Resources) == 0 {
		return where
	}
	best := never
	for _, resources := range rule.Resources {
		if resources.Group != request.Group {
			continue
		}
		found := never
		switch {
		case len(resources.Resources) == 0:
			found = always
		case slices.ContainsFunc(resources.Resources, func(spec string) bool { return resourceMatches(spec, request) }):
			found = always
			if len(resources.ResourceNames) > 0 {
				found = sometimes
			}
		}
		best = max(best, found)
	}
	return min(where, best)
}

func resourceMatches(spec string, request AuditRequest) bool {
	combined := request.Resource
	if request.Subresource != "" {
		combined += "/" + request.Subresource
	}
	switch {
	case spec == "*" || spec == combined:
		return true
	case strings.HasPrefix(spec, "*/"):
		return request.Subresource != "" && strings.TrimPrefix(spec, "*/") == request.Subresource
	case strings.HasSuffix(spec, "/*"):
		return strings.TrimSuffix(spec, "/*") == request.Resource
	}
	return false
}

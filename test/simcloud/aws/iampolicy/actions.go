package iampolicy

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

// actions.txt lists, a service a line, the actions of the services that programs of this repository speak of. They
// are the operations of the services' APIs, with the few permissions that are no operations:
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
//
//go:embed actions.txt
var actionList string

// known are the actions by service, in lower case: IAM compares without regard to case.
var known = func() map[string][]string {
	out := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(actionList), "\n") {
		service, names, _ := strings.Cut(line, ": ")
		out[service] = strings.Fields(strings.ToLower(names))
	}
	return out
}()

// actionProblem says what is wrong with an action, "" when nothing is.
func actionProblem(action string) string {
	if action == "*" {
		return ""
	}
	vendor, name, ok := strings.Cut(action, ":")
	if !ok || vendor == "" || name == "" || strings.Contains(name, ":") {
		return fmt.Sprintf("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: %q", action)
	}
	names, ok := known[strings.ToLower(vendor)]
	if !ok {
		return fmt.Sprintf("The vendor %s is not valid in %q", vendor, action)
	}
	for _, each := range names {
		if Matches(strings.ToLower(name), each) {
			return ""
		}
	}
	return fmt.Sprintf("Invalid Action: %s is no action of %s", action, vendor)
}

// Matches compares a text with a pattern in which * is any text and ? any character.
func Matches(pattern, text string) bool {
	if pattern == "*" || pattern == text {
		return true
	}
	if !strings.ContainsAny(pattern, "*?") {
		return false
	}
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, `\*`, `.*`), `\?`, `.`)
	return regexp.MustCompile("^(?s:" + quoted + ")$").MatchString(text)
}

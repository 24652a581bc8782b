// Package retention judges how long, and how firmly, a bucket keeps what an intruder must not alter (M38).
package retention

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

const (
	// EvidenceDays is a year, which PCI DSS 10.5.1 asks for.
	EvidenceDays = 365
	// None is the lock that locks nothing.
	None = "none"
	// longestDays is a hundred years, the most that S3 and Cloud Storage take.
	longestDays = 36500
	// control is what an exception for less names.
	control = "M38/object-lock"
)

// Rule is what the settings of a locked bucket must be.
type Rule struct {
	// Field is the setting that has lock and lockDays.
	Field string
	// Loss is what an unlocked bucket means.
	Loss string
	// Usual and Shortest are days, and Short says what fewer than Shortest are.
	Usual, Shortest int
	Short           string
	// Locks are those that the platform has, without the one that locks nothing.
	Locks []string
}

// Evidence is the rule for logs that are evidence.
func Evidence(field, loss string, locks ...string) Rule {
	return Rule{Field: field, Loss: loss, Usual: EvidenceDays, Shortest: EvidenceDays, Short: "is less than a year", Locks: locks}
}

// Check reports what is wrong with a lock and its days, and what weakens them without an exception.
func (r Rule) Check(lock string, days int, exceptions []hostconfig.Exception) (problems []error) {
	add := func(field, problem, remedy string) {
		problems = append(problems, &hostconfig.FieldError{Field: r.Field + field, Problem: problem, Remedy: remedy})
	}
	weakens := func(field, problem string) {
		if !hostconfig.Excepted(exceptions, control) {
			add(field, fmt.Sprintf("%s (%s)", problem, control), hostconfig.AcceptRisk(control))
		}
	}
	switch {
	case lock == None:
		weakens(".lock", r.Loss)
	case !slices.Contains(r.Locks, lock):
		add(".lock", fmt.Sprintf("%q is not a lock", lock), fmt.Sprintf("write %s or %s", strings.Join(r.Locks, ", "), None))
	}
	switch {
	case days < 1 || days > longestDays:
		add(".lockDays", fmt.Sprintf("%d is no time of retention", days), fmt.Sprintf("write %d or more", r.Usual))
	case days < r.Shortest && lock != None:
		weakens(".lockDays", fmt.Sprintf("%d days %s", days, r.Short))
	}
	return problems
}

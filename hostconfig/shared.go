package hostconfig

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// What stands here lets the packages below judge by the same rules.

// CheckExceptions reports every exception that is malformed, named twice or
// expired, as joined [FieldError] values.
func CheckExceptions(field string, exceptions []Exception, now time.Time) error {
	var p problems
	p.exceptions(field, exceptions, now)
	return p.join()
}

// Excepted tells whether a complete exception names the control. It knows no
// time: [CheckExceptions] judges the expiry.
func Excepted(exceptions []Exception, control string) bool { return excepted(exceptions, control) }

// AcceptRisk is the remedy of every refusal that an exception can lift.
func AcceptRisk(control string) string { return acceptRisk(control) }

// ParseTaint reads key[=value]:Effect.
func ParseTaint(text string) (corev1.Taint, error) { return parseTaint(text) }

// Within puts a field before the field of every [FieldError] that was joined, as
// a specification does that holds another one.
func Within(field string, err error) error {
	var p problems
	p.within(field, err)
	return p.join()
}

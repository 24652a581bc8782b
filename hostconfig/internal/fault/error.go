// Package fault says what is wrong with a field of a specification. It stands
// apart so that packages which the root package uses can report in its form.
package fault

import "fmt"

// Error is one thing that is wrong with a specification.
type Error struct {
	// Field is the path of the field, for example "serviceCIDR".
	Field string
	// Problem says what is wrong with the value.
	Problem string
	// Remedy says what to write instead.
	Remedy string
}

// Error gives "field: problem; remedy".
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s; %s", e.Field, e.Problem, e.Remedy)
}

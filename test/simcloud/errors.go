package simcloud

import (
	"fmt"
	"time"
)

// Error is an answer of a cloud's API that says no.
type Error struct {
	// Code is the cloud's, such as "InvalidSubnet.Conflict".
	Code    string
	Message string
	// Status is the HTTP status; 400 when zero.
	Status int
	// Throttled errors are tried again by the provider, with growing pauses, as often as its retry limit allows.
	Throttled bool
	// Patience is how long the provider itself tries again before it gives up: eventual consistency.
	Patience time.Duration
}

// Errorf makes an error of a code.
func Errorf(code, format string, a ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, a...)}
}

// Error is code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Within gives the error with a time for which the provider tries again.
func (e *Error) Within(patience time.Duration) *Error {
	out := *e
	out.Patience = patience
	return &out
}

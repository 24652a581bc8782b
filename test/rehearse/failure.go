package rehearse

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Problem is one thing that went wrong.
type Problem struct {
	// URN is the resource it is about, "" when it is about the operation.
	URN     string
	Message string
}

// Failure is the error of an operation that the engine ran: which resources, why, and how to go on.
type Failure struct {
	Operation   Operation
	Environment string
	Problems    []Problem
	Interrupted bool
	cause       error
}

// Unwrap gives the error of the engine's process.
func (f *Failure) Unwrap() error { return f.cause }

// Error is one message for a person.
func (f *Failure) Error() string {
	var b strings.Builder
	if f.Interrupted {
		fmt.Fprintf(&b, "%s of environment %s was interrupted.", f.Operation, f.Environment)
	} else {
		fmt.Fprintf(&b, "%s of environment %s failed:", f.Operation, f.Environment)
		for i, p := range f.Problems {
			if i == 0 || p.Message != f.Problems[i-1].Message {
				b.WriteString("\n")
			}
			if p.URN != "" && !strings.Contains(p.URN, "::"+stackType+"::") {
				fmt.Fprintf(&b, "\n  %s", resourceName(p.URN))
			}
			if i+1 < len(f.Problems) && p.Message == f.Problems[i+1].Message {
				continue // one reason of several resources is said once
			}
			for _, line := range strings.Split(p.Message, "\n") {
				fmt.Fprintf(&b, "\n    %s", line)
			}
		}
		b.WriteString("\n")
	}
	after := " after correcting the cause"
	if f.Interrupted {
		after = ""
	}
	switch f.Operation {
	case Up:
		fmt.Fprintf(&b, "\nWhat was made stays. Run the same command again%s: it continues.", after)
	case Destroy:
		fmt.Fprintf(&b, "\nWhat is gone is gone. Run the same command again%s: it continues.", after)
	}
	return b.String()
}

// failure makes the error of an operation out of what the engine reported.
func (d *Driver) failure(ctx context.Context, operation Operation, o *observer, err error) error {
	f := &Failure{Operation: operation, Environment: d.options.Environment, cause: err,
		Interrupted: errors.Is(ctx.Err(), context.Canceled), Problems: relevant(o.problems)}
	if len(f.Problems) == 0 && !f.Interrupted {
		f.Problems = []Problem{{Message: lastWords(err)}}
	}
	for i := range f.Problems {
		f.Problems[i].Message = explain(clean(f.Problems[i].Message), d.options.StateDirectory)
	}
	slices.SortStableFunc(f.Problems, func(a, b Problem) int { return strings.Compare(a.Message, b.Message) })
	return f
}

// echoes are what the engine says of the whole once a resource has failed.
var echoes = regexp.MustCompile(`^(update|preview|refresh|destroy|resource \S+) failed$|^an unhandled error occurred: program failed:.*(waiting for RPCs|resource registration failed|marked as failed)|step application failed|cancel(l)?ed$`)

// relevant drops repetitions, and the engine's echoes where the cause itself is among the problems.
func relevant(problems []Problem) []Problem {
	var out []Problem
	seen := map[string]bool{}
	for pass := range 2 {
		for _, p := range problems {
			echo := echoes.MatchString(strings.TrimSpace(p.Message))
			if echo != (pass == 1) || pass == 1 && len(out) > 0 || seen[p.URN+p.Message] {
				continue
			}
			seen[p.URN+p.Message] = true
			out = append(out, p)
		}
	}
	return out
}

// wrappers are what the layers between a provider and a person add to a message.
var wrappers = regexp.MustCompile(`(?m)^\s*(\* |error: |an unhandled error occurred: |program failed: |go inline source runtime error, |\d+ errors? occurred:\s*)+`)

var codes = regexp.MustCompile(`rpc error: code = \w+ desc = `)

// clean takes those off, and a Go stack where a program panicked.
func clean(message string) string {
	message = codes.ReplaceAllString(message, "")
	if i := strings.Index(message, "\ngoroutine "); i >= 0 {
		message = message[:i]
	}
	var lines []string
	for _, line := range strings.Split(wrappers.ReplaceAllString(message, ""), "\n") {
		if line = strings.TrimRight(line, " \t"); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// explain adds the remedy to messages of the engine itself.
func explain(message, state string) string {
	switch {
	case strings.Contains(message, "incorrect passphrase"):
		return message + "\nThe state was encrypted with another passphrase: unset PULUMI_CONFIG_PASSPHRASE to use the one in " +
			state + "/passphrase, or set it to the one the environment was made with."
	case strings.Contains(message, "no space left on device"):
		return message + "\nMake room on the disk that holds " + state + "."
	case strings.Contains(message, "no resource plugin"), strings.Contains(message, "could not find plugin"), strings.Contains(message, "Could not automatically download"):
		return message + "\nThe provider is neither attached nor installed: install it with `pulumi plugin install`."
	}
	return message
}

// lastWords are the final lines of the engine's own error output, for failures without a diagnostic.
func lastWords(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, "stderr: "); i >= 0 {
		text = text[i+len("stderr: "):]
	}
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-6):], "\n")
}

package access

import (
	"fmt"
	"strings"
)

// Text is the report for people: by subject, its bindings, what it can do and how,
// and whom it can become. What is not there is no.
func (r Report) Text() string {
	var b strings.Builder
	for _, review := range r.Reviews {
		fmt.Fprintf(&b, "%s\n", review.Subject)
		for _, binding := range review.Bindings {
			fmt.Fprintf(&b, "  by %s\n", binding)
		}
		for _, q := range Questions {
			f, ok := review.Answers[q.ID]
			if !ok {
				continue
			}
			fmt.Fprintf(&b, "  %-13s %s\n", q.ID, f.words())
			for _, step := range f.Through {
				fmt.Fprintf(&b, "                %s\n", step)
			}
		}
		if len(review.Answers) == 0 {
			fmt.Fprintf(&b, "  nothing that is asked about\n")
		}
		b.WriteString("\n")
	}
	b.WriteString("The questions:\n")
	for _, q := range Questions {
		fmt.Fprintf(&b, "  %-13s %s\n", q.ID, q.Title)
	}
	if len(r.Notes) > 0 {
		b.WriteString("Not seen:\n")
		for _, note := range r.Notes {
			fmt.Fprintf(&b, "  %s\n", note)
		}
	}
	return b.String()
}

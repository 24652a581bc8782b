package schedule

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// String is the report in a line.
func (r *Report) String() string {
	return fmt.Sprintf("%d operations took %s; the longest chain takes %s (ratio %.2f); one after another they take %s; at most %d at a time",
		len(r.Steps), clock(r.Makespan), clock(r.Bound), r.Ratio(), clock(r.Work), r.Slots)
}

// Table writes the longest chain: when each operation started and ended, how much later than it could have, and how much
// of its time went by until the cloud took it. Operations that take no time are left out.
func (r *Report) Table(to io.Writer) error {
	if _, err := fmt.Fprintln(to, r); err != nil {
		return err
	}
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "start\tend\ttakes\tlate\twaited\t\n")
	for _, s := range r.Path {
		if s.Takes() > 0 {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t  %s\n", clock(s.Start), clock(s.End), clock(s.Takes()), clock(s.Late()), clock(s.Waited()), s.what())
		}
	}
	return t.Flush()
}

// what names a step for people: its type without the package, and its name.
func (s Step) what() string {
	name := s.URN
	if parts := strings.SplitN(s.URN, "::", 4); len(parts) == 4 {
		token := parts[2][strings.LastIndex(parts[2], "$")+1:]
		name = token[strings.LastIndex(token, ":")+1:] + " " + parts[3]
	}
	if s.Delete {
		name += " (deleted)"
	}
	return name
}

// clock writes minutes and seconds.
func clock(d time.Duration) string {
	seconds := int(d.Round(time.Second) / time.Second)
	sign := ""
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	return fmt.Sprintf("%s%d:%02d", sign, seconds/60, seconds%60)
}

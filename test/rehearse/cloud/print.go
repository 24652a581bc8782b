package cloud

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// width is the most that a line of the report takes.
const width = 120

// Print shows a report to a person.
func (r *Report) Print(w io.Writer) {
	p := printer{w}
	if !r.Interrupted {
		r.body(p)
		p.chapter(fmt.Sprintf("findings: %s, %s, %s", plural(count(r.Findings, Error), "error"), plural(count(r.Findings, Warning), "warning"), plural(count(r.Findings, Note), "note")))
	}
	for _, f := range sorted(r.Findings) {
		if r.Interrupted && f.Level != Error {
			continue
		}
		subject := f.Step
		if f.Subject != "" {
			subject += ": " + f.Subject
		}
		p.line("  ", fmt.Sprintf("%-7s  %s", f.Level, subject))
		p.wrapped("           ", f.Problem)
		p.wrapped("           do: ", f.Remedy)
	}
	fmt.Fprintln(w)
	switch {
	case r.Interrupted && len(r.Kept) == 0:
		p.line("", "The rehearsal of "+r.Environment+" was interrupted. Nothing is left up; run the same command again: it begins anew.")
	case r.Interrupted:
		p.line("", "The rehearsal of "+r.Environment+" was interrupted.")
	case r.Passed:
		p.line("", fmt.Sprintf("The rehearsal of %s passed, in %s.", r.Environment, seconds(r.Duration)))
	default:
		p.line("", fmt.Sprintf("The rehearsal of %s failed, in %s.", r.Environment, seconds(r.Duration)))
	}
	for _, line := range r.Kept {
		fmt.Fprintln(w, "  "+line) // people copy it
	}
}

// body is what was made, and what it means.
func (r *Report) body(p printer) {
	if len(r.Resources) > 0 {
		p.chapter("resources")
		for _, root := range r.Resources {
			p.tree(root, "", "")
		}
	}
	if len(r.Machines) > 0 {
		p.chapter("what machines get")
		for _, m := range r.Machines {
			size := "" // where the cloud makes the document
			if m.Limit > 0 {
				size = fmt.Sprintf("%d of %d bytes, ", m.Bytes, m.Limit)
			}
			p.line("  ", fmt.Sprintf("%s: %s%s", m.Pool, size, m.Source))
			for _, setting := range m.Settings {
				p.line("    ", setting)
			}
		}
	}
	if s := r.Schedule; s != nil {
		p.chapter("time in the cloud (an estimate)")
		p.wrapped("  ", fmt.Sprintf("%s with %d operations at a time; %s is the longest chain, below which nothing gets; %s one after another. The chain:",
			clock(s.Total), s.Parallel, clock(s.Bound), clock(s.Work)))
		for _, segment := range s.Path {
			late := ""
			if segment.Late > 0 {
				late = "  (" + clock(segment.Late) + " late)"
			}
			p.line("  ", fmt.Sprintf("%8s %8s  %s%s", clock(segment.Start), clock(segment.Takes), segment.Resource, late))
		}
	}
	if r.Evidence != nil {
		r.Evidence.print(p)
	}
	if c := r.Costs; c != nil {
		p.chapter("what it costs (an estimate)")
		p.wrapped("  ", c.Basis)
		for _, line := range c.Lines {
			monthly := "?"
			if line.Monthly != nil {
				monthly = fmt.Sprintf("%.0f", *line.Monthly)
			}
			p.line("  ", fmt.Sprintf("%8s  %4d × %-44s %s", monthly, line.Count, line.Thing, line.Price))
		}
		sum := "USD a month"
		if !c.Whole {
			sum += ", and what has no price here"
		}
		p.line("  ", fmt.Sprintf("%8.0f  %s; and by volume:", c.Monthly, sum))
		for _, v := range c.Volumes {
			p.wrapped("            ", v)
		}
	}
}

// evidence is what is known of the controls.
func (e *Evidence) print(p printer) {
	p.chapter("evidence: " + e.Summary)
	for _, open := range e.Open {
		p.wrapped("  ", open)
	}
	p.wrapped("  ", "every control, and what was looked at: "+e.Page)
}

type printer struct{ w io.Writer }

func (p printer) chapter(title string) { fmt.Fprintf(p.w, "\n%s\n", title) }

// line prints one line, cut to the width.
func (p printer) line(indent, text string) {
	runes := []rune(indent + text)
	if len(runes) > width {
		runes = append(runes[:width-1], '…')
	}
	fmt.Fprintln(p.w, strings.TrimRight(string(runes), " "))
}

// wrapped prints a text over as many lines as it takes; the lines of the text stay lines. A word that is longer than a
// line, such as a path, is not cut: people copy it.
func (p printer) wrapped(lead, text string) {
	indent := strings.Repeat(" ", len([]rune(lead)))
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n") {
		line := lead
		for _, word := range strings.Fields(paragraph) {
			if len([]rune(line+word)) > width && strings.TrimSpace(line) != "" && line != lead {
				fmt.Fprintln(p.w, strings.TrimRight(line, " "))
				line = indent
			}
			line += word + " "
		}
		if strings.TrimSpace(line) != strings.TrimSpace(lead) || line != lead {
			fmt.Fprintln(p.w, strings.TrimRight(line, " "))
		}
		lead = indent
	}
}

// tree prints a resource and what is below it.
func (p printer) tree(r *Resource, first, rest string) {
	p.line("  ", fmt.Sprintf("%s%s  %s, %d", first, r.Name, short(r.Type), r.All))
	if counted := r.counted(); counted != "" {
		lead := rest + "  "
		if len(r.Children) > 0 {
			lead = rest + "│ "
		}
		p.list("  "+lead, counted)
	}
	for i, child := range r.Children {
		branch, below := "├─ ", "│  "
		if i == len(r.Children)-1 {
			branch, below = "└─ ", "   "
		}
		p.tree(child, rest+branch, rest+below)
	}
}

// list prints items that are separated by commas over as many lines as they take, each led by the same.
func (p printer) list(lead, items string) {
	line := lead
	for _, item := range strings.SplitAfter(items, ", ") {
		if len([]rune(line+item)) > width && line != lead {
			fmt.Fprintln(p.w, strings.TrimRight(line, " "))
			line = lead
		}
		line += item
	}
	fmt.Fprintln(p.w, strings.TrimRight(line, " "))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// clock is a time of the cloud: "21:30".
func clock(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// seconds is a time of this machine: "4.2s".
func seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

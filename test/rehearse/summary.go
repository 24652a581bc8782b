package rehearse

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// Summary tells a person what an operation did. next are the commands to go on with.
func Summary(w io.Writer, r Result, next ...string) {
	line := func(label, format string, a ...any) {
		fmt.Fprintf(w, "  %-12s %s\n", label, fmt.Sprintf(format, a...))
	}
	fmt.Fprintln(w)
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "warning: %s\n", strings.ReplaceAll(warning, "\n", "\n  "))
	}
	switch r.Operation {
	case Up:
		fmt.Fprintf(w, "%s is up: %s, in %s.\n\n", r.Environment, r.describeChanges(), round(r.Duration))
	case Preview:
		fmt.Fprintf(w, "%s: up would do this: %s.\n", r.Environment, r.describeChanges())
	case Refresh:
		if r.Changed() == 0 {
			fmt.Fprintf(w, "%s: no drift; all is as it was made.\n", r.Environment)
		} else {
			fmt.Fprintf(w, "%s drifted: %s. The next up repairs it.\n", r.Environment, r.describeChanges())
		}
	case Destroy:
		fmt.Fprintf(w, "%s is gone: %s, in %s.\n", r.Environment, r.describeChanges(), round(r.Duration))
	}
	if r.Operation != Up {
		return
	}
	if endpoint := r.Output("apiEndpoint"); endpoint != "" {
		line("API", "%s", endpoint)
	}
	if path := r.Output("kubeconfigPath"); path != "" {
		line("kubeconfig", "%s", path)
	}
	if nodes := names(r.Outputs["nodes"].Value); nodes != "" {
		line("nodes", "%s", nodes)
	}
	label := "verified"
	for _, fact := range r.Verified {
		line(label, "%s", fact)
		label = ""
	}
	label = "time"
	for _, phase := range r.Phases {
		line(label, "%-14s %6s", phase.Name, round(phase.Duration))
		label = ""
	}
	line(label, "%-14s %6s", "in all", round(r.Duration))
	label = "next"
	for _, command := range next {
		line(label, "%s", command)
		label = ""
	}
}

// describeChanges is "3 created, 1 updated, 20 unchanged".
func (r Result) describeChanges() string {
	words := map[apitype.OpType]string{
		apitype.OpCreate: "created", apitype.OpUpdate: "updated", apitype.OpReplace: "replaced", apitype.OpDelete: "deleted",
		apitype.OpSame: "unchanged", apitype.OpRefresh: "refreshed", apitype.OpRead: "read", apitype.OpImport: "imported",
	}
	if r.Operation == Preview {
		for op, word := range map[apitype.OpType]string{apitype.OpCreate: "create", apitype.OpUpdate: "update",
			apitype.OpReplace: "replace", apitype.OpDelete: "delete"} {
			words[op] = "to " + word
		}
	}
	var out []string
	order := []apitype.OpType{apitype.OpCreate, apitype.OpUpdate, apitype.OpReplace, apitype.OpDelete, apitype.OpSame}
	for _, op := range order {
		if n := r.Changes[op]; n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, words[op]))
		}
	}
	if len(out) == 0 {
		return "nothing to do"
	}
	return strings.Join(out, ", ")
}

// names lists what an output called nodes holds: names, or objects with one.
func names(value any) string {
	var out []string
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			switch item := item.(type) {
			case string:
				out = append(out, item)
			case map[string]any:
				name := fmt.Sprint(item["name"])
				if address, ok := item["address"].(string); ok {
					name += " (" + address + ")"
				}
				out = append(out, name)
			}
		}
	case map[string]any:
		for name := range v {
			out = append(out, name)
		}
		sort.Strings(out)
	}
	return strings.Join(out, ", ")
}

// round shows tenths of seconds below a minute.
func round(d time.Duration) time.Duration {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

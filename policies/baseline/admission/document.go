package admission

import (
	"fmt"
	"strings"
)

// Document is the table of the catalogue for docs/baseline.md.
func Document() string {
	var b strings.Builder
	b.WriteString("| policy | demands | mode | class baseline | where | controls |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, p := range Catalogue() {
		relaxed, where := p.Relaxed, "everywhere"
		if relaxed == "" {
			relaxed = p.Mode
		}
		if p.Scope == Workloads {
			where = "not in namespaces of the system"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", p.ID, p.Title, p.Mode, relaxed, where, strings.Join(p.Controls, ", "))
	}
	return b.String()
}

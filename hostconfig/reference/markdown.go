package reference

import (
	"fmt"
	"strings"
)

// page collects Markdown.
type page struct{ strings.Builder }

func (p *page) section(level int, title, text string) {
	fmt.Fprintf(p, "\n%s %s\n", strings.Repeat("#", level), title)
	if text != "" {
		fmt.Fprintf(p, "\n%s\n", text)
	}
}

// table writes a header and its rows; cells are escaped.
func (p *page) table(header []string, rows [][]string) {
	p.WriteString("\n")
	p.row(header)
	p.WriteString("|" + strings.Repeat(" --- |", len(header)) + "\n")
	for _, row := range rows {
		p.row(row)
	}
}

func (p *page) row(cells []string) {
	for _, cell := range cells {
		cell = strings.NewReplacer("|", `\|`, "\n", " ").Replace(cell)
		if cell == "" {
			cell = " "
		}
		p.WriteString("| " + cell + " ")
	}
	p.WriteString("|\n")
}

// code marks a value as it is written, and leaves nothing for nothing.
func code(text string) string {
	if text == "" {
		return ""
	}
	if strings.Contains(text, "`") {
		return "`` " + text + " ``"
	}
	return "`" + text + "`"
}

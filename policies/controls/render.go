package controls

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"slices"
	"time"
)

//go:embed report.html.tmpl
var files embed.FS

var page = template.Must(template.New("report.html.tmpl").Funcs(template.FuncMap{
	"day":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
	"states": States,
	"class": func(s State) string {
		return map[State]string{Satisfied: "good", Failed: "bad", Accepted: "bad", NotTested: "open"}[s]
	},
}).ParseFS(files, "report.html.tmpl"))

// JSON renders the report for programs.
func (r Report) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}

// HTML renders the report for people: one page that needs nothing else.
func (r Report) HTML() ([]byte, error) {
	var out bytes.Buffer
	err := page.Execute(&out, r)
	return out.Bytes(), err
}

// ByState gives the results with what needs attention first.
func (r Report) ByState() []Result {
	order := States()
	sorted := slices.Clone(r.Results)
	slices.SortStableFunc(sorted, func(a, b Result) int { return slices.Index(order, a.State) - slices.Index(order, b.State) })
	return sorted
}

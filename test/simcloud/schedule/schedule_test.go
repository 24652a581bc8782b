package schedule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// graph makes a graph of lines such as "c < a b" (c waits for a and b); "net/ < x" is a component, "net/a" is below it.
func graph(t *testing.T, lines ...string) *Graph {
	t.Helper()
	g, err := New(parse(lines...))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func parse(lines ...string) []Resource {
	var all []Resource
	for _, line := range lines {
		name, needs, _ := strings.Cut(line, "<")
		r := Resource{URN: strings.TrimSpace(name), Dependencies: strings.Fields(needs), Custom: true}
		if inner := strings.TrimSuffix(r.URN, "/"); inner != r.URN {
			r.Custom = false
		}
		if i := strings.LastIndex(strings.TrimSuffix(r.URN, "/"), "/"); i >= 0 {
			r.Parent = r.URN[:i+1]
		}
		all = append(all, r)
	}
	return all
}

// run makes operations of words such as "a:0-5" (made from minute 0 to 5), "a:-0-5" (deleted), "a:0+2-5" (asked for
// at 0, taken at 2).
func run(t *testing.T, words string) []Operation {
	t.Helper()
	var out []Operation
	for _, word := range strings.Fields(words) {
		name, times, _ := strings.Cut(word, ":")
		o := Operation{URN: name}
		times, o.Delete = strings.CutPrefix(times, "-")
		var start, accepted, end int
		if strings.Contains(times, "+") {
			if _, err := fmt.Sscanf(times, "%d+%d-%d", &start, &accepted, &end); err != nil {
				t.Fatal(word, err)
			}
		} else if _, err := fmt.Sscanf(times, "%d-%d", &start, &end); err != nil {
			t.Fatal(word, err)
		}
		o.Start, o.Accepted, o.End = minutes(start), minutes(start+accepted), minutes(end)
		out = append(out, o)
	}
	return out
}

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

// chain writes a path as "a b -c": deletions with a dash.
func chain(r *Report) string {
	var names []string
	for _, s := range r.Path {
		name := s.URN
		if s.Delete {
			name = "-" + name
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func TestReports(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		graph           []string
		run             string
		makespan, bound int
		slots           int
		path            string
	}{
		"nothing":      {graph: []string{"a"}},
		"one":          {[]string{"a"}, "a:5-8", 3, 3, 1, "a"},
		"a chain":      {[]string{"c < b", "b < a", "a"}, "a:0-1 b:1-3 c:3-6", 6, 6, 1, "a b c"},
		"side by side": {[]string{"a", "b", "c < a b"}, "a:0-4 b:0-2 c:4-5", 5, 5, 2, "a c"},
		// Two slots for three that wait for nothing: what could have begun at once waited.
		"too few slots": {[]string{"a", "b", "long"}, "a:0-2 b:0-2 long:2-12", 12, 10, 2, "long"},
		"ties":          {[]string{"b", "a", "c < a b"}, "a:0-2 b:0-2 c:2-3", 3, 3, 2, "a c"},
		"equal ends":    {[]string{"z", "y"}, "z:0-2 y:0-2", 2, 2, 2, "y"},
		// What was not worked on passes the waiting on.
		"unchanged between": {[]string{"a", "b < a", "c < b"}, "a:0-2 c:2-3", 3, 3, 1, "a c"},
		"a component":       {[]string{"net/", "net/a", "net/sub/", "net/sub/b", "c < net/"}, "net/a:0-1 net/sub/b:0-4 c:4-5", 5, 5, 2, "net/sub/b c"},
		// A component waits, and so do its parts; what is below a custom resource is not the component's.
		"a component that waits":         {[]string{"a", "net/ < a", "net/b"}, "a:0-2 net/b:2-3", 3, 3, 1, "a net/b"},
		"a part waits for its component": {[]string{"net/ < a", "net/b < net/", "net/c", "a"}, "a:0-1 net/b:1-3 net/c:1-9", 9, 9, 2, "a net/c"},
		"no time":                        {[]string{"a", "b < a"}, "a:0-0 b:0-3", 3, 3, 1, "a b"},
		"ends meet":                      {[]string{"a", "b"}, "a:0-2 b:2-4", 4, 2, 1, "a"},
		"destroyed":                      {[]string{"a", "b < a", "c < a"}, "c:-0-1 b:-0-3 a:-3-5", 5, 5, 2, "-b -a"},
		"in waves":                       {[]string{"a", "b < a", "x", "y < x"}, "b:-0-1 y:-0-4 a:-4-9 x:-4-5", 9, 6, 2, "-b -a"},
		"waited out":                     {[]string{"a"}, "a:0+3-8", 8, 8, 1, "a"},
		// The successor first: the old one goes when those who used it have moved on.
		"replaced": {[]string{"a", "b < a"}, "a:0-2 b:2-3 a:-3-4", 4, 4, 1, "a b -a"},
		// The old one first, with those who used it.
		"replaced after its deletion":             {[]string{"a", "b < a"}, "b:-0-1 a:-1-3 a:3-4 b:4-9", 9, 9, 1, "-b -a a b"},
		"both ways":                               {[]string{"a", "b < a"}, "a:-0-3 a:3-4 b:4-9 b:-9-10", 10, 10, 1, "-a a b -b"},
		"users through others":                    {[]string{"a", "b < a", "c < b"}, "c:-0-2 a:-2-5", 5, 5, 1, "-c -a"},
		"an early deletion waits for no late one": {[]string{"a", "b < a"}, "a:-0-3 a:3-4 b:-4-5", 5, 5, 1, "-a a -b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := graph(t, test.graph...).Measure(run(t, test.run))
			if err != nil {
				t.Fatal(err)
			}
			if r.Makespan != minutes(test.makespan) || r.Bound != minutes(test.bound) || r.Slots != test.slots || chain(r) != test.path {
				t.Errorf("%s, bound %s, %d slots, path %q", r.Makespan, r.Bound, r.Slots, chain(r))
			}
			if r.Bound > 0 && (r.Ratio() != float64(test.makespan)/float64(test.bound) || r.Slack() != minutes(test.makespan-test.bound)) || r.Bound == 0 && r.Ratio() != 1 {
				t.Errorf("ratio %g, slack %s", r.Ratio(), r.Slack())
			}
		})
	}
}

func TestStepsTellWhatWaited(t *testing.T) {
	t.Parallel()
	r, err := graph(t, "a", "b", "c < a b").Measure(run(t, "b:10-12 a:11+1-15 c:16-17"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range r.Steps {
		got = append(got, fmt.Sprintf("%s at %s, could at %s with %s, late %s, waited %s, takes %s", s.URN, clock(s.Start), clock(s.Earliest), clock(s.Slack), clock(s.Late()), clock(s.Waited()), clock(s.Takes())))
	}
	want := []string{
		"b at 0:00, could at 0:00 with 2:00, late 0:00, waited 0:00, takes 2:00",
		"a at 1:00, could at 0:00 with 0:00, late 1:00, waited 1:00, takes 4:00",
		"c at 6:00, could at 4:00 with 0:00, late 2:00, waited 0:00, takes 1:00",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	if r.Work != minutes(7) {
		t.Errorf("work %s", r.Work)
	}
	var table strings.Builder
	if err := r.Table(&table); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"3 operations took 7:00; the longest chain takes 5:00 (ratio 1.40)", "at most 2 at a time", "   6:00  7:00   1:00  2:00    0:00  c\n"} {
		if !strings.Contains(table.String(), words) {
			t.Errorf("%q is not in\n%s", words, &table)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		graph []string
		want  string
	}{
		"a circle":           {[]string{"a < c", "b < a", "c < b"}, "circle: a waits for c waits for b waits for a"},
		"itself":             {[]string{"a < a"}, "a waits for a"},
		"through components": {[]string{"net/", "net/a < b", "b < net/"}, "circle"},
		"nobody":             {[]string{"a < b"}, "a depends on b, which is not in the deployment"},
		"no parent":          {[]string{"net/a"}, "net/a has the parent net/, which is not in the deployment"},
		"twice":              {[]string{"a", "a"}, "a is in the deployment twice"},
	} {
		if _, err := New(parse(test.graph...)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New([]Resource{{URN: "a", Parent: "b"}, {URN: "b", Parent: "a", Dependencies: []string{"a"}}}); err == nil || !strings.Contains(err.Error(), "circle") {
		t.Errorf("parents in a circle: %v", err)
	}
	for words, want := range map[string]string{"b:0-1": "not in the deployment", "a:0-1 a:1-2": "twice", "a:3-1": "ends before it starts", "a:0+3-1": "ends before it starts"} {
		if _, err := graph(t, "a").Measure(run(t, words)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", words, err)
		}
	}
}

func TestDeploymentsAreRead(t *testing.T) {
	t.Parallel()
	g, err := Read([]byte(`{"resources":[
		{"urn":"stack","type":"pulumi:pulumi:Stack"},
		{"urn":"urn:pulumi:s::p::pulumi:providers:x::x","custom":true,"type":"pulumi:providers:x"},
		{"urn":"a","custom":true,"type":"t","parent":"stack","provider":"urn:pulumi:s::p::pulumi:providers:x::x::id"},
		{"urn":"b","custom":true,"type":"t","parent":"stack","dependencies":["a"]},
		{"urn":"b","custom":true,"type":"t","parent":"stack","delete":true,"dependencies":["gone"]},
		{"urn":"c","custom":true,"type":"t","parent":"stack","propertyDependencies":{"x":["b"],"y":null}},
		{"urn":"d","custom":true,"type":"t","parent":"stack","deletedWith":"c"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r, err := g.Measure(run(t, "a:0-1 b:1-2 c:2-3 d:3-4"))
	if err != nil || chain(r) != "a b c d" {
		t.Errorf("%v %v", r, err)
	}
	if needs := g.needs[2]; !slices.Equal(needs, []int{0, 1}) {
		t.Errorf("a needs %v", needs)
	}
	if _, err := Read([]byte(`{"resources":1}`)); err == nil {
		t.Error("no deployment was read")
	}
}

func TestTimelines(t *testing.T) {
	t.Parallel()
	at := func(n int) time.Time { return simcloud.Epoch.Add(minutes(n)) }
	got := Operations([]simcloud.Span{
		{Operation: simcloud.Create, URN: "a", Start: at(1), Accepted: at(2), End: at(4)}, {Operation: simcloud.Update, URN: "b", Start: at(4), Accepted: at(4), End: at(5)},
		{Operation: simcloud.Delete, URN: "a", Start: at(5), Accepted: at(5), End: at(6)}})
	if want := run(t, "a:1+1-4 b:4-5 a:-5-6"); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

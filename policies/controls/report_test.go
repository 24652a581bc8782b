package controls

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

var collected = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestStates(t *testing.T) {
	catalogue := []Control{
		{ID: "A"}, {ID: "B"}, {ID: "C"}, {ID: "D", Answer: Provider, Reason: "its own"}, {ID: "E", Answer: Nobody, Reason: "nobody does it"},
		{ID: "F", Answer: People, Reason: "people do"}, {ID: "G", Answer: Unused, Reason: "there is none"}, {ID: "H"}, {ID: "I"}, {ID: "J"}, {ID: "K", Answer: Provider},
	}
	r := Report{Collected: collected, Limits: []Limit{{Field: "x.y", Controls: []string{"H"}}}, Exceptions: []hostconfig.Exception{
		{Control: "B", Reason: "accepted by the owner", Expires: "2026-12-31"},
		{Control: "I", Reason: "accepted for too long", Expires: "2026-11-20"},
		{Control: "J/part", Reason: "a part of it", Expires: "2026-12-31"},
		{Control: "A", Reason: "needed no more", Expires: "2026-12-31"},
	}}.Judge(catalogue, []Observation{
		{Controls: []string{"A"}, About: "one look", Level: Resources},
		{Controls: []string{"A", "B", "I", "J"}, About: "another", Level: LiveAPI},
		{Controls: []string{"B", "I", "J"}, About: "a third", Wrong: []string{"it is open"}},
		{Controls: []string{"K"}, About: "what the provider does", Wrong: []string{"not done"}},
		{Controls: []string{"Z"}, About: "beyond the catalogue"},
	})
	want := map[string]State{"A": Satisfied, "B": Accepted, "C": NotTested, "D": ProviderOwned, "E": Failed, "F": Manual, "G": NotApplicable, "H": NotTested,
		"I": Failed, "J": Failed, "K": Failed, "Z": Satisfied}
	for _, each := range r.Results {
		if each.State != want[each.ID] {
			t.Errorf("%s is %s, want %s", each.ID, each.State, want[each.ID])
		}
		if each.Why == "" && each.State != Satisfied && len(each.Observations) == 0 {
			t.Errorf("%s is %s, and nothing says why", each.ID, each.State)
		}
		delete(want, each.ID)
	}
	for id := range want {
		t.Errorf("%s is missing", id)
	}
	if got := r.Summary(); got != "2 of 12 satisfied, 4 failed, 1 accepted, 2 not tested, 1 manual, 1 provider-owned, 1 not applicable" {
		t.Error(got)
	}
}

// A recommendation is in its benchmark once, has words of its own, and says why when nobody of ours looks at it.
func TestCatalogues(t *testing.T) {
	for _, catalogue := range [][]Control{CISGKE(), CISEKS()} {
		seen := map[string]bool{}
		for _, c := range catalogue {
			if seen[c.ID] || c.Title == "" || (c.Answer == Untested) != (c.Reason == "") {
				t.Errorf("%+v", c)
			}
			seen[c.ID] = true
		}
	}
}

// What a page shows comes from settings and from clouds: it must not become a part of the page.
func TestPageEscapes(t *testing.T) {
	r := Report{Environment: "<script>alert(1)</script>", Collected: collected}.Judge([]Control{{ID: "A", Title: "a title"}},
		[]Observation{{Controls: []string{"A"}, About: "a look", Wrong: []string{"<img src=x onerror=alert(1)>"}}})
	html, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range []string{"<script>", "<img"} {
		if strings.Contains(string(html), each) {
			t.Errorf("%s is in the page as it is", each)
		}
	}
	for _, each := range []string{"a title", "a look", "onerror", "failed", "2026-11-21 12:00 UTC"} {
		if !strings.Contains(string(html), each) {
			t.Errorf("the page does not say %q", each)
		}
	}
	data, err := r.JSON()
	var back Report
	if err != nil || json.Unmarshal(data, &back) != nil || back.Results[0].State != Failed {
		t.Errorf("%s %v", data, err)
	}
}

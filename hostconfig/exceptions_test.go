package hostconfig

import (
	"testing"
	"time"
)

func TestExceptions(t *testing.T) {
	judge := func(at time.Time, exceptions ...Exception) error {
		var p problems
		p.exceptions("exceptions", exceptions, at)
		return p.join()
	}
	valid := accept("CIS-1.2.15")
	accepted(t, judge(now, valid, accept("M14")))
	// It holds through the whole of its last day, and no longer.
	accepted(t, judge(time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC), valid))
	refused(t, judge(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), valid), "exceptions[0].expires", "expired")

	exact := valid
	exact.Expires = "2026-06-01T12:00:01Z"
	accepted(t, judge(now, exact))
	refused(t, judge(now.Add(time.Second), exact), "exceptions[0].expires", "expired")

	// A year is the longest that nobody looks again.
	yearly := valid
	yearly.Expires = now.AddDate(1, 0, 0).Format(time.DateOnly)
	accepted(t, judge(now, yearly))
	yearly.Expires = now.AddDate(1, 0, 1).Format(time.DateOnly)
	refused(t, judge(now, yearly), "exceptions[0].expires", "more than a year")

	for field, e := range map[string]Exception{
		"exceptions[0].control": {Control: "profiling", Reason: valid.Reason, Expires: valid.Expires},
		"exceptions[0].reason":  {Control: valid.Control, Reason: "   n/a     ", Expires: valid.Expires},
		"exceptions[0].expires": {Control: valid.Control, Reason: valid.Reason, Expires: "never"},
	} {
		refused(t, judge(now, e), field, "")
		// What is not complete lifts nothing, even where nobody validated.
		if excepted([]Exception{e}, e.Control) {
			t.Errorf("an incomplete exception holds: %+v", e)
		}
	}
	refused(t, judge(now, valid, valid), "exceptions[1].control", "twice")
	for _, more := range []string{"\n## Accepted", "\r", "\x1b[2J", "\x00"} {
		e := valid
		e.Reason += more
		refused(t, judge(now, e), "exceptions[0].reason", "control character")
	}
	if excepted([]Exception{valid}, "") || excepted(nil, valid.Control) {
		t.Error("an exception holds for nothing")
	}
}

// An exception for one part of a control opens nothing else of it.
func TestExceptionsForParts(t *testing.T) {
	for id, valid := range map[string]bool{
		"CIS-1.2.15": true, "CIS-4.1": true, "CIS-BR-1.4.4": true, "CIS-BR-1.1.1.1": true, "M03": true,
		"M03/ssh": true, "M03/admin-container": true, "M26/v2": true,
		"M03/": false, "M03/SSH": false, "M03/a_b": false, "M03/-a": false, "M03/a--b": false, "M03/a/b": false,
		"M03/*": false, "M3/ssh": false, "/ssh": false, "M03 /ssh": false, "CIS-1.2.15/profiling": false, "": false,
	} {
		var p problems
		p.exceptions("exceptions", []Exception{accept(id)}, now)
		if err := p.join(); valid != (err == nil) {
			t.Errorf("%q: %v", id, err)
		}
		if valid != accept(id).complete() {
			t.Errorf("%q: Render and Validate judge it differently", id)
		}
	}
	parts := []string{"M03", "M03/ssh", "M03/ssh-keys", "M03/kernel-arguments"}
	for _, given := range parts {
		for _, asked := range parts {
			if excepted([]Exception{accept(given)}, asked) != (given == asked) {
				t.Errorf("an exception for %s decides on %s", given, asked)
			}
		}
	}
	var p problems
	p.exceptions("exceptions", []Exception{accept("M03/ssh"), accept("M03/kernel-arguments")}, now)
	accepted(t, p.join())
}

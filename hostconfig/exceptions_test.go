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
	if excepted([]Exception{valid}, "") || excepted(nil, valid.Control) {
		t.Error("an exception holds for nothing")
	}
}

package systemd

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/fault"
)

// Timer starts a service of the same name again and again.
type Timer struct {
	// Name is the unit's file name, with ".timer". Required.
	Name string
	// Description is one line. Required.
	Description string
	// AfterBoot is how long after the machine's start the service starts first.
	AfterBoot time.Duration
	// Every is the time from one end of the service to its next start. Required.
	// It is a time of the machine's own, so that a clock that jumps changes nothing.
	Every time.Duration
	// Spread is added by chance, so that machines do not all work at once; less
	// than Every.
	Spread time.Duration
	// WantedBy says what starts the timer once it is enabled; timers.target by default.
	WantedBy []string
}

// Validate reports everything that is wrong, as joined FieldError values of package hostconfig.
func (t Timer) Validate() error {
	var found []error
	add := func(field, problem, remedy string) {
		found = append(found, &fault.Error{Field: field, Problem: problem, Remedy: remedy})
	}
	if !ValidUnitName(t.Name) || !strings.HasSuffix(t.Name, ".timer") {
		add("name", fmt.Sprintf("%q is not the name of a timer", t.Name), "write a name such as redoubt-renew.timer")
	}
	if strings.TrimSpace(t.Description) == "" || !plainLine(t.Description) {
		add("description", "is empty or not one line", "say in one line what the timer starts")
	}
	if t.Every < time.Second {
		add("every", fmt.Sprintf("%s is shorter than a second", t.Every), "write a duration such as 12h")
	}
	if t.AfterBoot < 0 {
		add("afterBoot", "is negative", "write a duration such as 5m")
	}
	if t.Spread < 0 || t.Spread >= max(t.Every, time.Second) {
		add("spread", fmt.Sprintf("%s is not less than every", t.Spread), "write a part of every")
	}
	for i, unit := range t.WantedBy {
		if !ValidUnitName(unit) {
			add(fmt.Sprintf("wantedBy[%d]", i), fmt.Sprintf("%q is not the name of a unit", unit), "write a name with its suffix")
		}
	}
	return errors.Join(found...)
}

// Render gives the text of the unit file. What does not validate is not rendered.
func (t Timer) Render() (string, error) {
	if err := t.Validate(); err != nil {
		return "", err
	}
	var b strings.Builder
	section(&b, "Unit", []directive{{"Description", escapeSpecifiers(t.Description)}})
	var lines []directive
	// Without it nothing would start the service first.
	lines = append(lines, directive{"OnBootSec", seconds(t.AfterBoot)}, directive{"OnUnitInactiveSec", seconds(t.Every)})
	if t.Spread > 0 {
		lines = append(lines, directive{"RandomizedDelaySec", seconds(t.Spread)})
	}
	section(&b, "Timer", lines)
	wantedBy := t.WantedBy
	if len(wantedBy) == 0 {
		wantedBy = []string{"timers.target"}
	}
	section(&b, "Install", appendList(nil, "WantedBy", wantedBy))
	return b.String(), nil
}

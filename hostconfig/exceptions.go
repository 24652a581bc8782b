package hostconfig

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Exception is a risk that somebody accepted: it allows one control to be
// changed, with a reason, until a day. Every exception appears in the evidence
// report.
type Exception struct {
	// Control is the id of the control, as the refusal names it, for example
	// "CIS-1.2.15", "M14" or "M03/admin-container". It allows what has exactly this
	// id: a control that several unrelated settings uphold is divided into parts,
	// each excepted by itself, and "M03" allows none of them.
	Control string `json:"control"`
	// Reason says why the risk is accepted, in a sentence.
	Reason string `json:"reason"`
	// Expires is the last day on which the exception holds, as YYYY-MM-DD in
	// UTC, or an RFC 3339 time. It is at most a year away.
	Expires string `json:"expires"`
}

// minimumReason is the shortest reason that can say something: below it stand
// "n/a", "none" and their like.
const minimumReason = 10

// controlPattern is the form of a control id: a recommendation of CIS
// Kubernetes, one of CIS Bottlerocket, GKE or EKS (their numbers overlap, so they
// are marked BR, GKE and EKS), or a row of the project's own list. A row may be
// followed by the part of it that a setting upholds, in lower-case words:
// M03/admin-container. The recommendations of CIS are narrow already and have no
// parts.
var controlPattern = regexp.MustCompile(`^(CIS-(GKE-|EKS-)?[0-9]+(\.[0-9]+){1,2}|CIS-BR-[0-9]+(\.[0-9]+){1,3}|M[0-9]{2}(/[a-z0-9]+(-[a-z0-9]+)*)?)$`)

// Expiry gives the first instant at which the exception no longer holds.
func (e Exception) Expiry() (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, e.Expires); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	return time.Parse(time.RFC3339, e.Expires)
}

// complete tells whether the exception has everything that the form demands.
// Rendering knows no time, so it asks for this much only; Expiry is for Validate.
func (e Exception) complete() bool {
	_, err := e.Expiry()
	return err == nil && controlPattern.MatchString(e.Control) && len(strings.TrimSpace(e.Reason)) >= minimumReason
}

// exceptions checks the form of each exception and that it still holds.
func (p *problems) exceptions(field string, exceptions []Exception, now time.Time) {
	seen := map[string]bool{}
	for i, e := range exceptions {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !controlPattern.MatchString(e.Control) {
			p.add(at+".control", fmt.Sprintf("%q is not a control id", e.Control),
				"write the id that the refusal named, for example CIS-1.2.15, M14 or M03/admin-container")
		}
		if seen[e.Control] {
			p.add(at+".control", fmt.Sprintf("%q is excepted twice", e.Control),
				"keep one exception for each control, so that its expiry is not ambiguous")
		}
		seen[e.Control] = true
		if len(strings.TrimSpace(e.Reason)) < minimumReason {
			p.add(at+".reason", "an exception needs a reason",
				fmt.Sprintf("say in a sentence of at least %d characters why the risk is accepted, and by whom", minimumReason))
		}
		if !plainText(e.Reason) {
			p.add(at+".reason", "holds a line break or another control character", "write it on one line: it is shown in reports as it is")
		}
		end, err := e.Expiry()
		switch {
		case err != nil:
			p.add(at+".expires", fmt.Sprintf("%q is not a date", e.Expires),
				"write the last day on which it holds, for example 2027-01-31")
		case !now.Before(end):
			p.add(at+".expires", fmt.Sprintf("the exception for %s expired on %s", e.Control, e.Expires),
				"remove the exception and what it allowed, or review the risk and set a new day")
		case end.After(now.AddDate(1, 0, 1)):
			p.add(at+".expires", fmt.Sprintf("%s is more than a year away", e.Expires),
				"write a day within a year: a risk is reviewed before it is accepted again")
		}
	}
}

// excepted tells whether a complete exception names the control: the same id,
// neither the control of a part nor a part of the control.
func excepted(exceptions []Exception, control string) bool {
	for _, e := range exceptions {
		if control != "" && e.Control == control && e.complete() {
			return true
		}
	}
	return false
}

// acceptRisk is the remedy of every refusal that an exception can lift.
func acceptRisk(control string) string {
	return fmt.Sprintf("leave the hardened value, or accept the risk with an entry in exceptions: control %s, a reason and an expiry", control)
}

package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// MaintenanceArgs is when Google may upgrade the control plane and nodes. A field
// that is not set has its default.
type MaintenanceArgs struct {
	// Start and End are the first window, RFC 3339, of 4 to 24 hours.
	Start string `pulumi:"start,optional"`
	End   string `pulumi:"end,optional"`
	// Recurrence is when it comes again, RFC 5545: FREQ=DAILY, or FREQ=WEEKLY with
	// BYDAY. In 32 days there must be 48 hours.
	Recurrence string `pulumi:"recurrence,optional"`
	// Exclusions are times without.
	Exclusions []ExclusionArgs `pulumi:"exclusions,optional"`
}

// ExclusionArgs is a time in which Google does not upgrade.
type ExclusionArgs struct {
	Name  string `pulumi:"name"`
	Start string `pulumi:"start"`
	End   string `pulumi:"end"`
	// Scope is NO_MINOR_UPGRADES by default, or NO_MINOR_OR_NODE_UPGRADES, or
	// NO_UPGRADES, which lasts at most 30 days: it keeps patches out.
	Scope string `pulumi:"scope,optional"`
}

// Scopes and how long they last.
// https://cloud.google.com/kubernetes-engine/docs/concepts/maintenance-windows-and-exclusions
const (
	scopeNone    = "NO_UPGRADES"
	scopeMinor   = "NO_MINOR_UPGRADES"
	scopeNodes   = "NO_MINOR_OR_NODE_UPGRADES"
	longestNone  = 30 * 24 * time.Hour
	longestOther = 180 * 24 * time.Hour
)

func (m MaintenanceArgs) withDefaults() MaintenanceArgs {
	// A Saturday: the days of later windows are those of the recurrence.
	setDefault(&m.Start, "2026-01-03T00:00:00Z")
	setDefault(&m.End, "2026-01-03T08:00:00Z")
	setDefault(&m.Recurrence, "FREQ=WEEKLY;BYDAY=SA,SU")
	m.Exclusions = slices.Clone(m.Exclusions)
	for i := range m.Exclusions {
		setDefault(&m.Exclusions[i].Scope, scopeMinor)
	}
	return m
}

var recurrencePattern = regexp.MustCompile(`^FREQ=(DAILY|WEEKLY;BYDAY=((MO|TU|WE|TH|FR|SA|SU)(,(MO|TU|WE|TH|FR|SA|SU))*))$`)

func (p *problems) maintenance(field string, m MaintenanceArgs) {
	length := p.span(field, m.Start, m.End)
	if length != 0 && (length < 4*time.Hour || length > 24*time.Hour) {
		p.add(field+".end", fmt.Sprintf("the window lasts %s", length), "write 4 to 24 hours")
	}
	switch parts := recurrencePattern.FindStringSubmatch(m.Recurrence); {
	case parts == nil:
		p.add(field+".recurrence", fmt.Sprintf("%q is no recurrence", m.Recurrence), "write FREQ=DAILY, or FREQ=WEEKLY;BYDAY=SA,SU")
	case parts[2] != "" && length*time.Duration(4*(strings.Count(parts[2], ",")+1)) < 48*time.Hour:
		p.add(field+".recurrence", "gives less than 48 hours in 32 days, and GKE refuses that", "write more days or a longer window")
	}
	for i, e := range m.Exclusions {
		at := fmt.Sprintf("%s.exclusions[%d]", field, i)
		if strings.TrimSpace(e.Name) == "" || slices.ContainsFunc(m.Exclusions[:i], func(other ExclusionArgs) bool { return other.Name == e.Name }) {
			p.add(at+".name", fmt.Sprintf("%q is no name of its own", e.Name), "write what it is for")
		}
		longest, known := map[string]time.Duration{scopeNone: longestNone, scopeMinor: longestOther, scopeNodes: longestOther}[e.Scope]
		if !known {
			p.add(at+".scope", fmt.Sprintf("%q is no scope", e.Scope), "write NO_MINOR_UPGRADES, NO_MINOR_OR_NODE_UPGRADES or NO_UPGRADES")
		} else if length := p.span(at, e.Start, e.End); length > longest {
			p.add(at+".end", fmt.Sprintf("%s for %s is too long (M35)", length, e.Scope), fmt.Sprintf("write at most %d days", int(longest.Hours()/24)))
		}
	}
}

// span gives the time between two instants, or nothing if they are none.
func (p *problems) span(field, start, end string) time.Duration {
	from, err := time.Parse(time.RFC3339, start)
	if err != nil {
		p.add(field+".start", fmt.Sprintf("%q is no time", start), "write one such as 2026-01-03T00:00:00Z")
		return 0
	}
	to, err := time.Parse(time.RFC3339, end)
	if err != nil || !to.After(from) {
		p.add(field+".end", fmt.Sprintf("%q is no time after %s", end, start), "write one such as 2026-01-03T08:00:00Z")
		return 0
	}
	return to.Sub(from)
}

func (m MaintenanceArgs) policy() container.ClusterMaintenancePolicyArgs {
	policy := container.ClusterMaintenancePolicyArgs{RecurringWindow: container.ClusterMaintenancePolicyRecurringWindowArgs{
		StartTime: pulumi.String(m.Start), EndTime: pulumi.String(m.End), Recurrence: pulumi.String(m.Recurrence),
	}}
	var exclusions container.ClusterMaintenancePolicyMaintenanceExclusionArray
	for _, e := range m.Exclusions {
		exclusions = append(exclusions, container.ClusterMaintenancePolicyMaintenanceExclusionArgs{
			ExclusionName: pulumi.String(e.Name), StartTime: pulumi.String(e.Start), EndTime: pulumi.String(e.End),
			ExclusionOptions: container.ClusterMaintenancePolicyMaintenanceExclusionExclusionOptionsArgs{Scope: pulumi.String(e.Scope)},
		})
	}
	if exclusions != nil {
		policy.MaintenanceExclusions = exclusions
	}
	return policy
}

package gcp

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	components "github.com/redoubt-dev/redoubt/components/gcp"
	"github.com/redoubt-dev/redoubt/stacks/kept"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// own are the fixed settings that only a cluster which runs itself has.
func (e flatcarEnvironment) own() map[string]string {
	own := map[string]string{
		"controlPlane.count": strconv.Itoa(e.ControlPlane.Count), "encryption.provider": e.Encryption.Provider, "authorities.validityDays": strconv.Itoa(e.Authorities.ValidityDays),
		// Google never takes a lock back.
		"snapshots.lock": lockOrNone(e.Snapshots.Lock), "auditLog.lock": lockOrNone(e.AuditLog.Lock),
	}
	// The zone of a machine is that of its disk, which does not move.
	for i := range e.ControlPlane.Count {
		if len(e.Network.Zones) > 0 {
			own[zoneOf(i)] = e.Network.Zones[i%len(e.Network.Zones)]
		}
	}
	return own
}

func lockOrNone(lock string) string {
	if lock == components.LockNone {
		return "none"
	}
	return "a lock"
}

func zoneOf(i int) string { return fmt.Sprintf("network.zones[of control plane %d]", i+1) }

// replaceable are those that allowReplacement may name.
func (e flatcarEnvironment) replaceable() []string {
	fields := []string{kept.LocalKeys}
	for _, of := range []map[string]string{e.common().fixed(), e.own()} {
		for field := range of {
			if !never(field) && !strings.Contains(field, "[") && !slices.Contains(notHere, field) {
				fields = append(fields, field)
			}
		}
	}
	slices.Sort(fields)
	return fields
}

// notHere are settings of GKE alone.
var notHere = []string{"autopilot", "publicCIDRs"}

// standing is what the next run compares with.
func (e flatcarEnvironment) standing() map[string]string {
	standing := e.common().standing()
	for _, name := range notHere {
		delete(standing, name)
	}
	maps.Copy(standing, e.own())
	e.steps().Standing(standing)
	return standing
}

// steps are settings that may change in some ways.
func (e flatcarEnvironment) steps() kept.SelfManaged {
	return kept.SelfManaged{Generation: e.Authorities.Generation, Trusted: e.Authorities.Trusted, LocalKeys: e.Encryption.Keys, Encrypted: e.Host.Encryption.Resources,
		Sizes: map[string]int{"controlPlane.dataDiskGiB": e.ControlPlane.DataDiskGiB, "snapshots.lockDays": e.Snapshots.LockDays, "auditLog.lockDays": e.AuditLog.LockDays}}
}

// compare reports every setting that must not change as it did.
func (e flatcarEnvironment) compare(last map[string]string) error {
	r := settings.New(nil)
	now := e.common().fixed()
	maps.Copy(now, e.own())
	r.Report("", kept.Compare(kept.Among(last, now), now, e.AllowReplacement), nil)
	e.steps().Compare(r, last, e.AllowReplacement)
	return r.Err()
}

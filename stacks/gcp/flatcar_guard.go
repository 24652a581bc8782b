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

const (
	settingGeneration = "authorities.generation"
	settingTrusted    = "authorities.trusted"
	settingDataDisk   = "controlPlane.dataDiskGiB"
	settingSnapshots  = "snapshots.lockDays"
	settingLocalKeys  = "encryption.keys["
	// allLocalKeys is what allowReplacement names where a key may go.
	allLocalKeys = "encryption.keys"
)

// own are the fixed settings that only a cluster which runs itself has.
func (e flatcarEnvironment) own() map[string]string {
	own := map[string]string{
		"controlPlane.count": strconv.Itoa(e.ControlPlane.Count), "encryption.provider": e.Encryption.Provider, "authorities.validityDays": strconv.Itoa(e.Authorities.ValidityDays),
		// Google never takes a lock back.
		"snapshots.lock": map[bool]string{true: "none", false: "a lock"}[e.Snapshots.Lock == components.LockNone],
	}
	// The zone of a machine is that of its disk, which does not move.
	for i := range e.ControlPlane.Count {
		if len(e.Network.Zones) > 0 {
			own[zoneOf(i)] = e.Network.Zones[i%len(e.Network.Zones)]
		}
	}
	return own
}

func zoneOf(i int) string { return fmt.Sprintf("network.zones[of control plane %d]", i+1) }

// replaceable are those that allowReplacement may name.
func (e flatcarEnvironment) replaceable() []string {
	fields := []string{allLocalKeys}
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
	standing[settingGeneration], standing[settingTrusted] = strconv.Itoa(e.Authorities.Generation), numbers(e.Authorities.Trusted)
	standing[settingDataDisk], standing[settingSnapshots] = strconv.Itoa(e.ControlPlane.DataDiskGiB), strconv.Itoa(e.Snapshots.LockDays)
	for _, name := range e.Encryption.Keys {
		standing[settingLocalKeys+name+"]"] = "there"
	}
	return standing
}

func numbers(of []int) string {
	var out []string
	for _, n := range of {
		out = append(out, strconv.Itoa(n))
	}
	return strings.Join(out, ",")
}

// compare reports every setting that must not change as it did.
func (e flatcarEnvironment) compare(last map[string]string) error {
	r := settings.New(nil)
	now := e.common().fixed()
	maps.Copy(now, e.own())
	r.Report("", kept.Compare(among(last, now), now, e.AllowReplacement), nil)
	e.compareAuthorities(r, last)
	for _, field := range slices.Sorted(maps.Keys(last)) {
		name, ofKeys := strings.CutPrefix(field, settingLocalKeys)
		name = strings.TrimSuffix(name, "]")
		if ofKeys && !slices.Contains(e.Encryption.Keys, name) && !slices.Contains(e.AllowReplacement, allLocalKeys) {
			r.Add("encryption.keys", name+" is left out, with which everything that it encrypted is lost", "write it again, behind the one that writes; leave it out once every secret has been rewritten and write encryption.keys in allowReplacement")
		}
	}
	for field, is := range map[string]int{settingDataDisk: e.ControlPlane.DataDiskGiB, settingSnapshots: e.Snapshots.LockDays} {
		if was, err := strconv.Atoi(last[field]); err == nil && is < was {
			r.Add(field, fmt.Sprintf("was %d and is %d, and it never shrinks", was, is), fmt.Sprintf("write %d or more", was))
		}
	}
	return r.Err()
}

// among are those of some settings that others have too.
func among(settings, others map[string]string) map[string]string {
	out := map[string]string{}
	for field, value := range settings {
		if _, there := others[field]; there {
			out[field] = value
		}
	}
	return out
}

// compareAuthorities wants each step of a rotation: nobody trusts a generation that
// signs and was not trusted before, and what signed before must be trusted on.
func (e flatcarEnvironment) compareAuthorities(r *settings.Reader, last map[string]string) {
	was, is := last[settingGeneration], strconv.Itoa(e.Authorities.Generation)
	if was == "" || was == is {
		return
	}
	before, _ := strconv.Atoi(was)
	if !slices.Contains(strings.Split(last[settingTrusted], ","), is) {
		r.Add(settingGeneration, fmt.Sprintf("goes from %s to %s, which no machine trusts yet", was, is), fmt.Sprintf("write %s as the generation and %s among authorities.trusted, and replace every machine, first", was, is))
	}
	if !slices.Contains(e.Authorities.Trusted, before) {
		r.Add(settingTrusted, fmt.Sprintf("leaves out %s, which signed what every machine still has", was), "write it there until every machine has been replaced")
	}
}

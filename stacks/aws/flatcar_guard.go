package aws

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/stacks/kept"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

const (
	generation = "authorities.generation"
	trusted    = "authorities.trusted"
	localKeys  = "encryption.keys["
	// allLocalKeys is what allowReplacement names where a key may go.
	allLocalKeys = "encryption.keys"
)

// fixed are the settings whose change would delete, or make anew, something that
// holds data, beside those of every environment.
func (e flatcarEnvironment) fixed() map[string]string {
	fixed := e.common().fixed()
	maps.Copy(fixed, map[string]string{
		"podCIDR": e.PodCIDR, "controlPlane.count": strconv.Itoa(e.ControlPlane.Count), "controlPlane.addresses": strings.Join(e.addresses(), ","),
		"encryption.provider": e.Encryption.Provider, "authorities.validityDays": strconv.Itoa(e.Authorities.ValidityDays),
		// A bucket is made for locks or without.
		"snapshots.lock": map[bool]string{true: "none", false: "a lock"}[e.Snapshots.Lock == "none"],
	})
	return fixed
}

// replaceable are those that allowReplacement may name.
func (e flatcarEnvironment) replaceable() []string {
	fields := slices.DeleteFunc(slices.Collect(maps.Keys(e.fixed())), func(field string) bool { return strings.Contains(field, "[") })
	return slices.Sorted(slices.Values(append(fields, allLocalKeys)))
}

// standing is what the next run compares with.
func (e flatcarEnvironment) standing() map[string]string {
	standing := kept.Standing(e.fixed())
	standing[generation], standing[trusted] = strconv.Itoa(e.Authorities.Generation), numbers(e.Authorities.Trusted)
	standing["controlPlane.dataDiskGiB"] = strconv.Itoa(e.ControlPlane.DataDiskGiB)
	for _, name := range e.Encryption.Keys {
		standing[localKeys+name+"]"] = "there"
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

// guard compares the settings with those of the last run.
func (e flatcarEnvironment) guard(ctx *pulumi.Context) error {
	last, err := kept.Last(ctx)
	if err != nil {
		return err
	}
	return e.compare(last)
}

// compare reports every setting that must not change as it did.
func (e flatcarEnvironment) compare(last map[string]string) error {
	r := settings.New(nil)
	r.Report("", e.common().compare(only(last, e.common().fixed())), nil)
	r.Report("", kept.Compare(only(last, e.own()), e.own(), e.AllowReplacement), nil)
	e.compareAuthorities(r, last)
	for _, field := range slices.Sorted(maps.Keys(last)) {
		name, ofKeys := strings.CutPrefix(field, localKeys)
		name = strings.TrimSuffix(name, "]")
		if ofKeys && !slices.Contains(e.Encryption.Keys, name) && !slices.Contains(e.AllowReplacement, allLocalKeys) {
			r.Add("encryption.keys", name+" is left out, with which everything that it encrypted is lost", "write it again, behind the one that writes; leave it out once every secret has been rewritten and write encryption.keys in allowReplacement")
		}
	}
	if was, err := strconv.Atoi(last["controlPlane.dataDiskGiB"]); err == nil && e.ControlPlane.DataDiskGiB < was {
		r.Add("controlPlane.dataDiskGiB", fmt.Sprintf("was %d and is %d, and a volume never shrinks", was, e.ControlPlane.DataDiskGiB), fmt.Sprintf("write %d or more", was))
	}
	return r.Err()
}

// own are those fixed settings that only a cluster which runs itself has.
func (e flatcarEnvironment) own() map[string]string {
	own := e.fixed()
	for field := range e.common().fixed() {
		delete(own, field)
	}
	return own
}

// only are those of some settings that others have too.
func only(settings, others map[string]string) map[string]string {
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
	was, is := last[generation], strconv.Itoa(e.Authorities.Generation)
	if was == "" || was == is {
		return
	}
	before, _ := strconv.Atoi(was)
	if !slices.Contains(strings.Split(last[trusted], ","), is) {
		r.Add(generation, fmt.Sprintf("goes from %s to %s, which no machine trusts yet", was, is), fmt.Sprintf("write %s as the generation and %s among authorities.trusted, and replace every machine, first", was, is))
	}
	if !slices.Contains(e.Authorities.Trusted, before) {
		r.Add(trusted, fmt.Sprintf("leaves out %s, which signed what every machine still has", was), "write it there until every machine has been replaced")
	}
}

package aws

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/stacks/kept"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// fixed are the settings whose change would delete, or make anew, something that
// holds data, beside those of every environment.
func (e flatcarEnvironment) fixed() map[string]string {
	fixed := e.common().fixed()
	maps.Copy(fixed, map[string]string{
		"podCIDR": e.PodCIDR, "controlPlane.count": strconv.Itoa(e.ControlPlane.Count), "controlPlane.addresses": strings.Join(e.addresses(), ","),
		"encryption.provider": e.Encryption.Provider, "authorities.validityDays": strconv.Itoa(e.Authorities.ValidityDays),
		// A bucket is made for locks or without.
		"snapshots.lock": lockOrNone(e.Snapshots.Lock), "auditLog.lock": lockOrNone(e.AuditLog.Lock),
	})
	return fixed
}

func lockOrNone(lock string) string {
	if lock == components.LockNone {
		return "none"
	}
	return "a lock"
}

// replaceable are those that allowReplacement may name.
func (e flatcarEnvironment) replaceable() []string {
	fields := slices.DeleteFunc(slices.Collect(maps.Keys(e.fixed())), func(field string) bool { return strings.Contains(field, "[") })
	return slices.Sorted(slices.Values(append(fields, kept.LocalKeys)))
}

// standing is what the next run compares with.
func (e flatcarEnvironment) standing() map[string]string {
	standing := kept.Standing(e.fixed())
	e.steps().Standing(standing)
	return standing
}

// guard compares the settings with those of the last run.
func (e flatcarEnvironment) guard(ctx *pulumi.Context) error {
	last, err := kept.Last(ctx)
	if err != nil {
		return err
	}
	return e.compare(last)
}

// steps are settings that may change in some ways.
func (e flatcarEnvironment) steps() kept.SelfManaged {
	return kept.SelfManaged{Generation: e.Authorities.Generation, Trusted: e.Authorities.Trusted, LocalKeys: e.Encryption.Keys, Encrypted: e.Host.Encryption.Resources,
		Sizes: map[string]int{"controlPlane.dataDiskGiB": e.ControlPlane.DataDiskGiB}}
}

// compare reports every setting that must not change as it did.
func (e flatcarEnvironment) compare(last map[string]string) error {
	r := settings.New(nil)
	r.Report("", e.common().compare(kept.Among(last, e.common().fixed())), nil)
	r.Report("", kept.Compare(kept.Among(last, e.own()), e.own(), e.AllowReplacement), nil)
	e.steps().Compare(r, last, e.AllowReplacement)
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

package gcp

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	components "github.com/redoubt-dev/redoubt/components/gcp"
	"github.com/redoubt-dev/redoubt/stacks/kept"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// Settings of which it matters whether what they are of is there.
const (
	settingArchive     = "logs.archive.disabled"
	settingArchiveName = "logs.archive.bucket"
	settingArchiveLock = "logs.archive.lock"
)

// fixed are the settings whose change Google answers by deleting, or making anew,
// something that holds data or on which everything stands, and those that it
// refuses to change.
func (e environment) fixed() map[string]string {
	fixed := map[string]string{
		"project.id": e.Project.ID, "project.region": e.Project.Region, "network.cidr": e.Network.CIDR, "network.existing.subnetwork": "none",
		"autopilot": fmt.Sprint(e.Autopilot), "keys.generation": e.Keys.Generation, "keys.existingRing": e.Keys.ExistingRing,
		"keys.protection": cmp.Or(e.Keys.Protection, components.ProtectionHSM), "keys.destroyDays": fmt.Sprint(cmp.Or(e.Keys.DestroyDays, components.DefaultDestroyDays)), kept.Version: e.KubernetesVersion,
		// Whether there is a public endpoint is decided once, which ranges reach it is not.
		"publicCIDRs":  map[bool]string{true: "none", false: "some"}[len(e.PublicCIDRs) == 0],
		settingArchive: fmt.Sprint(e.Logs.Archive.Disabled), kept.Repositories: "",
	}
	if x := e.Network.Existing; x != nil {
		fixed["network.existing.subnetwork"], fixed["network.cidr"] = x.Subnetwork, "none"
	}
	if a := e.Logs.Archive; !a.Disabled {
		fixed[settingArchiveName], fixed[settingArchiveLock] = a.Bucket, "none"
		if a.Bucket == "" || a.Bucket == components.ArchiveName(e.project(), e.name) {
			fixed[settingArchiveName] = "the name by default"
		}
		if e.archiveLocked() {
			fixed[settingArchiveLock], fixed[kept.LockDays] = components.LockCompliance, fmt.Sprint(cmp.Or(a.LockDays, components.DefaultLockDays))
		}
	}
	if e.Registry != nil {
		fixed[kept.Repositories] = strings.Join(e.Registry.Repositories, ",")
	}
	// Google knows a grant by its member and role: one of another name would be made
	// beside the old one, which takes it along when it goes.
	for _, who := range e.Access {
		fixed[accessName(who)] = who.Name
	}
	return fixed
}

// standing are those of them that the next run compares with: to add what is not
// there deletes nothing.
func (e environment) standing() map[string]string {
	standing := e.fixed()
	maps.DeleteFunc(standing, func(field, value string) bool {
		return field == settingArchive && value == "true" || field == settingArchiveLock && value == "none" || field == kept.Repositories && value == ""
	})
	return standing
}

// compare reports every setting that must not change as it did, by the names that
// people wrote.
func (e environment) compare(last map[string]string) error {
	r, written := settings.New(nil), map[string]string{}
	for i, who := range e.Access {
		written[accessName(who)] = fmt.Sprintf("access[%d].name", i)
	}
	r.Report("", kept.Compare(last, e.fixed(), e.AllowReplacement), written)
	return r.Err()
}

func accessName(who Access) string { return "access[" + who.Member + "].name" }

// never are those that no permission changes: Google refuses, or takes something
// else along.
func never(field string) bool {
	return field == kept.LockDays || strings.HasPrefix(field, "access[")
}

package gcp

import (
	"fmt"
	"slices"
	"strings"

	program "github.com/redoubt-dev/redoubt/stacks/gcp"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud/booted"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/firstboot"
	simgcp "github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/utilities"
)

const templateToken = "gcp:compute/instanceTemplate:InstanceTemplate"

// flatcarRehearsal is that of a cluster that runs itself.
func flatcarRehearsal(r cloud.Rehearsal) (cloud.Rehearsal, error) {
	beside, err := utilities.Open()
	if err != nil {
		return r, err
	}
	r.Platform, r.Machines, r.Beside = program.FlatcarPlatform, FlatcarMachines, beside.Providers()
	r.Demands = nil // of GKE
	// No agent of a network plugin guards the machines' bridge.
	r.StrictAgent = false
	return booted.Place(r, booted.Provider{Machines: simgcp.Machines, Lose: simgcp.Lose})
}

// FlatcarMachines boots every machine of the control plane and of every pool as Ignition would, with the account that the
// machine has: what it may not read, or what has another hash, stops the boot (M02, M12).
func FlatcarMachines(c *simcloud.Cloud) ([]cloud.Machine, []cloud.Finding) {
	var machines []cloud.Machine
	var findings []cloud.Finding
	for _, o := range c.Objects(instanceToken, templateToken) {
		m := cloud.Machine{Pool: "machine " + o.State.String("name"), Source: "instance metadata", Bytes: len(o.State.Texts("metadata")["user-data"]), Limit: metadataLimit}
		if o.Type == templateToken {
			m.Pool, m.Source = "pool "+strings.TrimSuffix(o.State.String("namePrefix"), "-"), "instance template "+o.State.String("name")
		}
		booted, err := simgcp.Boot(c, o)
		if err != nil {
			findings = append(findings, cloud.Finding{Level: cloud.Error, Subject: m.Pool, Problem: "Ignition would stop its first boot: " + err.Error(), Remedy: "render it with selfmanaged.Spec"})
			continue
		}
		m.Settings = telling(o, booted)
		machines = append(machines, m)
	}
	slices.SortFunc(machines, func(a, b cloud.Machine) int { return strings.Compare(a.Pool, b.Pool) })
	return machines, findings
}

// telling is what says most of a machine.
func telling(o simcloud.Object, booted firstboot.Machine) []string {
	var masked []string
	for _, unit := range booted.Config.Systemd.Units {
		if unit.Mask != nil && *unit.Mask {
			masked = append(masked, unit.Name)
		}
	}
	return []string{"runs as " + o.State.String("serviceAccount.email"),
		fmt.Sprintf("files: %d, of which %d are fetched by their hash with its account", len(booted.Config.Storage.Files), len(booted.Sources)-1),
		fmt.Sprintf("units: %d, of which %d are masked: %s", len(booted.Config.Systemd.Units), len(masked), strings.Join(masked, ", ")),
		fmt.Sprintf("secure boot %t, addresses on the internet: %d", o.State.Bool("shieldedInstanceConfig.enableSecureBoot"), external(o))}
}

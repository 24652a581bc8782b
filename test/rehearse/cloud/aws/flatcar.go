package aws

import (
	"fmt"
	"slices"
	"strings"

	ignition "github.com/coreos/ignition/v2/config/v3_4"
	"github.com/coreos/ignition/v2/config/v3_4/types"

	program "github.com/redoubt-dev/redoubt/stacks/aws"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud/booted"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/utilities"
)

const (
	instances = "aws:ec2/instance:Instance"
	objects   = "aws:s3/bucketObjectv2:BucketObjectv2"
)

// flatcarRehearsal is that of a cluster that runs itself.
func flatcarRehearsal(r cloud.Rehearsal) (cloud.Rehearsal, error) {
	beside, err := utilities.Open()
	if err != nil {
		return r, err
	}
	r.Platform, r.Machines, r.Beside = program.FlatcarPlatform, FlatcarMachines, beside.Providers()
	r.Demands = nil // the benchmark of a managed cluster says nothing of this one
	// No agent of a network plugin guards the local cluster's bridge as strictly as one of EKS does.
	r.StrictAgent = false
	return booted.Place(r, booted.Provider{Machines: simaws.Machines, Lose: simaws.Lose})
}

// FlatcarMachines opens the user data of every machine of the control plane and of every pool as Ignition would in the
// first boot, and follows it into the store (M02, M36). Which machine may read what, the cloud has judged already.
func FlatcarMachines(c *simcloud.Cloud) ([]cloud.Machine, []cloud.Finding) {
	var machines []cloud.Machine
	var findings []cloud.Finding
	for _, o := range c.Objects(instances, launchTemplates) {
		m := cloud.Machine{Pool: o.State.Texts("tags")["Name"], Source: "machine " + o.ID, Limit: simaws.MaxUserData}
		data := []byte(o.State.String("userData"))
		if o.Type == launchTemplates {
			m.Source = "launch template " + o.ID
			var err error
			if data, err = simaws.UserData(o.State.String("userData")); err != nil {
				findings = append(findings, cloud.Finding{Level: cloud.Error, Subject: m.Pool, Problem: err.Error(), Remedy: "encode user data in base64"})
				continue
			}
		}
		m.Bytes = len(data)
		config, source, err := followed(c, data)
		if err != nil {
			findings = append(findings, cloud.Finding{Level: cloud.Error, Subject: m.Pool, Problem: "Ignition would stop its first boot: " + err.Error(), Remedy: "render it with selfmanaged.Spec"})
			continue
		}
		m.Settings = tellingIgnition(config, source)
		machines = append(machines, m)
	}
	slices.SortFunc(machines, func(a, b cloud.Machine) int { return strings.Compare(a.Pool, b.Pool) })
	return machines, findings
}

// followed is the configuration that user data names, and where it lies.
func followed(c *simcloud.Cloud, data []byte) (types.Config, string, error) {
	config, report, err := ignition.Parse(data)
	if err != nil || report.IsFatal() {
		return config, "", fmt.Errorf("its user data: %w %s", err, report.String())
	}
	source := config.Ignition.Config.Replace.Source
	if source == nil {
		return config, "user data", nil
	}
	for _, o := range c.Objects(objects) {
		if "s3://"+o.ID == *source {
			config, report, err = ignition.Parse([]byte(o.State.String("content")))
			if err != nil || report.IsFatal() {
				return config, *source, fmt.Errorf("%s: %w %s", *source, err, report.String())
			}
			return config, *source, nil
		}
	}
	return config, *source, fmt.Errorf("%s does not exist", *source)
}

// tellingIgnition is what says most of a configuration.
func tellingIgnition(config types.Config, source string) []string {
	fetched := 0
	for _, file := range config.Storage.Files {
		if s := file.Contents.Source; s != nil && !strings.HasPrefix(*s, "data:") && *s != "" {
			fetched++
		}
	}
	var masked []string
	for _, unit := range config.Systemd.Units {
		if unit.Mask != nil && *unit.Mask {
			masked = append(masked, unit.Name)
		}
	}
	return []string{"configuration: " + source, fmt.Sprintf("files: %d, of which %d are fetched by their hash", len(config.Storage.Files), fetched),
		fmt.Sprintf("units: %d, of which %d are masked: %s", len(config.Systemd.Units), len(masked), strings.Join(masked, ", "))}
}

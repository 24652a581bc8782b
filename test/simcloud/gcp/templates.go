package gcp

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const templateForm = "projects/{project}/global/instanceTemplates/{name}"

// templateTypes are what machines of a group are made from. A template never changes: another one takes its place.
// https://cloud.google.com/compute/docs/instance-templates
func templateTypes() []*simcloud.ResourceType {
	t := named(kind(template, templateForm, compute.InstanceTemplateArgs{}, compute.InstanceTemplate{}, "disks"), 63)
	t.Naming.Prefix = "namePrefix"
	t.Defaults = simcloud.Values{"canIpForward": false}
	t.Replace = slices.Sorted(maps.Keys(t.Inputs.Fields))
	t.References = []simcloud.Reference{holding(toNetwork("networkInterfaces[].network")), holding(toSubnetwork("networkInterfaces[].subnetwork"))}
	t.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		labelsAt(p, "labels")
		matching(p, "machineType", machineType, "is not the name of a machine type")
		conflicts(p, "name", "namePrefix")
		boot := 0
		for i, each := range p.Values.List("disks") {
			at := fmt.Sprintf("disks[%d].", i)
			if each.Get("boot") != false && i == 0 {
				boot++
			}
			if i == 0 && !each.Has("sourceImage") && !each.Has("source") {
				p.Add(at+"sourceImage", "a boot disk needs source_image or source")
			}
			p.OneOf(at+"diskType", "pd-standard", "pd-balanced", "pd-ssd", "pd-extreme", "hyperdisk-balanced", "local-ssd")
		}
		if boot == 0 {
			p.Add("disks", "the first disk must be the boot disk")
		}
		for i, each := range p.Values.List("networkInterfaces") {
			if !each.Has("network") && !each.Has("subnetwork") {
				p.Add(fmt.Sprintf("networkInterfaces[%d]", i), "exactly one of network or subnetwork must be provided")
			}
		}
		schedulingAt(p)
	}
	begin := t.Create
	t.Create = func(c *simcloud.Change) error {
		if !c.New.Has("name") {
			name := c.New.String("namePrefix") + digits(c.Cloud, "template", 26)
			c.New, c.Out["name"] = c.New.With("name", name), name
		}
		if err := begin(c); err != nil {
			return err
		}
		c.Out["selfLinkUnique"] = computeAPI + c.ID + "?uniqueId=" + digits(c.Cloud, "template id", 19)
		if err := judgeMetadata(c.New.Texts("metadata")); err != nil {
			return err
		}
		return judgeAccount(c)
	}
	return []*simcloud.ResourceType{t}
}

// schedulingAt judges machines that Google takes back: they are not moved, and not started again.
// https://cloud.google.com/compute/docs/instances/spot
func schedulingAt(p *simcloud.Plan) {
	p.OneOf("scheduling.provisioningModel", "STANDARD", "SPOT")
	p.OneOf("scheduling.onHostMaintenance", "MIGRATE", "TERMINATE")
	p.OneOf("scheduling.instanceTerminationAction", "STOP", "DELETE")
	if p.Values.String("scheduling.provisioningModel") != "SPOT" {
		return
	}
	for path, want := range map[string]any{"scheduling.preemptible": true, "scheduling.automaticRestart": false} {
		if p.Values.Get(path) != want {
			p.Add(path, fmt.Sprintf("a machine of the provisioning model SPOT needs %v here", want))
		}
	}
	if p.Values.String("scheduling.onHostMaintenance") == "MIGRATE" {
		p.Add("scheduling.onHostMaintenance", "a machine of the provisioning model SPOT is not moved")
	}
}

// toTemplate is the reference to a template, with or without the number that tells it from others of its name.
func toTemplate(path string) simcloud.Reference {
	r := holding(to(path, template, templateForm))
	plain := r.Normal
	r.Normal = func(scope string, of simcloud.Values, value string) string {
		id, _, _ := strings.Cut(value, "?uniqueId=")
		return plain(scope, of, id)
	}
	return r
}

// judgeTemplate judges that machines can be made from a template in a region.
func judgeTemplate(c *simcloud.Change, t *simcloud.Object, region string) error {
	project := placeOf(c.Scope, c.New).project
	for i, each := range t.State.List("disks") {
		if given := each.String("diskEncryptionKey.kmsKeySelfLink"); given != "" {
			if err := keyFor(c, given, computeAgent(c.Cloud, project), region); err != nil {
				return err
			}
		} else if each.Has("diskEncryptionKey") {
			return invalid("Invalid value for field 'resource.properties.disks[%d].diskEncryptionKey': a key is missing.", i)
		}
	}
	for _, nic := range t.State.List("networkInterfaces") {
		if text := nic.String("subnetwork"); text != "" {
			in := c.Cloud.Get("", subnetwork, normal("", t.State, subnetForm, text))
			if in == nil || in.State.String("region") != region {
				return invalid("Invalid value for field 'resource.instanceTemplate': '%s'. The referenced subnetwork '%s' is not in region %s.", t.ID, text, region)
			}
		}
	}
	image := ""
	for _, each := range t.State.List("disks") {
		image += each.String("sourceImage")
	}
	return boots(c.Cloud, image, t.State.String("serviceAccount.email"), t.State.Texts("metadata"))
}

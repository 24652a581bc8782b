package gcp

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const groupForm = "projects/{project}/regions/{region}/instanceGroupManagers/{name}"

// groupTypes are groups of machines in the zones of a region that Google makes and replaces.
// https://cloud.google.com/compute/docs/instance-groups/regional-migs
func groupTypes() []*simcloud.ResourceType {
	t := named(kind(group, groupForm, compute.RegionInstanceGroupManagerArgs{}, compute.RegionInstanceGroupManager{}, "versions"), 63)
	t.Defaults = simcloud.Values{"waitForInstances": false, "waitForInstancesStatus": "STABLE", "distributionPolicyTargetShape": "EVEN"}
	t.Replace = append(t.Replace, "baseInstanceName", "description", "distributionPolicyZones")
	t.References = []simcloud.Reference{toTemplate("versions[].instanceTemplate")}
	t.Check = checkGroup
	judged(t, func(c *simcloud.Change) error {
		c.Out["instanceGroup"] = computeAPI + placed(c, "instanceGroups")
		return judgeGroup(c)
	}, func(c *simcloud.Change) error {
		if changed(c, "versions") && c.New.String("updatePolicy.type") == "PROACTIVE" && c.New.Bool("waitForInstances") {
			// One surge after another: as many machines at a time as the policy says.
			step := max(c.New.Int("updatePolicy.maxSurgeFixed")+c.New.Int("updatePolicy.maxUnavailableFixed"), 1)
			c.Extra = seconds(machineMinutes * 60 * ((c.New.Int("targetSize") + step - 1) / step))
		}
		return judgeGroup(c)
	})
	return []*simcloud.ResourceType{t}
}

// machineMinutes is about how long a group takes to replace a machine.
const machineMinutes = 2

// placed is the path of something else of the group's name and region.
func placed(c *simcloud.Change, collection string) string {
	at := placeOf(c.Scope, c.New)
	return "projects/" + at.project + "/regions/" + at.region + "/" + collection + "/" + lastPart(c.ID)
}

func checkGroup(p *simcloud.Plan) {
	v := p.Values
	nameAt(p, "name")
	if name := v.String("baseInstanceName"); name != "" && (!rfc1035.MatchString(name) || len(name) > 58) { // five are for what tells machines apart
		p.Add("baseInstanceName", fmt.Sprintf("%q: at most 58 lower-case letters, digits and hyphens, beginning with a letter", name))
	}
	p.OneOf("updatePolicy.type", "PROACTIVE", "OPPORTUNISTIC")
	p.OneOf("updatePolicy.minimalAction", "NONE", "REFRESH", "RESTART", "REPLACE")
	p.OneOf("updatePolicy.replacementMethod", "SUBSTITUTE", "RECREATE")
	p.OneOf("updatePolicy.instanceRedistributionType", "PROACTIVE", "NONE")
	p.OneOf("waitForInstancesStatus", "STABLE", "UPDATED")
	p.Between("targetSize", 0, 2000)
	for _, what := range []string{"maxSurge", "maxUnavailable"} {
		conflicts(p, "updatePolicy."+what+"Fixed", "updatePolicy."+what+"Percent")
	}
	if v.String("updatePolicy.replacementMethod") == "RECREATE" && v.Int("updatePolicy.maxSurgeFixed") > 0 {
		p.Add("updatePolicy.maxSurgeFixed", "a machine that is recreated keeps its name: nothing can come before it goes")
	}
}

// judgeGroup judges a group with its template. Numbers that are fixed are 0 or at least as many as zones.
// https://cloud.google.com/compute/docs/instance-groups/updating-migs#max_surge
func judgeGroup(c *simcloud.Change) error {
	at := placeOf(c.Scope, c.New)
	in := c.New.Strings("distributionPolicyZones")
	for i, each := range in {
		if regionOf(lastPart(each)) != at.region {
			return invalid("Invalid value for field 'resource.distributionPolicy.zones[%d]': '%s'. Zone is not in region %s.", i, each, at.region)
		}
	}
	if len(in) == 0 {
		in = zones(at.region)
	}
	surge, away := c.New.Int("updatePolicy.maxSurgeFixed"), c.New.Int("updatePolicy.maxUnavailableFixed")
	for field, n := range map[string]int{"maxSurge": surge, "maxUnavailable": away} {
		if n != 0 && n < len(in) {
			return invalid("Invalid value for field 'resource.updatePolicy.%s.fixed': '%d'. Fixed updatePolicy.%s for regional managed instance group has to be either 0 or at least equal to the number of zones.", field, n, field)
		}
	}
	if c.New.Get("updatePolicy.maxSurgeFixed") != nil && surge == 0 && c.New.Get("updatePolicy.maxUnavailableFixed") != nil && away == 0 {
		return invalid("Invalid value for field 'resource.updatePolicy': maxSurge and maxUnavailable can not both be zero.")
	}
	if c.New.String("updatePolicy.instanceRedistributionType") == "PROACTIVE" && c.New.String("updatePolicy.replacementMethod") == "RECREATE" {
		return invalid("Invalid value for field 'resource.updatePolicy': machines that keep their names are not redistributed.")
	}
	from := toTemplate("versions[].instanceTemplate")
	for _, version := range c.New.List("versions") {
		if t := c.Cloud.Get("", template, from.Normal(c.Scope, c.New, version.String("instanceTemplate"))); t != nil {
			if err := judgeTemplate(c, t, at.region); err != nil {
				return err
			}
		}
	}
	return nil
}

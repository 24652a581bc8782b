package gcp

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var machineType = regexp.MustCompile(`^([a-z][0-9]+[a-z]?-(micro|small|medium|standard-\d+|highmem-\d+|highcpu-\d+|megamem-\d+|ultramem-\d+|highgpu-\d+g)(-lssd)?|(e2|n1|n2|n2d)-custom-\d+-\d+)$`)

const instanceForm = "projects/{project}/zones/{zone}/instances/{name}"

// restarted are the properties that change only while a machine is stopped.
var restarted = []string{"machineType", "minCpuPlatform", "serviceAccount", "shieldedInstanceConfig", "enableDisplay"}

// instanceTypes are single machines, such as the one through which operators enter a network.
// https://cloud.google.com/compute/docs/reference/rest/v1/instances
func instanceTypes() []*simcloud.ResourceType {
	t := named(kind(instance, instanceForm, compute.InstanceArgs{}, compute.Instance{}, "networkInterfaces"), 63)
	t.Defaults = simcloud.Values{"canIpForward": false, "deletionProtection": false}
	t.Replace = append(t.Replace, "bootDisk", "canIpForward", "confidentialInstanceConfig", "hostname", "networkInterfaces[].network", "networkInterfaces[].subnetwork", "networkInterfaces[].networkIp",
		"metadataStartupScript", "description")
	t.References = []simcloud.Reference{holding(toNetwork("networkInterfaces[].network")), holding(instanceRegion("networkInterfaces[].subnetwork")), attachedDisk()}
	t.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		labelsAt(p, "labels")
		matching(p, "machineType", machineType, "is not the name of a machine type")
		for i := range p.Values.Strings("tags") {
			nameAt(p, fmt.Sprintf("tags[%d]", i))
		}
		if !p.Values.Has("bootDisk.source") && !p.Values.Has("bootDisk.initializeParams.image") {
			p.Add("bootDisk", "boot disk must include a source or initialize_params.image")
		}
		for i, each := range p.Values.List("networkInterfaces") {
			if !each.Has("network") && !each.Has("subnetwork") {
				p.Add(fmt.Sprintf("networkInterfaces[%d]", i), "exactly one of network or subnetwork must be provided")
			}
		}
		schedulingAt(p)
	}
	judged(t, createInstance, func(c *simcloud.Change) error {
		for _, name := range restarted {
			if changed(c, name) && !c.New.Bool("allowStoppingForUpdate") {
				return provider("Changing the machine_type, min_cpu_platform, service_account, enable_display, shielded_instance_config, scheduling.node_affinities or network_interface.[#d].(network/subnetwork/subnetwork_project) or advanced_machine_features on a started instance requires stopping it. To acknowledge this, please set allow_stopping_for_update = true in your config. You can also stop it by setting desired_status = \"TERMINATED\", but the instance will not be restarted after the update.")
			}
		}
		if err := judgeDisks(c); err != nil {
			return err
		}
		return judgeInstance(c)
	})
	t.Delete = func(c *simcloud.Change) error {
		if c.Old.Bool("deletionProtection") {
			return coded(412, "conditionNotMet", "Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion.'. (deletionProtection of '%s' is on)", c.Object.ID)
		}
		return gone(c)
	}
	return []*simcloud.ResourceType{t}
}

// changed tells whether a property of a change is another than before.
func changed(c *simcloud.Change, name string) bool {
	return fmt.Sprint(c.New.Copy().Get(name)) != fmt.Sprint(c.Object.Inputs.Copy().Get(name)) && (c.New.Has(name) || c.Object.Inputs.Has(name))
}

// instanceRegion is the reference to a subnetwork, by a name in the region of the zone of the one who refers.
func instanceRegion(path string) simcloud.Reference {
	r := toSubnetwork(path)
	r.Normal = func(scope string, of simcloud.Values, value string) string {
		of = of.Copy()
		of["region"] = regionOf(placeOf(scope, of).zone)
		return normal(scope, of, subnetForm, value)
	}
	return r
}

func createInstance(c *simcloud.Change) error {
	for _, judge := range []func(*simcloud.Change) error{judgeInstance, judgeDisks} {
		if err := judge(c); err != nil {
			return err
		}
	}
	at := placeOf(c.Scope, c.New)
	where := instanceRegion("networkInterfaces[].subnetwork")
	var interfaces []any
	for i, each := range c.New.List("networkInterfaces") {
		each = each.Copy()
		each["name"] = fmt.Sprintf("nic%d", i)
		if text := each.String("subnetwork"); text != "" {
			in := c.Cloud.Get("", subnetwork, where.Normal(c.Scope, c.New, text))
			if got := in.State.String("region"); got != regionOf(at.zone) {
				return invalid("Invalid value for field 'resource.networkInterfaces[%d].subnetwork': '%s'. The referenced subnetwork resource is in region %s, the instance in zone %s.", i, in.ID, got, at.zone)
			}
			each["subnetwork"], each["network"], each["subnetworkProject"] = computeAPI+in.ID, in.State.String("network"), part(in.ID, "projects")
			if given := each.String("networkIp"); given == "" {
				each["networkIp"] = inside(c, in).String()
			} else if err := judgeAddress(c, fmt.Sprintf("resource.networkInterfaces[%d].networkIP", i), given, in); err != nil {
				return err
			}
		}
		interfaces = append(interfaces, map[string]any(each))
	}
	c.Out["networkInterfaces"] = interfaces
	if err := boots(c.Cloud, c.New.String("bootDisk.initializeParams.image"), c.New.String("serviceAccount.email"), c.New.Texts("metadata")); err != nil {
		return err
	}
	c.Out["instanceId"], c.Out["currentStatus"], c.Out["cpuPlatform"] = digits(c.Cloud, "instance", 19), "RUNNING", "Intel Cascade Lake"
	return nil
}

// judgeAccount judges the account that a machine runs as.
func judgeAccount(c *simcloud.Change) error {
	if email := c.New.String("serviceAccount.email"); email != "" {
		if !accountExists(c.Cloud, c.Scope, email) {
			return badRequest("The resource '%s' of type 'serviceAccount' was not found.", email).Within(seconds(60)) // a new one is not seen at once
		}
		if len(c.New.Strings("serviceAccount.scopes")) == 0 {
			return invalid("Invalid value for field 'resource.serviceAccounts[0].scopes': ''. At least one scope is required.")
		}
	}
	return nil
}

func judgeInstance(c *simcloud.Change) error {
	if err := judgeAccount(c); err != nil {
		return err
	}
	if err := judgeMetadata(c.New.Texts("metadata")); err != nil {
		return err
	}
	if given := c.New.String("bootDisk.kmsKeySelfLink"); given != "" {
		at := placeOf(c.Scope, c.New)
		return keyFor(c, given, computeAgent(c.Cloud, at.project), regionOf(at.zone))
	}
	if c.New.Has("confidentialInstanceConfig") && !confidential(c.New.String("machineType")) {
		return invalid("The machine type %s does not support confidential computing.", c.New.String("machineType"))
	}
	return nil
}

// confidential tells whether machines of a type can be confidential.
// https://cloud.google.com/confidential-computing/confidential-vm/docs/supported-configurations
func confidential(machine string) bool {
	return slices.ContainsFunc([]string{"n2d-", "c2d-", "c3d-", "c3-standard-", "c4d-"}, func(prefix string) bool {
		return len(machine) > len(prefix) && machine[:len(prefix)] == prefix
	})
}

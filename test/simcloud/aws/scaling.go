package aws

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/autoscaling"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var groupName = regexp.MustCompile(`^[^:]{1,255}$`)

// scalingTypes are groups of machines: https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
func scalingTypes() []*simcloud.ResourceType {
	t := kind(autoscalingGroup, autoscaling.GroupArgs{}, autoscaling.Group{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 255, Prefix: "namePrefix"}
	t.Replace = []string{"name", "namePrefix"}
	t.Defaults = simcloud.Values{"healthCheckGracePeriod": 300}
	t.References = []simcloud.Reference{holding(toSubnet("vpcZoneIdentifiers[]")), holding(toTemplate("launchTemplate.id")),
		holding(toTemplate("mixedInstancesPolicy.launchTemplate.launchTemplateSpecification.launchTemplateId")),
		by(to("targetGroupArns[]", "ValidationError", "One or more target groups not found: %s", targetGroup), "arn")}
	t.Check = checkScaling
	t.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("name")
		if c.Cloud.Get(c.Scope, autoscalingGroup, c.ID) != nil {
			return errorf("AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name %s already exists", c.ID)
		}
		c.Out["arn"] = arn("autoscaling", c.Scope, "autoScalingGroup:"+uuid(c.Cloud, "asg")+":autoScalingGroupName/"+c.ID)
		for property, value := range map[string]any{"desiredCapacity": c.New.Int("minSize"), "defaultCooldown": 300, "healthCheckType": "EC2", "serviceLinkedRoleArn": LinkedRoleARN("autoscaling.amazonaws.com")} {
			if !c.New.Has(property) {
				c.Out[property] = value
			}
		}
		return judgeScaling(c)
	}
	t.Update = judgeScaling
	return []*simcloud.ResourceType{t}
}

func toTemplate(path string) simcloud.Reference {
	return to(path, "ValidationError", "You must use a valid fully-formed launch template. The specified launch template, with template ID %s, does not exist.", launchTemplate)
}

func checkScaling(p *simcloud.Plan) {
	v := p.Values
	if name := v.String("name"); name != "" && !groupName.MatchString(name) {
		p.Add("name", "ValidationError: a name has 1 to 255 characters and no colon")
	}
	ways := 0
	for _, path := range []string{"launchConfiguration", "launchTemplate", "mixedInstancesPolicy"} {
		if v.Has(path) {
			ways++
		}
	}
	if ways != 1 {
		p.Add("launchTemplate", "exactly one of `launchConfiguration,launchTemplate,mixedInstancesPolicy` must be specified")
	}
	if v.Has("vpcZoneIdentifiers") == v.Has("availabilityZones") {
		p.Add("vpcZoneIdentifiers", "exactly one of `availabilityZones,vpcZoneIdentifiers` must be specified")
	}
	oneOf(p, "healthCheckType", "EC2", "ELB")
	low, high := v.Int("minSize"), v.Int("maxSize")
	if wanted := v.Int("desiredCapacity"); low > high || v.Has("desiredCapacity") && (wanted < low || wanted > high) {
		p.Add("maxSize", fmt.Sprintf("ValidationError: Desired capacity:%d must be between the specified min size:%d and max size:%d", wanted, low, high))
	}
	for i := range v.List("initialLifecycleHooks") {
		at := fmt.Sprintf("initialLifecycleHooks[%d]", i)
		oneOf(p, at+".lifecycleTransition", "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING")
		oneOf(p, at+".defaultResult", "CONTINUE", "ABANDON")
		between(p, at+".heartbeatTimeout", 30, 7200)
	}
	if v.Has("instanceRefresh") {
		oneOf(p, "instanceRefresh.strategy", "Rolling")
		const preferences = "instanceRefresh.preferences"
		between(p, preferences+".minHealthyPercentage", 0, 100)
		between(p, preferences+".maxHealthyPercentage", 100, 200)
		least, most := v.Int(preferences+".minHealthyPercentage"), v.Int(preferences+".maxHealthyPercentage")
		if v.Has(preferences+".maxHealthyPercentage") && (!v.Has(preferences+".minHealthyPercentage") || most-least > 100) {
			p.Add(preferences+".maxHealthyPercentage", "ValidationError: the difference between MaxHealthyPercentage and MinHealthyPercentage cannot be greater than 100")
		}
	}
	between(p, "mixedInstancesPolicy.instancesDistribution.onDemandPercentageAboveBaseCapacity", 0, 100)
	oneOf(p, "mixedInstancesPolicy.instancesDistribution.spotAllocationStrategy", "capacity-optimized", "capacity-optimized-prioritized", "lowest-price", "price-capacity-optimized")
	if seconds := v.Int("maxInstanceLifetime"); seconds != 0 && (seconds < 86400 || seconds > 31536000) {
		p.Add("maxInstanceLifetime", "expected maxInstanceLifetime to be in the range (86400 - 31536000)")
	}
}

// scalingTemplate is the template of a group with the version that it names.
func scalingTemplate(c *simcloud.Change) (*simcloud.Object, error) {
	path := "launchTemplate"
	if c.New.Has("mixedInstancesPolicy") {
		path = "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification"
	}
	name := c.New.String(path + ".id")
	if name == "" {
		name = c.New.String(path + ".launchTemplateId")
	}
	o := c.Cloud.Get(c.Scope, launchTemplate, name)
	if o == nil {
		return nil, errorf("ValidationError", "You must use a valid fully-formed launch template.")
	}
	version := c.New.String(path + ".version")
	n, err := strconv.Atoi(version)
	switch {
	case version == "$Latest" || version == "$Default" || version == "":
		if c.New.Bool("instanceRefresh.preferences.autoRollback") {
			return nil, errorf("ValidationError", "You must specify a version of the launch template that is neither $Latest nor $Default when auto rollback is set")
		}
	case err != nil || n < 1 || n > o.State.Int("latestVersion"):
		return nil, errorf("ValidationError", "You must use a valid fully-formed launch template. Could not find the specified version %s for the launch template with ID %s.", version, o.ID)
	}
	return o, nil
}

// judgeScaling judges a group's template as machines are started from it.
func judgeScaling(c *simcloud.Change) error {
	with, err := scalingTemplate(c)
	if err != nil {
		return err
	}
	v := with.State
	invalid := func(format string, a ...any) error {
		return errorf("ValidationError", "You must use a valid fully-formed launch template. "+format, a...)
	}
	types := []string{v.String("instanceType")}
	for _, each := range c.New.List("mixedInstancesPolicy.launchTemplate.overrides") {
		types = append(types, each.String("instanceType"))
	}
	switch {
	case v.String("imageId") == "":
		return invalid("The request must contain the parameter ImageId")
	case !imageID.MatchString(v.String("imageId")):
		return invalid("Invalid id: %q", v.String("imageId"))
	case v.Has("networkInterfaces[0].subnetId"):
		return invalid("A subnet in the template conflicts with those of the group")
	case v.Has("networkInterfaces[0].networkInterfaceId"):
		return invalid("A network interface ID may not be specified: machines of a group get interfaces of their own")
	}
	for _, each := range types {
		if !instanceType.MatchString(each) && each != "" {
			return invalid("The instance type '%s' is not supported", each)
		}
	}
	profile := v.String("iamInstanceProfile.name")
	if profile != "" && c.Cloud.Get("", instanceProfile, profile) == nil {
		return invalid("Invalid IamInstanceProfile: %s", profile).(*simcloud.Error).Within(seconds(120))
	}
	network := ""
	for _, each := range c.New.Strings("vpcZoneIdentifiers") {
		at := c.Cloud.Get(c.Scope, subnet, each).State.String("vpcId")
		if network != "" && at != network {
			return errorf("ValidationError", "The subnets of a group are of one VPC")
		}
		network = at
	}
	for _, each := range v.Strings("vpcSecurityGroupIds") {
		if c.Cloud.Get(c.Scope, securityGroup, each).State.String("vpcId") != network {
			return invalid("The security group '%s' does not exist in VPC '%s'", each, network)
		}
	}
	if reason := volumesFail(c, with); reason != "" {
		return errorf("AsgInstanceLaunchFailures", "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Client.InternalError: Client error on launch (%s)", reason)
	}
	data, err := UserData(v.String("userData"))
	if err != nil {
		return invalid("%v", err)
	}
	if err := boots(c, data, profile); err != nil {
		return err
	}
	zones := map[string]bool{}
	for _, each := range c.New.Strings("vpcZoneIdentifiers") {
		zone := c.Cloud.Get(c.Scope, subnet, each).State.String("availabilityZone")
		zones[zone] = true
	}
	if c.Object == nil && slices.Contains(c.New.Strings("suspendedProcesses"), "Launch") {
		return errorf("ValidationError", "a group that launches nothing never has its capacity")
	}
	return nil
}

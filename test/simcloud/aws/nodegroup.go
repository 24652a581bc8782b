package aws

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var (
	nodeGroupName       = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,62}$`)
	instanceType        = regexp.MustCompile(`^([a-z]+)(\d+)([a-z-]*)\.[a-z0-9-]+$`)
	bottlerocketRelease = regexp.MustCompile(`^\d+\.\d+\.\d+-[0-9a-f]{8}$`)
)

// amiTypes are what a node group may run: https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html
var amiTypes = []any{"AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD", "AL2023_x86_64_NVIDIA", "BOTTLEROCKET_x86_64", "BOTTLEROCKET_ARM_64",
	"BOTTLEROCKET_x86_64_FIPS", "BOTTLEROCKET_ARM_64_FIPS", "BOTTLEROCKET_x86_64_NVIDIA", "BOTTLEROCKET_ARM_64_NVIDIA", "CUSTOM"}

// nodeGroupTypes are managed node groups: https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html
func nodeGroupTypes() []*simcloud.ResourceType {
	t := kind(nodeGroup, eks.NodeGroupArgs{}, eks.NodeGroup{}, "subnetIds")
	t.Naming = &simcloud.Naming{Property: "nodeGroupName", Automatic: true, Max: 63, Prefix: "nodeGroupNamePrefix"}
	t.Defaults = simcloud.Values{"capacityType": "ON_DEMAND"}
	t.Replace = []string{"amiType", "capacityType", "clusterName", "diskSize", "instanceTypes", "launchTemplate.id", "launchTemplate.name", "nodeGroupName",
		"nodeGroupNamePrefix", "nodeRoleArn", "remoteAccess", "subnetIds"}
	t.References = []simcloud.Reference{toCluster(), toRole("nodeRoleArn"), holding(toSubnet("subnetIds[]")),
		holding(to("launchTemplate.id", "InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", launchTemplate)),
		holding(by(to("launchTemplate.name", "InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", launchTemplate), "name"))}
	t.References[1].Patience = seconds(120)
	t.Check = checkNodeGroup
	t.Create = createNodeGroup
	t.Update = updateNodeGroup
	return []*simcloud.ResourceType{t}
}

func checkNodeGroup(p *simcloud.Plan) {
	v := p.Values
	if name := v.String("nodeGroupName"); name != "" && !nodeGroupName.MatchString(name) {
		p.Add("nodeGroupName", "a name is 1 to 63 letters, digits, hyphens and underscores, beginning with a letter or digit")
	}
	oneOf(p, "amiType", amiTypes...)
	oneOf(p, "capacityType", "ON_DEMAND", "SPOT", "CAPACITY_BLOCK")
	low, wanted, high := v.Int("scalingConfig.minSize"), v.Int("scalingConfig.desiredSize"), v.Int("scalingConfig.maxSize")
	if v.Known("scalingConfig") && (low > wanted || wanted > high || high < 1) {
		p.Add("scalingConfig", fmt.Sprintf("InvalidParameterException: desired capacity %d must be between minimum %d and maximum %d, and the maximum at least 1", wanted, low, high))
	}
	if v.Has("updateConfig") {
		exactlyOne(p, []string{"updateConfig.maxUnavailable", "updateConfig.maxUnavailablePercentage"})
		between(p, "updateConfig.maxUnavailable", 1, 100)
		between(p, "updateConfig.maxUnavailablePercentage", 1, 100)
	}
	for i := range v.List("taints") {
		oneOf(p, fmt.Sprintf("taints[%d].effect", i), "NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE")
	}
	for label := range v.Texts("labels") {
		prefix, _, has := strings.Cut(label, "/")
		if has && (prefix == "kubernetes.io" || strings.HasSuffix(prefix, ".kubernetes.io") || prefix == "k8s.io" || prefix == "eks.amazonaws.com") && prefix != "node.kubernetes.io" {
			p.Add("labels", "InvalidParameterException: Label cannot contain reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]: "+label)
		}
	}
	if v.Has("launchTemplate") {
		exactlyOne(p, []string{"launchTemplate.id", "launchTemplate.name"})
		if v.Has("diskSize") {
			p.Add("diskSize", "InvalidParameterException: Disk size must be specified within the launch template.")
		}
		if v.Has("remoteAccess") {
			p.Add("remoteAccess", "InvalidParameterException: Remote access configuration cannot be specified with a launch template.")
		}
	}
	if release := v.String("releaseVersion"); release != "" && strings.HasPrefix(v.String("amiType"), "BOTTLEROCKET") && !bottlerocketRelease.MatchString(release) {
		p.Add("releaseVersion", "InvalidParameterException: Requested release version "+release+" is not valid: a Bottlerocket release reads 1.52.0-24a4c1f3")
	}
}

// template is the launch template of a node group, with the version it names; nil without one.
func template(c *simcloud.Change) (*simcloud.Object, error) {
	o := c.Cloud.Get(c.Scope, launchTemplate, c.New.String("launchTemplate.id"))
	if name := c.New.String("launchTemplate.name"); o == nil && name != "" {
		o = c.Cloud.By(c.Scope, launchTemplate, "name", name)
	}
	if o == nil {
		return nil, nil
	}
	version := c.New.String("launchTemplate.version")
	n, err := strconv.Atoi(version)
	if version == "$Latest" || version == "$Default" {
		return o, nil
	}
	if err != nil || n < 1 || n > o.State.Int("latestVersion") {
		return nil, errorf("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %s for the launch template with ID %s.", version, o.ID)
	}
	return o, nil
}

// judgeTemplate judges what a managed node group takes of a launch template.
func judgeTemplate(c *simcloud.Change, o *simcloud.Object) error {
	if o == nil {
		return nil
	}
	v := o.State
	for path, what := range map[string]string{"iamInstanceProfile": "an instance profile", "networkInterfaces[0].subnetId": "a subnet", "instanceInitiatedShutdownBehavior": "a shutdown behaviour",
		"hibernationOptions": "hibernation", "instanceMarketOptions": "market options"} {
		if v.Has(path) {
			return errorf("InvalidRequestException", "Launch template %s should not specify %s: node groups do not take it", o.ID, what)
		}
	}
	if v.Has("imageId") && c.New.Has("amiType") && c.New.String("amiType") != "CUSTOM" {
		return errorf("InvalidParameterException", "You cannot specify an AMI Type other than CUSTOM, when specifying an image id in your launch template.")
	}
	if v.Has("instanceType") == (len(c.New.Strings("instanceTypes")) > 0) && v.Has("instanceType") {
		return errorf("InvalidParameterException", "Instance types must be specified in the launch template or in the request, not in both.")
	}
	if strings.HasPrefix(c.New.String("amiType"), "BOTTLEROCKET") {
		if problem := bottlerocketData(v); problem != "" {
			return errorf("InvalidParameterException", "User data of launch template %s is no TOML that Bottlerocket reads: %s", o.ID, problem)
		}
	}
	return nil
}

func createNodeGroup(c *simcloud.Change) error {
	of, err := active(c)
	if err != nil {
		return err
	}
	name := c.New.String("nodeGroupName")
	if name == "" { // the provider makes one of the prefix
		name = c.New.String("nodeGroupNamePrefix") + digits(c.Cloud, nodeGroup, 26)
		c.Out["nodeGroupName"] = name
	}
	c.ID = of.ID + ":" + name
	if c.Cloud.Get(c.Scope, nodeGroup, c.ID) != nil {
		return errorf("ResourceInUseException", "NodeGroup already exists with name %s and cluster name %s", name, of.ID)
	}
	if !trusts(c.Cloud, c.New.String("nodeRoleArn"), "ec2.amazonaws.com", "sts:AssumeRole") {
		return errorf("InvalidParameterException", "The role with arn: %s must trust ec2.amazonaws.com", c.New.String("nodeRoleArn"))
	}
	for _, each := range c.New.Strings("subnetIds") {
		if o := c.Cloud.Get(c.Scope, subnet, each); o.State.String("vpcId") != of.State.String("vpcConfig.vpcId") {
			return errorf("InvalidParameterException", "Subnet %s is not in the VPC of cluster %s", each, of.ID)
		}
	}
	with, err := template(c)
	if err != nil {
		return err
	}
	if err := judgeTemplate(c, with); err != nil {
		return err
	}
	if err := judgeArchitecture(c); err != nil {
		return err
	}
	version := c.New.String("version")
	if version == "" {
		version = of.State.String("version")
	}
	if err := judgeNodeVersion(of, version); err != nil {
		return err
	}
	c.Out = simcloud.Values{"arn": arn("eks", c.Scope, "nodegroup/"+of.ID+"/"+name+"/"+uuid(c.Cloud, "nodegroup")), "status": "ACTIVE", "version": version,
		"resources": []any{simcloud.Values{"autoscalingGroups": []any{simcloud.Values{"name": "eks-" + name + "-" + uuid(c.Cloud, "asg")}}}}}
	for property, value := range map[string]any{"amiType": "AL2023_x86_64_STANDARD", "instanceTypes": []string{"t3.medium"}, "diskSize": 20,
		"releaseVersion": version + ".4-20261101", "updateConfig": simcloud.Values{"maxUnavailable": 1}} {
		if !c.New.Has(property) {
			c.Out[property] = value
		}
	}
	entry := of.ID + ":" + c.New.String("nodeRoleArn")
	if mode := of.State.String("accessConfig.authenticationMode"); mode != "CONFIG_MAP" && c.Cloud.Get(c.Scope, accessEntry, entry) == nil {
		// EKS lets a managed group's nodes in by itself.
		c.Beside = append(c.Beside, &simcloud.Object{Scope: c.Scope, Type: accessEntry, ID: entry, State: simcloud.Values{"clusterName": of.ID,
			"principalArn": c.New.String("nodeRoleArn"), "type": "EC2_LINUX", "userName": "system:node:{{EC2PrivateDNSName}}"}})
	}
	if problem := nodesFail(c, of, with); problem != nil {
		c.Fails, c.Extra = problem, seconds(780) // with the two minutes of a group that works: fifteen
	}
	return nil
}

// judgeArchitecture compares the instance types with the image: Graviton families have a g after their generation.
func judgeArchitecture(c *simcloud.Change) error {
	ami := c.New.String("amiType")
	for _, each := range c.New.Strings("instanceTypes") {
		parts := instanceType.FindStringSubmatch(each)
		if parts == nil {
			return errorf("InvalidParameterException", "The following supplied instance types do not exist: [%s]", each)
		}
		arm := strings.HasPrefix(parts[3], "g") || parts[1] == "a"
		if ami != "" && ami != "CUSTOM" && arm != strings.Contains(ami, "ARM_64") {
			return errorf("InvalidParameterException", "[%s] is not a valid instance type for requested amiType %s", each, ami)
		}
	}
	return nil
}

func judgeNodeVersion(of *simcloud.Object, version string) error {
	switch control := of.State.String("version"); {
	case minor(version) > minor(control):
		return errorf("InvalidParameterException", "Requested Nodegroup version %s is newer than the cluster version %s", version, control)
	case minor(control)-minor(version) > 3:
		return errorf("InvalidParameterException", "Requested Nodegroup version %s is too old for the cluster version %s", version, control)
	}
	return nil
}

func updateNodeGroup(c *simcloud.Change) error {
	of, err := active(c)
	if err != nil {
		return err
	}
	with, err := template(c)
	if err != nil {
		return err
	}
	if err := judgeTemplate(c, with); err != nil {
		return err
	}
	version := c.New.String("version")
	if version == "" {
		version = c.Old.String("version")
	}
	if minor(version) < minor(c.Old.String("version")) {
		return errorf("InvalidParameterException", "Nodegroup version cannot be changed from %s back to %s", c.Old.String("version"), version)
	}
	c.Out["version"] = version
	if slices.Contains([]string{"", version}, c.New.String("releaseVersion")) && !c.New.Has("releaseVersion") {
		c.Out["releaseVersion"] = version + ".4-20261101"
	}
	if problem := nodesFail(c, of, with); problem != nil {
		c.Fails = problem
	}
	return judgeNodeVersion(of, version)
}

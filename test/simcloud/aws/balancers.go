package aws

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var balancerName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?$`)

// balancerTypes are network load balancers:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/introduction.html
func balancerTypes() []*simcloud.ResourceType {
	named := func(p *simcloud.Plan) {
		name := p.Values.String("name")
		if name != "" && !balancerName.MatchString(name) {
			p.Add("name", fmt.Sprintf("%q: a name is 1 to 32 letters, digits and hyphens, and neither begins nor ends with a hyphen", name))
		}
		if strings.HasPrefix(name, "internal-") {
			p.Add("name", `name cannot begin with "internal-"`)
		}
	}
	b := kind(loadBalancer, lb.LoadBalancerArgs{}, lb.LoadBalancer{})
	b.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 32, Prefix: "namePrefix"}
	b.Replace = []string{"name", "namePrefix", "internal", "loadBalancerType"}
	b.ReplaceIf = func(olds, news simcloud.Values) []string {
		// A network load balancer that was made without groups never has any.
		if len(olds.Strings("securityGroups")) == 0 != (len(news.Strings("securityGroups")) == 0) {
			return []string{"securityGroups"}
		}
		return nil
	}
	b.References = []simcloud.Reference{holding(toSubnet("subnets[]")), holding(toGroup("securityGroups[]"))}
	b.Check = func(p *simcloud.Plan) {
		named(p)
		oneOf(p, "loadBalancerType", "application", "gateway", "network")
		oneOf(p, "ipAddressType", "ipv4", "dualstack", "dualstack-without-public-ipv4")
	}
	b.Create = createBalancer
	b.Delete = func(c *simcloud.Change) error {
		if c.Object.State.Bool("enableDeletionProtection") {
			return errorf("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", c.Object.ID)
		}
		return nil
	}

	t := kind(targetGroup, lb.TargetGroupArgs{}, lb.TargetGroup{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 32, Prefix: "namePrefix"}
	t.Replace = []string{"name", "namePrefix", "port", "protocol", "targetType", "vpcId", "ipAddressType"}
	t.References = []simcloud.Reference{toVPC("vpcId")}
	t.InUse = func(o, by *simcloud.Object) *simcloud.Error {
		return errorf("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", o.ID)
	}
	t.Defaults = simcloud.Values{"targetType": "instance"}
	t.Check = func(p *simcloud.Plan) {
		named(p)
		oneOf(p, "targetType", "instance", "ip", "lambda", "alb")
		oneOf(p, "protocol", "HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE")
		oneOf(p, "preserveClientIp", "true", "false")
		oneOf(p, "healthCheck.protocol", "HTTP", "HTTPS", "TCP")
		between(p, "healthCheck.interval", 5, 300)
		between(p, "healthCheck.timeout", 2, 120)
		between(p, "healthCheck.healthyThreshold", 2, 10)
		between(p, "healthCheck.unhealthyThreshold", 2, 10)
		between(p, "deregistrationDelay", 0, 3600)
		if p.Values.String("healthCheck.protocol") == "TCP" && (p.Values.Has("healthCheck.path") || p.Values.Has("healthCheck.matcher")) {
			p.Add("healthCheck.path", "Attribute cannot be specified when health check protocol is TCP")
		}
	}
	t.Create = func(c *simcloud.Change) error {
		if c.Cloud.By(c.Scope, targetGroup, "name", c.New.String("name")) != nil {
			return errorf("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", c.New.String("name"))
		}
		if interval, timeout := c.New.Int("healthCheck.interval"), c.New.Int("healthCheck.timeout"); interval > 0 && timeout >= interval {
			return errorf("ValidationError", "Health check interval must be greater than the timeout.")
		}
		c.ID = arn("elasticloadbalancing", c.Scope, "targetgroup/"+c.New.String("name")+"/"+digits(c.Cloud, "tg", 16))
		c.Out["arn"], c.Out["arnSuffix"] = c.ID, c.ID[strings.Index(c.ID, "targetgroup/"):]
		return nil
	}

	l := kind(listener, lb.ListenerArgs{}, lb.Listener{}, "defaultActions")
	l.Replace = []string{"loadBalancerArn"}
	l.References = []simcloud.Reference{to("loadBalancerArn", "LoadBalancerNotFound", "Load balancer '%s' not found", loadBalancer),
		holding(to("defaultActions[].targetGroupArn", "TargetGroupNotFound", "Target group '%s' not found", targetGroup))}
	l.Create, l.Update = judgeListener, judgeListener

	a := kind(targetAttachment, lb.TargetGroupAttachmentArgs{}, lb.TargetGroupAttachment{})
	a.Replace = []string{"targetGroupArn", "targetId", "port", "availabilityZone"}
	a.References = []simcloud.Reference{to("targetGroupArn", "TargetGroupNotFound", "Target group '%s' not found", targetGroup)}
	a.Create = judgeTarget
	return []*simcloud.ResourceType{b, t, l, a}
}

func createBalancer(c *simcloud.Change) error {
	name := c.New.String("name")
	if c.Cloud.By(c.Scope, loadBalancer, "name", name) != nil {
		return errorf("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", name)
	}
	if c.New.String("loadBalancerType") != "network" {
		return errorf("UnsupportedOperation", "the simulation has network load balancers only")
	}
	zones, network := map[string]bool{}, ""
	if len(c.New.Strings("subnets")) == 0 {
		return errorf("ValidationError", "At least one subnet must be specified")
	}
	c.ID = arn("elasticloadbalancing", c.Scope, "loadbalancer/net/"+name+"/"+digits(c.Cloud, "nlb", 16))
	for _, each := range c.New.Strings("subnets") {
		in := c.Cloud.Get(c.Scope, subnet, each)
		zone := in.State.String("availabilityZone")
		if zones[zone] {
			return errorf("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		}
		zones[zone], network = true, in.State.String("vpcId")
		if free(c.Cloud, in) < 8 {
			return errorf("InvalidSubnet", "Not enough IP space available in %s", each)
		}
		c.Beside = append(c.Beside, newInterface(c, in, "network_load_balancer", "ELB net/"+name, c.New.Strings("securityGroups")))
	}
	for _, each := range c.New.Strings("securityGroups") {
		if c.Cloud.Get(c.Scope, securityGroup, each).State.String("vpcId") != network {
			return errorf("InvalidSecurityGroup", "The following security groups do not belong to VPC '%s': %s", network, each)
		}
	}
	c.Out = simcloud.Values{"arn": c.ID, "arnSuffix": c.ID[strings.Index(c.ID, "net/"):], "vpcId": network, "zoneId": balancerZone,
		"dnsName": fmt.Sprintf("%s-%s.elb.%s.amazonaws.com", name, c.ID[len(c.ID)-16:], c.Scope)}
	return nil
}

// balancerZone is the hosted zone of the names of load balancers.
const balancerZone = "Z3F0SRJ5LGBH90"

func judgeListener(c *simcloud.Change) error {
	of := c.Cloud.Get(c.Scope, loadBalancer, c.New.String("loadBalancerArn"))
	protocol := c.New.String("protocol")
	if !slices.Contains([]string{"TCP", "TLS", "UDP", "TCP_UDP"}, protocol) {
		return errorf("ValidationError", "Protocol '%s' is not supported for a network load balancer", protocol)
	}
	if (protocol == "TLS") != c.New.Has("certificateArn") {
		return errorf("CertificateNotFound", "A certificate must be specified for TLS listeners, and for no other")
	}
	for _, action := range c.New.List("defaultActions") {
		target := c.Cloud.Get(c.Scope, targetGroup, action.String("targetGroupArn"))
		switch {
		case action.String("type") != "forward" || target == nil:
			return errorf("InvalidLoadBalancerAction", "a network load balancer forwards to a target group")
		case target.State.String("vpcId") != of.State.String("vpcId"):
			return errorf("InvalidConfigurationRequest", "The target group %s and the load balancer %s are in different VPCs", target.ID, of.ID)
		case target.State.String("protocol") != protocol:
			return errorf("InvalidLoadBalancerAction", "Listener protocol '%s' is not supported with a target group with protocol '%s'", protocol, target.State.String("protocol"))
		}
	}
	for _, o := range c.Cloud.Find(c.Scope, listener, nil) {
		if (c.Object == nil || o.ID != c.Object.ID) && o.State.String("loadBalancerArn") == of.ID && o.State.Int("port") == c.New.Int("port") {
			return errorf("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", of.ID)
		}
	}
	if c.Object == nil {
		c.ID = strings.Replace(of.ID, ":loadbalancer/", ":listener/", 1) + "/" + digits(c.Cloud, "listener", 16)
		c.Out["arn"] = c.ID
	}
	return nil
}

// judgeTarget judges a target: an address must be of the network.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-register-targets.html
func judgeTarget(c *simcloud.Change) error {
	of := c.Cloud.Get(c.Scope, targetGroup, c.New.String("targetGroupArn"))
	target := c.New.String("targetId")
	switch of.State.String("targetType") {
	case "ip":
		address, err := netip.ParseAddr(target)
		if err != nil {
			return errorf("ValidationError", "The IP address '%s' is not a valid IPv4 address", target)
		}
		if !slices.ContainsFunc(vpcRanges(c.Cloud, c.Scope, of.State.String("vpcId")), func(p netip.Prefix) bool { return p.Contains(address) }) {
			return errorf("InvalidTarget", "The IP address '%s' must be within the VPC's subnets", target)
		}
	case "instance":
		if c.Cloud.Get(c.Scope, instance, target) == nil {
			return errorf("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'", target)
		}
	}
	c.ID = of.ID + "-" + digits(c.Cloud, "target", 26)
	return nil
}

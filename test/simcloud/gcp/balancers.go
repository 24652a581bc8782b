package gcp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const (
	checkForm   = "projects/{project}/regions/{region}/healthChecks/{name}"
	serviceForm = "projects/{project}/regions/{region}/backendServices/{name}"
	endsForm    = "projects/{project}/zones/{zone}/networkEndpointGroups/{name}"
)

// balancerTypes are what an internal passthrough load balancer is made of.
// https://cloud.google.com/load-balancing/docs/internal
func balancerTypes() []*simcloud.ResourceType {
	return []*simcloud.ResourceType{healthCheckType(), backendServiceType(), forwardingRuleType(), endpointGroupType(), endpointType()}
}

var checkKinds = []string{"httpHealthCheck", "httpsHealthCheck", "tcpHealthCheck", "sslHealthCheck", "http2HealthCheck", "grpcHealthCheck"}

func healthCheckType() *simcloud.ResourceType {
	t := named(kind(healthCheck, checkForm, compute.RegionHealthCheckArgs{}, compute.RegionHealthCheck{}), 63)
	t.Defaults = simcloud.Values{"checkIntervalSec": 5, "timeoutSec": 5, "healthyThreshold": 2, "unhealthyThreshold": 2}
	t.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		p.ExactlyOne(checkKinds...)
		for _, each := range checkKinds {
			p.Between(each+".port", 1, 65535)
		}
		if p.Values.Int("timeoutSec") > p.Values.Int("checkIntervalSec") {
			p.Add("timeoutSec", fmt.Sprintf("timeout_sec (%d) must be less than or equal to check_interval_sec (%d)", p.Values.Int("timeoutSec"), p.Values.Int("checkIntervalSec")))
		}
	}
	return t
}

func backendServiceType() *simcloud.ResourceType {
	t := named(kind(backendService, serviceForm, compute.RegionBackendServiceArgs{}, compute.RegionBackendService{}), 63)
	t.Defaults = simcloud.Values{"loadBalancingScheme": "INTERNAL"}
	t.Replace = append(t.Replace, "network", "loadBalancingScheme")
	t.References = []simcloud.Reference{holding(to("healthChecks", healthCheck, checkForm)), holding(to("backends[].group", endpointGroup, endsForm))}
	t.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		p.OneOf("loadBalancingScheme", "EXTERNAL", "EXTERNAL_MANAGED", "INTERNAL", "INTERNAL_MANAGED")
		p.OneOf("protocol", "HTTP", "HTTPS", "HTTP2", "SSL", "TCP", "UDP", "GRPC", "UNSPECIFIED")
		p.OneOf("sessionAffinity", "NONE", "CLIENT_IP", "CLIENT_IP_PORT_PROTO", "CLIENT_IP_PROTO", "GENERATED_COOKIE", "HEADER_FIELD", "HTTP_COOKIE", "CLIENT_IP_NO_DESTINATION")
		p.Between("connectionDrainingTimeoutSec", 0, 3600)
	}
	passes := func(c *simcloud.Change) error {
		if c.New.String("loadBalancingScheme") != "INTERNAL" {
			return nil
		}
		if !slices.Contains([]string{"TCP", "UDP", "UNSPECIFIED"}, c.New.String("protocol")) {
			return invalid("Invalid value for field 'resource.protocol': '%s'. Backend services of scheme INTERNAL pass packets on: protocol must be TCP, UDP or UNSPECIFIED.", c.New.String("protocol"))
		}
		if c.New.String("healthChecks") == "" {
			return invalid("Invalid value for field 'resource.healthChecks': ''. A health check must be specified.")
		}
		for i, each := range c.New.List("backends") {
			if mode := each.String("balancingMode"); mode != "CONNECTION" {
				return invalid("Invalid value for field 'resource.backends[%d].balancingMode': '%s'. Balancing mode must be CONNECTION for an INTERNAL backend service.", i, mode)
			}
			for _, name := range []string{"maxUtilization", "maxRate", "maxRatePerInstance", "maxConnections", "maxConnectionsPerInstance", "capacityScaler"} {
				if each.Has(name) {
					return invalid("Invalid value for field 'resource.backends[%d].%s': '%v'. Not supported by an INTERNAL backend service.", i, name, each.Get(name))
				}
			}
			if ends := c.Cloud.Get("", endpointGroup, normal(c.Scope, c.New, endsForm, each.String("group"))); ends != nil {
				if got, at := regionOf(part(ends.ID, "zones")), placeOf(c.Scope, c.New).region; got != at {
					return invalid("Invalid value for field 'resource.backends[%d].group': '%s'. The group is in region %s, the backend service in %s.", i, ends.ID, got, at)
				}
			}
		}
		return nil
	}
	judged(t, passes, passes)
	return t
}

func forwardingRuleType() *simcloud.ResourceType {
	t := named(kind(forwardingRule, "projects/{project}/regions/{region}/forwardingRules/{name}", compute.ForwardingRuleArgs{}, compute.ForwardingRule{}), 63)
	t.Defaults = simcloud.Values{"loadBalancingScheme": "EXTERNAL"}
	t.Replace = slices.DeleteFunc(slices.Sorted(maps.Keys(t.Inputs.Fields)), func(name string) bool {
		return slices.Contains([]string{"allowGlobalAccess", "labels", "target", "allowPscGlobalAccess"}, name)
	})
	t.References = []simcloud.Reference{holding(to("backendService", backendService, serviceForm)), holding(toNetwork("network")), holding(toSubnetwork("subnetwork"))}
	t.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		labelsAt(p, "labels")
		p.OneOf("loadBalancingScheme", "EXTERNAL", "EXTERNAL_MANAGED", "INTERNAL", "INTERNAL_MANAGED")
		p.OneOf("ipProtocol", "TCP", "UDP", "ESP", "AH", "SCTP", "ICMP", "L3_DEFAULT")
		conflicts(p, "ports", "portRange", "allPorts")
		if n := len(p.Values.Strings("ports")); n > 5 {
			p.Add("ports", fmt.Sprintf("Too many items: at most 5 allowed, got %d", n))
		}
	}
	judged(t, func(c *simcloud.Change) error {
		if c.New.String("loadBalancingScheme") != "INTERNAL" {
			return nil
		}
		if c.New.String("backendService") == "" || !c.New.Has("ports") && !c.New.Bool("allPorts") {
			return invalid("Invalid value for field 'resource.backendService': a forwarding rule of scheme INTERNAL needs a backend service, and ports or allPorts.")
		}
		in := c.Cloud.Get("", subnetwork, normal(c.Scope, c.New, subnetForm, c.New.String("subnetwork")))
		if in == nil {
			return invalid("Invalid value for field 'resource.subnetwork': ''. Subnetwork must be specified for internal load balancing in a network of custom mode.")
		}
		text := c.New.String("ipAddress")
		if reserved := c.Cloud.Get("", address, normal(c.Scope, c.New, addressForm, text)); reserved != nil {
			text = reserved.State.String("address")
		}
		c.Out["ipAddress"] = text
		return judgeAddress(c, "resource.IPAddress", text, in)
	}, nil)
	return t
}

// endpointGroupType is a group of addresses of machines in a zone.
// https://cloud.google.com/load-balancing/docs/negs/zonal-neg-concepts
func endpointGroupType() *simcloud.ResourceType {
	t := named(kind(endpointGroup, endsForm, compute.NetworkEndpointGroupArgs{}, compute.NetworkEndpointGroup{}), 63)
	t.Defaults = simcloud.Values{"networkEndpointType": "GCE_VM_IP_PORT"}
	t.Replace = slices.Sorted(maps.Keys(t.Inputs.Fields))
	t.References = []simcloud.Reference{holding(toNetwork("network")), holding(instanceRegion("subnetwork"))}
	t.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		p.OneOf("networkEndpointType", "GCE_VM_IP", "GCE_VM_IP_PORT", "NON_GCP_PRIVATE_IP_PORT")
		if p.Values.String("networkEndpointType") == "GCE_VM_IP" {
			if p.Values.Has("defaultPort") {
				p.Add("defaultPort", "a group of the type GCE_VM_IP has no ports")
			}
			if !p.Values.Has("subnetwork") {
				p.Add("subnetwork", "a group of the type GCE_VM_IP needs a subnetwork")
			}
		}
	}
	return t
}

func endpointType() *simcloud.ResourceType {
	t := kind(endpoint, "{project}/{zone}/{networkEndpointGroup}/{instance}/{ipAddress}", compute.NetworkEndpointArgs{}, compute.NetworkEndpoint{})
	t.Replace = slices.Sorted(maps.Keys(t.Inputs.Fields))
	t.References = []simcloud.Reference{holding(to("networkEndpointGroup", endpointGroup, endsForm)), to("instance", instance, instanceForm)}
	judged(t, func(c *simcloud.Change) error {
		ends := c.Cloud.Get("", endpointGroup, normal(c.Scope, c.New, endsForm, c.New.String("networkEndpointGroup")))
		if ends.State.String("networkEndpointType") == "GCE_VM_IP" && c.New.Has("port") {
			return invalid("Invalid value for field 'resource.networkEndpoints[0].port': '%d'. A group of the type GCE_VM_IP has no ports.", c.New.Int("port"))
		}
		machine := c.Cloud.Get("", instance, normal(c.Scope, c.New, instanceForm, c.New.String("instance")))
		if machine == nil {
			return invalid("Invalid value for field 'resource.networkEndpoints[0].instance': ''. An instance must be specified.")
		}
		for _, nic := range machine.State.List("networkInterfaces") {
			if nic.String("networkIp") == c.New.String("ipAddress") {
				return nil
			}
		}
		return invalid("Invalid value for field 'resource.networkEndpoints[0].ipAddress': '%s'. The address is none of the instance '%s'.", c.New.String("ipAddress"), machine.ID)
	}, nil)
	return t
}

// gone takes a machine that is deleted out of the groups of load balancers, as Google does.
func gone(c *simcloud.Change) error {
	for _, o := range c.Cloud.Find("", endpoint, func(o *simcloud.Object) bool {
		return normal("", o.State, instanceForm, o.State.String("instance")) == c.Object.ID
	}) {
		if err := c.Cloud.Release(o); err != nil {
			return err
		}
	}
	return nil
}

// insideOf judges that an address is one that a subnetwork gives out: the first two and the last two are Google's.
// https://cloud.google.com/vpc/docs/subnets#unusable-ip-addresses-in-every-subnet
func insideOf(field, text string, in *simcloud.Object) error {
	given, err := netip.ParseAddr(text)
	prefix, _ := netip.ParsePrefix(in.State.String("ipCidrRange"))
	if err != nil || !prefix.Contains(given) {
		return invalid("Invalid value for field '%s': '%s'. IP address must be in the range %s of the subnetwork '%s'.", field, text, prefix, in.ID)
	}
	first := prefix.Addr()
	last := given
	for range 2 {
		last = last.Next()
	}
	if given == first || given == first.Next() || !prefix.Contains(last) {
		return invalid("Invalid value for field '%s': '%s'. The address is reserved by Google: the first two and the last two of a subnetwork are.", field, text)
	}
	return nil
}

package gcp

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const everything = "ALL_SUBNETWORKS_ALL_IP_RANGES"

// routerTypes are Cloud Routers and Cloud NAT: https://cloud.google.com/nat/docs/nat-product-interactions
func routerTypes() []*simcloud.ResourceType {
	r := named(kind(router, routerForm, compute.RouterArgs{}, compute.Router{}), 63)
	r.Replace = append(r.Replace, "network", "encryptedInterconnectRouter")
	r.References = []simcloud.Reference{holding(toNetwork("network"))}
	r.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		asnAt(p, "bgp.asn")
		p.OneOf("bgp.advertiseMode", "DEFAULT", "CUSTOM")
		p.Between("bgp.keepaliveInterval", 20, 60)
		for i := range p.Values.List("bgp.advertisedIpRanges") {
			p.CIDR(fmt.Sprintf("bgp.advertisedIpRanges[%d].range", i), 0, 32)
		}
	}

	n := named(kind(routerNat, "{project}/{region}/{router}/{name}", compute.RouterNatArgs{}, compute.RouterNat{}), 63)
	n.Defaults = simcloud.Values{"type": "PUBLIC"}
	n.References = []simcloud.Reference{to("router", router, routerForm), holding(toSubnetwork("subnetworks[].name")),
		holding(to("natIps[]", address, "projects/{project}/regions/{region}/addresses/{name}"))}
	n.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		p.OneOf("natIpAllocateOption", "MANUAL_ONLY", "AUTO_ONLY")
		p.OneOf("sourceSubnetworkIpRangesToNat", everything, "ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES", "LIST_OF_SUBNETWORKS")
		p.OneOf("type", "PUBLIC", "PRIVATE")
		p.OneOf("logConfig.filter", "ERRORS_ONLY", "TRANSLATIONS_ONLY", "ALL")
	}
	judged(n, judgeNat, judgeNat)
	return []*simcloud.ResourceType{r, n}
}

// asnAt judges an autonomous system number: one for private use (RFC 6996), or Google's own for partners.
func asnAt(p *simcloud.Plan, path string) {
	if n, ok := p.Values.Get(path).(float64); ok && n != 16550 && (n < 64512 || n > 65534) && (n < 4200000000 || n > 4294967294) {
		p.Add(path, fmt.Sprintf("expected %s to be a RFC6996-compliant Local ASN, got %v", path, n))
	}
}

func judgeNat(c *simcloud.Change) error {
	v := c.New
	which := v.String("sourceSubnetworkIpRangesToNat")
	if (which == "LIST_OF_SUBNETWORKS") != (len(v.List("subnetworks")) > 0) {
		return invalid("Invalid value for field 'resource.nats[0].subnetworks': subnetworks are listed with LIST_OF_SUBNETWORKS, and only then.")
	}
	switch ips := len(v.Strings("natIps")); {
	case v.String("type") == "PRIVATE":
	case v.String("natIpAllocateOption") == "":
		return invalid("Required field 'resource.nats[0].natIpAllocateOption' not specified")
	case (v.String("natIpAllocateOption") == "MANUAL_ONLY") != (ips > 0):
		return invalid("Invalid value for field 'resource.nats[0].natIps': addresses are given with MANUAL_ONLY, and only then.")
	}
	if v.Bool("enableDynamicPortAllocation") && v.Bool("enableEndpointIndependentMapping") {
		return invalid("Invalid value for field 'resource.nats[0].enableDynamicPortAllocation': 'true'. Endpoint-Independent Mapping and Dynamic Port Allocation cannot be enabled at the same time.")
	}
	at := placeOf(c.Scope, v)
	own := networkOf(c.Cloud.Get("", router, normal(c.Scope, v, routerForm, v.String("router"))))
	for _, other := range c.Cloud.Find("", routerNat, func(o *simcloud.Object) bool { return o.ID != c.ID && o.State.String("region") == at.region }) {
		through := c.Cloud.Get("", router, normal(c.Scope, other.State, routerForm, other.State.String("router")))
		if through == nil || networkOf(through) != own || other.State.String("type") != v.String("type") {
			continue
		}
		if theirs := other.State.String("sourceSubnetworkIpRangesToNat"); which == everything || theirs == everything {
			return invalid("Invalid value for field 'resource.nats[0].name': '%s'. Can not create new Nats since a Nat with option %s exists.", v.String("name"), everything)
		}
	}
	return nil
}

// natted tells whether a NAT carries what leaves a subnetwork from its own range.
func natted(cloud *simcloud.Cloud, at *simcloud.Object) bool {
	return len(cloud.Find("", routerNat, func(o *simcloud.Object) bool {
		through := cloud.Get("", router, normal("", o.State, routerForm, o.State.String("router")))
		if through == nil || networkOf(through) != networkOf(at) || o.State.String("region") != at.State.String("region") || o.State.String("type") == "PRIVATE" {
			return false
		}
		return o.State.String("sourceSubnetworkIpRangesToNat") != "LIST_OF_SUBNETWORKS" || slices.ContainsFunc(o.State.List("subnetworks"), func(v simcloud.Values) bool {
			return normal("", o.State, subnetForm, v.String("name")) == at.ID
		})
	})) > 0
}

package gcp

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/dns"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var dnsName = regexp.MustCompile(`^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+$`)

// dnsTypes are zones and records: https://cloud.google.com/dns/docs/zones
func dnsTypes() []*simcloud.ResourceType {
	z := named(kind(zone, zoneForm, dns.ManagedZoneArgs{}, dns.ManagedZone{}), 63)
	z.Defaults = simcloud.Values{"visibility": "public", "description": "Managed by Pulumi", "forceDestroy": false}
	z.Replace = append(z.Replace, "dnsName", "visibility", "reverseLookup")
	z.References = []simcloud.Reference{toNetwork("privateVisibilityConfig.networks[].networkUrl")}
	z.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		labelsAt(p, "labels")
		p.OneOf("visibility", "private", "public")
		matching(p, "dnsName", dnsName, "a DNS name ends with a dot and is in lower case")
		if p.Values.Has("privateVisibilityConfig") && p.Values.String("visibility") == "public" {
			p.Add("privateVisibilityConfig", "a public zone is visible to everybody: set visibility to private")
		}
	}
	z.InUse = func(o, by *simcloud.Object) *simcloud.Error {
		return coded(400, "containerNotEmpty", "The resource named '%s' cannot be deleted because it contains one or more 'resource records'.", o.State.String("name"))
	}
	visible := func(c *simcloud.Change) error {
		mine := networksOf(c.Scope, c.New)
		for _, other := range c.Cloud.Find("", zone, func(o *simcloud.Object) bool {
			return o.ID != c.ID && o.State.String("dnsName") == c.New.String("dnsName")
		}) {
			for _, each := range networksOf("", other.State) {
				if slices.Contains(mine, each) {
					return coded(409, "conflict", "The network '%s' is already bound to the zone '%s' with the DNS name '%s'.", each, other.State.String("name"), c.New.String("dnsName"))
				}
			}
		}
		return nil
	}
	judged(z, func(c *simcloud.Change) error {
		c.Out["managedZoneId"] = digits(c.Cloud, "zone", 19)
		c.Out["nameServers"] = []string{"ns-gcp-private.googledomains.com."}
		if c.New.String("visibility") == "public" {
			c.Out["nameServers"] = []string{"ns-cloud-a1.googledomains.com.", "ns-cloud-a2.googledomains.com."}
		}
		return visible(c)
	}, visible)

	r := kind(recordSet, "projects/{project}/managedZones/{managedZone}/rrsets/{name}/{type}", dns.RecordSetArgs{}, dns.RecordSet{})
	r.References = []simcloud.Reference{holding(to("managedZone", zone, zoneForm))}
	r.Check = func(p *simcloud.Plan) {
		p.OneOf("type", "A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "SVCB", "TXT")
		matching(p, "name", dnsName, "a DNS name ends with a dot and is in lower case")
		p.ExactlyOne("rrdatas", "routingPolicy")
		for i, text := range p.Values.Strings("rrdatas") {
			at := fmt.Sprintf("rrdatas[%d]", i)
			addr, err := netip.ParseAddr(text)
			switch p.Values.String("type") {
			case "A":
				if err != nil || !addr.Is4() {
					p.Add(at, fmt.Sprintf("%q is not an IPv4 address", text))
				}
			case "AAAA":
				if err != nil || !addr.Is6() {
					p.Add(at, fmt.Sprintf("%q is not an IPv6 address", text))
				}
			case "CNAME":
				if !dnsName.MatchString(text) {
					p.Add(at, fmt.Sprintf("%q is not a DNS name that ends with a dot", text))
				}
			}
		}
	}
	judged(r, judgeRecord, judgeRecord)

	policy := named(kind(dnsPolicy, "projects/{project}/policies/{name}", dns.PolicyArgs{}, dns.Policy{}), 63)
	policy.References = []simcloud.Reference{toNetwork("networks[].networkUrl")}
	alone := func(c *simcloud.Change) error {
		for _, each := range c.New.List("networks") {
			mine := normal(c.Scope, c.New, networkForm, each.String("networkUrl"))
			for _, other := range c.Cloud.Find("", dnsPolicy, func(o *simcloud.Object) bool { return o.ID != c.ID }) {
				for _, theirs := range other.State.List("networks") {
					if normal("", other.State, networkForm, theirs.String("networkUrl")) == mine {
						return coded(409, "conflict", "The network '%s' is already bound to the policy '%s'.", mine, other.State.String("name"))
					}
				}
			}
		}
		return nil
	}
	judged(policy, alone, alone)
	return []*simcloud.ResourceType{z, r, policy}
}

// networksOf are the networks that see a private zone.
func networksOf(scope string, v simcloud.Values) []string {
	var out []string
	for _, each := range v.List("privateVisibilityConfig.networks") {
		out = append(out, normal(scope, v, networkForm, each.String("networkUrl")))
	}
	return out
}

func judgeRecord(c *simcloud.Change) error {
	in := c.Cloud.Get("", zone, normal(c.Scope, c.New, zoneForm, c.New.String("managedZone")))
	name, apex := c.New.String("name"), in.State.String("dnsName")
	if name != apex && !strings.HasSuffix(name, "."+apex) {
		return invalid("Invalid value for 'entity.change.additions[0].name': '%s'; the zone '%s' is for '%s'", name, in.State.String("name"), apex)
	}
	kind := c.New.String("type")
	for _, other := range c.Cloud.Find("", recordSet, func(o *simcloud.Object) bool {
		return o.ID != c.ID && normal("", o.State, zoneForm, o.State.String("managedZone")) == in.ID && o.State.String("name") == name
	}) {
		if kind == "CNAME" || other.State.String("type") == "CNAME" {
			return coded(400, "cnameResourceRecordSetConflict", "The resource record set 'entity.change.additions[%s][%s]' is invalid because the DNS name '%s' may have either one CNAME resource record set or resource record sets of other types, but not both.", name, kind, name)
		}
	}
	if kind == "CNAME" && name == apex {
		return coded(400, "invalidZoneApex", "The resource record set 'entity.change.additions[%s][CNAME]' is invalid because the zone's apex has NS and SOA records", name)
	}
	return nil
}

// lookup gives the IPv4 addresses that a name has for a network, and whether a private zone answers for it: the most
// specific one does, with or without an answer. https://cloud.google.com/dns/docs/vpc-name-res-order
func lookup(cloud *simcloud.Cloud, networkID, name string) (addresses []netip.Addr, private bool) {
	for range 8 { // as many aliases as resolvers follow
		var best *simcloud.Object
		for _, z := range cloud.Find("", zone, func(o *simcloud.Object) bool { return slices.Contains(networksOf("", o.State), networkID) }) {
			apex := z.State.String("dnsName")
			if (name == apex || strings.HasSuffix(name, "."+apex)) && (best == nil || len(apex) > len(best.State.String("dnsName"))) {
				best = z
			}
		}
		if best == nil {
			return nil, private
		}
		private = true
		record := answer(cloud, best, name)
		if record == nil {
			return nil, true
		}
		if record.State.String("type") == "A" {
			for _, text := range record.State.Strings("rrdatas") {
				if addr, err := netip.ParseAddr(text); err == nil {
					addresses = append(addresses, addr)
				}
			}
			return addresses, true
		}
		name = record.State.Strings("rrdatas")[0]
	}
	return nil, true
}

// answer is the record of a zone for a name: its own, or the wildcard above it.
func answer(cloud *simcloud.Cloud, in *simcloud.Object, name string) *simcloud.Object {
	_, above, _ := strings.Cut(name, ".")
	for _, want := range []string{name, "*." + above, "*." + in.State.String("dnsName")} {
		found := cloud.Find("", recordSet, func(o *simcloud.Object) bool {
			kind := o.State.String("type")
			return normal("", o.State, zoneForm, o.State.String("managedZone")) == in.ID && o.State.String("name") == want && (kind == "A" || kind == "CNAME") && len(o.State.Strings("rrdatas")) > 0
		})
		if len(found) > 0 {
			return found[0]
		}
	}
	return nil
}

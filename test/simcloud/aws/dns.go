package aws

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// dnsTypes are private zones and their records:
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zones-private.html
func dnsTypes() []*simcloud.ResourceType {
	z := kind(hostedZone, route53.ZoneArgs{}, route53.Zone{})
	z.Global = true
	z.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 1024}
	z.Replace = []string{"name", "delegationSetId"}
	z.References = []simcloud.Reference{toVPC("vpcs[].vpcId")}
	z.InUse = func(_, _ *simcloud.Object) *simcloud.Error {
		return errorf("HostedZoneNotEmpty", "The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
	}
	z.Check = func(p *simcloud.Plan) {
		if p.Values.Has("vpcs") && p.Values.Has("delegationSetId") {
			p.Add("delegationSetId", "conflicts with vpcs")
		}
	}
	z.Create = func(c *simcloud.Change) error {
		name := strings.TrimSuffix(c.New.String("name"), ".")
		for _, o := range c.Cloud.Find("", hostedZone, func(o *simcloud.Object) bool { return o.State.String("name") == name }) {
			for _, a := range o.State.List("vpcs") {
				for _, b := range c.New.List("vpcs") {
					if a.String("vpcId") == b.String("vpcId") {
						return errorf("ConflictingDomainExists", "The VPC %s is already associated with the hosted zone %s that has the same name", a.String("vpcId"), o.ID)
					}
				}
			}
		}
		c.ID = "Z" + strings.ToUpper(digits(c.Cloud, "zone", 20))
		c.Out["zoneId"], c.Out["arn"] = c.ID, "arn:aws:route53:::hostedzone/"+c.ID
		return nil
	}

	r := kind(dnsRecord, route53.RecordArgs{}, route53.Record{})
	r.Global = true
	r.Replace = []string{"name", "zoneId", "type", "setIdentifier"}
	r.References = []simcloud.Reference{holding(to("zoneId", "NoSuchHostedZone", "No hosted zone found with ID: %s", hostedZone))}
	r.Check = func(p *simcloud.Plan) {
		oneOf(p, "type", "A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT")
		exactlyOne(p, []string{"records", "aliases"})
		if p.Values.Has("records") != p.Values.Has("ttl") {
			p.Add("ttl", "records have a ttl, and aliases have none")
		}
	}
	r.Create, r.Update = judgeRecord, judgeRecord
	return []*simcloud.ResourceType{z, r}
}

func judgeRecord(c *simcloud.Change) error {
	of := c.Cloud.Get("", hostedZone, c.New.String("zoneId"))
	zone, name := of.State.String("name"), strings.TrimSuffix(c.New.String("name"), ".")
	if name != zone && !strings.HasSuffix(name, "."+zone) {
		name += "." + zone // the provider completes a short name
	}
	if strings.Count(name, zone) > 1 {
		return errorf("InvalidChangeBatch", "RRSet with DNS name %s. is not permitted in zone %s.", name, zone)
	}
	for _, alias := range c.New.List("aliases") {
		target := alias.String("name")
		at := c.Cloud.By(c.Scope, loadBalancer, "dnsName", target)
		if at == nil || at.State.String("zoneId") != alias.String("zoneId") {
			return errorf("InvalidChangeBatch", "Tried to create an alias that targets %s., type %s in zone %s, but the alias target name does not lie within the target zone", target, c.New.String("type"), alias.String("zoneId"))
		}
	}
	c.Out["fqdn"] = name
	if c.Object == nil {
		c.ID = of.ID + "_" + name + "_" + c.New.String("type")
		if c.Cloud.Get("", dnsRecord, c.ID) != nil && !c.New.Bool("allowOverwrite") {
			return errorf("InvalidChangeBatch", "Tried to create resource record set [name='%s.', type='%s'] but it already exists", name, c.New.String("type"))
		}
	}
	return nil
}

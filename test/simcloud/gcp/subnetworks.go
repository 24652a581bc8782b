package gcp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// subnetworkTypes are subnetworks: https://cloud.google.com/compute/docs/reference/rest/v1/subnetworks
func subnetworkTypes() []*simcloud.ResourceType {
	t := named(kind(subnetwork, subnetForm, compute.SubnetworkArgs{}, compute.Subnetwork{}), 63)
	t.Defaults = simcloud.Values{"purpose": "PRIVATE", "stackType": "IPV4_ONLY", "privateIpGoogleAccess": false}
	t.Replace = append(t.Replace, "network", "description", "purpose", "externalIpv6Prefix")
	t.ReplaceIf = func(olds, news simcloud.Values) []string { // a subnetwork grows in place and never shrinks
		was, errWas := netip.ParsePrefix(olds.String("ipCidrRange"))
		is, errIs := netip.ParsePrefix(news.String("ipCidrRange"))
		if errWas != nil || errIs != nil || !simcloud.Within(was, is) {
			return []string{"ipCidrRange"}
		}
		return nil
	}
	t.References = []simcloud.Reference{holding(toNetwork("network"))}
	t.Check = checkSubnetwork
	judged(t, func(c *simcloud.Change) error {
		c.Out["gatewayAddress"] = ""
		if p, err := netip.ParsePrefix(c.New.String("ipCidrRange")); err == nil {
			c.Out["gatewayAddress"] = p.Addr().Next().String()
		}
		return judgeSubnetwork(c)
	}, func(c *simcloud.Change) error {
		if err := judgeSubnetwork(c); err != nil {
			return err
		}
		return judgeSecondary(c)
	})
	return []*simcloud.ResourceType{t}
}

func checkSubnetwork(p *simcloud.Plan) {
	v := p.Values
	nameAt(p, "name")
	p.CIDR("ipCidrRange", 4, 29)
	p.OneOf("purpose", "PRIVATE", "REGIONAL_MANAGED_PROXY", "GLOBAL_MANAGED_PROXY", "PRIVATE_SERVICE_CONNECT", "PRIVATE_NAT")
	p.OneOf("stackType", "IPV4_ONLY", "IPV4_IPV6")
	p.OneOf("logConfig.aggregationInterval", "INTERVAL_5_SEC", "INTERVAL_30_SEC", "INTERVAL_1_MIN", "INTERVAL_5_MIN", "INTERVAL_10_MIN", "INTERVAL_15_MIN")
	p.OneOf("logConfig.metadata", "EXCLUDE_ALL_METADATA", "INCLUDE_ALL_METADATA", "CUSTOM_METADATA")
	if n, ok := v.Get("logConfig.flowSampling").(float64); ok && (n < 0 || n > 1) {
		p.Add("logConfig.flowSampling", fmt.Sprintf("expected logConfig.flowSampling to be in the range (0 - 1), got %v", n))
	}
	if len(v.Strings("logConfig.metadataFields")) > 0 && v.String("logConfig.metadata") != "CUSTOM_METADATA" {
		p.Add("logConfig.metadataFields", "metadata_fields can only be set when metadata is CUSTOM_METADATA")
	}
	seen := map[string]bool{}
	for i, r := range v.List("secondaryIpRanges") {
		at := fmt.Sprintf("secondaryIpRanges[%d]", i)
		nameAt(p, at+".rangeName")
		p.CIDR(at+".ipCidrRange", 4, 29)
		if name := r.String("rangeName"); name != "" && seen[name] {
			p.Add(at+".rangeName", fmt.Sprintf("the secondary range %q is there twice", name))
		}
		seen[r.String("rangeName")] = true
	}
}

// judgeSubnetwork judges the ranges of a subnetwork: each may be used at all, and lies apart from every other of the network.
func judgeSubnetwork(c *simcloud.Change) error {
	own := normal(c.Scope, c.New, networkForm, c.New.String("network"))
	texts := []string{c.New.String("ipCidrRange")}
	for _, r := range c.New.List("secondaryIpRanges") {
		texts = append(texts, r.String("ipCidrRange"))
	}
	var mine []netip.Prefix
	for i, text := range texts {
		field := "resource.ipCidrRange"
		if i > 0 {
			field = fmt.Sprintf("resource.secondaryIpRanges[%d].ipCidrRange", i-1)
		}
		p, err := simcloud.Network(text)
		if err != nil || overlaps(p, prohibited) || !within(p, usable) {
			return invalid("Invalid value for field '%s': '%s'. %s is not a range that a subnetwork may have: it must lie in one that RFC 1918, 6598, 6890 or 5735 sets apart.", field, text, text)
		}
		if overlaps(p, mine) {
			return invalid("Invalid IPCidrRange: %s conflicts with another range of the same subnetwork.", text)
		}
		mine = append(mine, p)
		for _, other := range ranges(c.Cloud, own) {
			if other.by.ID == c.ID || !other.prefix.Overlaps(p) {
				continue
			}
			if other.by.Type == subnetwork {
				return invalid("Invalid IPCidrRange: %s conflicts with existing subnetwork '%s' in region '%s'.", text, other.by.State.String("name"), part(other.by.ID, "regions"))
			}
			return invalid("Invalid IPCidrRange: %s conflicts with the range %s (%s) of '%s'.", text, other.prefix, other.name, other.by.ID)
		}
	}
	if c.New.String("purpose") != "PRIVATE" && c.New.Has("logConfig") {
		return invalid("Invalid value for field 'resource.enableFlowLogs': 'true'. Flow logs are not supported by a subnetwork with purpose %s.", c.New.String("purpose"))
	}
	return nil
}

// judgeSecondary judges that no range disappears under the cluster that uses it.
func judgeSecondary(c *simcloud.Change) error {
	for _, was := range c.Old.List("secondaryIpRanges") {
		name := was.String("rangeName")
		kept := slices.ContainsFunc(c.New.List("secondaryIpRanges"), func(is simcloud.Values) bool {
			return is.String("rangeName") == name && is.String("ipCidrRange") == was.String("ipCidrRange")
		})
		if kept {
			continue
		}
		for _, o := range c.Cloud.Find("", cluster, nil) {
			if subnetworkOf(o) == c.ID && (o.State.String("ipAllocationPolicy.clusterSecondaryRangeName") == name || o.State.String("ipAllocationPolicy.servicesSecondaryRangeName") == name) {
				return coded(400, "resourceInUseByAnotherResource", "The subnetwork resource '%s' cannot lose its secondary range '%s', which is being used by '%s'", c.ID, name, o.ID)
			}
		}
	}
	return nil
}

// secondary is the secondary range of a name, invalid when the subnetwork has none.
func secondary(o *simcloud.Object, name string) netip.Prefix {
	for _, r := range o.State.List("secondaryIpRanges") {
		if r.String("rangeName") == name {
			p, _ := netip.ParsePrefix(r.String("ipCidrRange"))
			return p
		}
	}
	return netip.Prefix{}
}

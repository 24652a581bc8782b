package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var serviceEmail = regexp.MustCompile(`^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$`)

// firewallTypes are VPC firewall rules: https://cloud.google.com/firewall/docs/firewalls#firewall_rule_components
func firewallTypes() []*simcloud.ResourceType {
	t := named(kind(firewall, "projects/{project}/global/firewalls/{name}", compute.FirewallArgs{}, compute.Firewall{}), 63)
	t.Defaults = simcloud.Values{"priority": 1000, "direction": "INGRESS", "disabled": false}
	t.Replace = append(t.Replace, "network", "direction")
	t.References = []simcloud.Reference{holding(toNetwork("network"))}
	t.Check = checkFirewall
	judged(t, judgeFirewall, judgeFirewall)
	return []*simcloud.ResourceType{t}
}

func checkFirewall(p *simcloud.Plan) {
	v := p.Values
	nameAt(p, "name")
	p.Between("priority", 0, 65535)
	p.OneOf("direction", "INGRESS", "EGRESS")
	p.OneOf("logConfig.metadata", "EXCLUDE_ALL_METADATA", "INCLUDE_ALL_METADATA")
	p.ExactlyOne("allows", "denies")
	for _, mine := range []string{"sourceTags", "targetTags"} {
		conflicts(p, mine, "sourceServiceAccounts", "targetServiceAccounts")
	}
	if v.Get("enableLogging") == false && v.Has("logConfig") {
		p.Add("logConfig", "log_config cannot be defined when enable_logging is false")
	}
	sources := []string{"sourceRanges", "sourceTags", "sourceServiceAccounts"}
	given := slices.ContainsFunc(sources, v.Has)
	switch v.String("direction") {
	case "INGRESS":
		if !given {
			p.Add("sourceRanges", "one of source_tags, source_ranges, or source_service_accounts must be defined")
		}
	case "EGRESS":
		for _, name := range sources {
			if v.Has(name) {
				p.Add(name, name+" cannot be set for a rule with direction EGRESS: what it says is where traffic goes, in destinationRanges")
			}
		}
	}
	for _, name := range []string{"sourceRanges", "destinationRanges"} {
		for i, text := range v.Strings(name) {
			if _, err := simcloud.Network(text); err != nil {
				p.Add(fmt.Sprintf("%s[%d]", name, i), err.Error())
			}
		}
	}
	for _, name := range []string{"sourceTags", "targetTags"} {
		for i := range v.Strings(name) {
			nameAt(p, fmt.Sprintf("%s[%d]", name, i))
		}
	}
}

// protocols are those that have a name. https://cloud.google.com/firewall/docs/firewalls#protocols_and_ports
var protocols = []string{"tcp", "udp", "icmp", "esp", "ah", "sctp", "ipip", "all"}

func judgeFirewall(c *simcloud.Change) error {
	for field, list := range map[string]string{"allowed": "allows", "denied": "denies"} {
		for i, each := range c.New.List(list) {
			protocol := each.String("protocol")
			if n, err := strconv.Atoi(protocol); !slices.Contains(protocols, protocol) && (err != nil || n < 0 || n > 255) {
				return invalid("Invalid value for field 'resource.%s[%d].IPProtocol': '%s'. Must be one of %s, or a protocol number.", field, i, protocol, strings.Join(protocols, ", "))
			}
			ports := each.Strings("ports")
			if len(ports) > 0 && !slices.Contains([]string{"tcp", "udp", "sctp", "6", "17", "132"}, protocol) {
				return invalid("Invalid value for field 'resource.%s[%d].ports': ports are not allowed for protocol '%s'.", field, i, protocol)
			}
			for j, text := range ports {
				if _, _, err := portRange(text); err != nil {
					return invalid("Invalid value for field 'resource.%s[%d].ports[%d]': '%s'. %v", field, i, j, text, err)
				}
			}
		}
	}
	for name, most := range map[string]int{"sourceTags": 30, "targetTags": 70, "sourceServiceAccounts": 10, "targetServiceAccounts": 10, "sourceRanges": 5000, "destinationRanges": 5000} {
		if n := len(c.New.Strings(name)); n > most { // https://cloud.google.com/firewall/quotas
			return invalid("Invalid value for field 'resource.%s': there are %d, at most %d are allowed.", name, n, most)
		}
	}
	for _, name := range []string{"sourceServiceAccounts", "targetServiceAccounts"} {
		for i, email := range c.New.Strings(name) {
			if !serviceEmail.MatchString(email) {
				return invalid("Invalid value for field 'resource.%s[%d]': '%s'. The service account is not a valid email address.", name, i, email)
			}
		}
	}
	return nil
}

// portRange reads "443" or "30000-32767".
func portRange(text string) (from, to int, err error) {
	first, last, many := strings.Cut(text, "-")
	if from, err = strconv.Atoi(first); err != nil {
		return 0, 0, fmt.Errorf("ports are numbers or ranges such as 30000-32767")
	}
	if to = from; many {
		if to, err = strconv.Atoi(last); err != nil {
			return 0, 0, fmt.Errorf("ports are numbers or ranges such as 30000-32767")
		}
	}
	if from < 0 || to > 65535 || from > to {
		return 0, 0, fmt.Errorf("ports go up from 0 to 65535")
	}
	return from, to, nil
}

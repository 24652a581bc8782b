package aws

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/addressplan"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Ways out of a network.
const (
	// EgressNone leaves only the endpoints. The default.
	EgressNone = "none"
	// EgressNAT is a NAT gateway in each zone.
	EgressNAT = "nat"
	// EgressFirewall is an endpoint of a firewall in each zone, which exists
	// already: of AWS Network Firewall or of a gateway load balancer.
	EgressFirewall = "firewall"
)

const (
	defaultCIDR = "10.0.0.0/16"
	minZones    = 2 // EKS refuses fewer
	maxPeers    = 8 // a network ACL has 20 rules for each direction
)

// NetworkArgs describes a private network. Account, Cluster, Zones and
// LogsKeyArn are required.
type NetworkArgs struct {
	Account Account `pulumi:"account"`
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string `pulumi:"cluster"`
	// CIDR is the range of the network, IPv4, /16 to /20, 10.0.0.0/16 by default;
	// package addressplan divides it.
	CIDR string `pulumi:"cidr,optional"`
	// Zones are two to six availability zones, such as eu-central-1a. The letter
	// of a zone decides its addresses, so that their order and number may change.
	Zones []string `pulumi:"zones"`
	// IPv6 adds a range that AWS chooses.
	IPv6 bool `pulumi:"ipv6,optional"`
	// ServiceCIDR and PodCIDRs are ranges inside the cluster, and PeerCIDRs those
	// of other networks that reach this one. None of them may overlap another.
	ServiceCIDR string   `pulumi:"serviceCIDR,optional"`
	PodCIDRs    []string `pulumi:"podCIDRs,optional"`
	PeerCIDRs   []string `pulumi:"peerCIDRs,optional"`
	// Egress is EgressNone by default.
	Egress string `pulumi:"egress,optional"`
	// FirewallEndpoints are the ids of the firewall's endpoints by zone, with
	// EgressFirewall.
	FirewallEndpoints pulumi.StringMapInput `pulumi:"firewallEndpoints,optional"`
	// EgressPorts are the TCP ports that may leave, 443 by default.
	EgressPorts []int `pulumi:"egressPorts,optional"`
	// SelfManaged is for a control plane of machines of ours, see [FlatcarCluster]:
	// it makes the endpoints that those need, and keeps 16 addresses of each subnet
	// from what AWS gives away by itself.
	SelfManaged bool `pulumi:"selfManaged,optional"`
	// Uses are what the environment runs beside what every cluster does.
	Uses []Use `pulumi:"uses,optional"`
	// ExtraEndpoints are further services, by the name after com.amazonaws.<region>.
	ExtraEndpoints []string `pulumi:"extraEndpoints,optional"`
	// LogsKeyArn is the customer key of logs, see [Keys].
	LogsKeyArn pulumi.StringInput `pulumi:"logsKeyArn"`
	// RetentionDays is how long flows and DNS queries are kept, 365 by default.
	RetentionDays int `pulumi:"retentionDays,optional"`
	// ArchiveArn is a bucket that gets the flows too, see [Logs].
	ArchiveArn pulumi.StringInput `pulumi:"archiveArn,optional"`
	// Existing is a network that is there already; nil makes one.
	Existing   *ExistingNetwork  `pulumi:"existing,optional"`
	Tags       map[string]string `pulumi:"tags,optional"`
	Exceptions []hostconfig.Exception
}

// ExistingNetwork is a network that somebody else made. Its subnets, routes, ACLs
// and default group stay theirs; endpoints and logs are added to it. It must
// have the DNS support and DNS host names of a VPC enabled.
type ExistingNetwork struct {
	VpcID string `pulumi:"vpcId"`
	// SubnetIDs are private, one for each of Zones and in their order.
	SubnetIDs []string `pulumi:"subnetIds"`
	// RouteTableIDs are those of the subnets, for the endpoint of S3.
	RouteTableIDs []string `pulumi:"routeTableIds"`
}

func (a NetworkArgs) withDefaults() NetworkArgs {
	setDefault(&a.CIDR, defaultCIDR)
	setDefault(&a.Egress, EgressNone)
	setDefault(&a.RetentionDays, shortestRetention)
	if len(a.EgressPorts) == 0 {
		a.EgressPorts = []int{443}
	}
	return a
}

var servicePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*[a-z0-9]$`)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a NetworkArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.account("account", a.Account)
	p.cluster("cluster", a.Cluster)
	p.zones(a)
	if plan, err := addressplan.New(a.CIDR); err != nil {
		p.add("cidr", err.Error(), "write a range such as "+defaultCIDR)
	} else if !plan.Network().Addr().Is4() || !plan.Network().Addr().IsPrivate() {
		p.add("cidr", a.CIDR+" is no private range of IPv4", "write one of RFC 1918, such as "+defaultCIDR)
	}
	p.networkRanges(a)
	p.egress(a)
	for i, use := range a.Uses {
		if !slices.Contains(Uses(), use) {
			p.add(fmt.Sprintf("uses[%d]", i), fmt.Sprintf("%q is not a use", use), fmt.Sprintf("write one of %v", Uses()))
		}
	}
	for i, name := range a.ExtraEndpoints {
		if !servicePattern.MatchString(name) || strings.HasPrefix(name, "com.amazonaws.") {
			p.add(fmt.Sprintf("extraEndpoints[%d]", i), fmt.Sprintf("%q is not the name of a service", name), "write what follows com.amazonaws.<region>, such as sqs")
		}
		if name == "dynamodb" {
			p.add(fmt.Sprintf("extraEndpoints[%d]", i), "the endpoint of dynamodb is a gateway", "make it beside this network, with the route tables that it gives out")
		}
	}
	if a.LogsKeyArn == nil {
		p.add("logsKeyArn", "is missing", "give the logs key of Keys")
	}
	p.retention("retentionDays", a.RetentionDays, a.Exceptions)
	p.existing(a)
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

func (p *problems) zones(a NetworkArgs) {
	if n := len(a.Zones); n < minZones || n > addressplan.MaxZones {
		p.add("zones", fmt.Sprintf("there are %d", n), fmt.Sprintf("write %d to %d zones of %s", minZones, addressplan.MaxZones, a.Account.Region))
	}
	for i, zone := range a.Zones {
		at := fmt.Sprintf("zones[%d]", i)
		if _, err := slot(a.Account.Region, zone); err != nil {
			p.add(at, err.Error(), fmt.Sprintf("write one such as %sa", a.Account.Region))
		}
		if slices.Contains(a.Zones[:i], zone) {
			p.add(at, zone+" is repeated", "list each zone once")
		}
	}
}

// slot is the place of a zone in the address plan: a is the first.
func slot(region, zone string) (int, error) {
	letter, ok := strings.CutPrefix(zone, region)
	if !ok || len(letter) != 1 || letter[0] < 'a' || letter[0] >= 'a'+addressplan.MaxZones {
		return 0, fmt.Errorf("%q is not a zone of %s", zone, region)
	}
	return int(letter[0] - 'a'), nil
}

func (p *problems) networkRanges(a NetworkArgs) {
	var ranges []addressplan.Range
	if a.Existing == nil {
		if _, err := addressplan.Parse(a.CIDR); err == nil { // reported above
			ranges = append(ranges, addressplan.Range{Field: "cidr", CIDR: a.CIDR})
		}
	}
	if a.ServiceCIDR != "" {
		ranges = append(ranges, addressplan.Range{Field: "serviceCIDR", CIDR: a.ServiceCIDR})
	}
	for i, cidr := range a.PodCIDRs {
		ranges = append(ranges, addressplan.Range{Field: fmt.Sprintf("podCIDRs[%d]", i), CIDR: cidr})
	}
	for i, cidr := range a.PeerCIDRs {
		at := fmt.Sprintf("peerCIDRs[%d]", i)
		ranges = append(ranges, addressplan.Range{Field: at, CIDR: cidr})
		if prefix, err := addressplan.Parse(cidr); err == nil && prefix.Bits() < 8 {
			p.add(at, cidr+" is open to the world (M06)", "write the ranges of the other networks")
		}
	}
	if len(a.PeerCIDRs) > maxPeers {
		p.add("peerCIDRs", fmt.Sprintf("there are %d", len(a.PeerCIDRs)), fmt.Sprintf("write at most %d ranges: join those that are neighbours", maxPeers))
	}
	p.ranges(ranges)
}

func (p *problems) egress(a NetworkArgs) {
	switch a.Egress {
	case EgressNone, EgressNAT:
		if a.FirewallEndpoints != nil {
			p.add("firewallEndpoints", "are given, but egress is "+a.Egress, "write firewall as egress, or leave them out")
		}
	case EgressFirewall:
		if a.FirewallEndpoints == nil {
			p.add("firewallEndpoints", "are missing", "give the id of an endpoint for each zone")
		}
		known, ok := a.FirewallEndpoints.(pulumi.StringMap)
		for _, zone := range a.Zones {
			value, given := known[zone]
			if ok && !given {
				p.add("firewallEndpoints", zone+" has none", "give the id of an endpoint for each zone")
			}
			if id, plain := value.(pulumi.String); plain {
				p.id("firewallEndpoints["+zone+"]", "vpce", string(id))
			}
		}
	default:
		p.add("egress", fmt.Sprintf("%q is no way out", a.Egress), "write none, nat or firewall")
	}
	for i, port := range a.EgressPorts {
		if port < 1 || port > 65535 || port == 22 || port == 3389 {
			p.add(fmt.Sprintf("egressPorts[%d]", i), fmt.Sprintf("%d is no port for a node to call", port), "write ports such as 443")
		}
	}
	if len(a.EgressPorts) > 4 {
		p.add("egressPorts", fmt.Sprintf("there are %d", len(a.EgressPorts)), "write at most 4")
	}
}

func (p *problems) existing(a NetworkArgs) {
	e := a.Existing
	if e == nil {
		return
	}
	p.id("existing.vpcId", "vpc", e.VpcID)
	if len(e.SubnetIDs) != len(a.Zones) {
		p.add("existing.subnetIds", fmt.Sprintf("there are %d for %d zones", len(e.SubnetIDs), len(a.Zones)), "give one private subnet for each zone, in their order")
	}
	if len(e.RouteTableIDs) == 0 {
		p.add("existing.routeTableIds", "are missing", "give those of the subnets: without a route to S3 no image is pulled")
	}
	for _, list := range []struct {
		field, prefix string
		ids           []string
	}{{"existing.subnetIds", "subnet", e.SubnetIDs}, {"existing.routeTableIds", "rtb", e.RouteTableIDs}} {
		for i, id := range list.ids {
			at := fmt.Sprintf("%s[%d]", list.field, i)
			p.id(at, list.prefix, id)
			if slices.Contains(list.ids[:i], id) {
				p.add(at, id+" is repeated", "list each once")
			}
		}
	}
	for _, own := range []struct {
		field string
		given bool
	}{{"ipv6", a.IPv6}, {"egress", a.Egress != EgressNone}, {"peerCIDRs", len(a.PeerCIDRs) > 0}} {
		if own.given {
			p.add(own.field, "belongs to the network that exists", "leave it out, and change that network where it is made")
		}
	}
}

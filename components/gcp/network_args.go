package gcp

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/redoubt-dev/redoubt/components/addressplan"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Ways out of a network.
const (
	// EgressNone leaves only Google's interfaces. The default.
	EgressNone = "none"
	// EgressNAT is Cloud NAT for nodes and pods.
	EgressNAT = "nat"
)

const defaultCIDR = "10.0.0.0/16"

// Names of the secondary ranges.
const (
	podRange     = "pods"
	serviceRange = "services"
)

// NetworkArgs describes a private network. Project and Cluster are required.
type NetworkArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// CIDR is the range of the network, IPv4, /16 to /20, 10.0.0.0/16 by default;
	// [addressplan.Region] divides it among nodes, pods, services, the control
	// plane and the way in.
	CIDR string `pulumi:"cidr,optional"`
	// PeerCIDRs are ranges of other networks that reach this one. None of them may
	// overlap it or another.
	PeerCIDRs []string `pulumi:"peerCIDRs,optional"`
	// Egress is EgressNone by default. With NAT, the firewall still lets only out
	// what [FirewallArgs] has in Egress.
	Egress string `pulumi:"egress,optional"`
	// Domains are further domains of Google that resolve to the restricted
	// addresses, such as run.app; googleapis.com, pkg.dev and gcr.io always do.
	Domains []string `pulumi:"domains,optional"`
	// Existing is a network that is there already; nil makes one.
	Existing   *ExistingNetwork  `pulumi:"existing,optional"`
	Labels     map[string]string `pulumi:"labels,optional"`
	Exceptions []hostconfig.Exception
}

// ExistingNetwork is a network that somebody else made, of this project or
// shared by a host project. Its subnet, default route and default rules stay
// theirs; the subnet must have flow logs and Private Google Access.
type ExistingNetwork struct {
	// Network is projects/<project>/global/networks/<name>.
	Network string `pulumi:"network"`
	// Subnetwork is projects/<project>/regions/<region>/subnetworks/<name>.
	Subnetwork string `pulumi:"subnetwork"`
	// PodRange and ServiceRange are the names of its secondary ranges.
	PodRange     string `pulumi:"podRange"`
	ServiceRange string `pulumi:"serviceRange"`
	// NodeCIDR, PodCIDR and ServiceCIDR are the ranges themselves.
	NodeCIDR    string `pulumi:"nodeCidr"`
	PodCIDR     string `pulumi:"podCidr"`
	ServiceCIDR string `pulumi:"serviceCidr"`
	// ControlPlaneCIDR is a free /28.
	ControlPlaneCIDR string `pulumi:"controlPlaneCidr"`
	// PrivateAccess says that the network has the zones and the route of the
	// restricted addresses already. Otherwise they are added to it.
	PrivateAccess bool `pulumi:"privateAccess,optional"`
}

func (a NetworkArgs) withDefaults() NetworkArgs {
	setDefault(&a.CIDR, defaultCIDR)
	setDefault(&a.Egress, EgressNone)
	return a
}

var (
	domainPattern     = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)
	networkPattern    = regexp.MustCompile(`^projects/([a-z][a-z0-9-]{4,28}[a-z0-9])/global/networks/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	subnetworkPattern = regexp.MustCompile(`^projects/([a-z][a-z0-9-]{4,28}[a-z0-9])/regions/([a-z0-9-]+)/subnetworks/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	rangePattern      = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a NetworkArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	var ranges []addressplan.Range
	if a.Existing != nil {
		ranges = p.existing(a)
	} else if plan, err := addressplan.NewRegion(a.CIDR); err != nil {
		p.add("cidr", err.Error(), "write a range such as "+defaultCIDR)
	} else if !plan.Network().Addr().IsPrivate() {
		p.add("cidr", a.CIDR+" is no private range", "write one of RFC 1918, such as "+defaultCIDR)
	} else {
		ranges = append(ranges, addressplan.Range{Field: "cidr", CIDR: a.CIDR})
	}
	for i, cidr := range a.PeerCIDRs {
		at := fmt.Sprintf("peerCIDRs[%d]", i)
		ranges = append(ranges, addressplan.Range{Field: at, CIDR: cidr})
		if prefix, err := netip.ParsePrefix(cidr); err == nil && open(prefix) {
			p.add(at, cidr+" is open to the world (M07)", "write the ranges of the other networks")
		}
	}
	p.ranges(ranges)
	if a.Egress != EgressNone && a.Egress != EgressNAT {
		p.add("egress", fmt.Sprintf("%q is no way out", a.Egress), "write none or nat")
	}
	for i, domain := range a.Domains {
		at := fmt.Sprintf("domains[%d]", i)
		switch {
		case !domainPattern.MatchString(domain):
			p.add(at, fmt.Sprintf("%q is not a domain", domain), "write one such as run.app")
		case slices.Contains(googleDomains, domain) || slices.Contains(a.Domains[:i], domain):
			p.add(at, domain+" is there already", "leave it out")
		}
	}
	p.labels("labels", a.Labels)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

func (p *problems) existing(a NetworkArgs) []addressplan.Range {
	e := *a.Existing
	if !networkPattern.MatchString(e.Network) {
		p.add("existing.network", fmt.Sprintf("%q is not a network", e.Network), "write projects/<project>/global/networks/<name>")
	}
	switch parts := subnetworkPattern.FindStringSubmatch(e.Subnetwork); {
	case parts == nil:
		p.add("existing.subnetwork", fmt.Sprintf("%q is not a subnetwork", e.Subnetwork), "write projects/<project>/regions/<region>/subnetworks/<name>")
	case parts[2] != a.Project.Region:
		p.add("existing.subnetwork", "is in "+parts[2], "give one of "+a.Project.Region)
	}
	for _, each := range []struct{ field, name string }{{"existing.podRange", e.PodRange}, {"existing.serviceRange", e.ServiceRange}} {
		if !rangePattern.MatchString(each.name) {
			p.add(each.field, fmt.Sprintf("%q is no name of a range", each.name), "write that of a secondary range of the subnetwork")
		}
	}
	if e.PodRange == e.ServiceRange && e.PodRange != "" {
		p.add("existing.serviceRange", e.ServiceRange+" is that of pods", "give services a range of their own")
	}
	p.controlPlaneRange("existing.controlPlaneCidr", e.ControlPlaneCIDR)
	for _, own := range []struct {
		field string
		given bool
	}{{"cidr", a.CIDR != defaultCIDR}, {"egress", a.Egress != EgressNone}, {"domains", len(a.Domains) > 0 && e.PrivateAccess}} {
		if own.given {
			p.add(own.field, "belongs to the network that exists", "leave it out, and change that network where it is made")
		}
	}
	return []addressplan.Range{{Field: "existing.nodeCidr", CIDR: e.NodeCIDR}, {Field: "existing.podCidr", CIDR: e.PodCIDR},
		{Field: "existing.serviceCidr", CIDR: e.ServiceCIDR}, {Field: "existing.controlPlaneCidr", CIDR: e.ControlPlaneCIDR}}
}

// controlPlaneRange wants the size that GKE takes for a control plane.
// https://cloud.google.com/kubernetes-engine/docs/how-to/legacy/network-isolation
func (p *problems) controlPlaneRange(field, cidr string) {
	if prefix, err := addressplan.Parse(cidr); err == nil && (prefix.Bits() != 28 || !prefix.Addr().Is4()) {
		p.add(field, cidr+" is no range for a control plane", "write a /28 such as 10.0.64.0/28")
	}
}

package aws

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/addressplan"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// FirewallArgs describes the security groups of a cluster. All of Cluster,
// VpcID, EndpointSecurityGroupID and, without SelfManaged, S3PrefixListID are
// required.
type FirewallArgs struct {
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string             `pulumi:"cluster"`
	VpcID   pulumi.StringInput `pulumi:"vpcId"`
	// EndpointSecurityGroupID and S3PrefixListID are those of [Network]; a cluster
	// with SelfManaged has no prefix list, because S3 is an endpoint like others.
	EndpointSecurityGroupID pulumi.StringInput `pulumi:"endpointSecurityGroupId"`
	S3PrefixListID          pulumi.StringInput `pulumi:"s3PrefixListId,optional"`
	// SelfManaged says that the control plane is machines of ours, see
	// [FlatcarCluster], behind a load balancer with a group of its own.
	SelfManaged bool `pulumi:"selfManaged,optional"`
	// Operators are the ranges from which people and automation reach the API
	// server. None by default. A range outside the network must be among the
	// PeerCIDRs of [Network] too, whose ACL keeps the world out.
	Operators []string `pulumi:"operators,optional"`
	// Webhooks are the ports of pods that the API server calls. None by default.
	Webhooks []int `pulumi:"webhooks,optional"`
	// SeparatePods gives pods a group of their own, for a network plugin that
	// gives them interfaces of their own (custom networking of vpc-cni). Without
	// it they share the interface, and so the group, of their machine.
	SeparatePods bool `pulumi:"separatePods,optional"`
	// Network is what the agents of a network plugin send between nodes. None by
	// default: vpc-cni sends nothing.
	Network []hostconfig.NetworkTraffic `pulumi:"network,optional"`
	// Egress is what nodes may reach beside the cluster, endpoints and S3. The
	// ACL of [Network] lets its EgressPorts out, and everything to its PeerCIDRs.
	Egress     []EgressArgs      `pulumi:"egress,optional"`
	Tags       map[string]string `pulumi:"tags,optional"`
	Exceptions []hostconfig.Exception
}

// EgressArgs is something outside that machines reach: a mirror of images, a proxy.
type EgressArgs struct {
	// Name is a DNS label.
	Name string `pulumi:"name"`
	// CIDRs are its ranges, of either family. A range that is open to the world
	// needs an exception for M08/open-egress.
	CIDRs []string `pulumi:"cidrs"`
	// Protocol is tcp by default, or udp; Port is 443 by default.
	Protocol string `pulumi:"protocol,optional"`
	Port     int    `pulumi:"port,optional"`
	// Pods may reach it too; their NetworkPolicy decides which.
	Pods bool `pulumi:"pods,optional"`
	// Reason says what fails without it.
	Reason string `pulumi:"reason"`
}

var labelPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a FirewallArgs) Validate(now time.Time) error {
	var p problems
	p.cluster("cluster", a.Cluster)
	for field, input := range map[string]pulumi.StringInput{"vpcId": a.VpcID, "endpointSecurityGroupId": a.EndpointSecurityGroupID, "s3PrefixListId": a.S3PrefixListID} {
		if input == nil && !(a.SelfManaged && field == "s3PrefixListId") {
			p.add(field, "is missing", "give that of Network")
		}
	}
	slices.SortFunc(p, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	for i, cidr := range a.Operators {
		at := fmt.Sprintf("operators[%d]", i)
		if prefix, ok := p.narrowRange(at, cidr); ok && open(prefix) {
			p.add(at, cidr+" is open to the world (M08)", "write the ranges of a VPN or of machines that run automation")
		}
		if slices.Contains(a.Operators[:i], cidr) {
			p.add(at, cidr+" is repeated", "list it once")
		}
	}
	for i, port := range a.Webhooks {
		if port < 1 || port > 65535 {
			p.add(fmt.Sprintf("webhooks[%d]", i), fmt.Sprintf("%d is not a port", port), "write a port between 1 and 65535")
		}
	}
	if err := (hostconfig.Topology{Platform: hostconfig.PlatformAWS, Managed: !a.SelfManaged, Network: a.Network}).Validate(); err != nil {
		p = append(p, err)
	}
	for i, e := range a.Egress {
		at := fmt.Sprintf("egress[%d]", i)
		p.egressTo(at, e, a.Exceptions)
		if slices.ContainsFunc(a.Egress[:i], func(other EgressArgs) bool { return other.Name == e.Name }) {
			p.add(at+".name", e.Name+" is another's name", "give each a name of its own")
		}
	}
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

func (p *problems) egressTo(at string, e EgressArgs, exceptions []hostconfig.Exception) {
	if !labelPattern.MatchString(e.Name) || slices.Contains([]string{endpointService, objectService}, e.Name) {
		p.add(at+".name", fmt.Sprintf("%q is no name for it", e.Name), "write a DNS label of at most 32 characters, such as registry")
	}
	if len(e.CIDRs) == 0 {
		p.add(at+".cidrs", "are missing", "write its ranges")
	}
	for j, cidr := range e.CIDRs {
		field := fmt.Sprintf("%s.cidrs[%d]", at, j)
		if prefix, ok := p.narrowRange(field, cidr); ok && open(prefix) {
			p.weakens(field, cidr+" is open to the world", "M08/open-egress", exceptions)
		}
	}
	if e.Protocol != "" && e.Protocol != hostconfig.ProtocolTCP && e.Protocol != hostconfig.ProtocolUDP {
		p.add(at+".protocol", fmt.Sprintf("%q is not a protocol", e.Protocol), "write tcp or udp")
	}
	if e.Port < 0 || e.Port > 65535 {
		p.add(at+".port", fmt.Sprintf("%d is not a port", e.Port), "write a port between 1 and 65535")
	}
	if strings.TrimSpace(e.Reason) == "" {
		p.add(at+".reason", "is empty", "write what fails without it")
	}
}

func (p *problems) narrowRange(field, cidr string) (netip.Prefix, bool) {
	prefix, err := addressplan.Parse(cidr)
	if err != nil {
		p.add(field, err.Error(), "write a range such as 10.20.0.0/24")
	}
	return prefix, err == nil
}

// open tells whether a range is so wide that it names nobody: wider than the
// largest private range of RFC 1918, or than what a registry gives to a provider.
func open(prefix netip.Prefix) bool {
	if prefix.Addr().Is4() {
		return prefix.Bits() < 8
	}
	return prefix.Bits() < 32
}

func isIPv6(cidr string) bool {
	prefix, err := netip.ParsePrefix(cidr)
	return err == nil && prefix.Addr().Is6()
}

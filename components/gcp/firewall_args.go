package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// FirewallArgs describes the firewall rules of the nodes of a cluster. All of
// Project, Cluster, NetworkID, NodeServiceAccount, NodeCIDR, PodCIDR and
// ControlPlaneCIDR are required; with SelfManaged, ControlPlaneServiceAccount and
// PoolServiceAccounts are, in the place of NodeServiceAccount.
type FirewallArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// NetworkID and the ranges are those of [Network].
	NetworkID        pulumi.StringInput `pulumi:"networkId"`
	NodeCIDR         pulumi.StringInput `pulumi:"nodeCidr"`
	PodCIDR          pulumi.StringInput `pulumi:"podCidr"`
	ControlPlaneCIDR pulumi.StringInput `pulumi:"controlPlaneCidr"`
	// NodeServiceAccount is the NodeEmail of [Roles]: rules are for machines that
	// run as it, which only who may act as it can make.
	NodeServiceAccount pulumi.StringInput `pulumi:"nodeServiceAccount,optional"`
	// SelfManaged says that the control plane is machines of ours in a range of
	// their own, see [FlatcarCluster].
	SelfManaged bool `pulumi:"selfManaged,optional"`
	// ControlPlaneServiceAccount and PoolServiceAccounts are those of [FlatcarRoles],
	// for rules as NodeServiceAccount is: at most ten pools.
	ControlPlaneServiceAccount pulumi.StringInput   `pulumi:"controlPlaneServiceAccount,optional"`
	PoolServiceAccounts        []pulumi.StringInput `pulumi:"poolServiceAccounts,optional"`
	// Operators are the ranges from which people reach a self-managed API server.
	// None by default.
	Operators []string `pulumi:"operators,optional"`
	// Network is what agents of a self-managed cluster's network send between
	// machines. Pods talk through a tunnel, so one of it is required.
	Network []hostconfig.NetworkTraffic `pulumi:"network,optional"`
	// Webhooks are the ports of pods that the API server calls. None by default.
	Webhooks []int `pulumi:"webhooks,optional"`
	// Egress is what nodes may reach beside the cluster and Google's interfaces.
	Egress []EgressArgs `pulumi:"egress,optional"`
	// NetworkProject is the host project of a shared network.
	NetworkProject string `pulumi:"networkProject,optional"`
	Exceptions     []hostconfig.Exception
}

// EgressArgs is something outside that machines reach: a mirror of images, a proxy.
type EgressArgs struct {
	// Name is a DNS label of at most 20 characters.
	Name string `pulumi:"name"`
	// CIDRs are its ranges, of IPv4. A range that is open to the world needs an
	// exception for M08/open-egress, and a [Network] with NAT.
	CIDRs []string `pulumi:"cidrs"`
	// Protocol is tcp by default, or udp; Port is 443 by default.
	Protocol string `pulumi:"protocol,optional"`
	Port     int    `pulumi:"port,optional"`
	// Pods may reach it too; their NetworkPolicy decides which.
	Pods bool `pulumi:"pods,optional"`
	// Reason says what fails without it.
	Reason string `pulumi:"reason"`
}

// egressPattern keeps the names of rules, with that of the cluster, below the 63
// characters of RFC 1035.
var egressPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$`)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a FirewallArgs) Validate(now time.Time) error {
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	p.required("networkId", a.NetworkID, "give that of Network")
	for _, each := range []struct {
		field string
		given pulumi.StringInput
	}{{"nodeCidr", a.NodeCIDR}, {"podCidr", a.PodCIDR}, {"controlPlaneCidr", a.ControlPlaneCIDR}} {
		p.required(each.field, each.given, "give that of Network")
		if cidr, known := each.given.(pulumi.String); known {
			if prefix, ok := p.narrowRange(each.field, string(cidr)); ok && open(prefix) {
				p.add(each.field, string(cidr)+" is open to the world (M08)", "give that of Network")
			}
		}
	}
	if cidr, known := a.ControlPlaneCIDR.(pulumi.String); known {
		p.controlPlaneRange("controlPlaneCidr", string(cidr))
	}
	p.accountsOf(a)
	for i, port := range a.Webhooks {
		if port < 1 || port > 65535 || port == readOnlyPort {
			p.add(fmt.Sprintf("webhooks[%d]", i), fmt.Sprintf("%d is not a port of a webhook", port), "write a port between 1 and 65535")
		}
	}
	for i, e := range a.Egress {
		at := fmt.Sprintf("egress[%d]", i)
		p.egressTo(at, e, a.Exceptions)
		if slices.ContainsFunc(a.Egress[:i], func(other EgressArgs) bool { return other.Name == e.Name }) {
			p.add(at+".name", e.Name+" is another's name", "give each a name of its own")
		}
	}
	if a.NetworkProject != "" && !projectPattern.MatchString(a.NetworkProject) {
		p.add("networkProject", fmt.Sprintf("%q is not the id of a project", a.NetworkProject), "write that of the host project")
	}
	p.exceptions(a.Exceptions, now)
	return p.join()
}

func (p *problems) egressTo(at string, e EgressArgs, exceptions []hostconfig.Exception) {
	if !egressPattern.MatchString(e.Name) || e.Name == hostconfig.RestrictedGoogleAPIs().Name {
		p.add(at+".name", fmt.Sprintf("%q is no name for it", e.Name), "write a DNS label of at most 20 characters, such as registry")
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

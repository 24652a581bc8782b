package gcp

import (
	"net/netip"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// The addresses at which Google's APIs are reached from networks without a way out: those that VPC Service Controls
// supports, and all of them. https://cloud.google.com/vpc/docs/configure-private-google-access#domain-options
var virtual = prefixes("199.36.153.4/30", "199.36.153.8/30")

// public stands for the addresses at which Google's APIs are reached otherwise.
var publicAddresses = netip.MustParsePrefix("142.250.0.0/15")

// needed are names of the registries and APIs without which a node does not join: it pulls GKE's own images and tells
// its logs and metrics. https://cloud.google.com/kubernetes-engine/docs/how-to/private-clusters#private_google_access
func needed(region string) []string {
	return []string{"storage.googleapis.com.", "logging.googleapis.com.", "gke.gcr.io.", region + "-docker.pkg.dev."}
}

// patience is how long GKE waits for nodes before it gives up.
const patience = 35 * 60

// nodes are machines that are to join a cluster.
type nodes struct {
	network, region string
	control         netip.Prefix // of the control plane; invalid where it has a public address only
	endpoint        string
	private         bool // without addresses of their own
	in              *simcloud.Object
	tags            []string
	account         string
	count           int
	extra           []*simcloud.Object // firewall rules that are being made with the cluster
}

// join ends a change with the failure of nodes that do not join, after the time that GKE waits for them.
func join(c *simcloud.Change, n nodes) {
	reason := n.stuck(c.Cloud)
	if reason == "" || n.count == 0 {
		return
	}
	c.Extra = seconds(patience)
	c.Fails = failed("All cluster resources were brought up, but: only 0 nodes out of %d have registered; cluster may be unhealthy. (%s)", n.count, reason)
}

// stuck says why nodes would not join, "" when they would. GKE itself says only that they did not.
// https://cloud.google.com/kubernetes-engine/docs/troubleshooting/node-registration
func (n nodes) stuck(cloud *simcloud.Cloud) string {
	rules := rulesOf(cloud, n.network)
	for _, o := range n.extra {
		if networkOf(o) == n.network {
			rules = append(rules, o.State.Copy())
		}
	}
	through := func(direction string, to netip.Prefix, port int) bool {
		return allows(rules, Flow{Network: n.network, Direction: direction, Tags: n.tags, ServiceAccount: n.account, Remote: to, Protocol: "tcp", Port: port})
	}
	api := n.control
	if !api.IsValid() {
		if addr, err := netip.ParseAddr(n.endpoint); err == nil {
			api = netip.PrefixFrom(addr, 32)
		}
	}
	if api.IsValid() && !through(Egress, api, 443) {
		return "the firewall lets no node reach the control plane at " + api.String() + " on 443/tcp"
	}
	if n.control.IsValid() && !through(Ingress, n.control, 10250) {
		return "the firewall does not let the control plane reach a kubelet on 10250/tcp"
	}
	for _, name := range needed(n.region) {
		if reason := n.noWay(cloud, name, func(to netip.Prefix) bool { return through(Egress, to, 443) }); reason != "" {
			return reason
		}
	}
	return ""
}

// noWay says why nodes do not reach a name of Google's, "" when they do.
func (n nodes) noWay(cloud *simcloud.Cloud, name string, out func(netip.Prefix) bool) string {
	found, own := lookup(cloud, n.network, name)
	to := []netip.Prefix{publicAddresses}
	if own {
		if len(found) == 0 {
			return "a private DNS zone is responsible for " + name + " and has no address for it"
		}
		to = nil
		for _, addr := range found {
			to = append(to, netip.PrefixFrom(addr, 32))
		}
	}
	for _, each := range to {
		if own && !within(each, virtual) {
			return name + " resolves to " + each.Addr().String() + ", which is none of the addresses of Google's APIs"
		}
		if !out(each) {
			return "the firewall lets no node reach " + name + " at " + each.String() + " on 443/tcp"
		}
		if !leaves(cloud, n.network, n.tags, each) {
			return "no route leads from the network to " + name + " at " + each.String()
		}
	}
	if n.private && !n.in.State.Bool("privateIpGoogleAccess") && !natted(cloud, n.in) {
		return "the nodes have no addresses of their own, and subnetwork " + n.in.ID + " has neither Private Google Access nor a NAT"
	}
	return ""
}

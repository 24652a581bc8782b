package hostconfig

import (
	"net/netip"
	"slices"
)

// platformFlows are what machines need of the network they stand in: names, time,
// their own description and their addresses. Names are for pods too, because the
// cluster's own resolver is a pod that asks the resolvers of its machine.
func platformFlows(t Topology) []Flow {
	var flows []Flow
	for _, protocol := range []string{ProtocolUDP, ProtocolTCP} {
		reason := "names of registries, objects and time servers"
		if protocol == ProtocolTCP {
			reason = "answers that are too long for a datagram"
		}
		flows = append(flows,
			Flow{Name: "nodes-dns-" + protocol, From: Nodes, To: Resolvers, Protocol: protocol, Port: 53, Reason: reason, Controls: []string{"M04"}},
			Flow{Name: "pods-dns-" + protocol, From: Pods, To: Resolvers, Protocol: protocol, Port: 53,
				Reason: "the cluster's resolver asks those of its machine: " + reason, Controls: []string{"M04", "M21"}})
	}
	flows = append(flows, Flow{Name: "nodes-time", From: Nodes, To: TimeServers, Protocol: ProtocolUDP, Port: 123,
		Reason: "certificates and audit records need the time", Controls: []string{"M04"}})
	if t.Platform == PlatformAWS || t.Platform == PlatformGCP {
		flows = append(flows, Flow{Name: "nodes-metadata", From: Nodes, To: Metadata, Protocol: ProtocolTCP, Port: 80,
			Reason: "a machine learns its name, address and short-lived credentials; pods do not", Controls: []string{"M04", "M21"}})
	}
	// RFC 2131: a lease is renewed by unicast, and by broadcast once that failed.
	// The first lease is taken with packet sockets, which no table sees.
	flows = append(flows, Flow{Name: "nodes-dhcp", From: Nodes, To: DHCPServers, Protocol: ProtocolUDP, Port: 67, SourcePort: 68,
		Reason: "a machine keeps its IPv4 address", Controls: []string{"M04"}})
	if t.IPv6 {
		flows = append(flows,
			Flow{Name: "nodes-dhcpv6", From: Nodes, To: DHCPv6Group, Protocol: ProtocolUDP, Port: 547, SourcePort: 546,
				Reason: "a machine asks for its IPv6 address", Controls: []string{"M04"}},
			Flow{Name: "dhcpv6-nodes", From: DHCPv6Servers, To: Nodes, Protocol: ProtocolUDP, Port: 546, SourcePort: 547,
				Reason: "the answer comes from another address than the one that was asked", Controls: []string{"M04"}})
	}
	return flows
}

// serviceFlows are one flow of machines, and one of pods where they may.
func serviceFlows(t Topology) []Flow {
	var flows []Flow
	seen := map[string]bool{}
	for _, service := range t.Services {
		if seen[service.Name] {
			continue
		}
		seen[service.Name] = true
		flow := Flow{Name: "nodes-service-" + service.Name, From: Nodes, To: ServiceEndpoint(service.Name),
			Protocol: service.Protocol, Port: service.Port, Reason: service.Reason, Controls: []string{"M04"}}
		flows = append(flows, flow)
		if service.Pods {
			flow.Name, flow.From, flow.Controls = "pods-service-"+service.Name, Pods, []string{"M04", "M21"}
			flows = append(flows, flow)
		}
	}
	return flows
}

// platformRanges are the addresses that a platform gives its own services on
// every network, where a firewall does not name others.
//
// AWS: https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html,
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/set-time.html and
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
// GCP: https://cloud.google.com/compute/docs/metadata/overview and
// https://cloud.google.com/load-balancing/docs/health-check-concepts#ip-ranges
var platformRanges = map[Platform]map[Endpoint][]string{
	PlatformAWS: {
		Resolvers:   {"169.254.169.253", "fd00:ec2::253"},
		TimeServers: {"169.254.169.123", "fd00:ec2::123"},
		Metadata:    {"169.254.169.254", "fd00:ec2::254"},
	},
	PlatformGCP: {
		Resolvers:     {"169.254.169.254"},
		TimeServers:   {"169.254.169.254"},
		Metadata:      {"169.254.169.254", "fd20:ce::254"},
		DHCPServers:   {"169.254.169.254"},
		LoadBalancers: {"35.191.0.0/16", "130.211.0.0/22"},
	},
}

// PlatformRanges gives the addresses that a platform gives one of its own
// services on every network, or none.
func PlatformRanges(p Platform, e Endpoint) []string { return slices.Clone(platformRanges[p][e]) }

// Ranges of DHCP that are the same on every network: the broadcast address, and
// RFC 8415's group of servers, which answer from link-local addresses.
var (
	dhcpBroadcast = []string{"255.255.255.255"}
	dhcpv6Group   = []string{"ff02::1:2"}
	dhcpv6Servers = []string{"fe80::/10"}
)

// MetadataAddresses gives the addresses of the instance metadata services of
// every platform, which no pod may reach (M21).
func MetadataAddresses() []string {
	return []string{"169.254.169.254", "fd00:ec2::254", "fd20:ce::254"}
}

func containsMetadata(prefix netip.Prefix) bool {
	for _, address := range MetadataAddresses() {
		if prefix.Contains(netip.MustParseAddr(address)) {
			return true
		}
	}
	return false
}

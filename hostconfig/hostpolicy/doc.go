// Package hostpolicy renders the policies with which a network plugin guards the
// machines themselves, from the same [hostconfig.PortTable] as the nftables
// rules and the cloud's firewalls: for Calico, GlobalNetworkPolicy, HostEndpoint
// and FelixConfiguration; for Cilium, CiliumClusterwideNetworkPolicy and
// CiliumNodeConfig.
//
// Hosts drop by default what comes in and what goes out. What pods send to each
// other is forwarded, not received, and stays with NetworkPolicy.
//
// A fail-safe stands beside the policies and keeps open the flows without which
// a control plane cannot be repaired, see [FailSafe]. It is a part of the port
// table too, and so opens nothing that the table does not allow.
//
// The package is pure, as hostconfig is, and talks to no cluster.
package hostpolicy

// Package netns makes the private network of a local environment out of Linux
// network namespaces: one for each machine, and one more, the switch, that
// joins them with bridges. It never touches the host's own routes, rules or
// addresses beyond one interface that it makes and removes, and it never gives
// a machine a route out.
package netns

import (
	"crypto/sha256"
	"encoding/hex"
)

// Topology is the whole network of one environment.
type Topology struct {
	// Environment is the environment's name.
	Environment string
	// Owner is the absolute directory of the environment's state. A network on
	// this host belongs to one owner, and no other can change or remove it; ""
	// asks for no such protection.
	Owner string
	// NodeCIDR is the network that joins the machines, for example
	// "10.80.0.0/24". It exists inside the environment's namespaces only, so
	// every environment may use the same.
	NodeCIDR string
	// OperatorCIDR is the network that joins the host to the machines with an
	// operator address. The host takes its first address. It is a network of
	// the host too, so it must be free there: redoubt:operatorCIDR.
	OperatorCIDR string
	// Members are the machines.
	Members []Member
}

// Member is one machine's place in the network.
type Member struct {
	// Machine is the machine's name.
	Machine string
	// NodeAddress is its address in NodeCIDR, without prefix length.
	NodeAddress string
	// OperatorAddress is its address in OperatorCIDR, or "" for a machine that
	// the host has no business with.
	OperatorAddress string
	// PodCIDR is the range of the pods on this machine, or "" for a machine
	// without pods. Every other member gets a route to it, and only members
	// with one forward packets.
	PodCIDR string
}

// Names of the interfaces in a machine.
const (
	// NodeInterface is the interface in the node network.
	NodeInterface = "eth0"
	// OperatorInterface is the interface in the operator network.
	OperatorInterface = "op0"
)

// Namespace is the name of a machine's network namespace.
func Namespace(environment, machine string) string {
	return "rd-" + environment + "-" + machine
}

// Switch is the name of the namespace that holds the environment's bridges.
func Switch(environment string) string { return Namespace(environment, "switch") }

// HostInterface is the name of the host's interface in the environment's
// operator network. A name may have 15 bytes, so it carries a digest.
func HostInterface(environment string) string { return "rd-" + short(environment) }

// short is eight hexadecimal digits that stand for a name.
func short(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:4])
}

package hostpolicy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// failSafe are the flows, by their names in the port table, that stay open
// whatever the policies say: those by which operators and machines reach the
// API server, members of etcd each other, and the API server the kubelets.
// With them a mistaken policy can be taken back through the API itself.
var failSafe = []string{"operators-api", "workers-api", "api-peers", "api-kubelet", "etcd-client", "etcd-peer"}

// FailSafe gives the names of the flows that the fail-safe keeps open.
func FailSafe() []string { return slices.Clone(failSafe) }

// here is the endpoint that a role's machines are.
func here(role hostconfig.Role) hostconfig.Endpoint {
	if role == hostconfig.RoleWorker {
		return hostconfig.Workers
	}
	return hostconfig.ControlPlanes
}

// inbound gives the flows that end in machines of the role, outbound those that
// begin there. Loopback is left to the kernel: both plugins leave it alone.
func (c Cluster) inbound(role hostconfig.Role) []hostconfig.Flow {
	return slices.DeleteFunc(hostconfig.PortTable(hostconfig.Topology{Ports: c.Ports}), func(f hostconfig.Flow) bool { return f.To != here(role) })
}

func (c Cluster) outbound(role hostconfig.Role) []hostconfig.Flow {
	return slices.DeleteFunc(hostconfig.PortTable(hostconfig.Topology{Ports: c.Ports}), func(f hostconfig.Flow) bool { return f.From != here(role) })
}

// safe keeps the flows of the fail-safe.
func safe(flows []hostconfig.Flow) []hostconfig.Flow {
	return slices.DeleteFunc(slices.Clone(flows), func(f hostconfig.Flow) bool { return !slices.Contains(failSafe, f.Name) })
}

// machines are those of a role.
func (c Cluster) machines(role hostconfig.Role) []Machine {
	if role == hostconfig.RoleWorker {
		return c.Workers
	}
	return c.ControlPlanes
}

// nets gives the ranges of an endpoint, sorted, each once. Own pods have none
// here: they differ between machines.
func (c Cluster) nets(e hostconfig.Endpoint) []string {
	var nets []string
	switch e {
	case hostconfig.Operators:
		nets = slices.Clone(c.Operators)
	case hostconfig.Pods:
		nets = []string{c.PodCIDR}
	case hostconfig.ControlPlanes, hostconfig.Workers:
		machines := c.ControlPlanes
		if e == hostconfig.Workers {
			machines = c.Workers
		}
		for _, machine := range machines {
			nets = append(nets, machine.Address+"/32")
		}
	}
	slices.SortFunc(nets, func(a, b string) int {
		first, _ := netip.ParsePrefix(a)
		second, _ := netip.ParsePrefix(b)
		if order := first.Addr().Compare(second.Addr()); order != 0 {
			return order
		}
		return first.Bits() - second.Bits()
	})
	return slices.Compact(nets)
}

// explain gives the annotations by which a reader knows why a rule is there.
func explain(f hostconfig.Flow) map[string]string {
	return map[string]string{
		annotationFlow: f.Name, annotationReason: f.Reason, annotationControls: strings.Join(f.Controls, ","),
	}
}

// Labels and annotations.
const (
	labelRole          = "redoubt.dev/role"
	labelMachine       = "redoubt.dev/machine"
	annotationFlow     = "redoubt.dev/flow"
	annotationReason   = "redoubt.dev/reason"
	annotationControls = "redoubt.dev/controls"
)

// typeMeta and objectMeta are what both plugins' objects begin with.
type typeMeta struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

type objectMeta struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

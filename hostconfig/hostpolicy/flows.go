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

// flows gives the port table of the cluster.
func (c Cluster) flows() []hostconfig.Flow {
	return hostconfig.PortTable(c.firewall(hostconfig.RoleWorker).Topology())
}

// isHere tells whether an endpoint is a machine of a role.
func isHere(e hostconfig.Endpoint, role hostconfig.Role) bool {
	return e == here(role) || e == hostconfig.Nodes
}

// inbound gives the flows that end in machines of the role, outbound those that
// begin there. Loopback is left to the kernel: both plugins leave it alone.
func (c Cluster) inbound(role hostconfig.Role) []hostconfig.Flow {
	return slices.DeleteFunc(c.flows(), func(f hostconfig.Flow) bool { return !isHere(f.To, role) })
}

func (c Cluster) outbound(role hostconfig.Role) []hostconfig.Flow {
	return slices.DeleteFunc(c.flows(), func(f hostconfig.Flow) bool { return !isHere(f.From, role) })
}

// safe keeps the flows of the fail-safe.
func safe(flows []hostconfig.Flow) []hostconfig.Flow {
	return slices.DeleteFunc(slices.Clone(flows), func(f hostconfig.Flow) bool { return !slices.Contains(failSafe, f.Name) })
}

// machines are those of a role that are known.
func (c Cluster) machines(role hostconfig.Role) []hostconfig.Machine {
	if role == hostconfig.RoleWorker {
		return c.Workers
	}
	return c.ControlPlanes
}

// nets gives the ranges of an endpoint, sorted, each once, as prefixes. Own pods
// have none here: they differ between machines.
func (c Cluster) nets(e hostconfig.Endpoint) []string {
	if e == hostconfig.OwnPods {
		return nil
	}
	ranges := c.firewall(hostconfig.RoleWorker).Ranges(e)
	for i, value := range ranges {
		if address, err := netip.ParseAddr(value); err == nil {
			ranges[i] = netip.PrefixFrom(address, address.BitLen()).String()
		}
	}
	return ranges
}

// ofFamily keeps the prefixes of one IP family.
func ofFamily(nets []string, isIPv4 bool) []string {
	return slices.DeleteFunc(slices.Clone(nets), func(net string) bool {
		prefix, err := netip.ParsePrefix(net)
		return err != nil || prefix.Addr().Is4() != isIPv4
	})
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
	labelControlPlane  = "node-role.kubernetes.io/control-plane"
	labelCreatedBy     = "projectcalico.org/created-by"
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

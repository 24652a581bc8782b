package hostpolicy

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// variants are the clusters that are judged packet by packet.
func variants() map[string]Cluster {
	alone := cluster()
	alone.ControlPlanes, alone.Operators, alone.Ports = alone.ControlPlanes[:1], nil, hostconfig.Ports{}
	moved := cluster()
	moved.Ports = hostconfig.Ports{APIServer: 7443, Kubelet: 10350, EtcdClient: 4001, EtcdPeer: 4002, Webhooks: []int{8443, 9443}}
	moved.Operators = []string{"10.83.0.0/29", "10.83.0.0/16", "10.84.0.0/24"}
	bare := cluster()
	bare.Workers = nil
	return map[string]Cluster{"three": cluster(), "alone": alone, "moved": moved, "without workers": bare, "cloud": cloud(), "group": group()}
}

// ofHosts tells whether a flow begins or ends at a machine and leaves it.
func ofHosts(f hostconfig.Flow) bool {
	machines := []hostconfig.Endpoint{hostconfig.ControlPlanes, hostconfig.Workers, hostconfig.Nodes}
	return slices.Contains(machines, f.From) || slices.Contains(machines, f.To)
}

// repairs tells whether the flows of the fail-safe let a packet pass.
func repairs(c Cluster) judge {
	table, ports := meant(c), c.Ports.WithDefaults()
	return func(p packet) bool { return repairsBy(table, ports, p) }
}

func repairsBy(table judge, ports hostconfig.Ports, p packet) bool {
	tables := map[int]bool{}
	switch {
	case p.protocol != "tcp" || !table(p) || p.from.kind == hostconfig.Pods || p.to.kind == hostconfig.Pods:
		return false
	case p.to.kind == hostconfig.ControlPlanes:
		tables = map[int]bool{ports.APIServer: true, ports.EtcdClient: true, ports.EtcdPeer: true}
	case p.to.kind == hostconfig.Workers:
		tables = map[int]bool{ports.Kubelet: true}
	}
	return tables[p.port]
}

// TestFailSafeNamesFlows: a name that is no longer in the table keeps nothing open.
func TestFailSafeNamesFlows(t *testing.T) {
	for _, name := range FailSafe() {
		if !slices.ContainsFunc(hostconfig.PortTable(hostconfig.Topology{}), func(f hostconfig.Flow) bool {
			return f.Name == name && f.Protocol == hostconfig.ProtocolTCP && f.Port != 0
		}) {
			t.Errorf("%s is no TCP flow with a port", name)
		}
	}
}

func TestEveryRuleHasAReason(t *testing.T) {
	for _, policy := range calico(t, cluster()).policies {
		for _, rule := range slices.Concat(policy.Spec.Ingress, policy.Spec.Egress) {
			if rule.Action == "Allow" && (rule.Metadata == nil || rule.Metadata.Annotations[annotationReason] == "") {
				t.Errorf("%s: no reason", policy.Metadata.Name)
			}
		}
	}
	for _, policy := range cilium(t, cluster()).policies {
		for _, spec := range policy.Specs {
			if spec.Description == "" {
				t.Errorf("%s: no reason", policy.Metadata.Name)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, each := range map[string]struct {
		change      func(*Cluster)
		field, text string
	}{
		"no control plane":  {func(c *Cluster) { c.ControlPlanes = nil }, "controlPlanes", "empty"},
		"injection":         {func(c *Cluster) { c.Workers[0].Address = "10.80.0.1/0" }, "workers[0].address", "IP address"},
		"name":              {func(c *Cluster) { c.Workers[0].Name = "a' || all()" }, "workers[0].name", "DNS label"},
		"repeated name":     {func(c *Cluster) { c.Workers[1].Name = "worker-1" }, "workers[1].name", "also the name"},
		"open to the world": {func(c *Cluster) { c.Operators = []string{"0.0.0.0/0"} }, "operators[0]", "world"},
		"no pods":           {func(c *Cluster) { c.PodCIDRs = nil }, "podCIDRs", "empty"},
		"mixed ranges":      {func(c *Cluster) { c.ControlPlanes, c.NodeCIDRs = nil, []string{"10.80.0.0/24"} }, "workers[0].address", "M13"},
		"one range for all": {func(c *Cluster) { c.ControlPlanes, c.Workers, c.NodeCIDRs = nil, nil, []string{"10.80.0.0/24"} }, "nodeCIDRs[0]", "M13"},
		"network":           {func(c *Cluster) { c.Network = []hostconfig.NetworkTraffic{"x"} }, "network[0]", "no traffic"},
		"resolver":          {func(c *Cluster) { c.Resolvers = []string{"dns"} }, "resolvers[0]", "neither"},
		"name of cluster":   {func(c *Cluster) { c.Cluster.Name = "" }, "name", "DNS label"},
		"strange pods":      {func(c *Cluster) { c.Workers[0].PodCIDR = "10.90.0.0/24" }, "workers[0].podCIDR", "outside"},
		"shared pods":       {func(c *Cluster) { c.Workers[1].PodCIDR = "10.81.1.0/25" }, "workers[1].podCIDR", "overlaps"},
		"stage":             {func(c *Cluster) { c.Stage = "off" }, "stage", "not a stage"},
		"port":              {func(c *Cluster) { c.Ports.Kubelet = -1 }, "ports.kubelet", "not a port"},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster()
			each.change(&c)
			if !slices.ContainsFunc(fieldErrors(c.Validate()), func(e *hostconfig.FieldError) bool {
				return e.Field == each.field && strings.Contains(e.Error(), each.text) && e.Remedy != ""
			}) {
				t.Errorf("want a refusal of %s with %q, got: %v", each.field, each.text, c.Validate())
			}
			for _, role := range roles {
				one, first := c.Calico(role)
				two, second := c.Cilium(role)
				if first == nil || second == nil || one+two != "" {
					t.Error("it was rendered nevertheless")
				}
			}
		})
	}
	if _, err := cluster().Calico("router"); err == nil {
		t.Error("a role that does not exist is rendered")
	}
}

func fieldErrors(err error) []*hostconfig.FieldError {
	var found []*hostconfig.FieldError
	var one *hostconfig.FieldError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			found = append(found, fieldErrors(each)...)
		}
	} else if errors.As(err, &one) {
		found = append(found, one)
	}
	return found
}

// FuzzPolicies: what is accepted decodes strictly, guards every machine, and has
// no allowing rule without a peer.
func FuzzPolicies(f *testing.F) {
	f.Add("10.80.0.10", "worker-1", "10.80.0.11", "10.81.1.0/24", "10.83.0.0/29", "10.81.0.0/16", 6443, false)
	f.Add("10.80.0.10", "a' || all()", "::1", "10.81.0.0/16", "0.0.0.0/0", "10.0.0.0/8", 0, true)
	f.Add("10.80.0.10", "x\n---\n", "10.80.0.10", "", "", "", 65536, true)
	f.Fuzz(func(t *testing.T, address, name, worker, own, operators, pods string, port int, audit bool) {
		c := Cluster{Cluster: hostconfig.Cluster{Name: "prod", ControlPlanes: []hostconfig.Machine{{Name: "cp-1", Address: address}}, PodCIDRs: []string{pods},
			Operators: []string{operators}, Workers: []hostconfig.Machine{{Name: name, Address: worker, PodCIDR: own}}, Ports: hostconfig.Ports{APIServer: port}}}
		if audit {
			c.Stage = Audit
		}
		if c.Validate() != nil {
			return
		}
		felix := calico(t, c)
		if len(felix.endpoints) != 2 || len(felix.felix) != 2 || len(felix.policies) != 4+min(len(own), 1) {
			t.Fatalf("the shape changed: %+v", felix)
		}
		for _, policy := range felix.policies {
			for _, rule := range slices.Concat(policy.Spec.Ingress, policy.Spec.Egress) {
				if rule.Action == "Allow" && (rule.Source == nil || len(rule.Source.Nets) == 0) && (rule.Destination == nil || len(rule.Destination.Nets) == 0) {
					t.Fatalf("open to everybody: %+v", rule)
				}
			}
		}
		agents := cilium(t, c)
		if len(agents.policies) != 4 || len(agents.configs) != 2 {
			t.Fatalf("the shape changed: %+v", agents)
		}
		for _, policy := range agents.policies {
			for _, spec := range policy.Specs {
				for _, rule := range spec.Ingress {
					if spec.EnableDefaultDeny == nil && len(rule.FromCIDR)+len(rule.FromEndpoints)+len(rule.FromEntities)+len(rule.FromNodes) == 0 {
						t.Fatalf("open to everybody: %+v", spec)
					}
				}
			}
		}
	})
}

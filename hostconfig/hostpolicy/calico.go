package hostpolicy

import (
	"fmt"
	"slices"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Orders of policies: lower ones are asked first.
const (
	orderAllow = 100
	orderDeny  = 10000
)

// Calico renders the objects that guard the machines of a role, in the order in
// which they must be applied: fail-safe, policies, and host endpoints last,
// because an endpoint without policy drops everything. What does not validate
// is not rendered.
//
// Rules name addresses. Two decisions of Felix stand before every policy: it
// always lets a host reach its own pods, and DefaultEndpointToHostAction alone
// decides about the way back. It is set to Drop, which an environment variable
// FELIX_DEFAULTENDPOINTTOHOSTACTION on calico-node would override: it must be
// absent. Pods on a control plane therefore do not reach the API server of
// their own machine, but that of any other. Neighbour discovery and the tunnels
// of Calico itself are allowed by Felix.
// https://docs.tigera.io/calico/latest/reference/host-endpoints/overview
func (c Cluster) Calico(role hostconfig.Role) (string, error) {
	c = c.WithDefaults()
	if err := c.judge(role); err != nil {
		return "", err
	}
	objects := c.felixConfigurations(role)
	name := "redoubt-host-" + string(role)
	selector := c.hosts(role)
	both := []string{"Ingress", "Egress"}
	objects = append(objects,
		c.policy(name, policySpec{Order: orderAllow, Selector: selector, Types: both,
			Ingress: c.calicoRules(c.inbound(role), true), Egress: c.calicoRules(c.outbound(role), false)}),
		c.policy(name+"-deny", policySpec{Order: orderDeny, Selector: selector, Types: both,
			Ingress: []calicoRule{{Action: "Deny"}}, Egress: []calicoRule{{Action: "Deny"}}}))
	if c.grouped() {
		return render(append(objects, automaticEndpoints()))
	}
	for _, machine := range c.machines(role) {
		if rules := ownPodRules(c.outbound(role), machine); len(rules) > 0 && machine.PodCIDR != "" {
			objects = append(objects, c.policy("redoubt-host-own-pods-"+machine.Name, policySpec{Order: orderAllow,
				Selector: fmt.Sprintf("%s == '%s' && %s", labelMachine, machine.Name, notAPod), Types: []string{"Egress"}, Egress: rules}))
		}
	}
	for _, machine := range c.machines(role) {
		objects = append(objects, c.hostEndpoint(role, machine))
	}
	return render(objects)
}

// notAPod keeps the rules of machines from pods. Calico gives every pod its
// namespace as a label that no pod can take off; without this, a pod that wears
// a machine's label would have its way past every NetworkPolicy, to instance
// metadata too (M21).
const notAPod = "!has(projectcalico.org/namespace)"

// hosts selects the endpoints of a role's machines: by our label, or, where the
// plugin makes them, by who made them and by the role label of their node, which
// NodeRestriction keeps kubelets from setting.
func (c Cluster) hosts(role hostconfig.Role) string {
	if !c.grouped() {
		return fmt.Sprintf("%s == '%s' && %s", labelRole, role, notAPod)
	}
	has := "has"
	if role == hostconfig.RoleWorker {
		has = "!has"
	}
	return fmt.Sprintf("%s == 'calico-kube-controllers' && %s(%s) && %s", labelCreatedBy, has, labelControlPlane, notAPod)
}

// automaticEndpoints has the plugin make an endpoint for every interface of every
// machine that joins. Each has a profile that allows, which decides only where
// no policy does. It is to be applied server-side, beside what else is set there.
func automaticEndpoints() kubeControllersConfiguration {
	k := kubeControllersConfiguration{typeMeta: typeMeta{calicoVersion, "KubeControllersConfiguration"}, Metadata: objectMeta{Name: "default"}}
	k.Spec.Controllers.Node.HostEndpoint.AutoCreate = "Enabled"
	return k
}

func (c Cluster) policy(name string, spec policySpec) globalNetworkPolicy {
	kind := "GlobalNetworkPolicy"
	if c.Stage == Audit {
		kind, spec.StagedAction = "StagedGlobalNetworkPolicy", "Set"
	}
	return globalNetworkPolicy{typeMeta: typeMeta{calicoVersion, kind}, Metadata: objectMeta{Name: name}, Spec: spec}
}

// hostEndpoint stands for every interface of a machine. The name of a wildcard
// endpoint may be any; its labels are what policies select.
func (c Cluster) hostEndpoint(role hostconfig.Role, machine hostconfig.Machine) hostEndpoint {
	spec := hostEndpointSpec{Node: machine.Name, InterfaceName: "*", ExpectedIPs: []string{machine.Address}}
	if c.Stage == Audit {
		spec.Profiles = []string{"projectcalico-default-allow"} // staged policies decide nothing, and no policy would drop
	}
	return hostEndpoint{typeMeta: typeMeta{calicoVersion, "HostEndpoint"}, Spec: spec,
		Metadata: objectMeta{Name: "redoubt-" + machine.Name, Labels: map[string]string{labelRole: string(role), labelMachine: machine.Name}}}
}

// felixConfigurations replace Felix's default fail-safe, which opens SSH and etcd
// to every address: one for each machine, or one for all where they are not
// known. The latter keeps open for machines of either role what the other's
// needs; nothing listens there, and the peers are those of the port table.
func (c Cluster) felixConfigurations(role hostconfig.Role) []any {
	if c.grouped() {
		one := c.felix(hostconfig.RoleWorker, "default")
		other := c.felix(hostconfig.RoleControlPlane, "default").Spec
		one.Spec.FailsafeInboundHostPorts = union(other.FailsafeInboundHostPorts, one.Spec.FailsafeInboundHostPorts)
		one.Spec.FailsafeOutboundHostPorts = union(other.FailsafeOutboundHostPorts, one.Spec.FailsafeOutboundHostPorts)
		return []any{one}
	}
	var all []any
	for _, machine := range c.machines(role) {
		all = append(all, c.felix(role, "node."+machine.Name))
	}
	return all
}

func union(a, b []failsafePort) []failsafePort {
	for _, port := range b {
		if !slices.Contains(a, port) {
			a = append(a, port)
		}
	}
	return a
}

func (c Cluster) felix(role hostconfig.Role, name string) felixConfiguration {
	ports := func(flows []hostconfig.Flow, peer func(hostconfig.Flow) hostconfig.Endpoint) []failsafePort {
		var open []failsafePort
		for _, flow := range safe(flows) {
			for _, net := range c.nets(peer(flow)) {
				open = append(open, failsafePort{Protocol: "TCP", Port: flow.Port, Net: net})
			}
		}
		return open
	}
	return felixConfiguration{typeMeta: typeMeta{calicoVersion, "FelixConfiguration"},
		Metadata: objectMeta{Name: name},
		Spec: felixSpec{DefaultEndpointToHostAction: "Drop",
			FailsafeInboundHostPorts:  ports(c.inbound(role), func(f hostconfig.Flow) hostconfig.Endpoint { return f.From }),
			FailsafeOutboundHostPorts: ports(c.outbound(role), func(f hostconfig.Flow) hostconfig.Endpoint { return f.To }),
		}}
}

// calicoRules gives a rule for each flow that has addresses at its other end: a
// rule without any would be open to everybody.
func (c Cluster) calicoRules(flows []hostconfig.Flow, inbound bool) []calicoRule {
	var rules []calicoRule
	for _, flow := range flows {
		peer := flow.To
		if inbound {
			peer = flow.From
		}
		nets := c.nets(peer)
		if flow.Protocol != hostconfig.ProtocolEcho {
			if len(nets) > 0 {
				rules = append(rules, calicoAllow(flow, nets, inbound))
			}
			continue
		}
		for _, isIPv4 := range []bool{true, false} { // echoes are of two protocols
			if one := ofFamily(nets, isIPv4); len(one) > 0 {
				rules = append(rules, calicoAllow(flow, one, inbound))
			}
		}
	}
	return rules
}

func ownPodRules(flows []hostconfig.Flow, machine hostconfig.Machine) []calicoRule {
	flows = slices.DeleteFunc(flows, func(f hostconfig.Flow) bool { return f.To != hostconfig.OwnPods })
	var rules []calicoRule
	for _, flow := range flows {
		rules = append(rules, calicoAllow(flow, []string{machine.PodCIDR}, false))
	}
	return rules
}

func calicoAllow(flow hostconfig.Flow, nets []string, inbound bool) calicoRule {
	rule := calicoRule{Action: "Allow", Metadata: &ruleMetadata{Annotations: explain(flow)}}
	var ports []int
	switch flow.Protocol {
	case hostconfig.ProtocolTCP:
		rule.Protocol = "TCP"
		if flow.Port != 0 {
			ports = []int{flow.Port}
		}
	case hostconfig.ProtocolUDP:
		rule.Protocol, ports = "UDP", []int{flow.Port}
	case hostconfig.ProtocolEcho:
		rule.Protocol, rule.ICMP = "ICMP", &calicoICMP{Type: 8} // RFC 792: echo request
		if len(ofFamily(nets, true)) == 0 {
			rule.Protocol, rule.ICMP = "ICMPv6", &calicoICMP{Type: 128} // RFC 4443
		}
	}
	var from []int
	if flow.SourcePort != 0 {
		from = []int{flow.SourcePort}
	}
	if inbound {
		rule.Source = &calicoEntity{Nets: nets, Ports: from}
		if ports != nil {
			rule.Destination = &calicoEntity{Ports: ports}
		}
	} else {
		rule.Destination = &calicoEntity{Nets: nets, Ports: ports}
		if from != nil {
			rule.Source = &calicoEntity{Ports: from}
		}
	}
	return rule
}

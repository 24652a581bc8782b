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
// their own machine; the port table knows pods on workers only. The tunnels of
// Calico itself are allowed by Felix.
// https://docs.tigera.io/calico/latest/reference/host-endpoints/overview
func (c Cluster) Calico(role hostconfig.Role) (string, error) {
	c = c.WithDefaults()
	if err := c.judge(role); err != nil {
		return "", err
	}
	var objects []any
	for _, machine := range c.machines(role) {
		objects = append(objects, c.felix(role, machine))
	}
	name := "redoubt-host-" + string(role)
	selector := fmt.Sprintf("%s == '%s'", labelRole, role)
	both := []string{"Ingress", "Egress"}
	objects = append(objects,
		c.policy(name, policySpec{Order: orderAllow, Selector: selector, Types: both,
			Ingress: c.calicoRules(c.inbound(role), true), Egress: c.calicoRules(c.outbound(role), false)}),
		c.policy(name+"-deny", policySpec{Order: orderDeny, Selector: selector, Types: both,
			Ingress: []calicoRule{{Action: "Deny"}}, Egress: []calicoRule{{Action: "Deny"}}}))
	for _, machine := range c.machines(role) {
		if rules := ownPodRules(c.outbound(role), machine); len(rules) > 0 {
			objects = append(objects, c.policy("redoubt-host-own-pods-"+machine.Name, policySpec{Order: orderAllow,
				Selector: fmt.Sprintf("%s == '%s'", labelMachine, machine.Name), Types: []string{"Egress"}, Egress: rules}))
		}
	}
	for _, machine := range c.machines(role) {
		objects = append(objects, c.hostEndpoint(role, machine))
	}
	return render(objects)
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
func (c Cluster) hostEndpoint(role hostconfig.Role, machine Machine) hostEndpoint {
	spec := hostEndpointSpec{Node: machine.Name, InterfaceName: "*", ExpectedIPs: []string{machine.Address}}
	if c.Stage == Audit {
		spec.Profiles = []string{"projectcalico-default-allow"} // staged policies decide nothing, and no policy would drop
	}
	return hostEndpoint{typeMeta: typeMeta{calicoVersion, "HostEndpoint"}, Spec: spec,
		Metadata: objectMeta{Name: "redoubt-" + machine.Name, Labels: map[string]string{labelRole: string(role), labelMachine: machine.Name}}}
}

// felix is the configuration of one machine. It replaces Felix's default
// fail-safe, which opens SSH and etcd to every address.
func (c Cluster) felix(role hostconfig.Role, machine Machine) felixConfiguration {
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
		Metadata: objectMeta{Name: "node." + machine.Name},
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
		if nets := c.nets(peer); len(nets) > 0 {
			rules = append(rules, calicoAllow(flow, nets, inbound))
		}
	}
	return rules
}

func ownPodRules(flows []hostconfig.Flow, machine Machine) []calicoRule {
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
	case hostconfig.ProtocolEcho:
		rule.Protocol, rule.ICMP = "ICMP", &calicoICMP{Type: 8} // RFC 792: echo request
	}
	if inbound {
		rule.Source = &calicoEntity{Nets: nets}
		if ports != nil {
			rule.Destination = &calicoEntity{Ports: ports}
		}
	} else {
		rule.Destination = &calicoEntity{Nets: nets, Ports: ports}
	}
	return rule
}

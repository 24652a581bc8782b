package hostpolicy

import (
	"strconv"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Cilium renders the objects that guard the machines of a role, in the order in
// which they must be applied: the agent's settings, the fail-safe and the
// policies. What does not validate is not rendered. It needs Cilium 1.16 or
// later, for rules that name nodes, ranges of ports and enableDefaultDeny.
//
// Cilium knows machines and pods by identity, not by address. Control planes are
// known by their role label, which NodeRestriction keeps kubelets from setting;
// the fail-safe goes by entities instead and so does not depend on it. Three
// things are wider than in the port table and cannot be narrower: a machine may
// reach, by TCP, the pods of other machines as well as its own, where their own
// policies decide; the plugin's health checks pass, TCP 4240 and echo between a
// host and health endpoints; and DHCP is allowed from every source port. Tunnels
// and neighbour discovery are Cilium's own affair.
//
// A policy whose nodeSelector matches nothing fails silently and open: after
// applying, cilium-dbg must show the host endpoint with policy for both
// directions.
// https://docs.cilium.io/en/stable/security/policy/language/#host-policies
func (c Cluster) Cilium(role hostconfig.Role) (string, error) {
	c = c.WithDefaults()
	if err := c.judge(role); err != nil {
		return "", err
	}
	name := "redoubt-host-" + string(role)
	policy := func(name string, specs []ciliumSpec) clusterwidePolicy {
		return clusterwidePolicy{typeMeta: typeMeta{ciliumVersion, "CiliumClusterwideNetworkPolicy"}, Metadata: objectMeta{Name: name}, Specs: specs}
	}
	flows := append(c.ciliumSpecs(role, c.inbound(role), true, ciliumPeer), c.ciliumSpecs(role, c.outbound(role), false, ciliumPeer)...)
	deny := ciliumSpec{Description: "everything that no other rule allows is dropped", NodeSelector: nodes(role),
		EnableDefaultDeny: &defaultDeny{Ingress: true, Egress: true}, Ingress: []ciliumIngress{{}}, Egress: []ciliumEgress{{}}}
	return render([]any{
		ciliumNodeConfig{typeMeta: typeMeta{ciliumVersion, "CiliumNodeConfig"}, Metadata: objectMeta{Name: name, Namespace: "kube-system"},
			Spec: ciliumNodeConfigSpec{NodeSelector: nodes(role), Defaults: map[string]string{
				"enable-host-firewall":        "true",
				"enable-node-selector-labels": "true", // rules that name nodes
				"policy-audit-mode":           strconv.FormatBool(c.Stage == Audit),
			}}},
		policy(name+"-failsafe", c.ciliumFailSafe(role)),
		policy(name, append(flows, deny)),
	})
}

// ciliumFailSafe repeats the flows of the fail-safe by entity, and lets the
// plugin's own health checks pass.
func (c Cluster) ciliumFailSafe(role hostconfig.Role) []ciliumSpec {
	specs := append(c.ciliumSpecs(role, safe(c.inbound(role)), true, ciliumEntity), c.ciliumSpecs(role, safe(c.outbound(role)), false, ciliumEntity)...)
	const healthPort = "4240" // https://docs.cilium.io/en/stable/operations/system_requirements/#firewall-rules
	ports := []ciliumPorts{{Ports: []ciliumPort{{Port: healthPort, Protocol: "TCP"}}}}
	entity := []string{"health"}
	return append(specs, ciliumSpec{Description: "cilium-health: the agent tells a broken node from a broken network", NodeSelector: nodes(role),
		Ingress: []ciliumIngress{{FromEntities: entity, ToPorts: ports}, {FromEntities: entity, ICMPs: c.echo()}},
		Egress:  []ciliumEgress{{ToEntities: entity, ToPorts: ports}, {ToEntities: entity, ICMPs: c.echo()}}})
}

// echo gives the echo requests of RFC 792 and, where the cluster has IPv6, RFC 4443.
func (c Cluster) echo() []ciliumICMP {
	fields := []icmpField{{Family: "IPv4", Type: 8}}
	if c.firewall(hostconfig.RoleWorker).Topology().IPv6 {
		fields = append(fields, icmpField{Family: "IPv6", Type: 128})
	}
	return []ciliumICMP{{Fields: fields}}
}

// nodes selects the machines of a role. Not being a control plane is what makes
// a worker: a label of its own would have to be given.
func nodes(role hostconfig.Role) labelSelector {
	operator := "Exists"
	if role == hostconfig.RoleWorker {
		operator = "DoesNotExist"
	}
	return labelSelector{MatchExpressions: []labelRequirement{{Key: labelControlPlane, Operator: operator}}}
}

// everyPod selects pods and no reserved identity: only pods have a namespace.
func everyPod() []labelSelector {
	return []labelSelector{{MatchExpressions: []labelRequirement{{Key: "k8s:io.kubernetes.pod.namespace", Operator: "Exists"}}}}
}

// peer is the other end of a rule.
type peer struct {
	cidr, entities   []string
	endpoints, nodes []labelSelector
}

func (p peer) empty() bool {
	return len(p.cidr)+len(p.entities)+len(p.endpoints)+len(p.nodes) == 0
}

// ciliumPeer gives an endpoint as policies name it.
func ciliumPeer(c Cluster, e hostconfig.Endpoint) peer {
	switch e {
	case hostconfig.ControlPlanes:
		if c.Managed {
			return peer{entities: []string{"kube-apiserver"}} // the cloud's has no node
		}
		return peer{nodes: []labelSelector{nodes(hostconfig.RoleControlPlane)}}
	case hostconfig.Workers:
		return peer{nodes: []labelSelector{nodes(hostconfig.RoleWorker)}}
	case hostconfig.Nodes:
		return peer{nodes: []labelSelector{nodes(hostconfig.RoleControlPlane), nodes(hostconfig.RoleWorker)}}
	case hostconfig.Pods, hostconfig.OwnPods:
		return peer{endpoints: everyPod()}
	}
	return peer{cidr: c.nets(e)} // what is outside the cluster is known by address
}

// ciliumEntity gives an endpoint as the fail-safe names it. Workers have no
// entity of their own; where every node is named instead, the other end of the
// same flow decides.
func ciliumEntity(c Cluster, e hostconfig.Endpoint) peer {
	switch e {
	case hostconfig.Operators:
		return peer{cidr: c.nets(e)}
	case hostconfig.ControlPlanes:
		return peer{entities: []string{"kube-apiserver"}}
	case hostconfig.Workers:
		return peer{entities: []string{"remote-node"}}
	}
	return peer{}
}

func (c Cluster) ciliumSpecs(role hostconfig.Role, flows []hostconfig.Flow, inbound bool, name func(Cluster, hostconfig.Endpoint) peer) []ciliumSpec {
	var specs []ciliumSpec
	for _, flow := range flows {
		spec := ciliumSpec{NodeSelector: nodes(role),
			Description: flow.Name + ": " + flow.Reason + " (" + strings.Join(flow.Controls, ", ") + ")"}
		ports, icmps := c.ciliumProtocol(flow)
		other := name(c, flow.To)
		if inbound {
			other = name(c, flow.From)
			spec.Ingress = []ciliumIngress{{FromCIDR: other.cidr, FromEndpoints: other.endpoints, FromEntities: other.entities,
				FromNodes: other.nodes, ToPorts: ports, ICMPs: icmps}}
		} else {
			spec.Egress = []ciliumEgress{{ToCIDR: other.cidr, ToEndpoints: other.endpoints, ToEntities: other.entities,
				ToNodes: other.nodes, ToPorts: ports, ICMPs: icmps}}
		}
		if !other.empty() { // a rule without a peer would be open to everybody
			specs = append(specs, spec)
		}
	}
	return specs
}

func (c Cluster) ciliumProtocol(flow hostconfig.Flow) ([]ciliumPorts, []ciliumICMP) {
	switch {
	case flow.Protocol == hostconfig.ProtocolEcho:
		return nil, c.echo()
	case flow.Protocol == hostconfig.ProtocolTCP && flow.Port == 0:
		return []ciliumPorts{{Ports: []ciliumPort{{Port: "1", EndPort: 65535, Protocol: "TCP"}}}}, nil
	case flow.Protocol == hostconfig.ProtocolTCP || flow.Protocol == hostconfig.ProtocolUDP:
		return []ciliumPorts{{Ports: []ciliumPort{{Port: strconv.Itoa(flow.Port), Protocol: strings.ToUpper(flow.Protocol)}}}}, nil
	}
	return nil, nil
}

package hostpolicy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

// ciliumWorld is what the agents would hold after the documents were applied.
type ciliumWorld struct {
	configs  []ciliumNodeConfig
	policies []clusterwidePolicy
}

func cilium(t testing.TB, c Cluster) *ciliumWorld {
	t.Helper()
	w := &ciliumWorld{}
	for _, role := range roles {
		stream, err := c.Cilium(role)
		if err != nil {
			t.Fatal(err)
		}
		w.configs = append(w.configs, decode[ciliumNodeConfig](t, stream, "CiliumNodeConfig")...)
		w.policies = append(w.policies, decode[clusterwidePolicy](t, stream, "CiliumClusterwideNetworkPolicy")...)
	}
	return w
}

// only keeps the policies whose names do, or do not, end as the fail-safe's.
func (w *ciliumWorld) only(failSafe bool) *ciliumWorld {
	w.policies = slices.DeleteFunc(w.policies, func(p clusterwidePolicy) bool {
		return strings.HasSuffix(p.Metadata.Name, "-failsafe") != failSafe
	})
	return w
}

// selects judges a label selector by the one label that tells roles apart, and
// the one that only pods have.
func selects(selector labelSelector, s subject) bool {
	for _, e := range selector.MatchExpressions {
		has := map[string]bool{
			"node-role.kubernetes.io/control-plane": s.kind == hostconfig.ControlPlanes,
			"k8s:io.kubernetes.pod.namespace":       s.kind == hostconfig.Pods,
		}[e.Key]
		if has != (e.Operator == "Exists") {
			return false
		}
	}
	return true
}

// matches judges the other end by its identity: addresses are those of strangers only.
func (p peer) matches(s subject) bool {
	stranger := !s.isHost() && s.kind != hostconfig.Pods && s.kind != health
	return stranger && contains(p.cidr, s.addr) ||
		!s.isHost() && slices.ContainsFunc(p.endpoints, func(e labelSelector) bool { return selects(e, s) }) ||
		s.isHost() && slices.ContainsFunc(p.nodes, func(e labelSelector) bool { return selects(e, s) }) ||
		s.isHost() && slices.Contains(p.entities, "remote-node") ||
		s.kind == hostconfig.ControlPlanes && slices.Contains(p.entities, "kube-apiserver") ||
		s.kind == health && slices.Contains(p.entities, "health")
}

func protocolMatches(ports []ciliumPorts, icmps []ciliumICMP, p packet) bool {
	if p.protocol == "echo" {
		wants := icmpField{"IPv4", 8}
		if p.from.addr.Is6() || p.to.addr.Is6() { // a health endpoint has no address here
			wants = icmpField{"IPv6", 128}
		}
		return len(icmps) > 0 && slices.Contains(icmps[0].Fields, wants)
	}
	for _, each := range ports {
		for _, port := range each.Ports {
			low, _ := strconv.Atoi(port.Port)
			if strings.EqualFold(port.Protocol, p.protocol) && p.port >= low && p.port <= max(low, port.EndPort) {
				return true
			}
		}
	}
	return false
}

func (w *ciliumWorld) allows(p packet) bool {
	return (!p.from.isHost() || w.decides(p, p.from, p.to, false)) && (!p.to.isHost() || w.decides(p, p.to, p.from, true))
}

func (w *ciliumWorld) decides(p packet, host, other subject, inbound bool) bool {
	guarded := false
	for _, policy := range w.policies {
		for _, spec := range policy.Specs {
			if !selects(spec.NodeSelector, host) {
				continue
			}
			if inbound {
				for _, rule := range spec.Ingress {
					guarded = true
					by := peer{cidr: rule.FromCIDR, endpoints: rule.FromEndpoints, entities: rule.FromEntities, nodes: rule.FromNodes}
					if by.matches(other) && protocolMatches(rule.ToPorts, rule.ICMPs, p) {
						return true
					}
				}
				continue
			}
			for _, rule := range spec.Egress {
				guarded = true
				by := peer{cidr: rule.ToCIDR, endpoints: rule.ToEndpoints, entities: rule.ToEntities, nodes: rule.ToNodes}
				if by.matches(other) && protocolMatches(rule.ToPorts, rule.ICMPs, p) {
					return true
				}
			}
		}
	}
	return !guarded
}

func (w *ciliumWorld) without(flow string) (removed int) {
	for i := range w.policies {
		w.policies[i].Specs = slices.DeleteFunc(w.policies[i].Specs, func(s ciliumSpec) bool {
			gone := strings.HasPrefix(s.Description, flow+": ")
			if gone {
				removed++
			}
			return gone
		})
	}
	return removed
}

// ciliumMeant is the port table with the two differences that Cilium cannot
// express: pods of other machines count as own, and source ports do not count.
func ciliumMeant(c Cluster) judge {
	sources := []int{anySource}
	for _, flow := range c.flows() {
		sources = append(sources, flow.SourcePort)
	}
	table := meant(c)
	return func(p packet) bool {
		if p.from.isHost() && p.to.kind == hostconfig.Pods {
			p.to.host = p.from.name
		}
		return slices.ContainsFunc(sources, func(source int) bool {
			p.source = source
			return table(p)
		})
	}
}

func TestCiliumGolden(t *testing.T) {
	for _, role := range roles {
		stream, err := cluster().Cilium(role)
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, fmt.Sprintf("cilium-%s.yaml", role), stream)
		if stream, err = group().Cilium(role); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, fmt.Sprintf("cilium-%s-group.yaml", role), stream)
	}
}

func TestCiliumIsThePortTable(t *testing.T) {
	for name, c := range variants() {
		for failSafe, w := range map[string]*ciliumWorld{"with": cilium(t, c), "without": cilium(t, c).only(false)} {
			for _, difference := range differences(c, w.allows, ciliumMeant(c)) {
				t.Errorf("%s, %s fail-safe: %s", name, failSafe, difference)
			}
		}
	}
}

func TestCiliumNeedsEveryFlow(t *testing.T) {
	for name, c := range map[string]Cluster{"known": cluster(), "group": group()} {
		all := packets(c)
		for _, flow := range c.flows() {
			w := cilium(t, c).only(false)
			if removed := w.without(flow.Name); ofHosts(flow) != (removed > 0) {
				t.Errorf("%s: %s: %d rules", name, flow.Name, removed)
			}
			// In a cloud, kubelets of control planes probe pods too, on every port.
			subsumed := name == "group" && flow.To == hostconfig.Pods
			if ofHosts(flow) && !subsumed && !differ(all, w.allows, ciliumMeant(c)) {
				t.Errorf("%s: nothing is missing without %s", name, flow.Name)
			}
		}
	}
}

// TestCiliumFailSafe applies the fail-safe alone, and then a policy whose every
// allowing rule was lost.
func TestCiliumFailSafe(t *testing.T) {
	c := cluster()
	lost := cilium(t, c)
	for i := range lost.policies {
		if !strings.HasSuffix(lost.policies[i].Metadata.Name, "-failsafe") {
			lost.policies[i].Specs = lost.policies[i].Specs[len(lost.policies[i].Specs)-1:] // the denying one
		}
	}
	for name, w := range map[string]*ciliumWorld{"alone": cilium(t, c).only(true), "lost": lost} {
		for _, difference := range differences(c, w.allows, repairs(c)) {
			t.Errorf("%s: %s", name, difference)
		}
	}
}

// TestCiliumHealth: the plugin's checks pass, and nothing else between a host
// and a health endpoint.
func TestCiliumHealth(t *testing.T) {
	c := cluster()
	w, checker := cilium(t, c), subject{name: "health", kind: health}
	for _, host := range subjects(c) {
		if !host.isHost() {
			continue
		}
		for _, p := range packets(c) {
			for _, pair := range [][2]subject{{host, checker}, {checker, host}} {
				p.from, p.to = pair[0], pair[1]
				if want := p.protocol == "echo" || p.protocol == "tcp" && p.port == 4240; w.allows(p) != want {
					t.Fatalf("%s: want %t", p, want)
				}
			}
		}
	}
}

func TestCiliumAudit(t *testing.T) {
	for stage, want := range map[Stage]string{Audit: "true", Enforce: "false", "": "false"} {
		c := cluster()
		c.Stage = stage
		for _, config := range cilium(t, c).configs {
			if got := config.Spec.Defaults["policy-audit-mode"]; got != want {
				t.Errorf("%q: policy-audit-mode is %s", stage, got)
			}
		}
	}
}

package hostpolicy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

// calicoWorld is what Felix would hold after the documents were applied.
type calicoWorld struct {
	felix     map[string]felixConfiguration
	endpoints []hostEndpoint
	policies  []globalNetworkPolicy
	failSafe  bool
}

func calico(t testing.TB, c Cluster) *calicoWorld {
	t.Helper()
	w := &calicoWorld{felix: map[string]felixConfiguration{}, failSafe: true}
	for _, role := range roles {
		stream, err := c.Calico(role)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range decode[felixConfiguration](t, stream, "FelixConfiguration") {
			w.felix[f.Metadata.Name] = f
		}
		w.endpoints = append(w.endpoints, decode[hostEndpoint](t, stream, "HostEndpoint")...)
		w.policies = append(w.policies, decode[globalNetworkPolicy](t, stream, "GlobalNetworkPolicy", "StagedGlobalNetworkPolicy")...)
	}
	slices.SortStableFunc(w.policies, func(a, b globalNetworkPolicy) int { return a.Spec.Order - b.Spec.Order })
	return w
}

// allows needs the consent of both ends that are machines.
func (w *calicoWorld) allows(p packet) bool {
	return (!p.from.isHost() || w.decides(p, p.from, p.to, "Egress")) && (!p.to.isHost() || w.decides(p, p.to, p.from, "Ingress"))
}

func (w *calicoWorld) decides(p packet, host, other subject, direction string) bool {
	at := slices.IndexFunc(w.endpoints, func(h hostEndpoint) bool { return slices.Contains(h.Spec.ExpectedIPs, host.addr.String()) })
	if at < 0 {
		return true // a machine without host endpoint is not guarded
	}
	endpoint := w.endpoints[at]
	felix := w.felix["node."+endpoint.Spec.Node].Spec
	open := felix.FailsafeOutboundHostPorts
	if direction == "Ingress" {
		open = felix.FailsafeInboundHostPorts
	}
	if w.failSafe && slices.ContainsFunc(open, func(f failsafePort) bool {
		return strings.EqualFold(f.Protocol, p.protocol) && f.Port == p.port && contains([]string{f.Net}, other.addr)
	}) {
		return true
	}
	for _, policy := range w.policies {
		label, value, _ := strings.Cut(policy.Spec.Selector, " == ")
		if endpoint.Metadata.Labels[label] != strings.Trim(value, "'") || !slices.Contains(policy.Spec.Types, direction) {
			continue
		}
		rules := policy.Spec.Egress
		if direction == "Ingress" {
			rules = policy.Spec.Ingress
		}
		for _, rule := range rules {
			if calicoMatches(rule, p) {
				return rule.Action == "Allow"
			}
		}
	}
	return false
}

func calicoMatches(rule calicoRule, p packet) bool {
	switch rule.Protocol {
	case "":
	case "ICMP":
		if p.protocol != "echo" || rule.ICMP.Type != 8 {
			return false
		}
	default:
		if !strings.EqualFold(rule.Protocol, p.protocol) {
			return false
		}
	}
	if s := rule.Source; s != nil && len(s.Nets) > 0 && !contains(s.Nets, p.from.addr) {
		return false
	}
	d := rule.Destination
	return d == nil || (len(d.Nets) == 0 || contains(d.Nets, p.to.addr)) && (len(d.Ports) == 0 || slices.Contains(d.Ports, p.port))
}

// without leaves out the rules of one flow.
func (w *calicoWorld) without(flow string) (removed int) {
	drop := func(r calicoRule) bool {
		gone := r.Metadata != nil && r.Metadata.Annotations[annotationFlow] == flow
		if gone {
			removed++
		}
		return gone
	}
	for i := range w.policies {
		w.policies[i].Spec.Ingress = slices.DeleteFunc(w.policies[i].Spec.Ingress, drop)
		w.policies[i].Spec.Egress = slices.DeleteFunc(w.policies[i].Spec.Egress, drop)
	}
	return removed
}

func TestCalicoGolden(t *testing.T) {
	for _, role := range roles {
		stream, err := cluster().Calico(role)
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, fmt.Sprintf("calico-%s.yaml", role), stream)
	}
	audit := cluster()
	audit.Stage = Audit
	stream, _ := audit.Calico(hostconfig.RoleWorker)
	golden.Compare(t, "calico-worker-audit.yaml", stream)
}

func TestCalicoIsThePortTable(t *testing.T) {
	for name, c := range variants() {
		for _, failSafe := range []bool{true, false} {
			w := calico(t, c)
			w.failSafe = failSafe
			for _, difference := range differences(c, w.allows, func(p packet) bool { return meant(c, p) }) {
				t.Errorf("%s, fail-safe %t: %s", name, failSafe, difference)
			}
		}
	}
}

func TestCalicoNeedsEveryFlow(t *testing.T) {
	c := cluster()
	for _, flow := range hostconfig.PortTable(hostconfig.Topology{Ports: c.Ports}) {
		w := calico(t, c)
		w.failSafe = false
		removed := w.without(flow.Name)
		if ofHosts(flow) != (removed > 0) {
			t.Errorf("%s: %d rules", flow.Name, removed)
		}
		if found := differences(c, w.allows, func(p packet) bool { return meant(c, p) }); ofHosts(flow) && len(found) == 0 {
			t.Errorf("nothing is missing without %s", flow.Name)
		}
	}
}

// TestCalicoFailSafe takes every allowing rule away: what repairs a cluster is
// still open, and nothing else is.
func TestCalicoFailSafe(t *testing.T) {
	c := cluster()
	w := calico(t, c)
	for _, flow := range hostconfig.PortTable(hostconfig.Topology{Ports: c.Ports}) {
		w.without(flow.Name)
	}
	for _, difference := range differences(c, w.allows, func(p packet) bool { return repairs(c, p) }) {
		t.Error(difference)
	}
}

// TestCalicoAudit: in the first stage nothing is dropped.
func TestCalicoAudit(t *testing.T) {
	c := cluster()
	c.Stage = Audit
	w := calico(t, c)
	for _, policy := range w.policies {
		if policy.Kind != "StagedGlobalNetworkPolicy" || policy.Spec.StagedAction != "Set" {
			t.Errorf("%s is in force", policy.Metadata.Name)
		}
	}
	for _, endpoint := range w.endpoints {
		if !slices.Contains(endpoint.Spec.Profiles, "projectcalico-default-allow") {
			t.Errorf("%s drops everything", endpoint.Metadata.Name)
		}
	}
}

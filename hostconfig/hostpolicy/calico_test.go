package hostpolicy

import (
	"fmt"
	"maps"
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
	// automatic says that the plugin makes an endpoint for every machine.
	automatic bool
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
		for _, k := range decode[kubeControllersConfiguration](t, stream, "KubeControllersConfiguration") {
			w.automatic = k.Metadata.Name == "default" && k.Spec.Controllers.Node.HostEndpoint.AutoCreate == "Enabled"
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
	endpoint, guarded := w.endpoint(host)
	if !guarded {
		return true
	}
	one, found := w.felix["node."+endpoint.Spec.Node]
	if !found {
		one = w.felix["default"]
	}
	felix := one.Spec
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
		if !calicoSelects(policy.Spec.Selector, endpoint.Metadata.Labels) || !slices.Contains(policy.Spec.Types, direction) {
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

// endpoint gives the one of a machine: as rendered, or as the plugin makes it.
func (w *calicoWorld) endpoint(host subject) (hostEndpoint, bool) {
	at := slices.IndexFunc(w.endpoints, func(h hostEndpoint) bool { return slices.Contains(h.Spec.ExpectedIPs, host.addr.String()) })
	if at >= 0 {
		return w.endpoints[at], true
	}
	labels := map[string]string{labelCreatedBy: "calico-kube-controllers"}
	if host.kind == hostconfig.ControlPlanes {
		labels[labelControlPlane] = ""
	}
	return hostEndpoint{Spec: hostEndpointSpec{Node: host.name}, Metadata: objectMeta{Labels: labels}}, w.automatic
}

// calicoSelects judges a conjunction of has, !has and equality.
func calicoSelects(selector string, labels map[string]string) bool {
	for _, term := range strings.Split(selector, " && ") {
		if label, value, equality := strings.Cut(term, " == "); equality {
			if labels[label] != strings.Trim(value, "'") {
				return false
			}
			continue
		}
		name, negated := strings.CutPrefix(term, "!")
		_, has := labels[strings.TrimSuffix(strings.TrimPrefix(name, "has("), ")")]
		if has == negated {
			return false
		}
	}
	return true
}

func calicoMatches(rule calicoRule, p packet) bool {
	switch rule.Protocol {
	case "":
	case "ICMP", "ICMPv6":
		wants := calicoICMP{Type: 8}
		if rule.Protocol == "ICMPv6" {
			wants.Type = 128
		}
		if p.protocol != "echo" || *rule.ICMP != wants || p.to.addr.Is4() != (rule.Protocol == "ICMP") {
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
	if s := rule.Source; s != nil && len(s.Ports) > 0 && !slices.Contains(s.Ports, p.source) {
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
	for name, c := range map[string]Cluster{"cloud": cloud(), "group": group()} {
		for _, role := range roles {
			stream, err := c.Calico(role)
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, fmt.Sprintf("calico-%s-%s.yaml", role, name), stream)
		}
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
			want := meant(c)
			if failSafe {
				want = widened(c, want)
			}
			for _, difference := range differences(c, w.allows, want) {
				t.Errorf("%s, fail-safe %t: %s", name, failSafe, difference)
			}
		}
	}
}

func TestCalicoNeedsEveryFlow(t *testing.T) {
	for name, c := range map[string]Cluster{"known": cluster(), "cloud": cloud()} {
		all := packets(c)
		for _, flow := range c.flows() {
			w := calico(t, c)
			w.failSafe = false
			removed := w.without(flow.Name)
			needed := ofHosts(flow) && flow.Name != "kubelet-probes-control-plane" // no pod stands on one here
			if needed != (removed > 0) {
				t.Errorf("%s: %s: %d rules", name, flow.Name, removed)
			}
			if needed && !differ(all, w.allows, meant(c)) {
				t.Errorf("%s: nothing is missing without %s", name, flow.Name)
			}
		}
	}
}

// TestCalicoLeavesPodsAlone: a pod that wears every label of a machine is still a
// pod, and no rule of machines is its way past NetworkPolicy (M21).
func TestCalicoLeavesPodsAlone(t *testing.T) {
	for name, c := range map[string]Cluster{"known": cluster(), "group": group()} {
		w := calico(t, c)
		for _, host := range subjects(c) {
			if !host.isHost() {
				continue
			}
			endpoint, _ := w.endpoint(host)
			disguised := maps.Clone(endpoint.Metadata.Labels)
			disguised["projectcalico.org/namespace"] = "tenant"
			selected := 0
			for _, policy := range w.policies {
				if calicoSelects(policy.Spec.Selector, endpoint.Metadata.Labels) {
					selected++
				}
				if calicoSelects(policy.Spec.Selector, disguised) || calicoSelects(policy.Spec.Selector, map[string]string{"projectcalico.org/namespace": "tenant"}) {
					t.Errorf("%s: %s judges pods", name, policy.Metadata.Name)
				}
			}
			if selected < 2 {
				t.Errorf("%s: %s is not guarded", name, host.name)
			}
		}
	}
}

// TestCalicoFailSafe takes every allowing rule away: what repairs a cluster is
// still open, and nothing else is.
func TestCalicoFailSafe(t *testing.T) {
	c := cluster()
	w := calico(t, c)
	for _, flow := range c.flows() {
		w.without(flow.Name)
	}
	for _, difference := range differences(c, w.allows, repairs(c)) {
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

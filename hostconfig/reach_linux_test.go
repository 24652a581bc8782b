package hostconfig

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// patient is far above a round trip between namespaces on a busy machine; brief
// is for probes of which one at least is expected to change.
const (
	patient = 1600 * time.Millisecond
	brief   = 500 * time.Millisecond
)

var mutations = flag.Bool("mutations", false, "take every rule of a cloud machine's firewall away as well, one at a time")

// kinds are those of every flow of a table, and some that are in no flow.
func kinds(flows []Flow) []kind {
	all := []kind{{ProtocolTCP, 22, 0}, {ProtocolTCP, 8080, 0}, {ProtocolUDP, 5353, 0}, {ProtocolUDP, 67, 0}, {ProtocolEcho, 0, 0}}
	for _, flow := range flows {
		k := kind{flow.Protocol, flow.Port, flow.SourcePort}
		// The kernel itself listens for VXLAN, and answers nothing: the pods' own
		// traffic shows whether it passes.
		vxlan := k.protocol == ProtocolUDP && k.port == networkTable[CalicoVXLAN].port
		if k.port != 0 && !vxlan && !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	return all
}

// flowsOf gives the flows that let a probe pass.
func flowsOf(flows []Flow, p probe) []string {
	var names []string
	for _, flow := range flows {
		if p.from.is(flow.From, p.to) && p.to.is(flow.To, p.from) && p.kind.matches(flow) {
			names = append(names, flow.Name)
		}
	}
	return names
}

// probes are every kind between every two actors of which one at least is, or is
// behind, a machine. What is wanted comes from the table alone.
func (s *site) probes(f Firewall) []probe {
	flows := PortTable(f.Topology())
	var all []probe
	for _, from := range s.actors {
		for _, to := range s.actors {
			inside := from.isMachine() || from.host != "" || to.isMachine() || to.host != ""
			// Behind an interface of their own, operators have a way to one machine.
			away := !s.cloud && (from.name == "op" && to.name != "cp" || to.name == "op" && from.name != "cp")
			if from.name == to.name || !inside || away {
				continue
			}
			for _, of := range families {
				if from.at(of) == "" || to.at(of) == "" {
					continue
				}
				for _, k := range kinds(flows) {
					p := probe{from: from, to: to, of: of, kind: k}
					p.want = len(flowsOf(flows, p)) > 0 && (of == familyIPv4 || f.has(familyIPv6))
					all = append(all, p)
				}
			}
		}
	}
	return all
}

// differences gives the probes that were not answered as they were meant to be.
func (s *site) differences(probes []probe, patience time.Duration, eager bool) []probe {
	s.t.Helper()
	var found []probe
	for i, answer := range s.sweep(probes, patience, eager) {
		if answer != probes[i].want {
			found = append(found, probes[i])
		}
	}
	return found
}

// guard applies the rulesets to every machine and gives them.
func (s *site) guard() map[string]string {
	s.t.Helper()
	rulesets := map[string]string{}
	for _, a := range s.actors {
		if !a.isMachine() {
			continue
		}
		role := RoleWorker
		if a.kind == ControlPlanes {
			role = RoleControlPlane
		}
		ruleset, err := Nftables(s.firewall(role))
		if err != nil {
			s.t.Fatal(err)
		}
		rulesets[a.space] = ruleset
		s.load(a.space, ruleset)
	}
	return rulesets
}

// TestPortTableBetweenNamespaces derives probes from the table and tries every
// one of them on real machines' rulesets: what a flow allows, from each of its
// sources, and the same from and to everybody else.
func TestPortTableBetweenNamespaces(t *testing.T) {
	for name, cloud := range map[string]bool{"local": false, "cloud": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // with each other: most of the time they wait for what is dropped
			s := newSite(t, cloud)
			f := s.firewall(RoleWorker)
			flows := PortTable(f.Topology())
			s.serveAll(kinds(flows))
			probes := s.probes(f)

			open := slices.Clone(probes)
			for i := range open {
				open[i].want = true
			}
			for _, p := range s.retried(open) {
				t.Errorf("without firewall: %s is not answered", p)
			}
			rulesets := s.guard()
			time.Sleep(2 * time.Second) // what was begun before is forgotten
			for _, p := range s.retried(probes) {
				t.Errorf("%s: want %t, by %v", p, p.want, flowsOf(flows, p))
			}
			covered := map[string]bool{}
			for _, p := range probes {
				for _, flow := range flowsOf(flows, p) {
					covered[flow] = true
				}
			}
			for _, flow := range flows {
				if !covered[flow.Name] && flow.From != Loopback && flow.To != DHCPv6Group && flow.From != DHCPv6Servers && flow.Name != "nodes-"+string(CalicoVXLAN) {
					t.Errorf("no probe is about %s", flow.Name)
				}
			}
			t.Logf("%d probes, %d of them allowed", len(probes), len(slices.DeleteFunc(slices.Clone(probes), func(p probe) bool { return !p.want })))
			if t.Failed() {
				return
			}
			if cloud && !*mutations {
				return // four minutes, most of them waiting for what is dropped
			}
			for _, machine := range []string{"cp", "w1"} {
				s.mutate(machine, rulesets[machine], flows, probes)
			}
		})
	}
}

// retried repeats what was not as meant once: a busy machine loses time, and a
// firewall does not change its mind.
func (s *site) retried(probes []probe) []probe {
	s.t.Helper()
	found := s.differences(probes, patient, false)
	if len(found) == 0 || len(found) > 200 {
		return found[:min(len(found), 40)]
	}
	time.Sleep(2 * time.Second)
	return s.differences(found, 3*time.Second, false)
}

// alone leaves one machine guarded and gives the probes that pass it, all of
// which it decides as the table does, whatever the others do. A machine without
// firewall that reaches pods through a tunnel is an exception: it has a pod's
// address there.
func (s *site) alone(machine string, probes []probe) []probe {
	s.t.Helper()
	for _, a := range s.actors {
		if a.isMachine() && a.space != machine {
			s.in(a.space, "nft", "delete", "table", "inet", "redoubt")
		}
	}
	time.Sleep(2 * time.Second)
	passing := slices.DeleteFunc(slices.Clone(probes), func(p probe) bool {
		tunnelled := s.cloud && p.from.isMachine() && p.from.name != machine && p.to.kind == Pods && (p.from.name == "w2" || p.to.host == "w2")
		return tunnelled || !p.from.passes(machine) && !p.to.passes(machine)
	})
	for _, p := range s.retried(passing) {
		s.t.Errorf("%s alone: %s: want %t, by %v", machine, p, p.want, flowsOf(PortTable(s.firewall(RoleWorker).Topology()), p))
	}
	return passing
}

// mutate takes every rule of a machine away, one at a time, and wants a probe to
// notice; then it leaves the other end's address out of the rule, and the port.
func (s *site) mutate(machine, ruleset string, flows []Flow, probes []probe) {
	s.t.Helper()
	probes = s.alone(machine, probes)
	if s.t.Failed() {
		return
	}
	lines := strings.Split(ruleset, "\n")
	chain := ""
	for i, line := range lines {
		if name, found := strings.CutPrefix(strings.TrimSpace(line), "chain "); found {
			chain = strings.TrimSuffix(name, " {")
		}
		_, flow, found := strings.Cut(line, `comment "`)
		if !found || strings.Contains(line, "dhcpv6") {
			continue // TestLinkBetweenNamespaces has these, and neighbour discovery
		}
		flow = strings.TrimSuffix(flow, `"`)
		try := func(what, mutated string, concerned []probe) {
			changed := slices.Clone(lines)
			changed[i] = mutated
			s.load(machine, strings.Join(changed, "\n"))
			if strings.Contains(line, "sport") {
				time.Sleep(2100 * time.Millisecond) // the connection of the last probe is forgotten
			}
			if len(s.differences(concerned, brief, true)) == 0 {
				s.t.Errorf("%s: %s: no probe of %d noticed that %s: %s", machine, chain, len(concerned), what, strings.TrimSpace(line))
			}
		}
		of := familyIPv4
		if strings.Contains(line, "ip6 ") {
			of = familyIPv6
		}
		about := func(keep func(probe) bool) []probe {
			return slices.DeleteFunc(slices.Clone(probes), func(p probe) bool {
				return !keep(p)
			})
		}
		if !twice(lines, line, flows) {
			try("it is gone", "", about(func(p probe) bool {
				return p.of == of && p.want && (slices.Contains(flowsOf(flows, p), flow) || flow == "nodes-"+string(CalicoVXLAN) && p.from.kind == Pods && p.to.kind == Pods)
			}))
		}
		if flow == "nodes-"+string(CalicoVXLAN) {
			continue
		}
		same := func(p probe) bool {
			return !p.want && p.of == of && slices.ContainsFunc(flows, func(f Flow) bool { return f.Name == flow && p.kind.matches(f) })
		}
		if address := peerMatch(chain, line); address != "" {
			try("it is for everybody", strings.Replace(line, address, "", 1), about(same))
		}
		if _, port, found := strings.Cut(line, " dport "); found && !strings.Contains(line, "sport") {
			number, _, _ := strings.Cut(port, " ")
			protocol := ProtocolTCP
			if strings.Contains(line, "udp dport") {
				protocol = ProtocolUDP
			}
			try("it is for every port", strings.Replace(line, protocol+" dport "+number, "meta l4proto "+protocol, 1),
				about(func(p probe) bool {
					between := func(f Flow) bool { return f.Name == flow && p.from.is(f.From, p.to) && p.to.is(f.To, p.from) }
					return !p.want && p.of == of && p.kind.protocol == protocol && slices.ContainsFunc(flows, between)
				}))
		}
	}
	s.guard()
}

// twice tells whether another rule of a wider flow lets the same pass, so that
// no probe can tell whether this one is there: an echo between machines is
// allowed to all of them by the plugin's health checks.
func twice(lines []string, line string, flows []Flow) bool {
	return strings.Contains(line, "echo-request") && slices.ContainsFunc(flows, func(f Flow) bool { return f.Name == "nodes-cilium-health-echo" })
}

// peerMatch gives the part of a rule that names the other end, where somebody who
// is not that end could come by the same interface.
func peerMatch(chain, line string) string {
	at := " saddr "
	if chain == "output" || chain == "forward" && strings.Contains(line, `iifname "c`) {
		at = " daddr "
	}
	inside := strings.Contains(line, "vxlan") || chain == "forward" && strings.Count(line, `ifname "c`) == 2 ||
		chain != "forward" && strings.Contains(line, `ifname "c`) || strings.Contains(line, `ifname "op0"`)
	if inside {
		return ""
	}
	before, after, _ := strings.Cut(line, at)
	name, _, _ := strings.Cut(after, " ")
	version := "ip"
	if strings.HasSuffix(before, "ip6") {
		version = "ip6"
	}
	return fmt.Sprintf("%s%s%s ", version, at, name)
}

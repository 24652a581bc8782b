package hostconfig

import (
	"fmt"
	"sync"
	"testing"
)

// way is a kind of traffic and the ports on which it must be answered.
type way struct {
	from, to string
	open     []int
	udp      answer
}

// answer is what is expected of UDP. It is tried only where the server has one
// address on the way, because it could answer from another.
type answer int

const (
	untried answer = iota
	blocked
	answered
)

// check tries every port of every way at once.
func (l *lab) check(stage string, ways []way) {
	l.t.Helper()
	var wait sync.WaitGroup
	probe := func(from, target string, want bool) {
		wait.Go(func() {
			if got := l.reaches(from, target); got != want {
				l.t.Errorf("%s: %s to %s: answered %t, want %t", stage, from, target, got, want)
			}
		})
	}
	for _, w := range ways {
		isOpen := map[int]bool{}
		for _, port := range w.open {
			isOpen[port] = true
		}
		for _, port := range labPorts {
			probe(w.from, fmt.Sprintf("tcp/%s/%d", w.to, port), isOpen[port])
		}
		if w.udp != untried {
			probe(w.from, "udp/"+w.to, w.udp == answered)
		}
	}
	wait.Wait()
}

// TestFirewallBetweenNamespaces applies the rulesets for real and tries what they
// allow and what they do not, first without them to prove that the network works.
func TestFirewallBetweenNamespaces(t *testing.T) {
	l := newLab(t)
	const (
		cp, cpOperator, w1, w2, out = "10.80.0.10", "10.83.0.2", "10.80.0.11", "10.80.0.12", "10.80.0.99"
		pod1, pod2, metadata        = "10.81.1.2", "10.81.2.2", "169.254.169.254"
	)
	ways := []way{
		{from: "op", to: cpOperator, open: []int{6443}, udp: blocked},
		{from: "op", to: w1}, // through the control plane
		{from: "w1", to: cp, open: []int{6443}, udp: blocked},
		{from: "w1", to: "fd80::10"},
		{from: "cp", to: w1, open: []int{10250}, udp: blocked},
		{from: "cp", to: "fd80::11"},
		{from: "cp", to: pod1, udp: blocked},
		{from: "cp", to: out, udp: blocked},
		{from: "w1", to: w2, udp: blocked},
		{from: "w1", to: out},
		{from: "w1", to: pod1, open: labPorts, udp: blocked}, // probes
		{from: "w1", to: pod2, udp: blocked},
		{from: "pod1", to: pod2, open: labPorts, udp: answered},
		{from: "pod1", to: cp, open: []int{6443}},
		{from: "pod1", to: w1},
		{from: "pod1", to: "10.81.1.1"},
		{from: "pod1", to: w2},
		{from: "pod1", to: out, udp: blocked},
		{from: "pod1", to: metadata},
		{from: "w1", to: metadata},
		{from: "out", to: cp, udp: blocked},
		{from: "out", to: "fd80::10"},
		{from: "out", to: w1},
		{from: "out", to: pod1, udp: blocked},
		{from: "out", to: cpOperator},
		{from: "cp", to: "127.0.0.1", open: labPorts, udp: answered},
		{from: "cp", to: "::1", open: labPorts},
		{from: "w1", to: "127.0.0.1", open: labPorts, udp: answered},
	}
	before := make([]way, len(ways))
	for i, w := range ways {
		before[i] = way{from: w.from, to: w.to, open: labPorts}
		if w.udp != untried {
			before[i].udp = answered
		}
	}
	before[1] = before[0] // the workers have no way back to the operators
	l.check("without firewall", before)
	echoes := []struct {
		from, to string
		want     bool
	}{{"w1", cp, true}, {"cp", w1, true}, {"op", cpOperator, false}, {"out", cp, false}, {"pod1", cp, false}, {"w1", w2, false}}
	for _, each := range echoes {
		if !l.reaches(each.from, "echo/"+each.to) {
			t.Errorf("without firewall: no echo from %s to %s", each.from, each.to)
		}
	}

	controlPlane := Firewall{Role: RoleControlPlane, ControlPlane: []string{cp}, Workers: []string{w1, w2},
		Operators: []string{"10.83.0.0/29"}, PodCIDR: "10.81.0.0/16"}
	worker := controlPlane
	worker.Role = RoleWorker
	for range 2 { // the second time replaces the first
		l.apply("cp", controlPlane)
		l.apply("w1", worker)
		l.apply("w2", worker)
	}
	l.check("with firewall", ways)
	for _, each := range echoes {
		if got := l.reaches(each.from, "echo/"+each.to); got != each.want {
			t.Errorf("echo from %s to %s: answered %t, want %t", each.from, each.to, got, each.want)
		}
	}

	// The outsider becomes a second control plane, and pods serve webhooks.
	controlPlane.ControlPlane = []string{cp, out}
	controlPlane.Ports.Webhooks = []int{9443}
	worker.ControlPlane, worker.Ports = controlPlane.ControlPlane, controlPlane.Ports
	l.apply("cp", controlPlane)
	l.apply("w1", worker)
	l.check("with two control planes", []way{
		{from: "out", to: cp, open: []int{2379, 2380, 6443}},
		{from: "w1", to: cp, open: []int{6443}},
		{from: "cp", to: pod1, open: []int{9443}},
	})
}

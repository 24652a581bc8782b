package agent

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/quarantine"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

// scene is a cluster with two pools, as one control plane sees it.
type scene struct {
	instances []cloud.Instance
	nodes     []corev1.Node
	last      turn
	// watched is for how long the control plane has seen the present state.
	watched time.Duration
}

const poolA, poolB, planes = "role-a", "role-b", "role-planes"

func (s *scene) add(id, role string, launched time.Duration) *cloud.Instance {
	group := map[string]string{poolA: "c-a", poolB: "c-b"}[role]
	s.instances = append(s.instances, cloud.Instance{ID: id, Node: "node-" + id, Role: role, Group: group, Launched: ago(launched), Addresses: []string{"10.0.0.9"}})
	return &s.instances[len(s.instances)-1]
}

// node adds an instance's Node with a condition that has lasted for a time.
func (s *scene) node(id string, status corev1.ConditionStatus, lasted time.Duration) *corev1.Node {
	s.nodes = append(s.nodes, corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "node-" + id, Labels: map[string]string{nodeconfig.LabelInstance: id}, CreationTimestamp: metav1.NewTime(ago(5 * time.Hour))},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(ago(5 * time.Hour))},
			{Type: corev1.NodeReady, Status: status, LastTransitionTime: metav1.NewTime(ago(lasted))}}},
	})
	return &s.nodes[len(s.nodes)-1]
}

// usual is a control plane and three workers, of which the first has been silent for
// twelve minutes.
func usual() *scene {
	s := &scene{watched: 12 * time.Minute}
	s.add("plane", planes, 5*time.Hour).Node = "plane-1"
	s.node("plane", corev1.ConditionTrue, 5*time.Hour).Name = "plane-1"
	s.add("1", poolA, 5*time.Hour)
	s.node("1", corev1.ConditionUnknown, 12*time.Minute)
	s.add("2", poolA, 5*time.Hour)
	s.node("2", corev1.ConditionTrue, 5*time.Hour)
	s.add("3", poolB, 5*time.Hour)
	s.node("3", corev1.ConditionTrue, 5*time.Hour)
	return s
}

func (s *scene) instance(id string) *cloud.Instance {
	for i := range s.instances {
		if s.instances[i].ID == id {
			return &s.instances[i]
		}
	}
	panic(id)
}

func (s *scene) of(id string) *corev1.Node {
	for i := range s.nodes {
		if s.nodes[i].Labels[nodeconfig.LabelInstance] == id {
			return &s.nodes[i]
		}
	}
	panic(id)
}

func (s *scene) silent(id string, lasted time.Duration) {
	ready := readiness(s.of(id))
	ready.Status, ready.LastTransitionTime = corev1.ConditionUnknown, metav1.NewTime(ago(lasted))
}

// drop takes away an instance's Node, gone takes the instance.
func (s *scene) drop(id string) {
	var rest []corev1.Node
	for _, each := range s.nodes {
		if each.Labels[nodeconfig.LabelInstance] != id {
			rest = append(rest, each)
		}
	}
	s.nodes = rest
}

func (s *scene) gone(id string) {
	var rest []cloud.Instance
	for _, each := range s.instances {
		if each.ID != id {
			rest = append(rest, each)
		}
	}
	s.instances = rest
	s.drop(id)
}

func repairConfig() nodeconfig.Config {
	return nodeconfig.Config{
		Pools:            []nodeconfig.Pool{{Name: "a", Role: poolA, Group: "c-a"}, {Name: "b", Role: poolB, Group: "c-b"}},
		ControlPlaneRole: planes, ControlPlanes: []nodeconfig.ControlPlane{{Name: "plane-1", Address: "10.0.0.9"}},
		RepairAfter: hostconfig.Duration{Duration: 10 * time.Minute},
	}
}

// decide gives whose turn it is, "" for nobody's.
func (s *scene) decide() (instance string, now turn) {
	a := &Agent{config: repairConfig()}
	seen := &vigil{}
	for _, at := range []time.Duration{s.watched, s.watched / 2, 0} {
		a.now = func() time.Time { return ago(at) }
		r := a.round(s.instances, s.nodes)
		seen.look(r.now, r.workers)
	}
	r := a.round(s.instances, s.nodes)
	due := r.due(seen)
	if r.general() {
		return "", s.last
	}
	now, machine := r.next(due, s.last)
	if machine == nil {
		return "", now
	}
	return machine.ID, now
}

// TestRepair: one row for each rule of whose machine is replaced, and of whose is
// never (M05).
func TestRepair(t *testing.T) {
	for what, c := range map[string]struct {
		edit func(*scene)
		want string
	}{
		"a node that is silent":                    {func(*scene) {}, "1"},
		"a node whose kubelet says it is not well": {func(s *scene) { readiness(s.of("1")).Status = corev1.ConditionFalse }, "1"},
		"a node that has just fallen silent":       {func(s *scene) { s.silent("1", 9*time.Minute) }, ""},
		"a node of which nothing was ever heard":   {func(s *scene) { s.of("1").Status.Conditions = nil }, "1"},
		"the oldest of two": {func(s *scene) {
			s.silent("2", 30*time.Minute)
			s.watched = 40 * time.Minute
		}, "2"},
		"nobody, when all work": {func(s *scene) { readiness(s.of("1")).Status = corev1.ConditionTrue }, ""},

		"a machine that never joined":            {func(s *scene) { s.drop("1") }, "1"},
		"a machine that may still join":          {func(s *scene) { s.drop("1"); s.instance("1").Launched = ago(59 * time.Minute) }, ""},
		"a machine whose name is another's Node": {func(s *scene) { s.of("1").Labels[nodeconfig.LabelInstance] = "before" }, "1"},
		"a new machine under the name of one that was": {func(s *scene) {
			s.of("1").Labels[nodeconfig.LabelInstance] = "before"
			s.instance("1").Launched = ago(5 * time.Minute)
		}, ""},
		"a machine whose Node nobody has looked at":            {func(s *scene) { delete(s.of("1").Labels, nodeconfig.LabelInstance) }, ""},
		"a machine that never joined, not watched long enough": {func(s *scene) { s.drop("1"); s.watched = 9 * time.Minute }, ""},

		"what this control plane has not seen itself": {func(s *scene) { s.watched = 9 * time.Minute }, ""},
		"a restored snapshot, or a clock that jumped": {func(s *scene) { s.silent("1", 72*time.Hour); s.watched = 0 }, ""},
		"a control plane":                               {func(s *scene) { s.silent("plane", time.Hour); readiness(s.of("1")).Status = corev1.ConditionTrue }, ""},
		"an instance of a pool's role alone":            {func(s *scene) { s.instance("1").Group = "" }, ""},
		"an instance of a pool's group alone":           {func(s *scene) { s.instance("1").Role = "role-of-somebody" }, ""},
		"a machine that is leaving":                     {func(s *scene) { s.instance("1").Leaving = true }, ""},
		"a machine that an operator holds in the cloud": {func(s *scene) { s.instance("1").Spared = true }, ""},
		"a node under quarantine":                       {func(s *scene) { s.of("1").Labels[quarantine.Label] = "true" }, ""},
		"a node under quarantine, whatever its value":   {func(s *scene) { s.of("1").Labels[quarantine.Label] = "" }, ""},
		"a node with the taint of quarantine": {func(s *scene) {
			s.of("1").Spec.Taints = []corev1.Taint{{Key: quarantine.Taint, Effect: corev1.TaintEffectNoSchedule}}
		}, ""},
		"a node that is merely cordoned": {func(s *scene) { s.of("1").Spec.Unschedulable = true }, "1"},
		"a node under quarantine keeps no other": {func(s *scene) {
			s.of("1").Labels[quarantine.Label] = "true"
			s.silent("2", 11*time.Minute)
		}, "2"},

		"when no worker works": {func(s *scene) { s.silent("2", 11*time.Minute); s.silent("3", 11*time.Minute) }, ""},
		"when one is silent and the others have yet to join": {func(s *scene) {
			for _, id := range []string{"2", "3"} {
				s.drop(id)
				s.instance(id).Launched = ago(time.Minute)
			}
		}, ""},
		"when one that is about to leave works":       {func(s *scene) { s.silent("3", time.Hour); s.instance("2").Leaving = true; s.watched = time.Hour }, "3"},
		"the only worker":                             {func(s *scene) { s.gone("2"); s.gone("3") }, "1"},
		"the only worker, where no node works at all": {func(s *scene) { s.gone("2"); s.gone("3"); s.silent("plane", 12*time.Minute) }, ""},

		"another, while one is replaced": {func(s *scene) {
			s.last = turn{instance: "9", group: "c-a", began: ago(9 * time.Minute), told: ago(9 * time.Minute)}
		}, ""},
		"another, while one of another pool is replaced": {func(s *scene) {
			s.last = turn{instance: "9", group: "c-b", began: ago(9 * time.Minute), told: ago(9 * time.Minute)}
		}, ""},
		"another, while the one before is still there": {func(s *scene) {
			s.last = turn{instance: "3", group: "c-b", began: ago(5 * time.Minute), told: ago(5 * time.Minute)}
			s.add("4", poolB, 4*time.Minute)
			s.node("4", corev1.ConditionTrue, time.Minute)
		}, ""},
		"another, while the new one has yet to join": {func(s *scene) {
			s.last = turn{instance: "9", group: "c-a", began: ago(5 * time.Minute), told: ago(5 * time.Minute)}
			s.add("4", poolA, 4*time.Minute)
		}, ""},
		"another, while the new one is not ready": {func(s *scene) {
			s.last = turn{instance: "9", group: "c-a", began: ago(5 * time.Minute), told: ago(5 * time.Minute)}
			s.add("4", poolA, 4*time.Minute)
			s.node("4", corev1.ConditionFalse, time.Minute)
		}, ""},
		"another, when a new one of another pool works": {func(s *scene) {
			s.last = turn{instance: "9", group: "c-a", began: ago(5 * time.Minute), told: ago(5 * time.Minute)}
			s.add("4", poolB, 4*time.Minute)
			s.node("4", corev1.ConditionTrue, time.Minute)
		}, ""},
		"another, when the new one works": {func(s *scene) {
			s.last = turn{instance: "9", group: "c-a", began: ago(5 * time.Minute), told: ago(5 * time.Minute)}
			s.add("4", poolA, 4*time.Minute)
			s.node("4", corev1.ConditionTrue, time.Minute)
		}, "1"},
		"another, when the last one has had its time": {func(s *scene) {
			s.last = turn{instance: "9", group: "c-a", began: ago(10 * time.Minute), told: ago(10 * time.Minute)}
		}, "1"},
		"another, when the last turn is from the future": {func(s *scene) {
			s.last = turn{instance: "9", group: "c-a", began: noon.Add(24 * time.Hour), told: noon.Add(24 * time.Hour)}
		}, "1"},
		"the same, which the cloud was just told of": {func(s *scene) {
			s.last = turn{instance: "1", group: "c-a", began: ago(time.Minute), told: ago(59 * time.Second)}
		}, ""},
		"the same, which the cloud has not heard of": {func(s *scene) {
			s.last = turn{instance: "1", group: "c-a", began: ago(time.Minute), told: ago(time.Minute)}
		}, "1"},
		"the same, which came under quarantine meanwhile": {func(s *scene) {
			s.last = turn{instance: "1", group: "c-a", began: ago(time.Minute), told: ago(time.Minute)}
			s.of("1").Labels[quarantine.Label] = "true"
		}, ""},
		"another before one that the cloud does not give up": {func(s *scene) {
			s.last = turn{instance: "1", group: "c-a", began: ago(11 * time.Minute), told: ago(time.Minute)}
			s.silent("2", 11*time.Minute)
		}, "2"},
	} {
		s := usual()
		c.edit(s)
		if instance, now := s.decide(); instance != c.want || instance != "" && now.instance != instance {
			t.Errorf("%s: %q is replaced, not %q (%+v)", what, instance, c.want, now)
		}
	}
}

// TestRepeatedTurnEnds: telling the cloud again does not make a turn longer.
func TestRepeatedTurnEnds(t *testing.T) {
	s := usual()
	s.last = turn{instance: "1", group: "c-a", began: ago(3 * time.Minute), told: ago(2 * time.Minute)}
	if _, now := s.decide(); !now.began.Equal(s.last.began) || !now.told.Equal(noon) {
		t.Errorf("%+v", now)
	}
}

// TestVigil: whoever works in between has not been silent without a break.
func TestVigil(t *testing.T) {
	seen, s := &vigil{}, usual()
	at := func(minutes int, status corev1.ConditionStatus) {
		readiness(s.of("1")).Status = status
		w := worker{Instance: *s.instance("1"), node: s.of("1")}
		seen.look(ago(time.Duration(minutes)*time.Minute), []worker{w})
	}
	at(30, corev1.ConditionUnknown)
	at(20, corev1.ConditionTrue)
	at(10, corev1.ConditionUnknown)
	at(0, corev1.ConditionUnknown)
	if first := seen.silent["1"]; !first.Equal(ago(10 * time.Minute)) {
		t.Errorf("silent since %v", first)
	}
	seen.look(noon, nil)
	if len(seen.silent) > 0 {
		t.Error("an instance that is gone is remembered")
	}
}

package agent

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/quarantine"
)

// worker is a machine of a pool, with its Node if it has one.
type worker struct {
	cloud.Instance
	node *corev1.Node
	// doubtful is one of whose Node nobody has said yet that it is the instance's.
	doubtful bool
}

func (w worker) works() bool { return w.node != nil && ready(w.node) }

// silent tells whether the machine is not what it should be: its node is not Ready,
// or it has not become one within the time that it had.
func (w worker) silent(now time.Time) bool {
	if w.node == nil {
		return !w.doubtful && now.After(w.Launched.Add(joinWithin))
	}
	return !ready(w.node)
}

// kept tells whether the machine must stay although it is silent: it goes already,
// or an operator holds it, in the cloud or by quarantine, whose evidence it is (M40).
func (w worker) kept() bool {
	return w.Leaving || w.Spared || w.node != nil && quarantined(w.node)
}

func quarantined(node *corev1.Node) bool {
	_, labelled := node.Labels[quarantine.Label]
	return labelled || slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == quarantine.Taint })
}

// since is when the machine fell silent, and why says how that shows.
func (w worker) since() (since time.Time, why string) {
	if w.node == nil {
		return w.Launched, "it has not become a node since its launch"
	}
	condition := readiness(w.node)
	if condition == nil {
		return w.node.CreationTimestamp.Time, "its node has never reported"
	}
	return condition.LastTransitionTime.Time, "its node's condition Ready is " + string(condition.Status) + " (" + condition.Reason + ")"
}

// vigil is what one control plane has itself seen, from pass to pass. The times in
// Nodes are not enough: a snapshot that is restored and a clock that jumps both make
// machines that work seem to have been silent for long.
type vigil struct {
	// silent is since when each instance has been silent without a break.
	silent map[string]time.Time
	// said is whether it was said that nothing is replaced.
	said bool
}

func (v *vigil) look(now time.Time, workers []worker) {
	silent := map[string]time.Time{}
	for _, w := range workers {
		if w.silent(now) {
			silent[w.ID] = now
			if first, known := v.silent[w.ID]; known {
				silent[w.ID] = first
			}
		}
	}
	v.silent = silent
}

// turn is the last replacement that was begun, by whichever control plane.
type turn struct {
	instance, group string
	// began is when it was decided, told when the cloud was last told.
	began, told time.Time
}

// retell is how long the cloud has to mark an instance as leaving before it is told
// once more: who told it may have died in between.
const retell = time.Minute

// round is all that a decision rests on.
type round struct {
	now time.Time
	// after is how long a machine must have been silent, and how long the one that
	// takes its place has, before the next machine's turn.
	after   time.Duration
	workers []worker
	// planes tells whether the node of any control plane is Ready.
	planes bool
}

// round puts together what a pass has read. Instances that are no pool's are nobody's
// to replace: control planes among them.
func (a *Agent) round(instances []cloud.Instance, nodes []corev1.Node) round {
	r := round{now: a.now(), after: a.config.RepairAfter.Duration}
	byName := map[string]*corev1.Node{}
	for i := range nodes {
		byName[nodes[i].Name] = &nodes[i]
		if _, isControlPlane := a.named(nodes[i].Name); isControlPlane && ready(&nodes[i]) {
			r.planes = true
		}
	}
	for _, instance := range instances {
		if _, known := a.pool(instance); !known {
			continue
		}
		w := worker{Instance: instance}
		if node := byName[instance.Node]; node != nil {
			switch node.Labels[nodeconfig.LabelInstance] {
			case instance.ID:
				w.node = node
			case "":
				w.doubtful = true
			}
		}
		r.workers = append(r.workers, w)
	}
	return r
}

// due gives the machines that have been silent for long enough and need not stay, in
// the order in which they fell silent.
func (r round) due(seen *vigil) []worker {
	var due []worker
	for _, w := range r.workers {
		since, _ := w.since()
		first, watched := seen.silent[w.ID]
		if watched && w.silent(r.now) && !w.kept() && r.now.Sub(first) >= r.after && r.now.Sub(since) >= r.after {
			due = append(due, w)
		}
	}
	slices.SortFunc(due, func(x, y worker) int {
		before, _ := x.since()
		after, _ := y.since()
		return cmp.Or(before.Compare(after), cmp.Compare(x.ID, y.ID))
	})
	return due
}

// general tells that the fault is not a machine's: none of several workers works, or
// no node at all does. Then it is the network, the way to the API servers or the
// network plugin, and other machines would do no better.
func (r round) general() bool {
	if slices.ContainsFunc(r.workers, worker.works) {
		return false
	}
	return len(r.workers) > 1 || !r.planes
}

// over tells that a turn has had its replacement or its time: the instance is gone,
// and one of its group that came later works. One that a wrong clock has begun in the
// future is over, too.
func (r round) over(last turn) bool {
	if !r.now.Before(last.began.Add(r.after)) || last.began.After(r.now.Add(clockSlack)) {
		return true
	}
	gone := !slices.ContainsFunc(r.workers, func(w worker) bool { return w.ID == last.instance })
	return gone && slices.ContainsFunc(r.workers, func(w worker) bool {
		return w.Group == last.group && w.Launched.After(last.began) && w.works()
	})
}

// next says which machine's turn it is: none's, that of the last turn once more, or
// another's. One machine of the whole cluster is replaced at a time, so that a wrong
// diagnosis never becomes a storm.
func (r round) next(due []worker, last turn) (turn, *worker) {
	now, ofLast := turn{began: r.now, told: r.now}, func(w worker) bool { return w.ID == last.instance }
	again, others := selected(due, ofLast), selected(due, func(w worker) bool { return !ofLast(w) })
	due = append(others, again...) // a machine that the cloud does not give up keeps no other's place
	if !r.over(last) {
		if r.now.Before(last.told.Add(retell)) {
			return last, nil
		}
		due, now.began = again, last.began
	}
	if len(due) == 0 {
		return last, nil
	}
	now.instance, now.group = due[0].ID, due[0].Group
	return now, &due[0]
}

func selected(all []worker, keep func(worker) bool) []worker {
	return slices.DeleteFunc(slices.Clone(all), func(w worker) bool { return !keep(w) })
}

package agent

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
	"github.com/redoubt-dev/redoubt/components/internal/approver"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// joinWithin is how long after its launch a worker may become a node. A machine
// that has not joined by then is broken, and is replaced, see [Agent.repair].
const joinWithin = time.Hour

// pool finds the pool that an instance belongs to, by the two things about it that
// only the cloud itself can set.
func (a *Agent) pool(i cloud.Instance) (nodeconfig.Pool, bool) {
	for _, each := range a.config.Pools {
		if i.Role == each.Role && i.Group == each.Group {
			return each, true
		}
	}
	return nodeconfig.Pool{}, false
}

// named finds the control plane of a name.
func (a *Agent) named(name string) (nodeconfig.ControlPlane, bool) {
	for _, each := range a.config.ControlPlanes {
		if each.Name == name {
			return each, true
		}
	}
	return nodeconfig.ControlPlane{}, false
}

// isControlPlane tells whether an instance is the control plane: it has the role
// and the address, which no other instance can have at the same time.
func (a *Agent) isControlPlane(i cloud.Instance, c nodeconfig.ControlPlane) bool {
	return i.Role == a.config.ControlPlaneRole && slices.Contains(i.Addresses, c.Address)
}

// machine is the inventory of the approver: the one instance that may bear a name.
// It asks the cloud every time, since an instance that ended a moment ago must not
// get a certificate.
func (a *Agent) machine(ctx context.Context, name string) (approver.Machine, bool, error) {
	if c, found := a.named(name); found {
		instances, err := a.cloud.Running(ctx, c.Address)
		if err != nil {
			return approver.Machine{}, false, err
		}
		instances = slices.DeleteFunc(instances, func(i cloud.Instance) bool { return !a.isControlPlane(i, c) })
		if len(instances) != 1 {
			return approver.Machine{}, false, several(name, instances)
		}
		return approver.Machine{
			NodeIdentity: hostconfig.NodeIdentity{Name: name, Addresses: []string{c.Address}},
			JoinUser:     nodeconfig.UserJoin(name), JoinGroup: hostconfig.GroupNodeBootstrapper(name),
		}, true, nil
	}
	instances, err := a.cloud.Named(ctx, name)
	if err != nil {
		return approver.Machine{}, false, err
	}
	instances = slices.DeleteFunc(instances, func(i cloud.Instance) bool { _, found := a.pool(i); return !found || i.Node != name })
	if len(instances) != 1 {
		return approver.Machine{}, false, several(name, instances)
	}
	instance := instances[0]
	pool, _ := a.pool(instance)
	taken, err := a.taken(ctx, name, instance)
	return approver.Machine{
		NodeIdentity: hostconfig.NodeIdentity{Name: name, Addresses: instance.Addresses},
		JoinGroup:    nodeconfig.GroupPool(pool.Name), JoinBy: instance.Launched.Add(joinWithin), TakenBy: taken,
	}, true, err
}

// several is an error when a name fits more than one instance: one of them ends
// just now, or something is wrong. Either way nobody can be told from the other.
func several(name string, instances []cloud.Instance) error {
	if len(instances) == 0 {
		return nil
	}
	return fmt.Errorf("%d instances could be the node %q", len(instances), name)
}

// taken says whose the Node of a worker's name is, if it stands in the way of a
// first certificate. A Node of the instance itself does not while it has never
// worked; once it works, whoever asks again with the pool's token is somebody else.
func (a *Agent) taken(ctx context.Context, name string, instance cloud.Instance) (string, error) {
	core, done, err := a.nodeClient()
	if err != nil {
		return "", err
	}
	defer done()
	node, err := core.Nodes().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", err
	case node.Labels[nodeconfig.LabelInstance] == "":
		return "of an instance that is not known yet", nil
	case node.Labels[nodeconfig.LabelInstance] != instance.ID:
		return "of the instance " + node.Labels[nodeconfig.LabelInstance], nil
	case ready(node):
		return "a node that works", nil
	}
	return "", nil
}

// ready tells whether a kubelet reports that its node works.
func ready(node *corev1.Node) bool {
	condition := readiness(node)
	return condition != nil && condition.Status == corev1.ConditionTrue
}

// readiness is what a kubelet reports of its node, or what is said of its silence;
// nil for nothing yet.
func readiness(node *corev1.Node) *corev1.NodeCondition {
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == corev1.NodeReady {
			return &node.Status.Conditions[i]
		}
	}
	return nil
}

// heardSince tells whether a Node's kubelet has reported after a time. Others change
// the condition too, and leave the time of the report as it was.
func heardSince(node *corev1.Node, since time.Time) bool {
	condition := readiness(node)
	return condition != nil && condition.LastHeartbeatTime.After(since)
}

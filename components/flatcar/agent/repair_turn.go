package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
)

// turnName is the Lease in kube-system that notes whose machine is replaced. Its
// holder is GROUP/INSTANCE. Nobody calls the cloud who has not written it before, on
// the condition that it is as it was read: of all control planes one does, and what a
// killed one left undone the next one finds there.
const turnName = "redoubt-repair"

// repair has the machine of a worker replaced that has been silent for too long (M05).
// It is what the health checks of the clouds' groups would be for, if anybody but the
// API servers knew whether a kubelet works.
func (a *Agent) repair(ctx context.Context, core *coreclient.CoreV1Client, leases coordinationclient.LeaseInterface, seen *vigil, r round) error {
	seen.look(r.now, r.workers)
	due, general := r.due(seen), r.general()
	a.sayGeneral(seen, general && len(due) > 0, len(due))
	if len(due) == 0 || general {
		return nil
	}
	lease, last, err := readTurn(ctx, leases)
	if err != nil {
		return fmt.Errorf("reading whose machine is replaced: %w", err)
	}
	now, machine := r.next(due, last)
	if machine == nil {
		return nil
	}
	err = writeTurn(ctx, leases, lease, now, r.after)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return nil // another control plane was faster
	}
	if err != nil {
		return fmt.Errorf("noting whose machine is replaced: %w", err)
	}
	since, why := machine.since()
	said := []any{"node", machine.Node, "instance", machine.ID, "group", machine.Group, "since", since.UTC().Format(time.RFC3339)}
	if again := machine.ID == last.instance && now.began.Equal(last.began); again {
		a.log.Info("the cloud is told again that a worker's machine is to be replaced: "+why, said...)
	} else {
		a.log.Warn("a worker's machine is replaced: "+why, said...)
		a.tell(ctx, core, machine.node, "The machine "+machine.ID+" is replaced: "+why+" since "+since.UTC().Format(time.RFC3339))
	}
	if err := a.cloud.Replace(ctx, machine.Instance); err != nil {
		return fmt.Errorf("having the machine %s of %s replaced: %w", machine.ID, machine.Group, err)
	}
	return nil
}

// sayGeneral says once why machines that are due stay.
func (a *Agent) sayGeneral(seen *vigil, general bool, due int) {
	if general && !seen.said {
		a.log.Warn("no worker works: it is the network, the way to the API servers or the network plugin, and no machine is replaced", "silent", due)
	}
	seen.said = general
}

// readTurn gives the last turn, the zero value when there was none or when somebody
// wrote something else there.
func readTurn(ctx context.Context, leases coordinationclient.LeaseInterface) (*coordinationv1.Lease, turn, error) {
	lease, err := leases.Get(ctx, turnName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, turn{}, nil
	}
	if err != nil {
		return nil, turn{}, err
	}
	spec := lease.Spec
	if spec.HolderIdentity == nil || spec.AcquireTime == nil || spec.RenewTime == nil {
		return lease, turn{}, nil
	}
	group, instance, _ := strings.Cut(*spec.HolderIdentity, "/")
	return lease, turn{instance: instance, group: group, began: spec.AcquireTime.Time, told: spec.RenewTime.Time}, nil
}

func writeTurn(ctx context.Context, leases coordinationclient.LeaseInterface, lease *coordinationv1.Lease, now turn, after time.Duration) error {
	began, told, seconds, holder := metav1.NewMicroTime(now.began), metav1.NewMicroTime(now.told), int32(after.Seconds()), now.group+"/"+now.instance
	spec := coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &began, RenewTime: &told}
	if lease == nil {
		_, err := leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: turnName}, Spec: spec}, metav1.CreateOptions{})
		return err
	}
	lease.Spec = spec
	_, err := leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
}

// tell makes an Event of a node, if there is one, for those who look at it with
// kubectl. The journal has the same: that it cannot be made holds nothing up.
func (a *Agent) tell(ctx context.Context, core *coreclient.CoreV1Client, node *corev1.Node, text string) {
	if node == nil {
		return
	}
	at := metav1.NewTime(time.Now())
	_, err := core.Events(metav1.NamespaceDefault).Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: node.Name + "-", Namespace: metav1.NamespaceDefault},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID},
		Type:           corev1.EventTypeWarning, Reason: "MachineReplaced", Message: text,
		Source: corev1.EventSource{Component: "redoubt-node", Host: a.config.Node}, FirstTimestamp: at, LastTimestamp: at, Count: 1,
	}, metav1.CreateOptions{})
	if err != nil && !errors.Is(err, context.Canceled) {
		a.log.Info("the replacement is no event of the node", "node", node.Name, "error", err.Error())
	}
}

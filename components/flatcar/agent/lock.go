package agent

import (
	"context"
	"fmt"
	"net/http"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
)

// lock is a Lease in kube-system.
type lock struct {
	name string
	// duration bounds a run, and how long a killed one keeps others out.
	duration time.Duration
	// awaited is one whose work must be done when a run ends: its holder may be dead,
	// and the timer's next run is minutes away.
	awaited bool
}

// releaseTimeout bounds the release.
const releaseTimeout = 5 * time.Second

var (
	joinConfigLock = lock{"redoubt-join-config", 2 * time.Minute, true}
	encryptionLock = lock{encryptionName, 10 * time.Minute, false}
)

// locked calls do while this machine alone holds the lock, and ends do's context
// before the lock could become another's. When somebody else holds it, that one does
// the work: nothing is done, or it is waited for.
func (a *Agent) locked(ctx context.Context, lock lock, config *rest.Config, client *http.Client, do func(context.Context) error) error {
	coordination, err := coordinationclient.NewForConfigAndClient(config, client)
	if err != nil {
		return err
	}
	leases := coordination.Leases(metav1.NamespaceSystem)
	for {
		start := time.Now() // the lock is about real time
		lease, err := a.take(ctx, leases, lock, start)
		if err != nil {
			return fmt.Errorf("taking the lock: %w", err)
		}
		if lease != nil {
			ctx, cancel := context.WithDeadline(ctx, start.Add(lock.duration))
			defer cancel()
			result := do(ctx)
			a.release(ctx, leases, lease)
			return result
		}
		if !lock.awaited {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the lock %s: %w", lock.name, ctx.Err())
		case <-time.After(a.retry):
		}
	}
}

// take gives the Lease if it is this machine's now, and nil if it is another's.
func (a *Agent) take(ctx context.Context, leases coordinationclient.LeaseInterface, lock lock, start time.Time) (*coordinationv1.Lease, error) {
	now, seconds, holder := metav1.NewMicroTime(start), int32(lock.duration.Seconds()), a.config.Node
	spec := coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now}
	lease, err := leases.Get(ctx, lock.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		lease, err = leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: lock.name}, Spec: spec}, metav1.CreateOptions{})
	case err == nil && held(lease, start):
		a.log.Info("another control plane is at it", "holder", *lease.Spec.HolderIdentity)
		return nil, nil
	case err == nil:
		lease.Spec = spec
		lease, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		a.log.Info("another control plane was faster")
		return nil, nil
	}
	return lease, err
}

// release lets others have the Lease at once, also when this run was told to end.
func (a *Agent) release(ctx context.Context, leases coordinationclient.LeaseInterface, lease *coordinationv1.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	nobody := ""
	lease.Spec.HolderIdentity = &nobody
	if _, err := leases.Update(ctx, lease, metav1.UpdateOptions{}); err != nil {
		a.log.Warn("the lock is released by its end only", "error", err.Error())
	}
}

// held tells whether somebody holds the lock. This machine's own name counts: it
// may be a second run beside the first.
func held(lease *coordinationv1.Lease, now time.Time) bool {
	spec := lease.Spec
	return spec.HolderIdentity != nil && *spec.HolderIdentity != "" && spec.RenewTime != nil && spec.LeaseDurationSeconds != nil &&
		now.Before(spec.RenewTime.Add(time.Duration(*spec.LeaseDurationSeconds)*time.Second))
}

package boot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// repaired stops a worker's kubelet for good. A control plane tells the cloud, which
// nobody else does; the instance does not wait for pods that nobody ends; and a new
// one takes its place and its pods. The test is the group that makes it (M05).
func repaired(t *testing.T, r *Rehearsal) {
	ctx := t.Context()
	worker := r.Workers()[0]
	m := r.machines[worker]
	lost, server := m.instance, r.Cloud.Server
	require.NoError(t, within(ctx, 2*time.Minute, func(ctx context.Context) error { return Eventually(ctx, func() error { return r.served(ctx) }) }))
	require.False(t, server.Condemned(lost), "a worker that reports is replaced")
	// A group of AWS judges nobody who has just come.
	server.ChangeInstance(lost, func(i *fakecloud.Instance) { i.Launched = i.Launched.Add(-10 * time.Minute) })
	_, err := r.Run(ctx, worker, "systemctl", "stop", "kubelet.service")
	require.NoError(t, err)
	began := time.Now()
	require.NoError(t, within(ctx, 12*time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() error {
			if !server.Condemned(lost) {
				return errors.New("the cloud was not told: " + r.approvers())
			}
			return nil
		})
	}))
	t.Logf("the cloud was told after %v", time.Since(began).Round(time.Second))
	require.GreaterOrEqual(t, time.Since(began), 2*time.Minute, "that was no time to come back")
	calls := map[hostconfig.Platform]string{hostconfig.PlatformAWS: "SetInstanceHealth", hostconfig.PlatformGCP: "instances.delete"}
	told := 0
	for _, request := range server.Requests() {
		if request.Action == calls[m.Platform] {
			told++
			assert.Equal(t, controlRole, request.Role)
		}
	}
	assert.NotZero(t, told)
	said := 0
	for _, plane := range r.Planes() {
		said += strings.Count(r.Journal(plane, "redoubt-approve.service", 1000), "a worker's machine is replaced")
	}
	assert.Positive(t, said, "no journal tells of it")
	if m.Platform == hostconfig.PlatformAWS { // a group of Google waits for nobody
		require.NoError(t, within(ctx, 5*time.Minute, func(ctx context.Context) error {
			return Eventually(ctx, func() error {
				if server.Completed(lost) != "CONTINUE" {
					return errors.New("the instance is not released: " + r.approvers())
				}
				return nil
			})
		}))
	}
	require.NoError(t, r.Destroy(worker, false))
	require.NoError(t, within(ctx, 6*time.Minute, func(ctx context.Context) error {
		return errors.Join(r.Boot(ctx, worker), Eventually(ctx, func() error { return errors.Join(r.present(ctx), r.served(ctx)) }))
	}))
	assert.NotEqual(t, lost, m.instance)
	assert.False(t, server.Condemned(m.instance), "the new machine is replaced, too")
	t.Logf("a new machine has its pods %v after the kubelet stopped", time.Since(began).Round(time.Second))
}

// served tells whether the pods of the workload run.
func (r *Rehearsal) served(ctx context.Context) error {
	ready, err := r.Kubectl(ctx, "--namespace=rehearsal", "get", "deployment", "hello", "-o", "jsonpath={.status.readyReplicas}")
	if err == nil && ready != "2" {
		err = fmt.Errorf("%q of 2 pods are ready", ready)
	}
	return err
}

// approvers gives the ends of the journals of those who look after nodes.
func (r *Rehearsal) approvers() string {
	var b strings.Builder
	for _, plane := range r.Planes() {
		fmt.Fprintf(&b, "\n--- %s\n%s", plane, r.Journal(plane, "redoubt-approve.service", 6))
	}
	return b.String()
}

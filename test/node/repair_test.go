//go:build linux

package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/quarantine"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// testRepair: three control planes at once, one machine at a time, and none that must
// stay (M05). Their clock is the test's: minutes pass when it says so.
func testRepair(t *testing.T, l *lab) {
	ctx, nodes := t.Context(), l.admin.CoreV1().Nodes()
	const first, second = "ip-10-0-1-5", "ip-10-0-1-20" // of the instances 2 and 7
	admin := l.as(t, "admin", "system:masters")
	old := func(id string) {
		l.ChangeInstance(l.id(id), func(i *fakecloud.Instance) { i.Launched = time.Now().Add(-30 * time.Minute) })
	}
	old("2")
	old("7")
	l.register(t, l.as(t, "system:node:"+second, "system:nodes"), second)
	l.labelled(t, second, l.id("7"))
	l.report(t, admin, first, corev1.ConditionTrue)

	var minutes atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(minutes.Load()) * time.Minute) }
	var logs []*logBuffer
	for i, name := range []string{"control-plane-1", "control-plane-2", "control-plane-1"} {
		config, log := l.config, &logBuffer{}
		config.Node, logs = name, append(logs, log)
		agent := l.at(t, l.id("1"), config, log, clock)
		serve(t, func(ctx context.Context) error { return agent.Approve(ctx, t.TempDir()) })
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the log of control plane %d:\n%s", i+1, log)
			}
		})
	}
	said := func(text string) (n int) {
		for _, log := range logs {
			n += strings.Count(log.String(), text)
		}
		return n
	}
	told := func() (n int) {
		for _, request := range l.Requests() {
			if request.Action == "SetInstanceHealth" {
				assert.Equal(t, roleControlPlane, request.Role)
				n++
			}
		}
		return n
	}
	condemned := func(id string) error {
		if !l.Condemned(l.id(id)) {
			return errors.New(l.id(id) + " stays")
		}
		return nil
	}

	// later is eventually, with more minutes for a control plane that was not looking
	// when they passed. They do not run: whoever has just read a list acts on that.
	later := func(what string, check func() error) {
		t.Helper()
		last := time.Now()
		eventually(t, what, func() error {
			err := check()
			if err != nil && time.Since(last) > patience/4 {
				minutes.Add(12)
				last = time.Now()
			}
			return err
		})
	}
	// Four of them pass at the same time, with the one of the whole test.
	passes := func() {
		for range len(logs) + 1 {
			l.passes(t)
		}
	}
	passes()
	assert.Zero(t, told(), "nobody has been silent for long")
	// Launched more than an hour ago, and never a node. All three see it, one tells.
	minutes.Store(11)
	later("the end of a machine that never joined", func() error { return condemned("b") })
	passes()
	assert.Equal(t, 1, told(), "several control planes told the cloud")
	assert.Equal(t, 1, said("a worker's machine is replaced"))
	lease, err := l.admin.CoordinationV1().Leases("kube-system").Get(ctx, "redoubt-repair", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, "prod-general/"+l.id("b"), *lease.Spec.HolderIdentity)

	// The next one waits for its turn, and stays while it is evidence.
	l.report(t, admin, first, corev1.ConditionUnknown)
	mark := func(value string) {
		_, err := nodes.Patch(ctx, first, "application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+quarantine.Label+`":`+value+`}}}`), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	mark(`"true"`)
	passes()
	minutes.Add(12)
	passes()
	assert.Equal(t, 1, told(), "a machine under quarantine was given up")
	mark("null")
	later("the end of a silent machine", func() error { return condemned("2") })
	eventually(t, "an event of the node", func() error {
		events, err := l.admin.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Node,involvedObject.name=" + first})
		if err == nil && (len(events.Items) != 1 || !strings.Contains(events.Items[0].Message, l.id("2"))) {
			err = fmt.Errorf("%+v", events.Items)
		}
		return err
	})

	testSilentDrain(t, l, first, second)

	// Nobody works any more: it is not the machines.
	l.report(t, admin, second, corev1.ConditionUnknown)
	l.instance(t, fakecloud.Instance{ID: l.id("4"), Role: roleGeneral, Group: "prod-general", Addresses: []string{"10.0.1.21"}, Launched: time.Now().Add(-time.Minute)})
	passes()
	minutes.Add(13)
	later("the word of each control plane", func() error {
		if n := said("no worker works"); n < len(logs) {
			return fmt.Errorf("%d have said it", n)
		}
		return nil
	})
	minutes.Add(14)
	passes()
	for _, id := range []string{"7", "4"} {
		assert.False(t, l.Condemned(l.id(id)), "%s is replaced", id)
	}
	assert.Equal(t, 2, told())
	assert.Equal(t, len(logs), said("no worker works"), "each says so once")
}

// testSilentDrain: the pods of a silent node keep its instance for no longer than
// they were given, and their names until it has ended; those of a node that reports
// are waited for.
func testSilentDrain(t *testing.T, l *lab, silent, works string) {
	ctx := t.Context()
	grace := func(pod *corev1.Pod) { seconds := int64(30); pod.Spec.TerminationGracePeriodSeconds = &seconds }
	l.pod(t, "default", "stateful-0", silent, grace)
	l.pod(t, "default", "working-0", works, grace)
	ending := func(name string) error {
		pod, err := l.admin.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
		if err == nil && pod.DeletionTimestamp == nil {
			err = errors.New("it is not told to end")
		}
		return err
	}
	eventually(t, "the eviction from a silent node", func() error { return ending("stateful-0") })
	eventually(t, "the release of a silent instance", func() error {
		if l.Completed(l.id("2")) != "CONTINUE" {
			return errors.New("not yet")
		}
		return nil
	})
	assert.NoError(t, ending("stateful-0"), "its name is free while it may still run")
	l.ChangeInstance(l.id("7"), func(i *fakecloud.Instance) { i.Leaving = true })
	eventually(t, "the eviction from a node that reports", func() error { return ending("working-0") })
	l.passes(t)
	assert.Empty(t, l.Completed(l.id("7")), "the pods of a kubelet that reports were not waited for")
	l.ChangeInstance(l.id("7"), func(i *fakecloud.Instance) { i.Leaving = false })

	l.ChangeInstance(l.id("2"), func(i *fakecloud.Instance) { i.State = "shutting-down" })
	l.passes(t)
	node, err := l.admin.CoreV1().Nodes().Get(ctx, silent, metav1.GetOptions{})
	require.NoError(t, err, "the Node was removed while its instance was shutting down")
	assert.Equal(t, l.id("2"), node.Labels[nodeconfig.LabelInstance])
	l.ChangeInstance(l.id("2"), func(i *fakecloud.Instance) { i.State = "terminated" })
	eventually(t, "the end of the Node", func() error {
		if _, err := l.admin.CoreV1().Nodes().Get(ctx, silent, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is still there: %v", err)
		}
		return nil
	})
}

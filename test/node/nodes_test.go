//go:build linux

package node

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// pod makes a pod on a node, running.
func (l *lab) pod(t *testing.T, namespace, name, node string, edit func(*corev1.Pod)) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "x", Image: "x"}}, TerminationGracePeriodSeconds: new(int64)}}
	if edit != nil {
		edit(pod)
	}
	pods := l.admin.CoreV1().Pods(namespace)
	made, err := pods.Create(t.Context(), pod, metav1.CreateOptions{})
	require.NoError(t, err)
	made.Status.Phase = corev1.PodRunning
	_, err = pods.UpdateStatus(t.Context(), made, metav1.UpdateOptions{})
	require.NoError(t, err)
}

func (l *lab) setReady(t *testing.T, namespace, name string) {
	t.Helper()
	pods := l.admin.CoreV1().Pods(namespace)
	pod, err := pods.Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	_, err = pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
	require.NoError(t, err)
}

func ofDaemonSet(pod *corev1.Pod) {
	yes := true
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "agent", UID: "1", Controller: &yes}}
}

func networkAgent(pod *corev1.Pod) { pod.Labels = map[string]string{"k8s-app": "network-agent"} }

// passes waits until redoubt-node has looked at all nodes twice more.
func (l *lab) passes(t *testing.T) {
	t.Helper()
	count := func() (n int) {
		for _, request := range l.Requests() {
			if request.Action == "DescribeAutoScalingInstances" {
				n++
			}
		}
		return n
	}
	// A list has two pages at least, and a pass ends with the beginning of the next.
	before := count()
	eventually(t, "three passes", func() error {
		if count() < before+8 {
			return errors.New("not yet")
		}
		return nil
	})
}

// testNodes: taints, instances that go, and instances that are gone.
func testNodes(t *testing.T, l *lab) {
	ctx, nodes := t.Context(), l.admin.CoreV1().Nodes()
	l.instance(t, fakecloud.Instance{ID: l.id("a"), Role: roleGeneral, Group: "prod-general", Addresses: []string{"10.0.1.20"}})
	token := l.holding(l.joinToken(t, "general"))
	const name = "ip-10-0-1-20"
	kubelet := l.issued(t, token, clientSigner, name)
	taint := corev1.Taint{Key: nodeconfig.TaintNetwork, Effect: corev1.TaintEffectNoSchedule}
	other := corev1.Taint{Key: "example.com/own", Effect: corev1.TaintEffectNoSchedule}
	l.register(t, kubelet, name, taint, other)
	l.labelled(t, name, l.id("a"))
	tainted := func() bool {
		node, err := nodes.Get(ctx, name, metav1.GetOptions{})
		require.NoError(t, err)
		for _, each := range node.Spec.Taints {
			if each.Key == taint.Key {
				return true
			}
		}
		return false
	}
	// The agent is there and not ready; ready elsewhere; ready but anybody's.
	l.pod(t, "kube-system", "agent-here", name, func(p *corev1.Pod) { networkAgent(p); ofDaemonSet(p) })
	l.pod(t, "kube-system", "agent-there", "ip-10-0-1-5", func(p *corev1.Pod) { networkAgent(p); ofDaemonSet(p) })
	l.pod(t, "kube-system", "agent-by-hand", name, networkAgent)
	l.pod(t, "default", "agent-of-a-tenant", name, func(p *corev1.Pod) { networkAgent(p); ofDaemonSet(p) })
	for _, each := range [][2]string{{"kube-system", "agent-there"}, {"kube-system", "agent-by-hand"}, {"default", "agent-of-a-tenant"}} {
		l.setReady(t, each[0], each[1])
	}
	l.passes(t)
	assert.True(t, tainted(), "the network agent is not ready")
	_, err := kubernetes.NewForConfigOrDie(kubelet).CoreV1().Nodes().Patch(ctx, name, "application/merge-patch+json", []byte(`{"spec":{"taints":[]}}`), metav1.PatchOptions{})
	assert.Error(t, err, "a kubelet takes its own taint away")
	l.setReady(t, "kube-system", "agent-here")
	eventually(t, "the taint's end", func() error {
		if tainted() {
			return errors.New("it is still there")
		}
		return nil
	})
	node, err := nodes.Get(ctx, name, metav1.GetOptions{})
	require.NoError(t, err)
	found := false
	for _, each := range node.Spec.Taints {
		found = found || each.Key == other.Key
	}
	assert.True(t, found, "other taints stay")

	testDrain(t, l, name, l.id("a"))

	// Gone for the cloud, and still reporting: the list may lag. Silent: removed.
	l.ChangeInstance(l.id("a"), func(i *fakecloud.Instance) { i.State = "terminated" })
	l.passes(t)
	_, err = nodes.Get(ctx, name, metav1.GetOptions{})
	require.NoError(t, err, "a node that reports was removed")
	// A list that lacks the control plane itself is not to be believed.
	l.ChangeInstance(l.id("1"), func(i *fakecloud.Instance) { i.Tags = nil })
	admin := l.as(t, "admin", "system:masters")
	l.report(t, admin, name, corev1.ConditionUnknown)
	time.Sleep(time.Second) // several passes, none of which reaches the second list
	_, err = nodes.Get(ctx, name, metav1.GetOptions{})
	require.NoError(t, err, "a node was removed on the word of an incomplete list")
	l.ChangeInstance(l.id("1"), func(i *fakecloud.Instance) { i.Tags = map[string]string{nodeconfig.TagCluster: cluster} })
	eventually(t, "the end of a node without an instance", func() error {
		if _, err := nodes.Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is still there: %v", err)
		}
		return nil
	})
	// Its certificate is worth nothing more, and its name is free for the next.
	l.denied(t, "NodeIsNotInTheInventory", kubelet, clientSigner, name)
	l.instance(t, fakecloud.Instance{ID: l.id("7"), Role: roleGeneral, Group: "prod-general", Addresses: []string{"10.0.1.20"}})
	l.issued(t, token, clientSigner, name)

	testControlPlaneComesBack(t, l)
}

// testControlPlaneComesBack replaces a control plane faster than its silence is
// noticed: the Node stays and is the new instance's. One of which only the last
// instance has been heard is not.
func testControlPlaneComesBack(t *testing.T, l *lab) {
	ctx, nodes := t.Context(), l.admin.CoreV1().Nodes()
	const name = "control-plane-2"
	kubelet := l.as(t, "system:node:"+name, "system:nodes")
	second := func(id string, launched time.Time) fakecloud.Instance {
		return fakecloud.Instance{ID: id, Name: "prod-" + name, Role: roleControlPlane, Addresses: []string{"127.77.0.2"}, Launched: launched}
	}
	l.instance(t, second(l.id("8"), time.Now().Add(-time.Hour)))
	l.register(t, kubelet, name)
	l.labelled(t, name, l.id("8"))
	before, err := nodes.Get(ctx, name, metav1.GetOptions{})
	require.NoError(t, err)
	replace := func(from, by string, launched time.Time) {
		l.ChangeInstance(from, func(i *fakecloud.Instance) { i.State = "terminated" })
		l.instance(t, second(by, launched))
	}
	replace(l.id("8"), l.id("9"), time.Now().Add(time.Hour))
	l.passes(t)
	node, err := nodes.Get(ctx, name, metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, l.id("8"), node.Labels[nodeconfig.LabelInstance], "nothing was heard of the new instance")
	l.ChangeInstance(l.id("9"), func(i *fakecloud.Instance) { i.Launched = time.Now().Add(-time.Minute) })
	l.report(t, kubelet, name, corev1.ConditionTrue)
	l.labelled(t, name, l.id("9"))
	// Also where its kubelet is not ready yet: a Node that is removed under it does not
	// come back by itself.
	replace(l.id("9"), l.id("6"), time.Now().Add(-30*time.Second))
	l.report(t, kubelet, name, corev1.ConditionFalse)
	l.labelled(t, name, l.id("6"))
	node, err = nodes.Get(ctx, name, metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, before.UID, node.UID, "the Node was removed")
}

// testDrain moves pods off an instance that is about to end, as budgets allow, and
// only then lets it go.
func testDrain(t *testing.T, l *lab, node, instance string) {
	ctx := t.Context()
	l.pod(t, "default", "plain", node, nil)
	l.pod(t, "default", "guarded", node, nil)
	l.pod(t, "default", "finished", node, nil)
	finished, err := l.admin.CoreV1().Pods("default").Get(ctx, "finished", metav1.GetOptions{})
	require.NoError(t, err)
	finished.Status.Phase = corev1.PodSucceeded
	_, err = l.admin.CoreV1().Pods("default").UpdateStatus(ctx, finished, metav1.UpdateOptions{})
	require.NoError(t, err)
	none := intstr.FromInt32(0)
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "guarded"}, Spec: policyv1.PodDisruptionBudgetSpec{
		MaxUnavailable: &none, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "guarded"}}}}
	_, err = l.admin.PolicyV1().PodDisruptionBudgets("default").Create(ctx, budget, metav1.CreateOptions{})
	require.NoError(t, err)
	there := func(name string) bool {
		_, err := l.admin.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
		return err == nil
	}
	l.passes(t)
	require.True(t, there("plain"))
	l.ChangeInstance(instance, func(i *fakecloud.Instance) { i.Leaving = true })
	eventually(t, "the eviction", func() error {
		if there("plain") {
			return errors.New("the pod is still there")
		}
		return nil
	})
	l.passes(t)
	assert.True(t, there("guarded"), "a budget is honoured")
	assert.Empty(t, l.Completed(instance), "the instance may end although a pod is left")
	found, err := l.admin.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	require.NoError(t, err)
	assert.True(t, found.Spec.Unschedulable)
	require.NoError(t, l.admin.PolicyV1().PodDisruptionBudgets("default").Delete(ctx, "guarded", metav1.DeleteOptions{}))
	// "agent-by-hand" has no DaemonSet and goes, the agent's own pod stays.
	eventually(t, "the instance's release", func() error {
		if l.Completed(instance) != "CONTINUE" {
			return errors.New("not yet")
		}
		return nil
	})
	assert.False(t, there("guarded"))
	_, err = l.admin.CoreV1().Pods("kube-system").Get(ctx, "agent-here", metav1.GetOptions{})
	assert.NoError(t, err, "a DaemonSet's pod was evicted")
	others, err := l.admin.CoreV1().Nodes().Get(ctx, "ip-10-0-1-5", metav1.GetOptions{})
	require.NoError(t, err)
	assert.False(t, others.Spec.Unschedulable, "another node was drained")
}

// testRights uses redoubt-node's identities for what they must not be able to do.
func testRights(t *testing.T, l *lab) {
	ctx := t.Context()
	nodes := kubernetes.NewForConfigOrDie(l.as(t, nodeconfig.UserNodes)).CoreV1()
	tokens := kubernetes.NewForConfigOrDie(l.as(t, nodeconfig.UserTokens)).CoreV1()
	_, err := nodes.Secrets("kube-system").List(ctx, metav1.ListOptions{})
	assert.True(t, apierrors.IsForbidden(err), "%v", err)
	_, err = nodes.Pods("default").Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	assert.True(t, apierrors.IsForbidden(err), "%v", err)
	_, err = tokens.Secrets("default").List(ctx, metav1.ListOptions{})
	assert.True(t, apierrors.IsForbidden(err), "%v", err)
	_, err = tokens.Nodes().List(ctx, metav1.ListOptions{})
	assert.True(t, apierrors.IsForbidden(err), "%v", err)
	_, err = tokens.Secrets("kube-system").Patch(ctx, "x", "application/merge-patch+json", []byte("{}"), metav1.PatchOptions{})
	assert.True(t, apierrors.IsForbidden(err), "%v", err)
}

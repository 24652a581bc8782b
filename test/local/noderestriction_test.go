package local

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

var nodeRestrictionChecks = []check{
	{"M16_node_may_do_its_work", worker, nodeMayDoItsWork},
	{"M16_node_cannot_label_itself_into_a_restricted_group", worker, nodeCannotLabelItself},
	{"M16_node_cannot_touch_another_node", worker, nodeCannotTouchAnotherNode},
	{"M16_node_cannot_read_foreign_secrets", worker, nodeCannotReadForeignSecrets},
	{"M16_node_cannot_make_tokens_for_others", worker, nodeCannotMakeTokens},
	{"M16_node_cannot_touch_foreign_pods", worker, nodeCannotTouchForeignPods},
}

// asNode is the API with the credential that an intruder finds on a worker,
// from that worker's place in the network.
func asNode(t *testing.T, c *Cluster, node string) *kubernetes.Clientset {
	t.Helper()
	return c.client(t, caller{from: node, certificate: c.nodeCredential(t, node)})
}

// forbidden demands the refusal of the authorizer or of admission, and no other error.
func forbidden(t *testing.T, err error, what string) {
	t.Helper()
	if assert.Error(t, err, "%s was allowed", what) {
		assert.True(t, apierrors.IsForbidden(err), "%s: not a refusal: %v", what, err)
	}
}

// nodeMayDoItsWork is the positive control of the refusals below.
func nodeMayDoItsWork(t *testing.T, c *Cluster) {
	for _, node := range c.Nodes {
		client := asNode(t, c, node.Name).CoreV1()
		_, err := client.Nodes().Get(t.Context(), node.Name, metav1.GetOptions{})
		require.NoError(t, err)
		_, err = client.Pods("").List(t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + node.Name})
		require.NoError(t, err)
		patch := []byte(`{"metadata":{"annotations":{"redoubt.dev/verify":"true"}}}`)
		_, err = client.Nodes().Patch(t.Context(), node.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		require.NoError(t, err, "a node may annotate itself")
		patch = []byte(`{"metadata":{"annotations":{"redoubt.dev/verify":null}}}`)
		_, err = client.Nodes().Patch(t.Context(), node.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		require.NoError(t, err)
	}
}

func nodeCannotLabelItself(t *testing.T, c *Cluster) {
	node := c.Nodes[0].Name
	client := asNode(t, c, node).CoreV1().Nodes()
	for _, label := range []string{
		"node-restriction.kubernetes.io/trusted", "node-role.kubernetes.io/control-plane", "example.node-restriction.kubernetes.io/group",
	} {
		patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:"true"}}}`, label)
		_, err := client.Patch(t.Context(), node, types.MergePatchType, patch, metav1.PatchOptions{})
		forbidden(t, err, "labelling itself "+label)
	}
	taint := []byte(`{"spec":{"taints":[{"key":"redoubt.dev/verify","effect":"PreferNoSchedule"}]}}`)
	_, err := client.Patch(t.Context(), node, types.MergePatchType, taint, metav1.PatchOptions{})
	forbidden(t, err, "changing its own taints")
	forbidden(t, client.Delete(t.Context(), node, metav1.DeleteOptions{}), "deleting itself")
}

func nodeCannotTouchAnotherNode(t *testing.T, c *Cluster) {
	other := randomName("verify")
	all := c.client(t, c.masters(t)).CoreV1().Nodes()
	_, err := all.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: other, Labels: verifyLabels()}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { ignoreAbsent(t, all.Delete(cleanupContext(t), other, metav1.DeleteOptions{})) })

	client := asNode(t, c, c.Nodes[0].Name)
	nodes := client.CoreV1().Nodes()
	_, err = nodes.Get(t.Context(), other, metav1.GetOptions{})
	forbidden(t, err, "reading another node")
	_, err = nodes.Patch(t.Context(), other, types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{})
	forbidden(t, err, "labelling another node")
	_, err = nodes.Patch(t.Context(), other, types.MergePatchType, []byte(`{"status":{"conditions":[]}}`), metav1.PatchOptions{}, "status")
	forbidden(t, err, "reporting another node's status")
	forbidden(t, nodes.Delete(t.Context(), other, metav1.DeleteOptions{}), "deleting another node")
	_, err = nodes.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: randomName("verify")}}, metav1.CreateOptions{})
	forbidden(t, err, "registering a node of another name")
	leases := client.CoordinationV1().Leases("kube-node-lease")
	_, err = leases.Patch(t.Context(), other, types.MergePatchType, []byte(`{"spec":{"holderIdentity":"intruder"}}`), metav1.PatchOptions{})
	forbidden(t, err, "renewing another node's lease")
}

func nodeCannotReadForeignSecrets(t *testing.T, c *Cluster) {
	name := randomName("verify")
	all := c.client(t, c.masters(t)).CoreV1().Secrets(c.Tenant())
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: verifyLabels()}, StringData: map[string]string{"a": "b"}}
	_, err := all.Create(t.Context(), secret, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { ignoreAbsent(t, all.Delete(cleanupContext(t), name, metav1.DeleteOptions{})) })

	client := asNode(t, c, c.Nodes[0].Name).CoreV1()
	_, err = client.Secrets(c.Tenant()).Get(t.Context(), name, metav1.GetOptions{})
	forbidden(t, err, "reading a secret that no pod of this node mounts")
	_, err = client.Secrets("").List(t.Context(), metav1.ListOptions{})
	forbidden(t, err, "listing all secrets")
	_, err = client.Secrets("kube-system").List(t.Context(), metav1.ListOptions{})
	forbidden(t, err, "listing the secrets of kube-system")
	_, err = client.ConfigMaps("kube-system").Get(t.Context(), "extension-apiserver-authentication", metav1.GetOptions{})
	forbidden(t, err, "reading a config map that no pod of this node mounts")

	// A pod that mounts the secret, on no node, opens nothing.
	pod := compliantPod(randomName("verify"))
	pod.Spec.NodeSelector = map[string]string{"redoubt.dev/verify": "nowhere"}
	pod.Spec.Volumes = []corev1.Volume{{Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}}}
	_, err = c.createPod(t, pod)
	require.NoError(t, err)
	time.Sleep(500 * time.Millisecond) // the node authorizer's graph follows the pods by a watch
	_, err = client.Secrets(c.Tenant()).Get(t.Context(), name, metav1.GetOptions{})
	forbidden(t, err, "reading the secret of a pod that runs elsewhere")
}

func nodeCannotMakeTokens(t *testing.T, c *Cluster) {
	client := asNode(t, c, c.Nodes[0].Name).CoreV1()
	for namespace, account := range map[string]string{
		"kube-system": "clusterrole-aggregation-controller", "default": "default", c.Tenant(): "default",
	} {
		_, err := client.ServiceAccounts(namespace).CreateToken(t.Context(), account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		forbidden(t, err, fmt.Sprintf("a token of %s/%s, which no pod of this node runs as", namespace, account))
	}
}

func nodeCannotTouchForeignPods(t *testing.T, c *Cluster) {
	pod := compliantPod(randomName("verify"))
	pod.Spec.NodeSelector = map[string]string{"redoubt.dev/verify": "nowhere"}
	_, err := c.createPod(t, pod)
	require.NoError(t, err)
	client := asNode(t, c, c.Nodes[0].Name).CoreV1().Pods(c.Tenant())
	now := int64(0)
	forbidden(t, client.Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}), "deleting a pod of another node")
	_, err = client.Patch(t.Context(), pod.Name, types.MergePatchType, []byte(`{"status":{"phase":"Succeeded"}}`), metav1.PatchOptions{}, "status")
	forbidden(t, err, "reporting the status of a pod of another node")

	// A mirror pod runs without admission's other checks: it may name neither an
	// account nor a secret, and no other node.
	mirror := compliantPod(randomName("verify"))
	mirror.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	mirror.Spec.NodeName = randomName("elsewhere")
	_, err = client.Create(t.Context(), mirror, metav1.CreateOptions{})
	forbidden(t, err, "a mirror pod on another node")
	plain := compliantPod(randomName("verify"))
	plain.Spec.NodeName = c.Nodes[0].Name
	_, err = client.Create(t.Context(), plain, metav1.CreateOptions{})
	forbidden(t, err, "a pod that is no mirror pod")
}

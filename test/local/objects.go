package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/retry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// verifyLabel marks everything that a check creates, so that a run which was
// interrupted leaves nothing that the next one does not delete.
const verifyLabel = "redoubt.dev/verify"

func verifyLabels() map[string]string { return map[string]string{verifyLabel: "true"} }

// cleanupContext outlives the test's own context, which ends before cleanups run.
func cleanupContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// ignoreAbsent reports an error of a deletion, unless there was nothing to delete.
func ignoreAbsent(t testing.TB, err error) {
	t.Helper()
	if err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("cleaning up: %v", err)
	}
}

// sweep deletes everything with the label in the tenant, and labelled
// namespaces and nodes.
func (c *Cluster) sweep(t testing.TB) {
	t.Helper()
	ctx := cleanupContext(t)
	client := c.client(t, c.masters(t)).CoreV1()
	now, labelled := int64(0), metav1.ListOptions{LabelSelector: verifyLabel}
	background := metav1.DeleteOptions{GracePeriodSeconds: &now}
	assert.NoError(t, client.Pods(c.Tenant()).DeleteCollection(ctx, background, labelled))
	assert.NoError(t, client.Pods(metav1.NamespaceSystem).DeleteCollection(ctx, background, labelled))
	assert.NoError(t, client.Secrets(c.Tenant()).DeleteCollection(ctx, background, labelled))
	assert.NoError(t, client.ServiceAccounts(c.Tenant()).DeleteCollection(ctx, background, labelled))
	assert.NoError(t, client.Nodes().DeleteCollection(ctx, background, labelled))
	list, err := client.Namespaces().List(ctx, labelled)
	if !assert.NoError(t, err) {
		return
	}
	for i := range list.Items {
		ignoreAbsent(t, client.Namespaces().Delete(ctx, list.Items[i].Name, background))
	}
}

// newNamespace makes a namespace for one check, without the labels of a tenant
// unless they are given.
func (c *Cluster) newNamespace(t testing.TB, name string, labels map[string]string) {
	t.Helper()
	all := verifyLabels()
	for key, value := range labels {
		all[key] = value
	}
	client := c.client(t, c.masters(t)).CoreV1().Namespaces()
	_, err := client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: all}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		// Until it is gone, its default account is one that other checks find.
		_, err := retry.DoWithRetryContextE(t, context.WithoutCancel(t.Context()), "namespace "+name+" to go", 450, 200*time.Millisecond, func() (string, error) {
			err := client.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{})
			if apierrors.IsNotFound(err) {
				return "", nil
			}
			return "", fmt.Errorf("namespace %s is still there: %v", name, err)
		})
		assert.NoError(t, err)
	})
}

// helloPort is where helloImage serves HTTP.
const helloPort = 8080

// helloImage serves HTTP as a user without rights. It is named by its digest, as policies demand: the build of the
// images writes it down.
func helloImage() string {
	if bootedImage != "" {
		return bootedImage
	}
	root, err := RepositoryRoot()
	if err != nil {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(root, "bin", ".built", "images"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name := strings.TrimSpace(line); strings.HasPrefix(name, "redoubt.local/hello:") {
			return name
		}
	}
	return ""
}

// compliantPod satisfies the restricted Pod Security Standard, the quota and
// the limits of a tenant. Checks change one thing of it at a time.
func compliantPod(name string) *corev1.Pod {
	yes, no, user := true, false, int64(65535)
	grace := int64(0)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: verifyLabels()},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  &no,
			TerminationGracePeriodSeconds: &grace,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "hello", Image: helloImage(),
				Ports: []corev1.ContainerPort{{ContainerPort: helloPort}},
				Resources: corev1.ResourceRequirements{
					Requests: resources("10m", "16Mi"), Limits: resources("100m", "64Mi"),
				},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

func resources(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
}

// namespaceOf is where a pod belongs: the tenant, unless the pod says otherwise.
func (c *Cluster) namespaceOf(pod *corev1.Pod) string {
	if pod.Namespace != "" {
		return pod.Namespace
	}
	return c.Tenant()
}

// createPod makes a pod, in the tenant unless the pod says otherwise, and
// deletes it with the test.
func (c *Cluster) createPod(t testing.TB, pod *corev1.Pod) (*corev1.Pod, error) {
	t.Helper()
	client := c.client(t, c.masters(t)).CoreV1().Pods(c.namespaceOf(pod))
	made, err := client.Create(t.Context(), pod, metav1.CreateOptions{})
	if err == nil {
		now := int64(0)
		t.Cleanup(func() {
			ignoreAbsent(t, client.Delete(cleanupContext(t), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
		})
	}
	return made, err
}

package local

import (
	"context"
	"fmt"
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

var quotaChecks = []check{
	{"M23_quota_of_pods_bites", nothing, quotaOfPodsBites},
	{"M23_quota_of_cpu_bites", nothing, quotaOfCPUBites},
	{"M23_limits_are_given_by_default", nothing, limitsAreGiven},
	{"M23_more_than_the_maximum_is_refused", nothing, overMaximumIsRefused},
}

// unscheduled is a compliant pod that no node runs: quota counts it all the same.
func unscheduled() *corev1.Pod {
	pod := compliantPod(randomName("verify"))
	pod.Spec.NodeSelector = map[string]string{verifyLabel: "nowhere"}
	return pod
}

// fill creates pods until quota refuses one, and gives the refusal and how many
// were admitted.
func fill(t *testing.T, c *Cluster, most int, shape func(*corev1.PodSpec)) (int, error) {
	t.Helper()
	client := c.client(t, c.masters(t)).CoreV1()
	used := podsUsed(t, c)
	t.Cleanup(func() {
		now := int64(0)
		ignoreAbsent(t, client.Pods(c.Tenant()).DeleteCollection(cleanupContext(t), metav1.DeleteOptions{GracePeriodSeconds: &now},
			metav1.ListOptions{LabelSelector: verifyLabel}))
		// A controller counts what is gone some time later; until then the next
		// check would be refused.
		_, err := retry.DoWithRetryContextE(t, context.WithoutCancel(t.Context()), "quota to be free again", 360, 250*time.Millisecond, func() (string, error) {
			if now := podsUsed(t, c); now > used {
				return "", fmt.Errorf("the quota still counts %d pods instead of %d", now, used)
			}
			return "", nil
		})
		assert.NoError(t, err)
	})
	for made := range most {
		pod := unscheduled()
		shape(&pod.Spec)
		if _, err := client.Pods(c.Tenant()).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			return made, err
		}
	}
	return most, nil
}

// podsUsed is how many pods the tenant's quotas count.
func podsUsed(t *testing.T, c *Cluster) int64 {
	t.Helper()
	quotas, err := c.client(t, c.masters(t)).CoreV1().ResourceQuotas(c.Tenant()).List(context.WithoutCancel(t.Context()), metav1.ListOptions{})
	require.NoError(t, err)
	var used int64
	for _, quota := range quotas.Items {
		for _, name := range []corev1.ResourceName{corev1.ResourcePods, "count/pods"} {
			if quantity, ok := quota.Status.Used[name]; ok {
				used = max(used, quantity.Value())
			}
		}
	}
	return used
}

// hard is what a tenant may use of a resource at most, over all of its quotas.
func hard(t *testing.T, c *Cluster, names ...corev1.ResourceName) (resource.Quantity, corev1.ResourceName) {
	t.Helper()
	quotas, err := c.client(t, c.masters(t)).CoreV1().ResourceQuotas(c.Tenant()).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, quota := range quotas.Items {
		if quota.Spec.ScopeSelector != nil {
			continue // of some pods only
		}
		for _, name := range names {
			if quantity, ok := quota.Status.Hard[name]; ok {
				return quantity, name
			}
		}
	}
	t.Fatalf("the tenant %s has no quota for any of %v", c.Tenant(), names)
	return resource.Quantity{}, ""
}

func assertQuota(t *testing.T, err error, name corev1.ResourceName) {
	t.Helper()
	if assert.Error(t, err, "the quota of %s does not bite", name) {
		assert.True(t, apierrors.IsForbidden(err), "%v", err)
		assert.ErrorContains(t, err, "exceeded quota")
		assert.ErrorContains(t, err, string(name))
	}
}

func quotaOfPodsBites(t *testing.T, c *Cluster) {
	limit, name := hard(t, c, corev1.ResourcePods, "count/pods")
	// A few more than the limit: while the controller counts anew after its own
	// start, it can forget one that admission has just counted.
	made, err := fill(t, c, int(limit.Value())+10, func(s *corev1.PodSpec) {
		s.Containers[0].Resources = corev1.ResourceRequirements{Requests: resources("1m", "1Mi"), Limits: resources("1m", "1Mi")}
	})
	assertQuota(t, err, name)
	t.Logf("%d pods admitted of %s", made, limit.String())
}

func quotaOfCPUBites(t *testing.T, c *Cluster) {
	limit, name := hard(t, c, corev1.ResourceRequestsCPU, corev1.ResourceCPU, corev1.ResourceLimitsCPU)
	share := maximum(t, c)[corev1.ResourceCPU]
	needed := int(limit.MilliValue()/share.MilliValue()) + 2
	_, err := fill(t, c, needed, func(s *corev1.PodSpec) {
		list := corev1.ResourceList{corev1.ResourceCPU: share, corev1.ResourceMemory: resource.MustParse("1Mi")}
		s.Containers[0].Resources = corev1.ResourceRequirements{Requests: list, Limits: list}
	})
	// Requests and limits are equal here: whichever quota is tighter refuses first.
	if assert.Error(t, err, "the quota of %s does not bite", name) {
		assert.ErrorContains(t, err, "exceeded quota")
		assert.ErrorContains(t, err, "cpu")
	}
}

// maximum is what one container may ask for at most.
func maximum(t *testing.T, c *Cluster) corev1.ResourceList {
	t.Helper()
	ranges, err := c.client(t, c.masters(t)).CoreV1().LimitRanges(c.Tenant()).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, r := range ranges.Items {
		for _, limit := range r.Spec.Limits {
			if limit.Type == corev1.LimitTypeContainer && !limit.Max.Cpu().IsZero() && !limit.Max.Memory().IsZero() {
				return limit.Max
			}
		}
	}
	t.Fatalf("the tenant %s has no maximum for containers", c.Tenant())
	return nil
}

func limitsAreGiven(t *testing.T, c *Cluster) {
	pod := unscheduled()
	pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{}
	made, err := c.createPod(t, pod)
	require.NoError(t, err)
	given := made.Spec.Containers[0].Resources
	for name, list := range map[string]corev1.ResourceList{"requests": given.Requests, "limits": given.Limits} {
		assert.False(t, list.Cpu().IsZero(), "no default for %s.cpu", name)
		assert.False(t, list.Memory().IsZero(), "no default for %s.memory", name)
	}
}

func overMaximumIsRefused(t *testing.T, c *Cluster) {
	most := maximum(t, c)
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		pod := unscheduled()
		over := most[name].DeepCopy()
		over.Add(resource.MustParse("1"))
		pod.Spec.Containers[0].Resources.Limits[name] = over
		_, err := c.createPod(t, pod)
		if assert.Error(t, err, "more %s than the maximum was admitted", name) {
			assert.True(t, apierrors.IsForbidden(err), "%v", err)
			assert.ErrorContains(t, err, "maximum "+string(name)+" usage per Container")
		}
	}
}

package local

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientretry "k8s.io/client-go/util/retry"
)

var podSecurityChecks = []check{
	{"M22_weak_pods_are_refused_in_a_tenant", nothing, weakPodsAreRefusedInTenant},
	{"M22_weak_pods_are_refused_in_a_namespace_without_labels", nothing, weakPodsAreRefusedByDefault},
	{"M22_weak_ephemeral_containers_are_refused", nothing, weakEphemeralContainersAreRefused},
}

// weakness is one change that makes the compliant pod dangerous, and the field
// that the refusal must name.
type weakness struct {
	name, field string
	weaken      func(*corev1.PodSpec)
}

// first is the pod's only container.
func first(spec *corev1.PodSpec) *corev1.SecurityContext { return spec.Containers[0].SecurityContext }

// weaknesses has one entry for each control of the restricted standard.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
func weaknesses() []weakness {
	yes, no, root, bad := true, false, int64(0), "/etc"
	return []weakness{
		{"privileged container", "privileged", func(s *corev1.PodSpec) { first(s).Privileged = &yes; first(s).AllowPrivilegeEscalation = nil }},
		{"privilege escalation", "allowPrivilegeEscalation", func(s *corev1.PodSpec) { first(s).AllowPrivilegeEscalation = &yes }},
		{"hostPath", "hostPath", func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: bad}}}}
		}},
		{"hostNetwork", "hostNetwork", func(s *corev1.PodSpec) { s.HostNetwork = true; s.Containers[0].Ports = nil }},
		{"hostPID", "hostPID", func(s *corev1.PodSpec) { s.HostPID = true }},
		{"hostIPC", "hostIPC", func(s *corev1.PodSpec) { s.HostIPC = true }},
		{"hostPort", "hostPort", func(s *corev1.PodSpec) { s.Containers[0].Ports[0].HostPort = helloPort }},
		{"root user", "runAsUser", func(s *corev1.PodSpec) { s.SecurityContext.RunAsUser = &root }},
		{"root by default", "runAsNonRoot", func(s *corev1.PodSpec) { s.SecurityContext.RunAsNonRoot = &no }},
		{"root unspecified", "runAsNonRoot", func(s *corev1.PodSpec) { s.SecurityContext.RunAsNonRoot = nil }},
		{"no seccomp profile", "seccompProfile", func(s *corev1.PodSpec) { s.SecurityContext.SeccompProfile = nil }},
		{"unconfined seccomp", "seccompProfile", func(s *corev1.PodSpec) {
			s.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
		}},
		{"capabilities kept", "capabilities", func(s *corev1.PodSpec) { first(s).Capabilities = nil }},
		{"capability added", "SYS_ADMIN", func(s *corev1.PodSpec) {
			first(s).Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"SYS_ADMIN"}}
		}},
		{"unsafe sysctl", "sysctls", func(s *corev1.PodSpec) {
			s.SecurityContext.Sysctls = []corev1.Sysctl{{Name: "kernel.msgmax", Value: "65536"}}
		}},
		{"SELinux user", "seLinuxOptions", func(s *corev1.PodSpec) { s.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{User: "root"} }},
		{"privileged init container", "privileged", func(s *corev1.PodSpec) {
			init := *s.Containers[0].DeepCopy()
			init.Name, init.SecurityContext.Privileged, init.SecurityContext.AllowPrivilegeEscalation = "init", &yes, nil
			s.InitContainers = []corev1.Container{init}
		}},
	}
}

// refusedByPodSecurity tries every weakness in a namespace.
func refusedByPodSecurity(t *testing.T, c *Cluster, namespace string) {
	t.Helper()
	client := c.client(t, c.masters(t)).CoreV1().Pods(namespace)
	for _, w := range weaknesses() {
		pod := compliantPod(randomName("verify"))
		w.weaken(&pod.Spec)
		_, err := client.Create(t.Context(), pod, metav1.CreateOptions{})
		if !assert.Error(t, err, "%s was admitted in %s", w.name, namespace) {
			ignoreAbsent(t, client.Delete(t.Context(), pod.Name, metav1.DeleteOptions{}))
			continue
		}
		assertRefusedPod(t, err, w.name)
		assert.ErrorContains(t, err, w.field, w.name)
	}
	_, err := client.Create(t.Context(), compliantPod(randomName("verify")), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if namespace == metav1.NamespaceDefault {
		require.ErrorContains(t, err, "M25/default-namespace", "nothing runs there, not even what is in order")
		return
	}
	require.NoError(t, err, "the positive control failed: the pod is refused without any weakness")
}

// assertRefusedPod demands a refusal by Pod Security, or by the API server
// itself, which with --allow-privileged=false does not even ask Pod Security.
func assertRefusedPod(t *testing.T, err error, what string) {
	t.Helper()
	if apierrors.IsInvalid(err) {
		assert.ErrorContains(t, err, "disallowed by cluster policy", what)
		return
	}
	assert.True(t, apierrors.IsForbidden(err), "%s: %v", what, err)
	assert.ErrorContains(t, err, "violates PodSecurity", what)
}

func weakPodsAreRefusedInTenant(t *testing.T, c *Cluster) {
	for _, tenant := range c.Tenants {
		refusedByPodSecurity(t, c, tenant)
	}
}

// weakPodsAreRefusedByDefault uses a namespace to which nobody gave a label:
// the API server's own default must hold.
func weakPodsAreRefusedByDefault(t *testing.T, c *Cluster) {
	name := randomName("verify")
	c.newNamespace(t, name, nil)
	c.awaitDefaultAccount(t, name)
	refusedByPodSecurity(t, c, name)
	refusedByPodSecurity(t, c, metav1.NamespaceDefault)
}

// weakEphemeralContainersAreRefused attaches a debugging container with rights
// to a pod that was admitted without.
func weakEphemeralContainersAreRefused(t *testing.T, c *Cluster) {
	pod := compliantPod(randomName("verify"))
	pod.Spec.NodeSelector = map[string]string{verifyLabel: "nowhere"} // it need not run for this
	_, err := c.createPod(t, pod)
	require.NoError(t, err)
	client := c.client(t, c.masters(t)).CoreV1().Pods(c.Tenant())
	yes := true
	for name, context := range map[string]*corev1.SecurityContext{
		"privileged": {Privileged: &yes}, "escalating": {AllowPrivilegeEscalation: &yes}, "unspecified": nil,
	} {
		// The scheduler writes the pod's status meanwhile: read anew on conflict.
		err := clientretry.RetryOnConflict(clientretry.DefaultRetry, func() error {
			debug, err := client.Get(t.Context(), pod.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			debug.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: "debug", Image: helloImage(), SecurityContext: context,
			}}}
			_, err = client.UpdateEphemeralContainers(t.Context(), pod.Name, debug, metav1.UpdateOptions{})
			return err
		})
		if assert.Error(t, err, "an ephemeral container (%s) was admitted", name) {
			assertRefusedPod(t, err, name)
		}
	}
}

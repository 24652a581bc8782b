package local

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	httphelper "github.com/gruntwork-io/terratest/modules/http-helper"
	"github.com/gruntwork-io/terratest/modules/retry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

var workloadChecks = []check{
	{"M47_nodes_are_ready", worker, nodesAreReady},
	{"M47_compliant_pod_runs_and_serves", worker, compliantPodServes},
	{"M16_pods_are_confined_by_the_kernel", worker, podsAreConfined},
	{"M16_seccomp_is_the_default", worker, seccompIsTheDefault},
	{"M26_images_are_always_pulled", nothing, imagesAreAlwaysPulled},
	{"M34_projected_token_lives_an_hour", worker, projectedTokenLivesAnHour},
	{"M13_pod_cannot_reach_the_control_plane", worker, podReachesNoComponent},
}

func nodesAreReady(t *testing.T, c *Cluster) {
	client := c.client(t, c.masters(t)).CoreV1().Nodes()
	_, err := retry.DoWithRetryContextE(t, t.Context(), "nodes", 60, time.Second, func() (string, error) {
		nodes, err := client.List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return "", err
		}
		var ready, want []string
		for _, node := range nodes.Items {
			for _, condition := range node.Status.Conditions {
				if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
					ready = append(ready, node.Name)
				}
			}
		}
		for _, node := range c.Nodes {
			want = append(want, node.Name)
		}
		slices.Sort(ready)
		slices.Sort(want)
		if !slices.Equal(ready, want) {
			return "", fmt.Errorf("ready nodes are %v, not %v", ready, want)
		}
		return "", nil
	})
	require.NoError(t, err)
}

// compliantPodServes asks the pod over the API server's tunnel, as a person
// does, and from its node, as its probes do.
func compliantPodServes(t *testing.T, c *Cluster) {
	p := c.helloPod(t)
	url := "http://" + c.forward(t, p.Name, helloPort)
	err := httphelper.HTTPGetWithRetryWithCustomValidationContextE(t, t.Context(), url, nil, 20, 250*time.Millisecond,
		func(status int, body string) bool {
			return status == http.StatusOK && strings.HasPrefix(body, "host "+p.Name)
		})
	require.NoError(t, err)

	transport := &http.Transport{DialContext: c.DialFrom(p.Spec.NodeName), DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: 5 * time.Second, Transport: transport}
	response, err := client.Get(fmt.Sprintf("http://%s:%d", p.Status.PodIP, helloPort))
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
}

// forward opens a tunnel through the API server and the kubelet to a port of a
// pod and gives its local address.
func (c *Cluster) forward(t *testing.T, pod string, port int) string {
	t.Helper()
	config := c.restConfig(t, c.masters(t))
	config.Timeout = 0 // the tunnel stays
	transport, upgrader, err := spdy.RoundTripperFor(config)
	require.NoError(t, err)
	url := c.client(t, c.masters(t)).CoreV1().RESTClient().Post().
		Resource("pods").Namespace(c.Tenant()).Name(pod).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	stop, ready, failed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	forwarder, err := portforward.New(dialer, []string{fmt.Sprintf("0:%d", port)}, stop, ready, io.Discard, io.Discard)
	require.NoError(t, err)
	go func() { failed <- forwarder.ForwardPorts() }()
	t.Cleanup(func() { close(stop) })
	select {
	case <-ready:
	case err := <-failed:
		require.NoError(t, err, "the tunnel did not open")
	case <-time.After(patience):
		t.Fatal("the tunnel did not open")
	}
	ports, err := forwarder.GetPorts()
	require.NoError(t, err)
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local)
}

// podsAreConfined reads what the kernel enforces on the running process, not
// what the pod asked for.
func podsAreConfined(t *testing.T, c *Cluster) {
	p := c.helloPod(t)
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	require.NoError(t, err)
	status := parseStatus(string(data))
	assert.Equal(t, "2", status["Seccomp"], "2 is filter mode (proc(5))")
	assert.Equal(t, "1", status["NoNewPrivs"])
	assert.Equal(t, "65535", strings.Fields(status["Uid"])[0])
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		assert.Equal(t, "0000000000000000", status[set], set)
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", p.pid))
	require.NoError(t, err)
	assert.True(t, rootIsMountedReadOnly(string(mounts)), "the container's root is writable")
	for _, kind := range []string{"net", "pid", "mnt", "ipc", "uts"} {
		own, err := os.Readlink("/proc/self/ns/" + kind)
		require.NoError(t, err)
		pods, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", p.pid, kind))
		require.NoError(t, err)
		assert.NotEqual(t, own, pods, "the pod shares the host's %s namespace", kind)
	}
	assert.LessOrEqual(t, podProcessLimit(p.pid), 4096, "podPidsLimit bounds a fork bomb (CIS 4.2.13)")
}

// seccompIsTheDefault asks for no profile, in the one namespace where Pod
// Security lets that pass: the kubelet must give one all the same (CIS 4.2.14).
func seccompIsTheDefault(t *testing.T, c *Cluster) {
	pod := compliantPod(randomName("verify"))
	pod.Namespace = metav1.NamespaceSystem
	pod.Spec.SecurityContext.SeccompProfile = nil
	p := c.startPod(t, pod)
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	require.NoError(t, err)
	assert.Equal(t, "2", parseStatus(string(data))["Seccomp"], "2 is filter mode (proc(5))")
}

// rootIsMountedReadOnly reads the options of the last mount on "/" (proc(5),
// mountinfo: field 5 is the mount point, field 6 the options).
func rootIsMountedReadOnly(mountinfo string) bool {
	readOnly := false
	for _, line := range strings.Split(mountinfo, "\n") {
		if fields := strings.Fields(line); len(fields) > 5 && fields[4] == "/" {
			readOnly = strings.HasPrefix(fields[5]+",", "ro,")
		}
	}
	return readOnly
}

// podProcessLimit is pids.max of the pod's cgroup, or a number beyond any limit.
func podProcessLimit(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return 1 << 30
	}
	for _, line := range strings.Split(string(data), "\n") {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) != 3 || (fields[1] != "pids" && fields[1] != "") {
			continue
		}
		for _, root := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
			// The limit may stand on the container's group or on the pod's above it.
			for dir := filepath.Join(root, fields[2]); strings.Contains(dir, "pod"); dir = filepath.Dir(dir) {
				limit, err := os.ReadFile(filepath.Join(dir, "pids.max"))
				var n int
				if err == nil && strings.TrimSpace(string(limit)) != "max" {
					if _, err := fmt.Sscan(string(limit), &n); err == nil {
						return n
					}
				}
			}
		}
	}
	return 1 << 30
}

// imagesAreAlwaysPulled asks not to pull: an image that another tenant pulled
// with its own credentials would be free to take (CIS 1.2.11).
func imagesAreAlwaysPulled(t *testing.T, c *Cluster) {
	for _, policy := range []corev1.PullPolicy{corev1.PullNever, corev1.PullIfNotPresent} {
		pod := compliantPod(randomName("verify"))
		pod.Spec.Containers[0].ImagePullPolicy = policy
		pod.Spec.NodeSelector = map[string]string{verifyLabel: "nowhere"}
		made, err := c.createPod(t, pod)
		require.NoError(t, err)
		assert.Equal(t, corev1.PullAlways, made.Spec.Containers[0].ImagePullPolicy, "asked for %s", policy)
	}
}

// projectedTokenLivesAnHour reads the token that the kubelet wrote into a pod.
func projectedTokenLivesAnHour(t *testing.T, c *Cluster) {
	pod := compliantPod(randomName("verify"))
	// An account of its own: the default one gives no token to anybody (CIS 5.1.5).
	accounts := c.client(t, c.masters(t)).CoreV1().ServiceAccounts(c.Tenant())
	_, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Labels: verifyLabels()}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { ignoreAbsent(t, accounts.Delete(cleanupContext(t), pod.Name, metav1.DeleteOptions{})) })
	pod.Spec.ServiceAccountName = pod.Name
	hour := int64(3600)
	pod.Spec.Volumes = []corev1.Volume{{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: &hour}}},
	}}}}
	pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "token", MountPath: "/run/verify", ReadOnly: true}}
	p := c.startPod(t, pod)
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/run/verify/token", p.pid))
	require.NoError(t, err)
	claims, err := tokenClaims(strings.TrimSpace(string(data)))
	require.NoError(t, err)
	assert.LessOrEqual(t, tokenLifetime(claims), time.Hour)
	bound, _ := claims["kubernetes.io"].(map[string]any)
	assert.Contains(t, bound, "pod", "the token is not bound to its pod")
}

// podReachesNoComponent stands inside a pod and tries every component.
func podReachesNoComponent(t *testing.T, c *Cluster) {
	p := c.helloPod(t)
	var others []int
	for _, port := range componentPorts {
		if port != 6443 { // an account with rights may talk to the API
			others = append(others, port)
		}
	}
	for _, target := range c.addresses() {
		found, err := scan(t.Context(), p.dial(), target, others)
		require.NoError(t, err)
		assert.Empty(t, found[open], "a pod connects to %s: %s", target, describe(found))
	}
}

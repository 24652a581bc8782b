package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/retry"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// runningPod is a pod of a check that reached Running.
type runningPod struct {
	*corev1.Pod
	// pid is its first process as the host sees it.
	pid int
}

// dial connects from inside the pod's network.
func (p runningPod) dial() dialer { return dialIn(fmt.Sprintf("/proc/%d/ns/net", p.pid)) }

// helloPod starts the compliant pod and waits until it is available.
func (c *Cluster) helloPod(t testing.TB) runningPod {
	t.Helper()
	return c.startPod(t, compliantPod(randomName("verify")))
}

// startPod starts a pod, in the tenant unless the pod says otherwise, and waits
// until it is ready.
func (c *Cluster) startPod(t testing.TB, pod *corev1.Pod) runningPod {
	t.Helper()
	_, err := c.createPod(t, pod)
	require.NoError(t, err)
	client := c.client(t, c.masters(t)).CoreV1().Pods(c.namespaceOf(pod))
	var now *corev1.Pod
	_, err = retry.DoWithRetryContextE(t, t.Context(), "pod "+pod.Name, 240, 250*time.Millisecond, func() (string, error) {
		var err error
		if now, err = client.Get(t.Context(), pod.Name, metav1.GetOptions{}); err != nil {
			return "", err
		}
		if !isReady(now.Status.Conditions) {
			return "", fmt.Errorf("pod %s is %s", pod.Name, now.Status.Phase)
		}
		return "", nil
	})
	if err != nil {
		t.Fatalf("%v: %+v %+v", err, now.Status.Conditions, now.Status.ContainerStatuses)
	}
	pid, err := processOfPod("/proc", string(now.UID))
	require.NoError(t, err)
	return runningPod{Pod: now, pid: pid}
}

func isReady(conditions []corev1.PodCondition) bool {
	for _, condition := range conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// processOfPod finds the first process of a pod's container, as the host sees
// it, by the pod's cgroup. The sandbox's own process does not count.
func processOfPod(proc, uid string) (int, error) {
	directories, err := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	if err != nil {
		return 0, err
	}
	found := 0
	for _, directory := range directories {
		// A process may end while this looks at it.
		groups, err := os.ReadFile(filepath.Join(directory, "cgroup"))
		// systemd's cgroup driver writes the dashes of an identifier as underscores.
		if err != nil || !strings.Contains(strings.ReplaceAll(string(groups), "_", "-"), uid) {
			continue
		}
		command, err := os.ReadFile(filepath.Join(directory, "cmdline"))
		program, _, _ := strings.Cut(string(command), "\x00")
		if err != nil || program == "" || filepath.Base(program) == "pause" || strings.HasPrefix(filepath.Base(program), "runc") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(directory))
		if err == nil && (found == 0 || pid < found) {
			found = pid
		}
	}
	if found == 0 {
		return 0, errors.New("no process of pod " + uid + " on this host")
	}
	return found, nil
}

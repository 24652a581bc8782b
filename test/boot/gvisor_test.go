package boot

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// gVisorURL is where the machines fetch the system extension of gVisor.
const gVisorURL = "https://extensions.flatcar.org/extensions/gvisor.raw"

// sandboxed runs the same pod with and without the runtime class gvisor: the kernel
// that one of them sees is the sandbox's, and not the machine's (M28).
func sandboxed(t *testing.T, r *Rehearsal) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	image, err := r.byDigest(helloImage)
	require.NoError(t, err)
	require.NoError(t, Eventually(ctx, func() error {
		return r.Apply(ctx, fmt.Sprintf(sandboxes, hostconfig.RuntimeClassGVisor, hostconfig.RuntimeClassGVisor, sandboxPod("inside", hostconfig.RuntimeClassGVisor, image), sandboxPod("outside", "", image)))
	}))
	kernel := func(pod string) (text string) {
		err := Eventually(ctx, func() (err error) {
			text, err = r.Kubectl(ctx, "--namespace=sandboxes", "exec", pod, "--", "/hello", "kernel")
			return err
		})
		if err != nil {
			described, _ := r.Kubectl(t.Context(), "--namespace=sandboxes", "describe", "pod", pod)
			require.NoError(t, err, described)
		}
		return strings.TrimSpace(text)
	}
	own, err := r.Run(ctx, r.Workers()[0], "cat", "/proc/version")
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(own), kernel("outside"), "a pod without a class runs on the machine's kernel")
	// What gVisor says of itself: https://gvisor.dev/docs/user_guide/faq/
	assert.Contains(t, kernel("inside"), "Linux version 4.4.0 ")
	assert.NotEqual(t, strings.TrimSpace(own), kernel("inside"))
}

// sandboxPod is a restricted pod, of a runtime class if there is one.
func sandboxPod(name, class, image string) string {
	if class != "" {
		class = "runtimeClassName: " + class
	}
	return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: sandboxes}
spec:
  %s
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65535, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: hello
    image: %s
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {cpu: 500m, memory: 256Mi}}
`, name, class, image)
}

const sandboxes = `
apiVersion: v1
kind: Namespace
metadata: {name: sandboxes}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: %s}
handler: %s
---
%s
---
%s
`

package boot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/policies/baseline/nodeaudit"
)

// auditUnit stands for the one that Container-Optimized OS has.
const auditUnit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true\n"

// nodeAudit has a real kubelet, containerd and systemd judge what starts the audit
// daemon of nodes (CIS GKE 5.7.2): a container without a capability starts a unit of
// its node. What sends the records is played by an image of this rehearsal.
func nodeAudit(t *testing.T, r *Rehearsal) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	worker := r.Workers()[0]
	machine := r.machines[worker]
	_, err := r.run(ctx, machine, auditUnit, "/usr/bin/tee", "/run/systemd/system/"+nodeaudit.Unit)
	require.NoError(t, err)
	for _, command := range [][]string{
		{"/usr/bin/systemctl", "daemon-reload"}, {"/usr/bin/mkdir", "--parents", "/var/log/journal"},
	} {
		_, err = r.Run(ctx, worker, command...)
		require.NoError(t, err)
	}
	state, _ := r.Run(ctx, worker, "/usr/bin/systemctl", "is-active", nodeaudit.Unit)
	require.NotEqual(t, "active", strings.TrimSpace(state), "something else has started it")

	image, err := r.byDigest(helloImage)
	require.NoError(t, err)
	manifests := []string{`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"` + nodeaudit.Namespace + `","labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`}
	for _, object := range nodeaudit.Objects(nodeaudit.Settings{Image: image}, nodeaudit.Cluster{Name: "prod", Location: "europe-west3"}, "") {
		text, err := json.Marshal(object)
		require.NoError(t, err)
		manifests = append(manifests, string(text))
	}
	require.NoError(t, Eventually(ctx, func() error { return r.Apply(ctx, strings.Join(manifests, "\n---\n")) }))
	_, err = r.Kubectl(ctx, "label", "node", machine.NodeName(), "cloud.google.com/gke-os-distribution=cos")
	require.NoError(t, err)
	require.NoError(t, Eventually(ctx, func() error {
		active, err := r.Run(ctx, worker, "/usr/bin/systemctl", "is-active", nodeaudit.Unit)
		if err == nil && strings.TrimSpace(active) != "active" {
			err = errors.New("the unit is " + active)
		}
		ready, asked := r.Kubectl(ctx, "--namespace="+nodeaudit.Namespace, "get", "daemonset", nodeaudit.Name, "-o", "jsonpath={.status.numberReady}")
		if asked == nil && ready != "1" {
			pods, _ := r.Kubectl(ctx, "--namespace="+nodeaudit.Namespace, "describe", "pods")
			asked = fmt.Errorf("%q pods are ready: %s", ready, pods)
		}
		return errors.Join(err, asked)
	}))
}

package local

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLifecycle brings up an environment, proves it hardened, breaks it in every
// way that a machine breaks, and takes it down. Its parts build on each other:
// one that leaves the environment broken ends it, with the logs kept.
func TestLifecycle(t *testing.T) {
	root := needsMachines(t)
	r := newRehearsal(t, root, map[string]string{"redoubt:workers": "1"})
	var c *Cluster
	look := func(name string, run func(t *testing.T)) bool {
		t.Helper()
		started := time.Now()
		defer func() { t.Logf("%s: %s", name, time.Since(started).Round(100*time.Millisecond)) }()
		return t.Run(name, run)
	}
	part := func(name string, run func(t *testing.T)) {
		t.Helper()
		if !look(name, run) {
			t.Fatalf("%s failed: what follows would only fail for the same reason", name)
		}
	}

	part("up", func(t *testing.T) {
		result, cluster := r.up(t)
		c = cluster
		require.NotZero(t, result.Creates())
		require.Len(t, c.Nodes, 1)
		t.Logf("up took %s: %v", result.Duration.Round(100*time.Millisecond), result.Phases)
		// At once: "up" means that logs and exec work, for which the kubelet's
		// serving certificate must be there.
		runChecks(t, c, "M47_nodes_are_ready", "M16_kubelet_answers_the_authorized")
	})
	look("verify", func(t *testing.T) { verify(t, c) })
	look("second_up_changes_nothing", r.settled)

	keep := keepsake(t, c)
	part("key_rotation", func(t *testing.T) { c = keysRotate(t, r, c) })
	part("components_come_back", func(t *testing.T) { componentsComeBack(t, c) })
	part("machines_come_back", func(t *testing.T) { machinesComeBack(t, c) })
	look("drift_is_shown_and_repaired", func(t *testing.T) { driftIsRepaired(t, r, c) })
	look("side_by_side", func(t *testing.T) { sideBySide(t, root, r, c) })
	part("restart_of_the_host", func(t *testing.T) { c = hostRestarts(t, r, c) })
	look("data_survived_everything", func(t *testing.T) { keep.survived(t, c) })
	look("verify_again", func(t *testing.T) { verify(t, c) })
	look("down", func(t *testing.T) {
		r.destroy(t)
		_, err := Load(root, r.name)
		assert.ErrorContains(t, err, "is not up")
	})
	look("down_again_is_no_error", r.destroy)
}

// workersComeAndGo adds a worker and takes it away again: its node, machine and
// namespace go with it, and nothing else is touched.
func workersComeAndGo(t *testing.T, r *rehearsal) {
	_, c := r.with("redoubt:workers", "2").up(t)
	require.Len(t, c.Nodes, 2)
	gone := c.Nodes[1].Name
	nodes := c.client(t, c.masters(t)).CoreV1().Nodes()
	_, err := nodes.Get(t.Context(), gone, metav1.GetOptions{})
	require.NoError(t, err)

	_, c = r.with("redoubt:workers", "1").up(t)
	_, err = nodes.Get(t.Context(), gone, metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "the node object stays: %v", err)
	assert.NoDirExists(t, c.MachineDir(gone))
	assert.NoFileExists(t, "/run/netns/"+c.NamespaceName(gone))
	r.settled(t)
}

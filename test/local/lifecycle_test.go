package local

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLifecycle brings up an environment, proves it hardened, breaks it in every
// way that a machine breaks, and takes it down. Its parts build on each other:
// the first that fails ends it, with the logs kept.
func TestLifecycle(t *testing.T) {
	root := needsMachines(t)
	r := newRehearsal(t, root, map[string]string{"redoubt:workers": "1"})
	var c *Cluster
	part := func(name string, run func(t *testing.T)) {
		t.Helper()
		started := time.Now()
		if !t.Run(name, run) {
			t.Fatalf("%s failed: what follows would only fail for the same reason", name)
		}
		t.Logf("%s: %s", name, time.Since(started).Round(100*time.Millisecond))
	}

	part("up", func(t *testing.T) {
		result, cluster := r.up(t)
		c = cluster
		require.NotZero(t, result.Creates())
		require.Len(t, c.Nodes, 1)
		t.Logf("up took %s: %v", result.Duration.Round(100*time.Millisecond), result.Phases)
	})
	part("verify", func(t *testing.T) { verify(t, c) })
	part("second_up_changes_nothing", r.settled)

	keep := keepsake(t, c)
	part("key_rotation", func(t *testing.T) { c = keysRotate(t, r, c) })
	part("components_come_back", func(t *testing.T) { componentsComeBack(t, c) })
	part("machines_come_back", func(t *testing.T) { machinesComeBack(t, c) })
	part("drift_is_shown_and_repaired", func(t *testing.T) { driftIsRepaired(t, r, c) })
	part("side_by_side", func(t *testing.T) { sideBySide(t, root, r, c) })
	part("restart_of_the_host", func(t *testing.T) { c = hostRestarts(t, r, c) })
	part("data_survived_everything", func(t *testing.T) { keep.survived(t, c) })
	part("verify_again", func(t *testing.T) { verify(t, c) })
	part("down", func(t *testing.T) {
		r.destroy(t)
		_, err := Load(root, r.name)
		assert.ErrorContains(t, err, "is not up")
	})
	part("down_again_is_no_error", r.destroy)
}

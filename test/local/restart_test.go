package local

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostRestarts takes away what a restart of the host takes away: every process
// of the environment and its network. An up must restore the same cluster with
// its data.
func hostRestarts(t *testing.T, r *rehearsal, c *Cluster) *Cluster {
	// Until nobody is left who could restart another: killing goes in rounds.
	within(t, patience, "every process to end", func() error {
		var alive []int
		for _, name := range c.Machines() {
			for _, role := range []string{"watch", "run", "init"} {
				alive = append(alive, keepers(c.MachineDir(name), role)...)
			}
		}
		for _, pid := range alive {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
		}
		if len(alive) > 0 {
			return fmt.Errorf("alive: %v", alive)
		}
		return nil
	})
	names, err := filepath.Glob("/run/netns/rd-" + c.Environment + "-*")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		_, err := ip(t.Context(), "netns", "delete", filepath.Base(name))
		require.NoError(t, err)
	}
	_, err = c.do(t.Context(), caller{}, "GET", c.APIEndpoint+"/livez", nil)
	require.Error(t, err, "the cluster still answers: nothing was restarted")

	_, c = r.up(t)
	works(t, c)
	r.settled(t)
	return c
}

// sideBySide brings up a second environment beside the first, whose driver is
// killed twice on the way. Both work, and neither lets the other's people in.
func sideBySide(t *testing.T, root string, first *rehearsal, one *Cluster) {
	second := newRehearsal(t, root, map[string]string{"redoubt:workers": "0"})

	machines := filepath.Join(second.stateDir(), "machines")
	killed := second.killedUp(t, func() bool { _, err := os.Stat(machines); return err == nil })
	assert.True(t, killed, "the driver ended before it could be killed")
	// Once more, after the control plane's processes have begun to run.
	spec := filepath.Join(machines, "control-plane", "machine.json")
	killed = second.killedUp(t, func() bool { _, err := os.Stat(spec); return err == nil })
	t.Logf("the second killing came in time: %t", killed)

	_, two := second.up(t)
	second.settled(t)
	assert.Empty(t, two.Nodes)
	require.NotEqual(t, one.Network.OperatorCIDR, two.Network.OperatorCIDR, "two environments share an operator network")
	runChecks(t, two, "M14_api_anonymous_gets_health_and_nothing_else", "M14_api_refuses_a_foreign_authority",
		"M04_host_reaches_the_api_and_nothing_else", "M18_every_secret_is_under_the_current_key")
	works(t, one)

	// The administrator of one is nobody in the other.
	for _, pair := range [][2]*Cluster{{one, two}, {two, one}} {
		r, err := pair[1].do(t.Context(), pair[0].masters(t), "GET", pair[1].APIEndpoint+"/api/v1/namespaces", nil)
		require.NoError(t, err)
		assert.Equal(t, 401, r.status, "%s lets the administrator of %s in", pair[1].Environment, pair[0].Environment)
	}
	// One machine cannot reach the other environment's API server.
	result, err := probe(t.Context(), one.DialFrom(one.ControlPlane.Name), two.ControlPlane.OperatorAddress+":6443")
	require.NoError(t, err)
	assert.Contains(t, []answer{unreachable, filtered}, result)

	second.destroy(t)
	works(t, one) // the first did not lose what they shared
	first.settled(t)
}

package local

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// componentsComeBack kills every service of every machine, one after the other,
// and demands that it comes back and is ready.
func componentsComeBack(t *testing.T, c *Cluster) {
	for _, name := range c.Machines() {
		for _, s := range c.inspect(t, name).Services {
			t.Run(name+"/"+s.Name, func(t *testing.T) {
				before := service(t, c.inspect(t, name), s.Name)
				require.NotZero(t, before.PID)
				_, err := c.exec(t.Context(), name, "kill", "-KILL", strconv.Itoa(before.PID))
				require.NoError(t, err)
				took := within(t, patience, s.Name+" to come back", func() error {
					status := c.inspect(t, name)
					now := service(t, status, s.Name)
					switch {
					case now.Restarts <= before.Restarts || now.PID == before.PID:
						return errors.New("it has not restarted")
					case !status.Ready():
						return fmt.Errorf("the machine is not ready: %+v", status.Services)
					}
					return nil
				})
				t.Logf("back after %s", took.Round(10*time.Millisecond))
			})
		}
	}
	works(t, c)
}

// machinesComeBack kills what keeps the machines running: the guard, the
// watcher, and the machine's first process, with which all others end.
func machinesComeBack(t *testing.T, c *Cluster) {
	for _, name := range c.Machines() {
		dir := c.MachineDir(name)
		for role, what := range map[string]string{"run": "guard", "watch": "watcher"} {
			t.Run(name+"/"+what, func(t *testing.T) {
				before, boot := keepers(dir, role), c.inspect(t, name).Boot
				kill(t, before...)
				within(t, patience, what+" to come back", func() error {
					now := keepers(dir, role)
					if len(now) != 1 || now[0] == before[0] {
						return fmt.Errorf("there are %v", now)
					}
					return nil
				})
				assert.Equal(t, boot, c.inspect(t, name).Boot, "the machine itself restarted")
			})
		}
		t.Run(name+"/machine", func(t *testing.T) {
			before := c.inspect(t, name)
			kill(t, before.InitPID)
			took := within(t, patience, "the machine to come back", func() error {
				status := c.inspect(t, name)
				if status.Boot == before.Boot || !status.Ready() {
					return fmt.Errorf("not ready: %+v", status)
				}
				return nil
			})
			t.Logf("back after %s", took.Round(10*time.Millisecond))
		})
	}
	works(t, c)
}

// works proves that the cluster does its work: the nodes are ready and a pod
// starts and serves.
func works(t *testing.T, c *Cluster) {
	t.Helper()
	runChecks(t, c, "M47_nodes_are_ready", "M47_compliant_pod_runs_and_serves", "M14_api_anonymous_gets_health_and_nothing_else")
}

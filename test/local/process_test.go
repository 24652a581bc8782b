package local

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/retry"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/components/local/machine"
)

// keepers are the processes on the host that keep a machine running: "run" is
// the guard, "watch" the watcher, "init" the machine's first process.
func keepers(dir, role string) []int {
	var found []int
	directories, _ := filepath.Glob("/proc/[0-9]*")
	for _, directory := range directories {
		data, err := os.ReadFile(filepath.Join(directory, "cmdline"))
		if err != nil {
			continue // it ended meanwhile
		}
		words := strings.Split(strings.TrimRight(string(data), "\x00"), "\x00")
		if len(words) < 3 || filepath.Base(words[0]) != "redoubt-machine" || words[1] != role {
			continue
		}
		for _, word := range words[2:] {
			if pid, err := strconv.Atoi(filepath.Base(directory)); err == nil && word == dir {
				found = append(found, pid)
			}
		}
	}
	return found
}

// kill ends a process as the kernel ends one that runs out of memory.
func kill(t *testing.T, pids ...int) {
	t.Helper()
	require.NotEmpty(t, pids, "there is no such process")
	for _, pid := range pids {
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
}

// inspect is what a machine does now.
func (c *Cluster) inspect(t *testing.T, name string) machine.Status {
	t.Helper()
	status, err := machine.Inspect(c.MachineDir(name))
	require.NoError(t, err)
	return status
}

// service is one service of a machine's status.
func service(t *testing.T, status machine.Status, name string) machine.ServiceStatus {
	t.Helper()
	for _, s := range status.Services {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("the machine has no service %s: %+v", name, status.Services)
	return machine.ServiceStatus{}
}

// patience is how long anything that must happen may take: the machine may be busy
// with much else, and how fast it is belongs to the benchmarks.
const patience = 3 * time.Minute

// within waits until a condition holds and gives how long that took.
func within(t *testing.T, limit time.Duration, what string, holds func() error) time.Duration {
	t.Helper()
	const step = 100 * time.Millisecond
	started := time.Now()
	// Cleanups wait too, when the test's own context has ended.
	_, err := retry.DoWithRetryContextE(t, context.WithoutCancel(t.Context()), what, int(limit/step), step, func() (string, error) { return "", holds() })
	require.NoError(t, err, "%s: not within %s", what, limit)
	return time.Since(started)
}

// runChecks runs some checks of TestVerify by name.
func runChecks(t *testing.T, c *Cluster, names ...string) {
	t.Helper()
	for _, name := range names {
		found := false
		for _, k := range checks() {
			if k.name == name {
				found = true
				t.Run(name, func(t *testing.T) { k.run(t, c) })
			}
		}
		require.True(t, found, "there is no check %s", name)
	}
}

package local

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/components/local/machine"
)

// mutations switches TestMutations on: it takes a quarter of an hour.
var mutations = flag.Bool("mutations", false, "remove one control at a time and demand that its check fails")

// mutant is one control taken away from a running cluster.
type mutant struct {
	// setting is what is taken away; check is the check that must turn red.
	setting, check string
	// apply takes it away and registers with t how it comes back.
	apply func(t *testing.T, c *Cluster)
}

// TestMutations proves the checks: with each control in place its check is
// green, without it the same check is red, and red for that reason alone. A
// mutant that breaks the cluster altogether proves nothing and is reported as
// such.
func TestMutations(t *testing.T) {
	if !*mutations {
		t.Skip("no -mutations: this removes one control at a time from a cluster of its own, which takes a quarter of an hour")
	}
	root := needsMachines(t)
	r := newRehearsal(t, root, map[string]string{"redoubt:workers": "1"})
	_, c := r.up(t)
	settleDown(t, c)
	tried, killed := 0, 0
	for _, m := range mutants() {
		ok := t.Run(m.check+"/"+m.setting, func(t *testing.T) {
			tried++
			passed, out := verdict(t, r.name, m.check)
			require.True(t, passed, "VOID: the check is red before anything was taken away:\n%s", out)
			// Run in a part of its own: what it registers is undone before the
			// cluster is used again.
			t.Run("without", func(t *testing.T) {
				m.apply(t, c)
				passed, out = verdict(t, r.name, m.check)
				assert.False(t, passed, "SURVIVED: without %s the check is still green", m.setting)
				assert.True(t, alive(t, c), "VOID: the cluster does not answer without %s:\n%s", m.setting, out)
			})
			settleDown(t, c)
			if !t.Failed() {
				killed++
			}
		})
		if !ok {
			t.Logf("not killed: %s", m.setting)
		}
	}
	t.Logf("%d of %d mutants killed", killed, tried)
}

// verdict runs one check in a process of its own, so that its failure is an
// answer and not a failure of this test.
func verdict(t *testing.T, environment, name string) (passed bool, out string) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-test.v", "-test.run", "^TestVerify$/^"+regexp.QuoteMeta(name)+"$", "-env="+environment)
	output, err := cmd.CombinedOutput()
	text := string(output)
	result := "TestVerify/" + name
	require.Contains(t, text, "=== RUN   "+result, "the check did not run")
	if err == nil {
		require.Contains(t, text, "--- PASS: "+result, "the check was skipped")
		return true, text
	}
	require.Contains(t, text, "--- FAIL: "+result, "something else failed")
	return false, text
}

// alive tells whether the API server still answers.
func alive(t *testing.T, c *Cluster) bool {
	t.Helper()
	r, err := c.do(context.WithoutCancel(t.Context()), c.masters(t), "GET", c.APIEndpoint+"/readyz", nil)
	return err == nil && r.status == 200
}

// settleDown waits until every machine is ready again.
func settleDown(t *testing.T, c *Cluster) {
	t.Helper()
	within(t, patience, "the cluster to settle", func() error {
		for _, name := range c.Machines() {
			if status := c.inspect(t, name); !status.Ready() {
				return fmt.Errorf("%s is not ready: %+v", name, status.Services)
			}
		}
		if !alive(t, c) {
			return errors.New("the API server does not answer")
		}
		// A kubelet speaks TLS only once its certificate has been approved.
		for _, node := range c.Nodes {
			who := caller{from: c.ControlPlane.Name}
			if _, err := c.do(context.WithoutCancel(t.Context()), who, "GET", kubeletURL(node, "/healthz"), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// changeArguments changes the arguments of a service and runs the machine with them
// until the test ends.
func changeArguments(name, service string, change func([]string) []string) func(*testing.T, *Cluster) {
	return func(t *testing.T, c *Cluster) {
		data, err := os.ReadFile(filepath.Join(c.MachineDir(machineOf(c, name)), "machine.json"))
		require.NoError(t, err)
		var spec, original machine.Spec
		require.NoError(t, json.Unmarshal(data, &spec))
		require.NoError(t, json.Unmarshal(data, &original))
		changed := false
		for i := range spec.Services {
			if spec.Services[i].Name == service {
				spec.Services[i].Command = change(spec.Services[i].Command)
				changed = strings.Join(spec.Services[i].Command, " ") != strings.Join(original.Services[i].Command, " ")
			}
		}
		require.True(t, changed, "VOID: the mutant changes nothing")
		t.Cleanup(func() {
			require.NoError(t, machine.Apply(cleanupContext(t), original))
			reconnect(t, c, service)
		})
		require.NoError(t, machine.Apply(t.Context(), spec))
		reconnect(t, c, service)
	}
}

// reconnect waits until the cluster has settled after a service restarted.
// Controllers that lost their API server several times in a row wait for minutes
// before they try again: they are started anew, so that the next check is about
// the control and not about their patience.
func reconnect(t *testing.T, c *Cluster, service string) {
	t.Helper()
	settleDown(t, c)
	if service == "kube-apiserver" {
		restart(t, c, c.ControlPlane.Name, "kube-controller-manager")
	}
}

// machineOf names a machine by its role.
func machineOf(c *Cluster, role string) string {
	if role == "worker" {
		return c.Nodes[0].Name
	}
	return c.ControlPlane.Name
}

// flagSet gives a flag another value, and adds it where it is missing. The value
// "-" removes it.
func flagSet(name, value string) func([]string) []string {
	return func(command []string) []string {
		var out []string
		for _, argument := range command {
			if !strings.HasPrefix(argument, "--"+name+"=") {
				out = append(out, argument)
			}
		}
		if value != "-" {
			out = append(out, "--"+name+"="+value)
		}
		return out
	}
}

// both makes two changes.
func both(one, two func([]string) []string) func([]string) []string {
	return func(command []string) []string { return two(one(command)) }
}

// flagReplace replaces a part of a flag's value.
func flagReplace(name, old, value string) func([]string) []string {
	return func(command []string) []string {
		out := append([]string(nil), command...)
		for i, argument := range out {
			if strings.HasPrefix(argument, "--"+name+"=") {
				out[i] = strings.Replace(argument, old, value, 1)
			}
		}
		return out
	}
}

// changeFile rewrites a file of a machine and restarts the service that reads
// it, and undoes both with the test.
func changeFile(role, path, service, old, value string) func(*testing.T, *Cluster) {
	return func(t *testing.T, c *Cluster) {
		name := machineOf(c, role)
		file := c.Path(name, path)
		original, err := os.ReadFile(file)
		require.NoError(t, err)
		changed := strings.Replace(string(original), old, value, 1)
		require.NotEqual(t, string(original), changed, "VOID: %s does not contain %q", path, old)
		info, err := os.Stat(file)
		require.NoError(t, err)
		write := func(t *testing.T, data []byte) {
			require.NoError(t, os.WriteFile(file, data, info.Mode()))
			restart(t, c, name, service)
			reconnect(t, c, service)
		}
		t.Cleanup(func() { write(t, original) })
		write(t, []byte(changed))
	}
}

// restart ends a service, which its supervisor starts again, and waits for it.
func restart(t *testing.T, c *Cluster, name, serviceName string) {
	t.Helper()
	before := service(t, c.inspect(t, name), serviceName)
	// Not with SIGTERM: an API server that ends in good order takes a minute.
	_, err := c.exec(cleanupContext(t), name, "kill", "-KILL", fmt.Sprint(before.PID))
	require.NoError(t, err)
	within(t, patience, serviceName+" to come back", func() error {
		now := service(t, c.inspect(t, name), serviceName)
		if now.Restarts <= before.Restarts || !now.Ready {
			return fmt.Errorf("%+v", now)
		}
		return nil
	})
}

package local

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/test/kubebench"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/rehearse/redoubt"
)

// upTimeout is several times what a warm `make up` takes on two cores.
const upTimeout = 8 * time.Minute

// rehearsal is an environment under a name of its own, which the test brings
// up, breaks and takes down.
type rehearsal struct {
	root, name string
	set        map[string]string
	before     traces
	// without names a provider that the engine has to find by itself.
	without string
}

// needsMachines skips where no machine can run, and says what is missing where
// it should run.
func needsMachines(t *testing.T) string {
	t.Helper()
	switch {
	case testing.Short():
		t.Skip("-short: this test brings up whole clusters, which takes minutes")
	case runtime.GOOS != "linux" || os.Geteuid() != 0:
		t.Skip("machines with namespaces of their own need Linux and root")
	}
	root, err := RepositoryRoot()
	require.NoError(t, err)
	for _, program := range []string{"pulumi", "etcd", "kube-apiserver", "kubelet", "redoubt-machine", "redoubt-agent", "kube-bench"} {
		_, err := os.Stat(filepath.Join(programs(root), program))
		require.NoError(t, err, "the programs are not built: run `make test`, which builds them first")
	}
	require.NoError(t, redoubt.Export(root, programs(root)))
	return root
}

// programs is where the built programs are.
func programs(root string) string {
	if dir := os.Getenv("REDOUBT_BIN_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(root, "bin")
}

// newRehearsal names an environment and registers, before anything exists, that
// it goes away and leaves nothing, whatever happens.
func newRehearsal(t *testing.T, root string, set map[string]string) *rehearsal {
	t.Helper()
	raw := make([]byte, 3)
	_, err := rand.Read(raw)
	require.NoError(t, err)
	r := &rehearsal{root: root, name: "it-" + hex.EncodeToString(raw), set: maps.Clone(set)}
	r.before, err = hostTraces(t.Context(), root, r.name)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			r.keepLogs(t)
		}
		r.destroy(t)
	})
	t.Logf("environment %s", r.name)
	return r
}

// options drive the environment with the settings of the local one.
func (r *rehearsal) options() rehearse.Options {
	o := redoubt.Options(r.root, r.name)
	o.ConfigFile = filepath.Join("stacks", "Pulumi.local.yaml")
	o.Set = r.set
	o.Providers = leaveOut(o.Providers, r.without)
	return o
}

// with changes one setting.
func (r *rehearsal) with(key, value string) *rehearsal {
	if r.set == nil {
		r.set = map[string]string{}
	}
	r.set[key] = value
	return r
}

// tryUp runs one up.
func (r *rehearsal) tryUp(t *testing.T) (rehearse.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), upTimeout)
	defer cancel()
	return rehearse.New(r.options()).Up(ctx)
}

// up brings the environment to its settings, writes what TestVerify reads, and
// gives the cluster.
func (r *rehearsal) up(t *testing.T) (rehearse.Result, *Cluster) {
	t.Helper()
	result, err := r.tryUp(t)
	require.NoError(t, err)
	outputs := map[string]any{}
	for name, output := range result.Outputs {
		outputs[name] = output.Value
	}
	data, err := json.MarshalIndent(outputs, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(r.stateDir(), "outputs.json"), data, 0o600))
	c, err := Load(r.root, r.name)
	require.NoError(t, err)
	return result, c
}

// settled demands that one more up has nothing to do.
func (r *rehearsal) settled(t *testing.T) {
	t.Helper()
	result, err := r.tryUp(t)
	require.NoError(t, err)
	assert.Zero(t, result.Changed(), "an up without changes did something: %v %v", result.Changes, stepsOf(result))
}

// stepsOf lists what an operation worked on.
func stepsOf(result rehearse.Result) []string {
	var lines []string
	for _, step := range result.Steps {
		lines = append(lines, string(step.Op)+" "+step.URN)
	}
	return lines
}

func (r *rehearsal) stateDir() string { return filepath.Join(r.root, ".state", r.name) }

// destroy takes the environment down and proves that the host is as before.
func (r *rehearsal) destroy(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), upTimeout)
	defer cancel()
	_, err := rehearse.New(r.options()).Destroy(ctx)
	assert.NoError(t, err, "taking %s down", r.name)
	after, err := hostTraces(ctx, r.root, r.name)
	if assert.NoError(t, err) {
		assert.Empty(t, after.since(r.before), "taking %s down", r.name)
	}
}

// keepLogs copies the environment's logs to where nothing deletes them.
func (r *rehearsal) keepLogs(t *testing.T) {
	t.Helper()
	to := filepath.Join(r.root, ".state", keptLogs, r.name)
	err := kubebench.CopyTree(filepath.Join(r.stateDir(), "log"), to)
	if errors.Is(err, os.ErrNotExist) {
		return // nothing ran
	}
	if err != nil {
		t.Errorf("keeping the logs: %v", err)
	}
	t.Logf("the logs of %s are kept in %s", r.name, to)
}

// driverVariable makes this test's program act as the driver of one up, so that
// a whole driver process can be killed.
const driverVariable = "REDOUBT_TEST_DRIVE"

// driveRequest is what the driver process is told.
type driveRequest struct {
	Root, Name string
	Set        map[string]string
}

// TestDriverProcess is the driver process of [rehearsal.killedUp].
func TestDriverProcess(t *testing.T) {
	text := os.Getenv(driverVariable)
	if text == "" {
		t.Skip("this is the driver process of another test, which starts it")
	}
	var request driveRequest
	require.NoError(t, json.Unmarshal([]byte(text), &request))
	r := &rehearsal{root: request.Root, name: request.Name, set: request.Set}
	_, err := r.tryUp(t)
	require.NoError(t, err)
}

// killedUp starts an up in a process of its own and kills that process with
// SIGKILL as soon as the moment has come. It tells whether the up was still
// under way.
func (r *rehearsal) killedUp(t *testing.T, moment func() bool) bool {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	request, err := json.Marshal(driveRequest{r.root, r.name, r.set})
	require.NoError(t, err)
	cmd := exec.Command(program, "-test.run", "^TestDriverProcess$", "-test.timeout", upTimeout.String())
	cmd.Env = append(os.Environ(), driverVariable+"="+string(request))
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.Now().Add(upTimeout)
	for !moment() && time.Now().Before(deadline) {
		select {
		case err := <-ended:
			require.NoError(t, err, "the driver failed before it could be killed")
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	return <-ended != nil
}

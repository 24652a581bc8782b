package local

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// TestTracesAreFound plants what an environment could leave and demands that it
// is found: a search that finds nothing proves nothing.
func TestTracesAreFound(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("looking at the host's namespaces and rules needs Linux and root")
	}
	root, name := t.TempDir(), randomName("trace")
	before, err := hostTraces(t.Context(), root, name)
	require.NoError(t, err)
	again, err := hostTraces(t.Context(), root, name)
	require.NoError(t, err)
	require.Empty(t, again.since(before))

	require.NoError(t, os.MkdirAll(filepath.Join(root, ".state", "pulumi", "stacks", name), 0o700))
	t.Cleanup(func() { _, _ = ip(cleanupContext(t), "netns", "delete", "rd-"+name+"-switch") })
	_, err = ip(t.Context(), "netns", "add", "rd-"+name+"-switch")
	require.NoError(t, err)
	_, err = ip(t.Context(), "link", "add", netns.HostInterface(name), "type", "veth", "peer", "name", "x", "netns", "rd-"+name+"-switch")
	require.NoError(t, err)
	file := filepath.Join("/run", "redoubt-"+name)
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	t.Cleanup(func() { _ = os.Remove(file) })

	after, err := hostTraces(t.Context(), root, name)
	require.NoError(t, err)
	changes := after.since(before)
	for _, want := range []string{
		"left behind: file: " + file,
		"left behind: network namespace: /run/netns/rd-" + name + "-switch",
		"left behind: mount: /run/netns/rd-" + name + "-switch",
		"left behind: state: " + filepath.Join(root, ".state", "pulumi", "stacks", name),
	} {
		require.Contains(t, changes, want)
	}
	require.Contains(t, strings.Join(changes, "\n"), "left behind: interface: ")
}

func TestTracesShareKernelSettings(t *testing.T) {
	claimed, released := kernelSetting+": kernel.panic = 10", kernelSetting+": kernel.panic = 0"
	crowded := traces{claimed: true, alone: false}
	require.Empty(t, traces{released: true, alone: true}.since(crowded), "another environment released it")
	quiet := traces{released: true, alone: true}
	require.Len(t, traces{claimed: true, alone: true}.since(quiet), 2, "nobody else can have changed it")
}

// A claim comes before the namespaces of its environment and goes after them: while
// there is one, the kernel's settings are not this environment's alone.
func TestTracesSeeOtherClaims(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("claims of environments are root's")
	}
	state, name := filepath.Join(t.TempDir(), ".state", "mine"), randomName("trace")
	require.NoError(t, os.MkdirAll("/run/redoubt", 0o755))
	record := filepath.Join("/run/redoubt", "network-"+name)
	t.Cleanup(func() { _, _ = os.Remove(record), os.Remove("/run/redoubt") })

	require.NoError(t, os.WriteFile(record, []byte(state+"-too"), 0o600))
	claimed, err := others(state, name)
	require.NoError(t, err)
	require.True(t, claimed, "another environment has a claim")
	for record, want := range map[string]bool{
		state: false, `{"kernel.panic": {"claims": ["` + state + `/worker-1"]}}`: false, `{"kernel.panic": {"claims": ["/elsewhere/.state/mine/worker-1"]}}`: true, "": false,
	} {
		require.Equal(t, want, claimsOfOthers(record, state), record)
	}
}

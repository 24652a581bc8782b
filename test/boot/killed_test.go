package boot

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// TestVictim is the process that TestKilled kills.
func TestVictim(t *testing.T) {
	dir := os.Getenv("REDOUBT_BOOT_VICTIM")
	if dir == "" {
		t.Skip("started by TestKilled")
	}
	artifacts, err := MakeArtifacts(t.Context(), "../../bin")
	require.NoError(t, err)
	f, err := NewFixture(hostconfig.PlatformAWS, artifacts, nil)
	require.NoError(t, err)
	f.Config.Name, f.Config.Dir = "killed", dir
	r, err := New(t.Context(), f.Config)
	require.NoError(t, err)
	require.NoError(t, r.Launch(t.Context(), "control-plane-1"))
	_, _ = os.Stdout.WriteString("\nrunning\n")
	time.Sleep(time.Minute)
}

// TestKilled: whoever kills the rehearsal, without a word, leaves nothing of it.
func TestKilled(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("machines are namespaces: run as root")
	}
	if _, err := MakeArtifacts(t.Context(), "../../bin"); err != nil {
		t.Fatalf("%v: make tools-all first", err)
	}
	dir := filepath.Join(t.TempDir(), "state")
	command := exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.timeout=3m")
	command.Env = append(os.Environ(), "REDOUBT_BOOT_VICTIM="+dir)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	lines := bufio.NewScanner(out)
	running := false
	for lines.Scan() && !running {
		running = lines.Text() == "running"
	}
	require.True(t, running, "the rehearsal did not start")
	require.NotEmpty(t, Leftovers("killed", dir), "the test looks in the wrong places")
	require.NoError(t, command.Process.Kill())
	_ = command.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(Leftovers("killed", dir)) > 0 && ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
	}
	require.Empty(t, Leftovers("killed", dir))
}

package local

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProcessOfPod runs on a made-up /proc: another pod, the sandbox, and the
// container under a systemd cgroup.
func TestProcessOfPod(t *testing.T) {
	proc := t.TempDir()
	process := func(pid, cgroup, command string) {
		dir := filepath.Join(proc, pid)
		require.NoError(t, os.Mkdir(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cgroup"), []byte(cgroup), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cmdline"), []byte(command), 0o600))
	}
	process("10", "0::/kubepods/podother/x", "/hello\x00")
	process("20", "0::/kubepods.slice/kubepods-podab_cd.slice/s", "/pause\x00")
	process("30", "0::/kubepods.slice/kubepods-podab_cd.slice/c", "/hello\x00serve\x00")
	process("40", "0::/kubepods.slice/kubepods-podab_cd.slice/c", "") // a kernel thread or a zombie
	pid, err := processOfPod(proc, "ab-cd")
	require.NoError(t, err)
	require.Equal(t, 30, pid)
	_, err = processOfPod(proc, "none")
	require.ErrorContains(t, err, "no process of pod none")
}

func TestParseStatus(t *testing.T) {
	fields := parseStatus("Name:\thello\nSeccomp:\t2\nUid:\t65535\t65535\t65535\t65535\n")
	require.Equal(t, "2", fields["Seccomp"])
	require.Equal(t, "hello", fields["Name"])
}

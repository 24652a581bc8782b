package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var machineChecks = []check{
	{"M03_root_is_read_only", isolation, rootIsReadOnly},
	{"M03_only_expected_processes", isolation, onlyExpectedProcesses},
	{"M03_machine_sees_no_foreign_process", isolation, noForeignProcess},
	{"M03_services_are_confined", isolation, servicesAreConfined},
}

// rootIsReadOnly tries to write, as root of the machine, where an intruder
// would persist.
func rootIsReadOnly(t *testing.T, c *Cluster) {
	for _, machine := range c.Machines() {
		for _, dir := range []string{"/", "/usr", "/usr/bin", "/usr/local/bin", "/bin", "/sbin", "/lib", "/etc", "/etc/kubernetes", "/opt/redoubt/bin"} {
			if _, err := c.exec(t.Context(), machine, "test", "-d", dir); err != nil {
				continue // this machine has no such directory
			}
			path := filepath.Join(dir, randomName("intruder"))
			out, err := c.exec(t.Context(), machine, "touch", path)
			if assert.Error(t, err, "%s: %s is writable %s", machine, dir, out) {
				assert.Contains(t, err.Error(), "Read-only file system", "%s: %s", machine, dir)
			} else if _, err := c.exec(t.Context(), machine, "rm", "-f", path); err != nil {
				t.Error(err)
			}
		}
		// Writing is refused by the root and not by the tool: /tmp takes the same.
		path := filepath.Join("/tmp", randomName("control"))
		_, err := c.exec(t.Context(), machine, "touch", path)
		require.NoError(t, err, "the negative control failed")
		_, err = c.exec(t.Context(), machine, "rm", path)
		require.NoError(t, err)
	}
}

// expectedPrograms are the only programs that may run in a machine outside of
// pods: no shell, no SSH, no package manager, no init system.
var expectedPrograms = map[string]bool{
	"redoubt-machine": true, "redoubt-agent": true, "etcd": true,
	"kube-apiserver": true, "kube-controller-manager": true, "kube-scheduler": true,
	"kube-router": true, "iptables": true, "xtables-nft-multi": true, "ipset": true, "nft": true, // network policies; the tools for a moment
	"kubelet": true, "containerd": true, "containerd-shim-runc-v2": true, "containerd-shim": true, "runc": true,
	"bridge": true, "host-local": true, "loopback": true, "portmap": true, // for a moment, while a pod gets its network
	"pause": true, "hello": true, // pods
	"nsenter": true, "ls": true, // this check itself
}

func onlyExpectedProcesses(t *testing.T, c *Cluster) {
	for _, machine := range c.Machines() {
		for _, program := range c.programs(t, machine) {
			assert.True(t, expectedPrograms[program], "%s runs %s, which a node does not need", machine, program)
		}
	}
}

// noForeignProcess starts a process on the host and looks for it in every machine.
func noForeignProcess(t *testing.T, c *Cluster) {
	own := filepath.Base(os.Args[0])
	for _, machine := range c.Machines() {
		programs := c.programs(t, machine)
		assert.NotEmpty(t, programs)
		assert.NotContains(t, programs, own, "%s sees this test, a process of the host", machine)
	}
}

// programs are the names of what runs in a machine, from its own /proc.
func (c *Cluster) programs(t *testing.T, machine string) []string {
	t.Helper()
	out, err := c.exec(t.Context(), machine, "/bin/sh", "-c",
		`for p in /proc/[0-9]*; do [ "${p#/proc/}" = "$$" ] && continue; readlink "$p/exe" 2>/dev/null; done; true`)
	require.NoError(t, err)
	var names []string
	for _, path := range strings.Split(out, "\n") {
		// A program that was built anew while it ran.
		name := filepath.Base(strings.TrimSuffix(path, " (deleted)"))
		if name != "readlink" && name != "coreutils" {
			names = append(names, name)
		}
	}
	return names
}

// servicesAreConfined reads what the kernel enforces on the running control
// plane: no capability that could be regained, no new privileges, and a user of
// its own for etcd.
func servicesAreConfined(t *testing.T, c *Cluster) {
	for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		status := c.processStatus(t, c.ControlPlane.Name, program)
		for _, set := range []string{"CapEff", "CapPrm", "CapBnd", "CapAmb"} {
			assert.Equal(t, "0000000000000000", status[set], "%s has capabilities in %s", program, set)
		}
		assert.Equal(t, "1", status["NoNewPrivs"], program)
		if program == "etcd" {
			assert.NotEqual(t, "0", strings.Fields(status["Uid"])[0], "etcd runs as root")
		}
	}
}

// processStatus is /proc/PID/status of a program of a machine.
func (c *Cluster) processStatus(t *testing.T, machine, program string) map[string]string {
	t.Helper()
	out, err := c.exec(t.Context(), machine, "/bin/sh", "-c",
		`for p in /proc/[0-9]*; do case "$(readlink "$p/exe")" in */`+program+`|*"/`+program+` (deleted)") cat "$p/status"; exit 0;; esac; done; exit 1`)
	require.NoError(t, err, "%s does not run in %s", program, machine)
	return parseStatus(out)
}

// parseStatus reads the "Name: value" lines of /proc/PID/status.
func parseStatus(text string) map[string]string {
	fields := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = strings.TrimSpace(value)
		}
	}
	return fields
}

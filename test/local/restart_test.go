package local

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostRestarts takes away what a restart of the host takes away: every process
// of the environment and its network. An up must restore the same cluster with
// its data.
func hostRestarts(t *testing.T, r *rehearsal, c *Cluster) *Cluster {
	// Until nobody is left who could restart another: killing goes in rounds.
	within(t, 20*time.Second, "every process to end", func() error {
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

// TestBadSettings demands one clear error for each bad setting, which names the
// setting, and nothing half-made.
func TestBadSettings(t *testing.T) {
	root := needsMachines(t)
	for _, test := range []struct {
		name, key, value string
		want             []string
	}{
		{"too_many_workers", "redoubt:workers", "99", []string{"workers"}},
		{"workers_no_number", "redoubt:workers", "two", []string{"workers", "number"}},
		{"unknown_platform", "redoubt:platform", "mainframe", []string{"platform", "mainframe"}},
		{"unknown_setting", "redoubt:encryption.strength", "11", []string{"encryption", "strength"}},
		{"overlapping_ranges", "redoubt:network.podCIDR", "10.80.0.0/16", []string{"podCIDR", "overlaps"}},
		{"range_with_host_bits", "redoubt:network.nodeCIDR", "10.80.0.7/24", []string{"nodeCIDR", "10.80.0.0/24"}},
		{"public_range", "redoubt:network.operatorCIDR", "8.8.8.0/24", []string{"operatorCIDR", "private"}},
		{"unknown_cipher", "redoubt:encryption.provider", "rot13", []string{"rot13"}},
		{"plaintext", "redoubt:encryption.provider", "identity", []string{"identity"}},
		{"anonymous_api", "redoubt:extraArgs", `{"kube-apiserver":{"anonymous-auth":"true"}}`, []string{"anonymous-auth"}},
		{"profiling", "redoubt:extraArgs", `{"kube-controller-manager":{"profiling":"true"}}`, []string{"profiling"}},
		{"etcd_without_certificates", "redoubt:extraArgs", `{"etcd":{"client-cert-auth":"false"}}`, []string{"client-cert-auth"}},
		{"privileged_pods", "redoubt:podSecurity.enforce", "privileged", []string{"podSecurity", "M22"}},
		{"no_audit_retention", "redoubt:audit.maxAgeDays", "1", []string{"audit"}},
		{"year_long_certificates", "redoubt:certificates.clientValidity", "8760h", []string{"M34"}},
		{"open_kubelet", "redoubt:kubelet", `{"readOnlyPort":10255}`, []string{"readOnlyPort"}},
		{"tenant_in_kube_system", "redoubt:tenants", `[{"name":"kube-system"}]`, []string{"kube-system"}},
		{"missing_programs", "redoubt:programsDirectory", "/nonexistent", []string{"/nonexistent"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRehearsal(t, root, map[string]string{"redoubt:workers": "0"}).with(test.key, test.value)
			_, err := r.tryUp(t)
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "goroutine", "a stack trace is no explanation")
			assert.Less(t, strings.Count(err.Error(), "\n"), 30, "one clear error: %v", err)
			made := r.running(t)
			assert.Empty(t, made, "half-made")
		})
	}
}

// running is what of an environment runs or is plugged in.
func (r *rehearsal) running(t *testing.T) []string {
	t.Helper()
	now, err := hostTraces(t.Context(), r.root, r.name)
	require.NoError(t, err)
	return slices.DeleteFunc(now.since(r.before), func(trace string) bool {
		// What the engine remembers stays until `make down`.
		return strings.HasPrefix(trace, "left behind: state: ")
	})
}

// TestTakenNetwork uses an operator network that the host has already.
func TestTakenNetwork(t *testing.T) {
	root := needsMachines(t)
	device := randomName("x")
	t.Cleanup(func() {
		if _, err := ip(cleanupContext(t), "link", "delete", device); err != nil {
			t.Error(err)
		}
	})
	_, err := ip(t.Context(), "link", "add", device, "type", "bridge")
	require.NoError(t, err)
	_, err = ip(t.Context(), "addr", "add", "10.83.255.249/29", "dev", device)
	require.NoError(t, err)
	_, err = ip(t.Context(), "link", "set", device, "up")
	require.NoError(t, err)

	r := newRehearsal(t, root, map[string]string{"redoubt:workers": "0", "redoubt:network.operatorCIDR": "10.83.255.248/29"})
	_, err = r.tryUp(t)
	require.Error(t, err)
	assert.ErrorContains(t, err, "operatorCIDR")
	assert.ErrorContains(t, err, "10.83.255.248/29")
	assert.Empty(t, r.running(t), "half-made")
}

// TestFullDisk gives the environment a disk on which nothing fits.
func TestFullDisk(t *testing.T) {
	root := needsMachines(t)
	disk := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"))
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	r := newRehearsal(t, root, map[string]string{"redoubt:workers": "0", "redoubt:stateDirectory": disk})
	_, err := r.tryUp(t)
	require.Error(t, err)
	assert.ErrorContains(t, err, "no space left on device")
	assert.ErrorContains(t, err, "Make room")
	assert.Empty(t, r.running(t), "half-made")
}

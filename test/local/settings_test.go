package local

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
		{"tenant_in_kube_system", "redoubt:tenants", `[{"name":"kube-system"}]`, []string{"kube-system"}},
		{"open_kubelet", "redoubt:extraKubelet", `{"readOnlyPort":10255}`, []string{"readOnlyPort"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRehearsal(t, root, nil).with(test.key, test.value)
			_, err := r.tryUp(t)
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "goroutine", "a stack trace is no explanation")
			assert.Less(t, strings.Count(err.Error(), "\n"), 30, "one clear error: %v", err)
			assert.Empty(t, r.made(t), "something was made")
		})
	}
}

// made is what of an environment exists, apart from what the engine remembers.
func (r *rehearsal) made(t *testing.T) []string {
	t.Helper()
	now, err := hostTraces(t.Context(), r.root, r.name)
	require.NoError(t, err)
	return slices.DeleteFunc(now.since(r.before), func(trace string) bool {
		return strings.HasPrefix(trace, "left behind: state: ")
	})
}

// TestMissingPrograms points at a directory without programs.
func TestMissingPrograms(t *testing.T) {
	root := needsMachines(t)
	r := newRehearsal(t, root, map[string]string{"redoubt:workers": "0", "redoubt:programsDirectory": "/nonexistent"})
	_, err := r.tryUp(t)
	require.Error(t, err)
	assert.ErrorContains(t, err, "/nonexistent")
	assert.Empty(t, r.made(t), "something was made")
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
	assert.Empty(t, r.made(t), "something was made")
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
	assert.ErrorContains(t, err, disk)
	assert.ErrorContains(t, err, "make room")
	assert.Empty(t, r.made(t), "something was made")
}

package local

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// damage is a change behind Pulumi's back: preview must show it, up must repair
// it, and the checks that it broke must pass again.
type damage struct {
	name    string
	inflict func(t *testing.T, c *Cluster)
	checks  []string
}

// nft runs nft inside a machine's network namespace.
func (c *Cluster) nft(ctx context.Context, machine string, arguments ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", c.NamespaceName(machine), "nft"}, arguments...)...).CombinedOutput()
	return string(out), err
}

func damages() []damage {
	firewall := func(machine func(*Cluster) string) func(*testing.T, *Cluster) {
		return func(t *testing.T, c *Cluster) {
			out, err := c.nft(t.Context(), machine(c), "delete", "table", "inet", "redoubt")
			require.NoError(t, err, out)
		}
	}
	first := func(c *Cluster) string { return c.Nodes[0].Name }
	control := func(c *Cluster) string { return c.ControlPlane.Name }
	remove := func(machine func(*Cluster) string, path string) func(*testing.T, *Cluster) {
		return func(t *testing.T, c *Cluster) { require.NoError(t, os.Remove(c.Path(machine(c), path))) }
	}
	return []damage{
		{"firewall_of_the_control_plane_deleted", firewall(control), []string{"M04_outsider_on_the_node_network_reaches_nothing"}},
		{"firewall_of_a_worker_deleted", firewall(first), []string{"M04_outsider_on_the_node_network_reaches_nothing"}},
		{"firewall_opened", func(t *testing.T, c *Cluster) {
			out, err := c.nft(t.Context(), c.ControlPlane.Name, "insert", "rule", "inet", "redoubt", "input", "accept")
			require.NoError(t, err, out)
		}, []string{"M04_outsider_on_the_node_network_reaches_nothing"}},
		{"interface_of_a_worker_deleted", func(t *testing.T, c *Cluster) {
			_, err := ip(t.Context(), "-n", c.NamespaceName(first(c)), "link", "delete", "eth0")
			require.NoError(t, err)
		}, []string{"M04_worker_reaches_only_the_ports_of_the_table"}},
		{"interface_of_operators_deleted", func(t *testing.T, c *Cluster) {
			_, err := ip(t.Context(), "-n", c.NamespaceName(c.ControlPlane.Name), "link", "delete", "op0")
			require.NoError(t, err)
		}, []string{"M04_host_reaches_the_api_and_nothing_else"}},
		{"route_out_added", func(t *testing.T, c *Cluster) {
			_, err := ip(t.Context(), "-n", c.NamespaceName(first(c)), "route", "add", "default", "via", c.ControlPlane.Address)
			require.NoError(t, err)
		}, []string{"M06_machines_have_no_way_out"}},
		{"audit_policy_deleted", remove(control, "/etc/kubernetes/audit-policy.yaml"), []string{"M17_denied_request_is_audited"}},
		{"kubelet_opened", func(t *testing.T, c *Cluster) {
			path := c.Path(first(c), "/var/lib/kubelet/config.yaml")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			weak := strings.Replace(string(data), "enabled: false", "enabled: true", 1)
			require.NotEqual(t, weak, string(data), "nothing to weaken")
			require.NoError(t, os.WriteFile(path, []byte(weak), 0o600))
		}, []string{"M16_kubelet_refuses_anonymous"}},
		{"key_made_readable", func(t *testing.T, c *Cluster) {
			require.NoError(t, os.Chmod(c.authority("ca")+".key", 0o644))
		}, []string{"M34_private_keys_are_readable_by_their_owner_only"}},
		{"etcd_data_made_readable", func(t *testing.T, c *Cluster) {
			require.NoError(t, os.Chmod(c.Path(c.ControlPlane.Name, "/var/lib/etcd"), 0o755))
		}, []string{"M13_etcd_data_belongs_to_its_user_alone"}},
		{"kubeconfig_deleted", func(t *testing.T, c *Cluster) { require.NoError(t, os.Remove(c.KubeconfigPath)) }, nil},
		{"namespace_of_a_worker_deleted", func(t *testing.T, c *Cluster) {
			_, err := ip(t.Context(), "netns", "delete", c.NamespaceName(first(c)))
			require.NoError(t, err)
		}, []string{"M47_nodes_are_ready", "M04_worker_reaches_only_the_ports_of_the_table"}},
		{"worker_data_deleted", func(t *testing.T, c *Cluster) {
			require.NoError(t, os.RemoveAll(filepath.Join(c.MachineDir(first(c)), "var/lib/kubelet/pki")))
		}, []string{"M47_nodes_are_ready", "M16_kubelet_serving_certificate_is_the_clusters"}},
	}
}

func driftIsRepaired(t *testing.T, r *rehearsal, c *Cluster) {
	for _, d := range damages() {
		t.Run(d.name, func(t *testing.T) {
			d.inflict(t, c)
			preview, err := rehearse.New(r.options()).Preview(t.Context())
			require.NoError(t, err)
			assert.NotZero(t, preview.Changed(), "preview does not show it")
			_, c := r.up(t)
			runChecks(t, c, d.checks...)
			r.settled(t)
		})
	}
	works(t, c)
}

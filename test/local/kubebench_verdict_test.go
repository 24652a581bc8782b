package local

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/policies/access"
	"github.com/redoubt-dev/redoubt/policies/access/live"
	"github.com/redoubt-dev/redoubt/policies/baseline/roles"
	"github.com/redoubt-dev/redoubt/test/kubebench"
)

// acceptedRoles may have what section 5.1 grudges everybody else: they run the cluster, are for emergencies, judge the
// certificate requests of nodes, and are the API server's own identity towards kubelets.
var acceptedRoles = []string{roles.PlatformAdmin, roles.BreakGlass, "redoubt:agent", "system:kubelet-api-admin"}

// verdicts shows kube-bench's raw result of sections 5.1 and 5.2 beside our own, which decides: its checks pass on empty
// lists, ask for a user by the name of a group, count the roles that Kubernetes makes itself, and read one of three
// lists of containers.
func (c *Cluster) verdicts(t *testing.T, findings map[string]kubebench.Finding) {
	t.Helper()
	client := c.client(t, c.masters(t))
	seen, err := live.Collect(t.Context(), client)
	require.NoError(t, err)
	version, err := client.Discovery().ServerVersion()
	require.NoError(t, err)
	builtin := access.Builtin(version.Major + "." + version.Minor)
	require.NotEmpty(t, builtin, "the roles that Kubernetes %s makes itself are not known: go test ./access -update", version.GitVersion)
	for _, v := range access.Benchmark(seen, acceptedRoles, builtin) {
		raw, ran := findings[v.ID]
		if !ran {
			raw.Status = "not run"
		}
		remark := ""
		if raw.Status == "FAIL" && v.Holds || raw.Status == "PASS" && !v.Holds {
			remark = "; they disagree, and ours decides"
		}
		t.Logf("%s %s: kube-bench says %s, ours holds: %v%s", v.ID, v.Title, raw.Status, v.Holds, remark)
		assert.True(t, v.Holds, "%s %s: %s", v.ID, v.Title, strings.Join(v.Who, "; "))
	}
}

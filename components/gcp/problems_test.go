package gcp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Every component judges its project, its labels and its exceptions: what Google
// would refuse in the middle of a run is refused before it.
func TestWhatAllJudge(t *testing.T) {
	bad, labels := Project{}, map[string]string{"Not": "a label"}
	old := []hostconfig.Exception{{Control: "M08/open-egress", Reason: "it was so for years", Expires: "2020-01-01"}}
	projects := []string{"project.id", "project.number", "project.region"}
	network, keys, logs, wall, roles, images, cluster, pool := testNetwork(), testKeys(), testLogs(), testFirewall(), RolesArgs{Cluster: "prod"}, testImages(), testCluster(), testPool()
	entry, vpn, watch, registry, org := testAccess(), testVpn(), testDetection(), testRegistry(), OrgPolicyArgs{Parent: "folders/1"}
	network.Project, keys.Project, logs.Project, wall.Project, images.Project, cluster.Project, pool.Project = bad, bad, bad, bad, bad, bad, bad
	entry.Project, vpn.Project, watch.Project, registry.Project = bad, bad, bad, bad
	network.Labels, keys.Labels, logs.Labels, cluster.Labels, pool.Labels, entry.Labels, vpn.Labels, watch.Labels, registry.Labels = labels, labels, labels, labels, labels, labels, labels, labels, labels
	network.Exceptions, keys.Exceptions, logs.Exceptions, wall.Exceptions, roles.Exceptions, images.Exceptions, cluster.Exceptions, pool.Exceptions = old, old, old, old, old, old, old, old
	entry.Exceptions, vpn.Exceptions, watch.Exceptions, registry.Exceptions, org.Exceptions = old, old, old, old, old
	for name, each := range map[string]struct {
		validate           func(time.Time) error
		noProject, noLabel bool
	}{
		"network": {network.Validate, false, false}, "keys": {keys.Validate, false, false}, "logs": {logs.Validate, false, false}, "firewall": {wall.Validate, false, true},
		"roles": {roles.Validate, false, true}, "images": {images.Validate, false, true}, "cluster": {cluster.Validate, false, false}, "pool": {pool.Validate, false, false},
		"access": {entry.Validate, false, false}, "vpn": {vpn.Validate, false, false}, "detection": {watch.Validate, false, false}, "registry": {registry.Validate, false, false},
		"org policy": {org.Validate, true, true},
	} {
		got := strings.Join(mocks.Refusals(t, each.validate(time.Now())), " ")
		want := []string{"exceptions[0].expires"}
		if !each.noProject {
			want = slices.Concat(want, projects)
		}
		if !each.noLabel {
			want = append(want, "labels[Not]")
		}
		for _, field := range want {
			if !strings.Contains(got, field) {
				t.Errorf("%s does not refuse %s: %s", name, field, got)
			}
		}
	}
}

package gcp

import (
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

// CIS-GKE-5.2.1, 5.1.3, M20: an account of its own, which writes logs and metrics
// and reads the repositories that are named.
func TestNodeAccountIsLeastPrivilege(t *testing.T) {
	args := RolesArgs{Project: testProject, Cluster: "prod", Repositories: []string{"projects/shared-images/locations/europe/repositories/base"}}
	c := run(t, func(ctx *pulumi.Context) error {
		roles, err := NewRoles(ctx, "roles", &args)
		if err != nil {
			return err
		}
		return consumer(ctx, "nodes", roles.NodeEmail)
	})
	c.One(t, "Account", "roles-nodes").Wants(t, map[string]any{"accountId": "prod-nodes", "project": "shop-prod"})
	var got []string
	for _, r := range c.Of("IAMMember") {
		got = append(got, r.Text("role"))
		if r.Text("member") != "serviceAccount:"+string(testNodes) || r.Text("project") != "shop-prod" {
			t.Errorf("%v", r.Inputs)
		}
		if !c.One(t, "Account", "nodes").WaitsFor(r) {
			t.Errorf("nodes do not wait for %s", r.Name)
		}
	}
	slices.Sort(got)
	if want := []string{"roles/logging.logWriter", "roles/monitoring.metricWriter", "roles/stackdriver.resourceMetadata.writer"}; !slices.Equal(got, want) {
		t.Errorf("nodes may %v", got)
	}
	reader := c.Of("RepositoryIamMember")
	if len(reader) != 1 || !c.One(t, "Account", "nodes").WaitsFor(reader[0]) {
		t.Fatalf("%d repositories", len(reader))
	}
	reader[0].Wants(t, map[string]any{"project": "shared-images", "location": "europe", "repository": "base", "role": "roles/artifactregistry.reader", "member": "serviceAccount:" + string(testNodes)})
	if c.One(t, "Account", "nodes").Text("description") != string(testNodes) {
		t.Errorf("address %s", c.One(t, "Account", "nodes").Text("description"))
	}
}

func TestRolesRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewRoles(ctx, "roles", &RolesArgs{Project: Project{ID: "example.com:p", Number: "12a", Region: "europe"}, Cluster: "1", Repositories: []string{"base",
			"projects/shared-images/locations/europe/repositories/base", "projects/shared-images/locations/europe/repositories/base"}})
		return err
	}, "project.id", "project.number", "project.region", "cluster", "repositories[0]", "repositories[2]")
}

package gcp

import (
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

// CIS-GKE-5.8.2, M20: who gets in, into this cluster only, and nobody else.
func TestAccessToTheCluster(t *testing.T) {
	c := newTestCluster(t, testCluster())
	if n := len(c.Of("IAMMember")); n != 4 {
		t.Fatalf("%d grants", n)
	}
	for name, want := range map[string][2]string{
		"automation": {"roles/container.admin", "serviceAccount:automation@shop-prod.iam.gserviceaccount.com"}, "shop": {"roles/container.clusterViewer", "group:shop@example.com"},
		"support": {"roles/container.clusterViewer", "group:support@example.com"}, "emergency": {"roles/container.admin", "serviceAccount:emergency@shop-prod.iam.gserviceaccount.com"},
	} {
		c.One(t, "IAMMember", "gke-access-"+name).Wants(t, map[string]any{"role": want[0], "member": want[1], "project": "shop-prod",
			"condition.expression": `resource.name == "projects/shop-prod/locations/europe-west3/clusters/prod"`})
	}
}

func TestAccessEntryRefusals(t *testing.T) {
	refuse := func(entries []AccessArgs, want ...string) {
		t.Helper()
		args := testCluster()
		args.Access = append(slices.Clone(args.Access), entries...)
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewGkeCluster(ctx, "gke", &args); return err }, want...)
	}
	for _, member := range []string{"", "allUsers", "allAuthenticatedUsers", "user:me@example.com", "domain:example.com", "group:*@example.com",
		"serviceAccount:shop-prod.svc.id.goog[ns/sa]", "principalSet://iam.googleapis.com/*", "deleted:group:x@example.com?uid=1"} {
		refuse([]AccessArgs{{Name: "x", Role: AccessViewer, Member: member}}, "access[4].member")
	}
	refuse([]AccessArgs{{Name: "shop", Role: "owner", Member: "group:shop@example.com"}, {Name: "b", Role: AccessBreakGlass, Member: "group:emergency@example.com"}},
		"access[4].name", "access[4].role", "access[4].member", "access[5].member")
	args := testCluster()
	args.Access = args.Access[1:3]
	mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewGkeCluster(ctx, "gke", &args); return err }, "access")
}

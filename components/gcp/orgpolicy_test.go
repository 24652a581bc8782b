package gcp

import (
	"slices"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func newTestOrgPolicy(t *testing.T, args OrgPolicyArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewOrgPolicy(ctx, "org", &args); return err })
}

// M46: what the provider cannot say of a cluster holds above it.
func TestOrgPolicy(t *testing.T) {
	args := OrgPolicyArgs{Parent: "folders/123456"}
	c := newTestOrgPolicy(t, args)
	if n := len(c.Of("Policy")); n != len(constraints) || n < 15 {
		t.Errorf("%d constraints", n)
	}
	for _, r := range c.Of("Policy") {
		want := map[string]any{"parent": "folders/123456", "spec.rules": []any{map[string]any{"enforce": "TRUE"}}, "dryRunSpec": nil, "spec.reset": nil, "spec.inheritFromParent": nil}
		if r.Name == "org-compute.vmExternalIpAccess" {
			want["spec.rules"] = []any{map[string]any{"denyAll": "TRUE"}}
		}
		r.Wants(t, want)
	}
	for _, name := range []string{"container.managed.disableInsecureKubeletReadOnlyPort", "container.managed.disableRBACSystemBindings", "iam.disableServiceAccountKeyCreation"} {
		c.One(t, "Policy", "org-"+name).Wants(t, map[string]any{"name": "folders/123456/policies/" + name})
	}
	args.Without = []string{"storage.publicAccessPrevention", "no.such"}
	if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{"without[0]", "without[1]"}) {
		t.Errorf("refused %v", got)
	}
	args.Without, args.Exceptions, args.DryRun = args.Without[:1], excepted("M46/org-policy"), true
	c = newTestOrgPolicy(t, args)
	if n := len(c.Of("Policy")); n != len(constraints)-1 {
		t.Errorf("%d constraints", n)
	}
	c.One(t, "Policy", "org-compute.requireShieldedVm").Wants(t, map[string]any{"dryRunSpec.rules": []any{map[string]any{"enforce": "TRUE"}}, "spec": nil})
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewOrgPolicy(ctx, "org", &OrgPolicyArgs{Parent: "shop-prod", DryRun: true})
		return err
	}, "parent", "dryRun")
}

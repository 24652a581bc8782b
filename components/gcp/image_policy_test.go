package gcp

import (
	"slices"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testImages() ImagePolicyArgs {
	return ImagePolicyArgs{Project: testProject, Images: []string{"europe-west3-docker.pkg.dev/shop-prod/services/**"}}
}

func newTestImages(t *testing.T, args ImagePolicyArgs) mocks.Resource {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewImagePolicy(ctx, "images", &args); return err }).One(t, "Policy", "images")
}

// CIS-GKE-5.1.4, 5.10.4, M26: what is not named does not run.
func TestImagePolicy(t *testing.T) {
	args := testImages()
	newTestImages(t, args).Wants(t, map[string]any{
		"project": "shop-prod", "defaultAdmissionRule.evaluationMode": "ALWAYS_DENY", "defaultAdmissionRule.enforcementMode": "ENFORCED_BLOCK_AND_AUDIT_LOG",
		"defaultAdmissionRule.requireAttestationsBies": nil, "globalPolicyEvaluationMode": "ENABLE", "clusterAdmissionRules": nil,
		"admissionWhitelistPatterns": []any{map[string]any{"namePattern": "europe-west3-docker.pkg.dev/shop-prod/services/**"}},
	})
	args.Attestors = []string{"projects/shop-prod/attestors/built-here"}
	newTestImages(t, args).Wants(t, map[string]any{"defaultAdmissionRule.evaluationMode": "REQUIRE_ATTESTATION",
		"defaultAdmissionRule.requireAttestationsBies": []any{"projects/shop-prod/attestors/built-here"}, "defaultAdmissionRule.enforcementMode": "ENFORCED_BLOCK_AND_AUDIT_LOG"})
	args.DryRun = true
	if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{"dryRun"}) {
		t.Errorf("refused %v", got)
	}
	args.Exceptions = excepted("M26/image-policy")
	newTestImages(t, args).Wants(t, map[string]any{"defaultAdmissionRule.enforcementMode": "DRYRUN_AUDIT_LOG_ONLY"})
}

func TestImagePolicyRefusals(t *testing.T) {
	refuse := func(a ImagePolicyArgs, want ...string) {
		t.Helper()
		a.Project = testProject
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewImagePolicy(ctx, "images", &a); return err }, want...)
	}
	refuse(ImagePolicyArgs{}, "images")
	// A whole registry, or everything, names nobody.
	for _, image := range []string{"*", "**", "gcr.io/*", "gcr.io", "registry.k8s.io/**", "*/project/image", "docker.io/library/*:latest", "europe-docker.pkg.dev/p*/x"} {
		refuse(ImagePolicyArgs{Images: []string{image}}, "images[0]")
	}
	refuse(ImagePolicyArgs{Images: []string{"gcr.io/shop/app", "gcr.io/shop/app"}, Attestors: []string{"me", "projects/shop-prod/attestors/x", "projects/shop-prod/attestors/x"}}, "images[1]", "attestors[0]", "attestors[2]")
}

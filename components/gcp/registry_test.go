package gcp

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testRegistry() ArtifactRegistryArgs {
	return ArtifactRegistryArgs{Project: testProject, Cluster: "prod", KeyRingID: pulumi.String("projects/shop-prod/locations/europe-west3/keyRings/prod"), Repositories: []string{"services"},
		Remotes: map[string]string{"hub": "docker.io", "kubernetes": "https://registry.k8s.io"}, Pullers: []pulumi.StringInput{testNodes}}
}

// CIS-GKE-5.1.1, 5.1.3, M26, M27: tags never move, images are scanned and
// encrypted with a key of their own, and nodes read these repositories only.
func TestArtifactRegistry(t *testing.T) {
	args := testRegistry()
	c := run(t, func(ctx *pulumi.Context) error {
		r, err := NewArtifactRegistry(ctx, "images", &args)
		if err != nil {
			return err
		}
		return consumer(ctx, "host", r.Host)
	})
	c.One(t, "Service", "images-scanning").Wants(t, map[string]any{"service": "containerscanning.googleapis.com", "disableOnDestroy": false, "project": "shop-prod"})
	common := map[string]any{"format": "DOCKER", "location": "europe-west3", "kmsKeyName": "images-images_id", "cleanupPolicyDryRun": nil,
		"cleanupPolicies": []any{map[string]any{"id": "untagged", "action": "DELETE", "condition": map[string]any{"tagState": "UNTAGGED", "olderThan": "2592000s"}}}}
	for name, want := range map[string]map[string]any{
		"services":   {"mode": "STANDARD_REPOSITORY", "dockerConfig.immutableTags": true, "remoteRepositoryConfig": nil},
		"hub":        {"mode": "REMOTE_REPOSITORY", "remoteRepositoryConfig.dockerRepository.publicRepository": "DOCKER_HUB", "remoteRepositoryConfig.dockerRepository.customRepository": nil, "remoteRepositoryConfig.disableUpstreamValidation": nil},
		"kubernetes": {"mode": "REMOTE_REPOSITORY", "remoteRepositoryConfig.dockerRepository.customRepository.uri": "https://registry.k8s.io", "remoteRepositoryConfig.dockerRepository.publicRepository": nil},
	} {
		repository := c.One(t, "Repository", "images-"+name)
		repository.Wants(t, common)
		repository.Wants(t, want)
		c.One(t, "RepositoryIamMember", "images-"+name+"-0").Wants(t, map[string]any{"role": "roles/artifactregistry.reader", "member": "serviceAccount:" + string(testNodes), "repository": name})
		if !repository.WaitsFor(c.One(t, "CryptoKeyIAMMember", "images-images")) {
			t.Errorf("%s may be made before it may be encrypted", name)
		}
		if !c.One(t, "Account", "host").WaitsFor(c.One(t, "RepositoryIamMember", "images-"+name+"-0")) {
			t.Errorf("nodes may pull from %s before they may", name)
		}
	}
	if len(c.Of("RepositoryIamMember")) != 3 || len(c.Of("IAMMember")) != 0 {
		t.Error("somebody else reads images")
	}
	c.One(t, "CryptoKey", "images-images").Wants(t, map[string]any{"name": "prod-images", "rotationPeriod": "7776000s", "versionTemplate.protectionLevel": "HSM"})
	c.One(t, "CryptoKeyIAMMember", "images-images").Wants(t, map[string]any{"member": "serviceAccount:service-123456789012@gcp-sa-artifactregistry.iam.gserviceaccount.com"})
	if !c.One(t, "CryptoKeyIAMMember", "images-images").WaitsFor(c.One(t, "ServiceIdentity", "images-registry")) {
		t.Error("the registry's account is granted something before it is there")
	}
	if got := c.One(t, "Account", "host").Text("description"); got != "europe-west3-docker.pkg.dev/shop-prod" {
		t.Errorf("host %s", got)
	}
}

func TestRegistryRefusals(t *testing.T) {
	refuse := func(a ArtifactRegistryArgs, want ...string) {
		t.Helper()
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewArtifactRegistry(ctx, "images", &a); return err }, want...)
	}
	refuse(ArtifactRegistryArgs{Project: testProject}, "cluster", "keyRingId", "repositories")
	args := testRegistry()
	args.Repositories, args.UntaggedDays, args.Generation, args.Pullers = []string{"Services", "a", "a", "hub"}, 400, "A", []pulumi.StringInput{pulumi.String("123-compute@developer.gserviceaccount.com")}
	args.Remotes = map[string]string{"hub": "docker.io", "Bad": "docker.io", "plain": "http://registry.example.com", "path": "https://registry.example.com/x"}
	refuse(args, "generation", "repositories[0]", "repositories[2]", "repositories[3]", "remotes[Bad]", "remotes[path]", "remotes[plain]", "pullers[0]", "untaggedDays")
}

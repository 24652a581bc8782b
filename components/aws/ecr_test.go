package aws

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testRegistry() EcrRegistryArgs {
	return EcrRegistryArgs{Account: testAccount, Cluster: "prod", Repositories: []string{"shop/web", "shop-web"}, PullerArns: pulumi.StringArray{testRole("nodes")}}
}

func newTestRegistry(t *testing.T, args EcrRegistryArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewEcrRegistry(ctx, "ecr", &args); return err })
}

// CIS-EKS 5.1.1, M26, M27: what is pushed is scanned, encrypted, and stays what it is.
func TestRegistryDefaults(t *testing.T) {
	c := newTestRegistry(t, testRegistry())
	key := c.One(t, "Key", "ecr-key")
	if key.Inputs["enableKeyRotation"] != true {
		t.Errorf("M18: key %v", key.Inputs)
	}
	if n := len(c.Of("Repository")); n != 2 || len(c.Of("LifecyclePolicy")) != 2 {
		t.Fatalf("%d repositories", n)
	}
	encrypted := fmt.Sprint([]any{map[string]any{"encryptionType": "KMS", "kmsKey": "arn:" + key.ID}})
	for _, r := range c.Of("Repository") {
		if r.Text("imageTagMutability") != "IMMUTABLE" || at(r.Inputs, "imageScanningConfiguration", "scanOnPush") != true ||
			fmt.Sprint(r.List("encryptionConfigurations")) != encrypted || r.Inputs["forceDelete"] != nil {
			t.Errorf("%s: %v", r.Name, r.Inputs)
		}
	}
	scanning := c.One(t, "RegistryScanningConfiguration", "ecr")
	if scanning.Text("scanType") != "BASIC" || !strings.Contains(fmt.Sprint(scanning.List("rules")), "SCAN_ON_PUSH") || !strings.Contains(fmt.Sprint(scanning.List("rules")), "filter:*") {
		t.Errorf("scanning %v", scanning.Inputs)
	}
	args := testRegistry()
	args.Inspector = true
	if scanning := newTestRegistry(t, args).One(t, "RegistryScanningConfiguration", "ecr"); scanning.Text("scanType") != "ENHANCED" || !strings.Contains(fmt.Sprint(scanning.List("rules")), "CONTINUOUS_SCAN") {
		t.Errorf("scanning %v", scanning.Inputs)
	}
	for prefix, upstream := range DefaultCache() {
		rule, template := c.One(t, "PullThroughCacheRule", "ecr-"+prefix), c.One(t, "RepositoryCreationTemplate", "ecr-"+prefix)
		if rule.Text("ecrRepositoryPrefix") != prefix || rule.Text("upstreamRegistryUrl") != upstream || !rule.WaitsFor(template) {
			t.Errorf("rule %v", rule.Inputs)
		}
		if fmt.Sprint(template.List("encryptionConfigurations")) != encrypted || fmt.Sprint(template.List("appliedFors")) != "[PULL_THROUGH_CACHE]" ||
			!template.WaitsFor(c.One(t, "RolePolicy", "ecr-creator")) {
			t.Errorf("template %v", template.Inputs)
		}
	}
}

// Only nodes fill the cache, and ECR makes only its repositories.
func TestCachePolicies(t *testing.T) {
	c := newTestRegistry(t, testRegistry())
	cached := []string{"arn:aws:ecr:eu-central-1:123456789012:repository/ecr-public/*", "arn:aws:ecr:eu-central-1:123456789012:repository/k8s/*", "arn:aws:ecr:eu-central-1:123456789012:repository/quay/*"}
	fill := parse(t, c.One(t, "RegistryPolicy", "ecr-cache").Text("policy"))
	if len(fill) != 1 || fmt.Sprint(fill[0].Principal) != fmt.Sprintf("map[AWS:[%s]]", testRole("nodes")) || !slices.Equal(fill[0].Resource, cached) ||
		!slices.Equal(fill[0].Action, []string{"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}) {
		t.Errorf("%v", fill)
	}
	for _, s := range parse(t, c.One(t, "RolePolicy", "ecr-creator").Text("policy")) {
		if s.Sid == "Repositories" && !slices.Equal(s.Resource, cached) || s.Sid == "Key" && !slices.Equal(s.Resource, []string{"arn:ecr-key_id"}) {
			t.Errorf("%v", s)
		}
	}
	args := testRegistry()
	args.Cache = map[string]string{}
	none := newTestRegistry(t, args)
	if n := len(none.Of("PullThroughCacheRule")) + len(none.Of("RegistryPolicy")) + len(none.Of("Role")); n != 0 {
		t.Errorf("%d resources of a cache that is not wanted", n)
	}
}

func TestRegistryRefusals(t *testing.T) {
	args := EcrRegistryArgs{
		Repositories: []string{"Shop", "hub/web", "shop", "shop"}, UntaggedDays: 1000, PullerArns: pulumi.StringArray{pulumi.String("nodes")},
		Cache:               map[string]string{"hub": "registry-1.docker.io", "UP": "quay.io", "other": "registry.example.com", "gh": "ghcr.io"},
		CacheCredentialArns: map[string]string{"gh": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mine", "none": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ecr-pullthroughcache/x"},
	}
	mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewEcrRegistry(ctx, "ecr", &args); return err },
		"account.id", "account.region", "cluster", "repositories[0]", "repositories[1]", "repositories[3]", "untaggedDays", "pullerArns[0]",
		"cache[hub]", "cache[UP]", "cache[other]", "cacheCredentialArns[gh]", "cacheCredentialArns[none]")
}

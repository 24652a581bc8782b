package aws

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func testRegistry() EcrRegistryArgs {
	return EcrRegistryArgs{Account: testAccount, Cluster: "prod", Repositories: []string{"shop/web", "shop-web"}, PullerArns: pulumi.StringArray{testRole("nodes")}}
}

func newTestRegistry(t *testing.T, args EcrRegistryArgs) *cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewEcrRegistry(ctx, "ecr", &args); return err })
}

// CIS-EKS 5.1.1, M26, M27: what is pushed is scanned, encrypted, and stays what it is.
func TestRegistryDefaults(t *testing.T) {
	c := newTestRegistry(t, testRegistry())
	key := c.one(t, "Key", "ecr-key")
	if key.inputs["enableKeyRotation"] != true {
		t.Errorf("M18: key %v", key.inputs)
	}
	if n := len(c.of("Repository")); n != 2 || len(c.of("LifecyclePolicy")) != 2 {
		t.Fatalf("%d repositories", n)
	}
	encrypted := fmt.Sprint([]any{map[string]any{"encryptionType": "KMS", "kmsKey": "arn:" + key.id}})
	for _, r := range c.of("Repository") {
		if r.text("imageTagMutability") != "IMMUTABLE" || at(r.inputs, "imageScanningConfiguration", "scanOnPush") != true ||
			fmt.Sprint(r.list("encryptionConfigurations")) != encrypted || r.inputs["forceDelete"] != nil {
			t.Errorf("%s: %v", r.name, r.inputs)
		}
	}
	scanning := c.one(t, "RegistryScanningConfiguration", "ecr")
	if scanning.text("scanType") != "BASIC" || !strings.Contains(fmt.Sprint(scanning.list("rules")), "SCAN_ON_PUSH") || !strings.Contains(fmt.Sprint(scanning.list("rules")), "filter:*") {
		t.Errorf("scanning %v", scanning.inputs)
	}
	args := testRegistry()
	args.Inspector = true
	if scanning := newTestRegistry(t, args).one(t, "RegistryScanningConfiguration", "ecr"); scanning.text("scanType") != "ENHANCED" || !strings.Contains(fmt.Sprint(scanning.list("rules")), "CONTINUOUS_SCAN") {
		t.Errorf("scanning %v", scanning.inputs)
	}
	for prefix, upstream := range DefaultCache() {
		rule, template := c.one(t, "PullThroughCacheRule", "ecr-"+prefix), c.one(t, "RepositoryCreationTemplate", "ecr-"+prefix)
		if rule.text("ecrRepositoryPrefix") != prefix || rule.text("upstreamRegistryUrl") != upstream || !rule.waitsFor(template) {
			t.Errorf("rule %v", rule.inputs)
		}
		if fmt.Sprint(template.list("encryptionConfigurations")) != encrypted || fmt.Sprint(template.list("appliedFors")) != "[PULL_THROUGH_CACHE]" ||
			!template.waitsFor(c.one(t, "RolePolicy", "ecr-creator")) {
			t.Errorf("template %v", template.inputs)
		}
	}
}

// Only nodes fill the cache, and ECR makes only its repositories.
func TestCachePolicies(t *testing.T) {
	c := newTestRegistry(t, testRegistry())
	cached := []string{"arn:aws:ecr:eu-central-1:123456789012:repository/ecr-public/*", "arn:aws:ecr:eu-central-1:123456789012:repository/k8s/*", "arn:aws:ecr:eu-central-1:123456789012:repository/quay/*"}
	fill := parse(t, c.one(t, "RegistryPolicy", "ecr-cache").text("policy"))
	if len(fill) != 1 || fmt.Sprint(fill[0].Principal) != fmt.Sprintf("map[AWS:[%s]]", testRole("nodes")) || !slices.Equal(fill[0].Resource, cached) ||
		!slices.Equal(fill[0].Action, []string{"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}) {
		t.Errorf("%v", fill)
	}
	for _, s := range parse(t, c.one(t, "RolePolicy", "ecr-creator").text("policy")) {
		if s.Sid == "Repositories" && !slices.Equal(s.Resource, cached) || s.Sid == "Key" && !slices.Equal(s.Resource, []string{"arn:ecr-key_id"}) {
			t.Errorf("%v", s)
		}
	}
	args := testRegistry()
	args.Cache = map[string]string{}
	none := newTestRegistry(t, args)
	if n := len(none.of("PullThroughCacheRule")) + len(none.of("RegistryPolicy")) + len(none.of("Role")); n != 0 {
		t.Errorf("%d resources of a cache that is not wanted", n)
	}
}

func TestRegistryRefusals(t *testing.T) {
	args := EcrRegistryArgs{
		Repositories: []string{"Shop", "hub/web", "shop", "shop"}, UntaggedDays: 1000, PullerArns: pulumi.StringArray{pulumi.String("nodes")},
		Cache:               map[string]string{"hub": "registry-1.docker.io", "UP": "quay.io", "other": "registry.example.com", "gh": "ghcr.io"},
		CacheCredentialArns: map[string]string{"gh": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mine", "none": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ecr-pullthroughcache/x"},
	}
	refused(t, func(ctx *pulumi.Context) error { _, err := NewEcrRegistry(ctx, "ecr", &args); return err },
		"account.id", "account.region", "cluster", "repositories[0]", "repositories[1]", "repositories[3]", "untaggedDays", "pullerArns[0]",
		"cache[hub]", "cache[UP]", "cache[other]", "cacheCredentialArns[gh]", "cacheCredentialArns[none]")
}

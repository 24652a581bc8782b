package aws

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// EcrRegistryArgs describes the registry of an account in a region, of which there
// is one: its policy and its scanning are for all of it. Account and Cluster are
// required.
type EcrRegistryArgs struct {
	Account Account `pulumi:"account"`
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string `pulumi:"cluster"`
	// Repositories are the names of your own. None by default.
	Repositories []string `pulumi:"repositories,optional"`
	// Cache are upstream registries, by the first part of the names under which
	// their images are found; [DefaultCache] where it is nil, none where it is empty.
	Cache map[string]string `pulumi:"cache,optional"`
	// CacheCredentialArns are secrets of Secrets Manager, whose names begin with
	// ecr-pullthroughcache/, by the same name. Docker Hub and GitHub want one.
	CacheCredentialArns map[string]string `pulumi:"cacheCredentialArns,optional"`
	// PullerArns are the roles that may fill the cache: that of nodes.
	PullerArns pulumi.StringArrayInput `pulumi:"pullerArns,optional"`
	// UntaggedDays is how long an image that no tag names is kept, 14 by default.
	UntaggedDays int `pulumi:"untaggedDays,optional"`
	// Inspector scans again whenever a vulnerability becomes known, and libraries
	// too, for a price; without it ECR scans what is pushed.
	Inspector  bool              `pulumi:"inspector,optional"`
	Tags       map[string]string `pulumi:"tags,optional"`
	Exceptions []hostconfig.Exception
}

// DefaultCache gives the registries of the add-ons that need no credentials.
// Those of EKS come from registries of AWS in the region.
func DefaultCache() map[string]string {
	return map[string]string{"k8s": "registry.k8s.io", "quay": "quay.io", "ecr-public": "public.ecr.aws"}
}

// upstreams are the registries that ECR can cache, and whether it wants credentials.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html
var upstreams = map[string]bool{
	"registry.k8s.io": false, "quay.io": false, "public.ecr.aws": false,
	"registry-1.docker.io": true, "ghcr.io": true, "registry.gitlab.com": true,
}

func (a EcrRegistryArgs) withDefaults() EcrRegistryArgs {
	if a.Cache == nil {
		a.Cache = DefaultCache()
	}
	setDefault(&a.UntaggedDays, 14)
	return a
}

var (
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$`)
	cachePattern      = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`)
	cacheSecret       = regexp.MustCompile(`^arn:aws(-us-gov)?:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:ecr-pullthroughcache/[\w+=,.@/-]+$`)
)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a EcrRegistryArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.account("account", a.Account)
	p.cluster("cluster", a.Cluster)
	for i, name := range a.Repositories {
		at := fmt.Sprintf("repositories[%d]", i)
		first, _, _ := strings.Cut(name, "/")
		switch _, cached := a.Cache[first]; {
		case !repositoryPattern.MatchString(name) || len(name) < 2 || len(name) > 256:
			p.add(at, fmt.Sprintf("%q is not a name of a repository", name), "write 2 to 256 lower-case letters and digits, with . _ - and / between them")
		case cached:
			p.add(at, name+" stands among images of the cache "+first, "write another name, or rename the cache")
		case slices.Contains(a.Repositories[:i], name):
			p.add(at, name+" is repeated", "list it once")
		}
	}
	for _, name := range sorted(a.Cache) {
		at, upstream := fmt.Sprintf("cache[%s]", name), a.Cache[name]
		credentials, known := upstreams[upstream]
		switch {
		case !cachePattern.MatchString(name) || len(name) < 2 || len(name) > 30:
			p.add(at, "is no name for a cache", "write 2 to 30 lower-case letters and digits")
		case !known:
			p.add(at, fmt.Sprintf("ECR does not cache %q", upstream), fmt.Sprintf("write one of %s", strings.Join(sorted(upstreams), ", ")))
		case credentials && a.CacheCredentialArns[name] == "":
			p.add(at, upstream+" wants credentials", "write the ARN of their secret in cacheCredentialArns")
		}
	}
	for _, name := range sorted(a.CacheCredentialArns) {
		if !cacheSecret.MatchString(a.CacheCredentialArns[name]) || a.Cache[name] == "" {
			p.add(fmt.Sprintf("cacheCredentialArns[%s]", name), "is no secret of a cache", "write the ARN of a secret whose name begins with ecr-pullthroughcache/, by the name of its cache")
		}
	}
	if a.UntaggedDays < 1 || a.UntaggedDays > 365 {
		p.add("untaggedDays", fmt.Sprintf("%d is no time", a.UntaggedDays), "write 1 to 365")
	}
	p.principals("pullerArns", a.PullerArns)
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// lifecycle removes what no tag names, so that storage does not grow for ever.
func (a EcrRegistryArgs) lifecycle() string {
	text, err := json.Marshal(map[string]any{"rules": []any{map[string]any{
		"rulePriority": 1, "description": "what no tag names any more",
		"selection": map[string]any{"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": a.UntaggedDays},
		"action":    map[string]any{"type": "expire"},
	}}})
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return string(text)
}

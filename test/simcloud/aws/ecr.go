package aws

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

var (
	repositoryName = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	cachePrefix    = regexp.MustCompile(`^[a-z0-9]+(?:[._-]?/?[a-z0-9]+)*$`)
)

// upstreams are the registries a cache may stand before; true for those that need credentials.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html
var upstreams = map[string]bool{"public.ecr.aws": false, "registry.k8s.io": false, "quay.io": false, "registry-1.docker.io": true, "ghcr.io": true, "registry.gitlab.com": true}

// ecrTypes are repositories: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
func ecrTypes() []*simcloud.ResourceType {
	t := kind(repository, ecr.RepositoryArgs{}, ecr.Repository{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 256, Make: strings.ToLower}
	t.Defaults = simcloud.Values{"imageTagMutability": "MUTABLE"}
	t.Replace = []string{"name", "encryptionConfigurations"}
	t.Check = func(p *simcloud.Plan) {
		if name := p.Values.String("name"); name != "" && (len(name) < 2 || len(name) > 256 || !repositoryName.MatchString(name)) {
			p.Add("name", "InvalidParameterException: Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression "+repositoryName.String()+"'")
		}
		oneOf(p, "imageTagMutability", "MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION")
		for i := range p.Values.List("encryptionConfigurations") {
			oneOf(p, fmt.Sprintf("encryptionConfigurations[%d].encryptionType", i), "AES256", "KMS", "KMS_DSSE")
		}
	}
	t.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("name")
		if c.Cloud.Get(c.Scope, repository, c.ID) != nil {
			return errorf("RepositoryAlreadyExistsException", "The repository with name '%s' already exists in the registry with id '%s'", c.ID, Account)
		}
		for _, e := range c.New.List("encryptionConfigurations") {
			if given := e.String("kmsKey"); given != "" && findKey(c.Cloud, c.Scope, given) == nil {
				return errorf("KmsException", "KMS key %s does not exist", given)
			} else if given != "" && !strings.HasPrefix(e.String("encryptionType"), "KMS") {
				return errorf("InvalidParameterException", "a key goes with the encryption type KMS only")
			}
		}
		c.Out = simcloud.Values{"arn": arn("ecr", c.Scope, "repository/"+c.ID), "registryId": Account, "repositoryUrl": Account + ".dkr.ecr." + c.Scope + ".amazonaws.com/" + c.ID}
		return nil
	}

	of := holding(to("repository", "RepositoryNotFoundException", "The repository with name '%s' does not exist in the registry", repository))
	of.Holds = false
	access := kind(repositoryPolicy, ecr.RepositoryPolicyArgs{}, ecr.RepositoryPolicy{}, "policy")
	access.Replace, access.References = []string{"repository"}, []simcloud.Reference{of}
	access.Check = func(p *simcloud.Plan) { planDocument(p, "policy", iampolicy.Resource) }
	judge := func(c *simcloud.Change) error {
		c.ID = c.New.String("repository")
		c.Out["registryId"], c.Out["policy"] = Account, documentText(c.New.Get("policy"))
		_, err := document(c.New, "policy", iampolicy.Resource, "InvalidParameterException")
		return err
	}
	access.Create, access.Update = judge, judge

	lifecycle := kind(lifecyclePolicy, ecr.LifecyclePolicyArgs{}, ecr.LifecyclePolicy{}, "policy")
	lifecycle.Replace, lifecycle.References = []string{"repository"}, []simcloud.Reference{of}
	judgeLifecycle := func(c *simcloud.Change) error {
		c.ID = c.New.String("repository")
		c.Out["registryId"], c.Out["policy"] = Account, documentText(c.New.Get("policy"))
		var document struct {
			Rules []struct {
				RulePriority int            `json:"rulePriority"`
				Selection    map[string]any `json:"selection"`
				Action       map[string]any `json:"action"`
			} `json:"rules"`
		}
		if err := json.Unmarshal([]byte(documentText(c.New.Get("policy"))), &document); err != nil || len(document.Rules) == 0 {
			return errorf("InvalidParameterException", "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure'")
		}
		var seen []int
		for _, rule := range document.Rules {
			if slices.Contains(seen, rule.RulePriority) || rule.RulePriority < 1 || rule.Selection == nil || rule.Action["type"] != "expire" {
				return errorf("InvalidParameterException", "Lifecycle policy validation failure: rule %d needs a priority of its own, a selection and the action expire", rule.RulePriority)
			}
			seen = append(seen, rule.RulePriority)
		}
		return nil
	}
	lifecycle.Create, lifecycle.Update = judgeLifecycle, judgeLifecycle

	cache := kind(pullThroughCache, ecr.PullThroughCacheRuleArgs{}, ecr.PullThroughCacheRule{})
	cache.Replace = []string{"ecrRepositoryPrefix", "upstreamRegistryUrl", "upstreamRepositoryPrefix"}
	cache.Check = func(p *simcloud.Plan) {
		prefix := p.Values.String("ecrRepositoryPrefix")
		if prefix != "" && prefix != "ROOT" && (len(prefix) < 2 || len(prefix) > 30 || !cachePrefix.MatchString(prefix)) {
			p.Add("ecrRepositoryPrefix", "expected 2 to 30 lower-case letters, digits and ._-/, got "+prefix)
		}
	}
	cache.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("ecrRepositoryPrefix")
		if c.Cloud.Get(c.Scope, pullThroughCache, c.ID) != nil {
			return errorf("PullThroughCacheRuleAlreadyExistsException", "A pull through cache rule with prefix '%s' already exists", c.ID)
		}
		credentials, known := upstreams[c.New.String("upstreamRegistryUrl")]
		if !known {
			return errorf("UnsupportedUpstreamRegistryException", "The specified upstream registry '%s' is not supported", c.New.String("upstreamRegistryUrl"))
		}
		secret := c.New.String("credentialArn")
		if credentials && !strings.HasPrefix(secret, "arn:aws:secretsmanager:"+c.Scope+":"+Account+":secret:ecr-pullthroughcache/") {
			return errorf("InvalidParameterException", "The upstream registry %s needs a credentialArn of a secret whose name begins with ecr-pullthroughcache/", c.New.String("upstreamRegistryUrl"))
		}
		c.Out["registryId"] = Account
		return nil
	}

	created := kind(creationTemplate, ecr.RepositoryCreationTemplateArgs{}, ecr.RepositoryCreationTemplate{}, "appliedFors")
	created.Replace = []string{"prefix"}
	created.Check = func(p *simcloud.Plan) {
		for i := range p.Values.Strings("appliedFors") {
			oneOf(p, fmt.Sprintf("appliedFors[%d]", i), "PULL_THROUGH_CACHE", "REPLICATION", "CREATE_ON_PUSH")
		}
		planDocument(p, "repositoryPolicy", iampolicy.Resource)
	}
	created.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("prefix")
		if c.Cloud.Get(c.Scope, creationTemplate, c.ID) != nil {
			return errorf("TemplateAlreadyExistsException", "A template with prefix '%s' already exists", c.ID)
		}
		for _, e := range c.New.List("encryptionConfigurations") {
			if strings.HasPrefix(e.String("encryptionType"), "KMS") && !c.New.Has("customRoleArn") {
				return errorf("InvalidParameterException", "a customRoleArn is required with KMS encryption")
			}
		}
		c.Out["registryId"] = Account
		return nil
	}
	created.References = []simcloud.Reference{by(to("customRoleArn", "InvalidParameterException", "The role %s does not exist", role), "arn")}
	created.References[0].Patience = seconds(120)
	return append([]*simcloud.ResourceType{t, access, lifecycle, cache, created}, registryTypes()...)
}

// registryTypes are of the whole registry, which has one of each: a second one overwrites the first, so it is refused here.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutRegistryPolicy.html and API_PutRegistryScanningConfiguration.html
func registryTypes() []*simcloud.ResourceType {
	once := func(c *simcloud.Change, token string) error {
		c.ID = Account
		if c.Cloud.Get(c.Scope, token, c.ID) != nil {
			return errorf("InvalidParameterException", "the registry has one already, which this one would overwrite")
		}
		c.Out = simcloud.Values{"registryId": Account}
		return nil
	}
	access := kind(registryPolicy, ecr.RegistryPolicyArgs{}, ecr.RegistryPolicy{}, "policy")
	access.Check = func(p *simcloud.Plan) { planDocument(p, "policy", iampolicy.Resource) }
	judge := func(c *simcloud.Change) error {
		c.Out["policy"] = documentText(c.New.Get("policy"))
		_, err := document(c.New, "policy", iampolicy.Resource, "InvalidParameterException")
		return err
	}
	access.Create = func(c *simcloud.Change) error {
		if err := once(c, registryPolicy); err != nil {
			return err
		}
		return judge(c)
	}
	access.Update = judge

	scanning := kind(registryScanning, ecr.RegistryScanningConfigurationArgs{}, ecr.RegistryScanningConfiguration{})
	scanning.Check = func(p *simcloud.Plan) {
		oneOf(p, "scanType", "BASIC", "ENHANCED")
		for i, rule := range p.Values.List("rules") {
			at := fmt.Sprintf("rules[%d]", i)
			oneOf(p, at+".scanFrequency", "SCAN_ON_PUSH", "CONTINUOUS_SCAN", "MANUAL")
			if rule.String("scanFrequency") == "CONTINUOUS_SCAN" && p.Values.String("scanType") == "BASIC" {
				p.Add(at+".scanFrequency", "InvalidParameterException: CONTINUOUS_SCAN goes with the scan type ENHANCED")
			}
		}
	}
	scanning.Create = func(c *simcloud.Change) error { return once(c, registryScanning) }
	return []*simcloud.ResourceType{access, scanning}
}

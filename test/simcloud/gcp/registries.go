package gcp

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/artifactregistry"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/pubsub"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/secretmanager"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const repositoryForm = "projects/{project}/locations/{location}/repositories/{name}"

var (
	topicName  = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9._~+%-]{2,254}$`)
	secretName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,255}$`)
)

// registryTypes are repositories of images: https://cloud.google.com/artifact-registry/docs/repositories
func registryTypes() []*simcloud.ResourceType {
	t := kind(repository, "projects/{project}/locations/{location}/repositories/{repositoryId}", artifactregistry.RepositoryArgs{}, artifactregistry.Repository{})
	t.Defaults = simcloud.Values{"mode": "STANDARD_REPOSITORY"}
	t.Replace = append(t.Replace, "format", "kmsKeyName", "mode", "remoteRepositoryConfig")
	t.Check = func(p *simcloud.Plan) {
		v := p.Values
		matching(p, "repositoryId", rfc1035, "1 to 63 lower-case letters, digits and hyphens, beginning with a letter")
		labelsAt(p, "labels")
		p.OneOf("format", "DOCKER", "MAVEN", "NPM", "APT", "YUM", "PYTHON", "GO", "KFP", "GENERIC")
		p.OneOf("mode", "STANDARD_REPOSITORY", "VIRTUAL_REPOSITORY", "REMOTE_REPOSITORY")
		conflicts(p, "remoteRepositoryConfig", "virtualRepositoryConfig")
		p.OneOf("remoteRepositoryConfig.dockerRepository.publicRepository", "DOCKER_HUB")
		conflicts(p, "remoteRepositoryConfig.dockerRepository.publicRepository", "remoteRepositoryConfig.dockerRepository.customRepository")
		for i := range v.List("cleanupPolicies") {
			p.OneOf(fmt.Sprintf("cleanupPolicies[%d].action", i), "DELETE", "KEEP")
		}
	}
	judge := func(c *simcloud.Change) error {
		v := c.New
		mode := v.String("mode")
		switch {
		case (mode == "REMOTE_REPOSITORY") != v.Has("remoteRepositoryConfig"):
			return badRequest("A remote repository has a remote_repository_config, and no other has (mode %s).", mode)
		case (mode == "VIRTUAL_REPOSITORY") != v.Has("virtualRepositoryConfig"):
			return badRequest("A virtual repository has a virtual_repository_config, and no other has (mode %s).", mode)
		case v.Has("dockerConfig") && v.String("format") != "DOCKER":
			return badRequest("docker_config is for repositories of format DOCKER only.")
		}
		for _, each := range v.List("virtualRepositoryConfig.upstreamPolicies") {
			if c.Cloud.Get("", repository, each.String("repository")) == nil {
				return coded(404, "notFound", "Requested entity was not found: %s", each.String("repository"))
			}
		}
		if given := v.String("kmsKeyName"); given != "" {
			location := part(c.ID, "locations")
			return keyFor(c, given, agent(c.Cloud, part(c.ID, "projects"), "artifactregistry"), location)
		}
		return nil
	}
	judged(t, func(c *simcloud.Change) error {
		if at := part(c.ID, "locations"); regions[at] == "" && at != "europe" && at != "us" && at != "asia" {
			return badRequest("Location %s is not found or access is unauthorized.", at)
		}
		c.Out["name"] = c.New.String("repositoryId")
		return judge(c)
	}, judge)
	return []*simcloud.ResourceType{t}
}

// topicTypes are topics: https://cloud.google.com/pubsub/docs/create-topic
func topicTypes() []*simcloud.ResourceType {
	t := named(kind(topic, topicForm, pubsub.TopicArgs{}, pubsub.Topic{}), 255)
	t.Check = func(p *simcloud.Plan) {
		labelsAt(p, "labels")
		if name := p.Values.String("name"); name != "" && (!topicName.MatchString(name) || strings.HasPrefix(name, "goog")) {
			p.Add("name", fmt.Sprintf("%q is not the name of a topic: it begins with a letter, not with goog, and has 3 to 255 characters", name))
		}
		if text := p.Values.String("messageRetentionDuration"); text != "" && (secondsOf(text) < 600 || secondsOf(text) > 31*86400) {
			p.Add("messageRetentionDuration", "must be between 10 minutes (600s) and 31 days (2678400s), got "+text)
		}
	}
	judge := func(c *simcloud.Change) error {
		if given := c.New.String("kmsKeyName"); given != "" {
			return keyFor(c, given, agent(c.Cloud, part(c.ID, "projects"), "pubsub"), "")
		}
		return nil
	}
	judged(t, judge, judge)
	return []*simcloud.ResourceType{t}
}

// secretTypes are secrets, without their contents: https://cloud.google.com/secret-manager/docs/creating-and-accessing-secrets
func secretTypes() []*simcloud.ResourceType {
	t := kind(secret, "projects/{project}/secrets/{secretId}", secretmanager.SecretArgs{}, secretmanager.Secret{})
	t.Replace = append(t.Replace, "replication")
	t.References = []simcloud.Reference{to("topics[].name", topic, topicForm)}
	t.Check = func(p *simcloud.Plan) {
		matching(p, "secretId", secretName, "only letters, digits, underscores and hyphens, at most 255")
		labelsAt(p, "labels")
		p.ExactlyOne("replication.auto", "replication.userManaged")
	}
	judged(t, func(c *simcloud.Change) error {
		c.Out["name"] = "projects/" + number(c.Cloud, part(c.ID, "projects")) + "/secrets/" + c.New.String("secretId")
		who := agent(c.Cloud, part(c.ID, "projects"), "secretmanager")
		if given := c.New.String("replication.auto.customerManagedEncryption.kmsKeyName"); given != "" {
			return keyFor(c, given, who, "global")
		}
		for _, each := range c.New.List("replication.userManaged.replicas") {
			if given := each.String("customerManagedEncryption.kmsKeyName"); given != "" {
				if err := keyFor(c, given, who, each.String("location")); err != nil {
					return err
				}
			}
		}
		return nil
	}, nil)
	return []*simcloud.ResourceType{t}
}

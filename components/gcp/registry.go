package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/artifactregistry"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// ArtifactRegistryArgs describes where images come from. Project, Cluster and
// KeyRingID are required.
type ArtifactRegistryArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// KeyRingID is the RingID of [Keys], and Generation that of [KeysArgs].
	KeyRingID  pulumi.StringInput `pulumi:"keyRingId"`
	Generation string             `pulumi:"generation,optional"`
	// Repositories are for images of one's own, whose tags never move.
	Repositories []string `pulumi:"repositories,optional"`
	// Remotes are caches of other registries, by name: docker.io, or the address of
	// a registry such as https://registry.k8s.io.
	Remotes map[string]string `pulumi:"remotes,optional"`
	// Pullers are the service accounts that read all of them: NodeEmail of [Roles].
	Pullers []pulumi.StringInput `pulumi:"pullers,optional"`
	// UntaggedDays is how long an image that no tag names is kept, 30 by default.
	UntaggedDays int               `pulumi:"untaggedDays,optional"`
	Labels       map[string]string `pulumi:"labels,optional"`
	Exceptions   []hostconfig.Exception
}

// dockerHub has a name of its own for Google.
const dockerHub = "docker.io"

var upstreamPattern = regexp.MustCompile(`^https://[a-z0-9-]+(\.[a-z0-9-]+)+$`)

func (a ArtifactRegistryArgs) withDefaults() ArtifactRegistryArgs {
	setDefault(&a.UntaggedDays, 30)
	return a
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a ArtifactRegistryArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	p.known("keyRingId", a.KeyRingID, ringPattern, "is not the id of a ring", "give RingID of Keys")
	if a.Generation != "" && !generationPattern.MatchString(a.Generation) {
		p.add("generation", fmt.Sprintf("%q is no part of a name", a.Generation), "write that of Keys")
	}
	if len(a.Repositories)+len(a.Remotes) == 0 {
		p.add("repositories", "are missing, and so are remotes", "write what images are for")
	}
	for i, name := range a.Repositories {
		at := fmt.Sprintf("repositories[%d]", i)
		if !rangePattern.MatchString(name) {
			p.add(at, fmt.Sprintf("%q is not a name for a repository", name), "write a DNS label that begins with a letter")
		}
		if slices.Contains(a.Repositories[:i], name) || a.Remotes[name] != "" {
			p.add(at, name+" is repeated", "list it once")
		}
	}
	for _, name := range sorted(a.Remotes) {
		at, upstream := fmt.Sprintf("remotes[%s]", name), a.Remotes[name]
		switch {
		case !rangePattern.MatchString(name):
			p.add(at, "is no name for a repository", "write a DNS label that begins with a letter")
		case upstream != dockerHub && (!upstreamPattern.MatchString(upstream) || strings.HasSuffix(upstream, dockerHub)):
			p.add(at, fmt.Sprintf("%q is no registry", upstream), "write docker.io, or an address such as https://registry.k8s.io")
		}
	}
	for i, puller := range a.Pullers {
		p.account(fmt.Sprintf("pullers[%d]", i), puller, "give NodeEmail of Roles")
	}
	if a.UntaggedDays < 1 || a.UntaggedDays > 365 {
		p.add("untaggedDays", fmt.Sprintf("%d is no time", a.UntaggedDays), "write 1 to 365")
	}
	p.labels("labels", a.Labels)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// ArtifactRegistry is where images come from: repositories whose tags never move,
// scanned and encrypted (M26, M27, CIS-GKE-5.1.1, 5.1.3), and caches of upstream
// registries, so that nodes need no way to them.
type ArtifactRegistry struct {
	pulumi.ResourceState

	// Host is where images are found: <host>/<repository>/<image>. It is known once
	// all repositories are there and may be read.
	Host pulumi.StringOutput `pulumi:"host"`
	// KeyID is the customer key of images, which serves nothing else.
	KeyID pulumi.StringOutput `pulumi:"keyId"`
}

// NewArtifactRegistry registers the registry. The arguments are checked, all at
// once, before anything is registered.
func NewArtifactRegistry(ctx *pulumi.Context, name string, args *ArtifactRegistryArgs, opts ...pulumi.ResourceOption) (*ArtifactRegistry, error) {
	a := args.withDefaults()
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	r := &ArtifactRegistry{}
	if err := ctx.RegisterComponentResource(registryToken, name, r, opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(r)
	// The provider cannot say it of a repository: it is switched on for all.
	if _, err := projects.NewService(ctx, name+"-scanning", &projects.ServiceArgs{
		Project: pulumi.String(a.Project.ID), Service: pulumi.String("containerscanning.googleapis.com"), DisableOnDestroy: pulumi.Bool(false),
	}, parent); err != nil {
		return nil, err
	}
	agent, err := projects.NewServiceIdentity(ctx, name+"-registry",
		&projects.ServiceIdentityArgs{Project: pulumi.String(a.Project.ID), Service: pulumi.String("artifactregistry.googleapis.com")}, parent)
	if err != nil {
		return nil, err
	}
	keys := KeysArgs{Project: a.Project, Cluster: a.Cluster, Generation: a.Generation, Labels: a.Labels}.withDefaults()
	if r.KeyID, err = newKey(ctx, name, keys, a.KeyRingID, "images", []pulumi.StringInput{pulumi.String(a.Project.agent(registryAgent))}, []pulumi.Resource{agent}, parent); err != nil {
		return nil, err
	}
	ready := []any{text(fmt.Sprintf("%s-docker.pkg.dev/%s", a.Project.Region, a.Project.ID))}
	for _, id := range slices.Concat(a.Repositories, sorted(a.Remotes)) {
		made, err := a.repository(ctx, name, id, r.KeyID, parent)
		if err != nil {
			return nil, err
		}
		ready = append(ready, made...)
	}
	r.Host = once(ready...)
	return r, ctx.RegisterResourceOutputs(r, pulumi.Map{"host": r.Host, "keyId": r.KeyID})
}

// repository registers a repository, own or remote, and who reads it.
func (a ArtifactRegistryArgs) repository(ctx *pulumi.Context, name, id string, key pulumi.StringInput, opts ...pulumi.ResourceOption) ([]any, error) {
	args := &artifactregistry.RepositoryArgs{
		Project: pulumi.String(a.Project.ID), Location: pulumi.String(a.Project.Region), RepositoryId: pulumi.String(id), Format: pulumi.String("DOCKER"),
		KmsKeyName: key.ToStringOutput().ToStringPtrOutput(), Labels: labelled(a.Labels, a.Cluster),
		CleanupPolicies: artifactregistry.RepositoryCleanupPolicyArray{artifactregistry.RepositoryCleanupPolicyArgs{
			Id: pulumi.String("untagged"), Action: pulumi.String("DELETE"), Condition: artifactregistry.RepositoryCleanupPolicyConditionArgs{
				TagState: pulumi.String("UNTAGGED"), OlderThan: pulumi.String(fmt.Sprintf("%ds", a.UntaggedDays*secondsPerDay))},
		}},
	}
	if upstream := a.Remotes[id]; upstream == "" {
		args.Mode, args.Description = pulumi.String("STANDARD_REPOSITORY"), pulumi.String("Images whose tags never move")
		args.DockerConfig = artifactregistry.RepositoryDockerConfigArgs{ImmutableTags: pulumi.Bool(true)}
	} else {
		args.Mode, args.Description = pulumi.String("REMOTE_REPOSITORY"), pulumi.String("Cache of "+upstream)
		docker := artifactregistry.RepositoryRemoteRepositoryConfigDockerRepositoryArgs{PublicRepository: pulumi.String("DOCKER_HUB")}
		if upstream != dockerHub {
			docker = artifactregistry.RepositoryRemoteRepositoryConfigDockerRepositoryArgs{
				CustomRepository: artifactregistry.RepositoryRemoteRepositoryConfigDockerRepositoryCustomRepositoryArgs{Uri: pulumi.String(upstream)}}
		}
		args.RemoteRepositoryConfig = artifactregistry.RepositoryRemoteRepositoryConfigArgs{Description: pulumi.String(upstream), DockerRepository: docker}
	}
	made, err := artifactregistry.NewRepository(ctx, name+"-"+id, args, opts...)
	if err != nil {
		return nil, err
	}
	ready := []any{made.ID()}
	for i, puller := range a.Pullers {
		grant, err := artifactregistry.NewRepositoryIamMember(ctx, fmt.Sprintf("%s-%s-%d", name, id, i), &artifactregistry.RepositoryIamMemberArgs{
			Project: pulumi.String(a.Project.ID), Location: pulumi.String(a.Project.Region), Repository: made.RepositoryId,
			Role: pulumi.String(readerRole), Member: pulumi.Sprintf("serviceAccount:%s", puller),
		}, opts...)
		if err != nil {
			return nil, err
		}
		ready = append(ready, grant.ID())
	}
	return ready, nil
}

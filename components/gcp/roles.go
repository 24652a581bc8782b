package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/artifactregistry"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// nodeRoles are what a node does in its project: it writes logs and metrics. It
// reads none, and images only where it is told.
// https://cloud.google.com/kubernetes-engine/docs/how-to/hardening-your-cluster#use_least_privilege_sa
var nodeRoles = []string{"roles/logging.logWriter", "roles/monitoring.metricWriter", "roles/stackdriver.resourceMetadata.writer"}

// RolesArgs describes the service account of nodes. Project and Cluster are
// required.
type RolesArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// Repositories are those of Artifact Registry, of this project or another, that
	// nodes pull from: projects/<project>/locations/<location>/repositories/<name>.
	// Those of [ArtifactRegistry] are granted there.
	Repositories []string `pulumi:"repositories,optional"`
	Exceptions   []hostconfig.Exception
}

var repositoryPattern = regexp.MustCompile(`^projects/([a-z][a-z0-9-]{4,28}[a-z0-9])/locations/([a-z0-9-]+)/repositories/([a-z]([a-z0-9-]{0,61}[a-z0-9])?)$`)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a RolesArgs) Validate(now time.Time) error {
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	for i, repository := range a.Repositories {
		at := fmt.Sprintf("repositories[%d]", i)
		if !repositoryPattern.MatchString(repository) {
			p.add(at, fmt.Sprintf("%q is not a repository", repository), "write projects/<project>/locations/<location>/repositories/<name>")
		}
		if slices.Contains(a.Repositories[:i], repository) {
			p.add(at, repository+" is repeated", "list it once")
		}
	}
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// Roles are the service account of nodes, with what a node does and nothing that
// a pod could make use of (CIS-GKE-5.2.1, M20).
type Roles struct {
	pulumi.ResourceState

	// NodeEmail is the address of the account once it may do its work.
	NodeEmail pulumi.StringOutput `pulumi:"nodeEmail"`
}

// NewRoles registers the account. The arguments are checked, all at once, before
// anything is registered.
func NewRoles(ctx *pulumi.Context, name string, args *RolesArgs, opts ...pulumi.ResourceOption) (*Roles, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	r := &Roles{}
	if err := ctx.RegisterComponentResource(rolesToken, name, r, opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(r)
	account, err := serviceaccount.NewAccount(ctx, name+"-nodes", &serviceaccount.AccountArgs{
		AccountId: pulumi.String(a.Cluster + "-nodes"), Project: pulumi.String(a.Project.ID),
		DisplayName: pulumi.String("Nodes of " + a.Cluster), Description: pulumi.String("Writes logs and metrics, and pulls images"),
	}, parent)
	if err != nil {
		return nil, err
	}
	ready := []any{account.Email}
	for _, role := range nodeRoles {
		grant, err := projects.NewIAMMember(ctx, name+"-nodes-"+shortRole(role), &projects.IAMMemberArgs{
			Project: pulumi.String(a.Project.ID), Role: pulumi.String(role), Member: account.Member,
		}, parent)
		if err != nil {
			return nil, err
		}
		ready = append(ready, grant.ID())
	}
	for _, repository := range a.Repositories {
		parts := repositoryPattern.FindStringSubmatch(repository)
		grant, err := artifactregistry.NewRepositoryIamMember(ctx, name+"-nodes-"+parts[1]+"-"+parts[2]+"-"+parts[3], &artifactregistry.RepositoryIamMemberArgs{
			Project: pulumi.String(parts[1]), Location: pulumi.String(parts[2]), Repository: pulumi.String(parts[3]),
			Role: pulumi.String(readerRole), Member: account.Member,
		}, parent)
		if err != nil {
			return nil, err
		}
		ready = append(ready, grant.ID())
	}
	r.NodeEmail = once(ready...)
	return r, ctx.RegisterResourceOutputs(r, pulumi.Map{"nodeEmail": r.NodeEmail})
}

// readerRole pulls images, of one repository (CIS-GKE-5.1.3).
const readerRole = "roles/artifactregistry.reader"

// shortRole is the part of a role's name that tells it apart.
func shortRole(role string) string {
	return strings.ReplaceAll(strings.TrimPrefix(role, "roles/"), ".", "-")
}

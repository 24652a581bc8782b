package gcp

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// FlatcarRolesArgs describes the service accounts of the machines of a
// self-managed cluster. Project, Cluster and Pools are required.
type FlatcarRolesArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 20 characters.
	Cluster string `pulumi:"cluster"`
	// Pools are the names of the pools of workers, each with an account of its own.
	Pools      []string `pulumi:"pools"`
	Exceptions []hostconfig.Exception
}

// Names of a self-managed cluster are parts of those of firewall rules, of 63
// characters, and of templates of machines, of 37 before what tells them apart.
const (
	longestFlatcarCluster = 20
	longestFlatcarPool    = 15
)

func (p *problems) flatcarCluster(field, name string) {
	p.cluster(field, name)
	if len(name) > longestFlatcarCluster {
		p.add(field, fmt.Sprintf("%q has %d characters, and names of firewall rules are longer", name, len(name)), fmt.Sprintf("write at most %d", longestFlatcarCluster))
	}
}

func (p *problems) flatcarPools(field string, pools []string) {
	if n := len(pools); n < 1 || n > mostPools {
		p.add(field, fmt.Sprintf("there are %d", n), fmt.Sprintf("write one to %d", mostPools))
	}
	for i, pool := range pools {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !rangePattern.MatchString(pool) || len(pool) > longestFlatcarPool {
			p.add(at, fmt.Sprintf("%q is not a name for a pool", pool), fmt.Sprintf("write at most %d lower-case letters, digits and dashes, beginning with a letter", longestFlatcarPool))
		}
		if strings.Contains(pool, controlPlaneRole) {
			p.add(at, pool+" is what control planes are called, whose machines no control plane may delete", "choose another name")
		}
		if slices.Contains(pools[:i], pool) {
			p.add(at, pool+" is another's name", "give each pool a name of its own")
		}
	}
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a FlatcarRolesArgs) Validate(now time.Time) error {
	var p problems
	p.project("project", a.Project)
	p.flatcarCluster("cluster", a.Cluster)
	p.flatcarPools("pools", a.Pools)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// FlatcarRoles are the service accounts of machines: one of control planes, one
// of each pool, so that no pool reads what is another's. They wait for nothing, so
// that keys and rules can name them.
//
// Each output is known once the account may do in the project what it does.
type FlatcarRoles struct {
	pulumi.ResourceState

	// ControlPlaneEmail belongs into SecretsAccount of [Keys].
	ControlPlaneEmail pulumi.StringOutput `pulumi:"controlPlaneEmail"`
	// PoolEmails are in the order of the pools.
	PoolEmails pulumi.StringArrayOutput `pulumi:"poolEmails"`

	pools []pulumi.StringInput
}

// Emails are those of the pools, each by itself.
func (r *FlatcarRoles) Emails() []pulumi.StringInput { return slices.Clone(r.pools) }

// seesMachines is what the approver of certificates asks: whether a machine that
// wants one exists, and what it is. It reads no other resource of the project.
// https://cloud.google.com/compute/docs/reference/rest/v1/instances/list
var seesMachines = []string{"compute.instances.get", "compute.instances.list", "compute.instanceGroupManagers.get", "compute.instanceGroupManagers.list", "compute.zones.list"}

// replacesMachines is how a control plane has a worker's machine replaced: the group
// makes anew what it misses. The right to ask the group for that is the right to
// change it, with the template of all its machines.
// https://cloud.google.com/compute/docs/reference/rest/v1/instances/delete
var replacesMachines = []string{"compute.instances.delete"}

// ownWorkers is the condition that names the machines of the cluster's pools, which
// bear the names of their groups, and leaves out control planes: its own, and those of
// a cluster whose name begins like one of its pools. With the most pools that there
// may be it has the twelve logical operators that an expression may have.
// https://cloud.google.com/iam/docs/conditions-attribute-reference#resource-name
func (a FlatcarRolesArgs) ownWorkers() string {
	var pools []string
	for _, pool := range a.Pools {
		pools = append(pools, fmt.Sprintf(`resource.name.extract("/instances/{name}").startsWith(%q)`, poolGroup(a.Cluster, pool)+"-"))
	}
	return fmt.Sprintf(`resource.type == "compute.googleapis.com/Instance" && resource.name.startsWith(%q) && resource.name.extract("/instances/{name}-%s-") == "" && (%s)`,
		"projects/"+a.Project.ID+"/zones/"+a.Project.Region+"-", controlPlaneRole, strings.Join(pools, " || "))
}

// FlatcarAccount is the id of the account of control planes, or with a pool of its
// machines: of 6 to 30 characters.
// https://cloud.google.com/iam/docs/service-accounts-create
func FlatcarAccount(cluster, pool string) string {
	if pool == "" {
		return cluster + "-control"
	}
	id := cluster + "-w-" + pool
	if len(id) <= 30 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return strings.TrimRight(id[:25], "-") + "-" + hex.EncodeToString(sum[:2])
}

// NewFlatcarRoles registers the accounts. The arguments are checked, all at once,
// before anything is registered.
func NewFlatcarRoles(ctx *pulumi.Context, name string, args *FlatcarRolesArgs, opts ...pulumi.ResourceOption) (*FlatcarRoles, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	r := &FlatcarRoles{}
	if err := ctx.RegisterComponentResource(flatcarRolesToken, name, r, opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(r)
	account, err := a.account(ctx, name+"-control-plane", "", "Control planes of "+a.Cluster, parent)
	if err != nil {
		return nil, err
	}
	role, err := projects.NewIAMCustomRole(ctx, name+"-control-plane", &projects.IAMCustomRoleArgs{
		Project: pulumi.String(a.Project.ID), RoleId: pulumi.String(strings.ReplaceAll(a.Cluster, "-", "_") + "_control_plane"), Title: pulumi.String("Control planes of " + a.Cluster),
		Description: pulumi.String("Sees which machines exist, and nothing else"), Permissions: pulumi.ToStringArray(seesMachines), Stage: pulumi.String("GA"),
	}, parent)
	if err != nil {
		return nil, err
	}
	grant, err := projects.NewIAMMember(ctx, name+"-control-plane", &projects.IAMMemberArgs{
		Project: pulumi.String(a.Project.ID), Role: role.Name, Member: account.Member,
	}, parent)
	if err != nil {
		return nil, err
	}
	replacer, err := projects.NewIAMCustomRole(ctx, name+"-replacement", &projects.IAMCustomRoleArgs{
		Project: pulumi.String(a.Project.ID), RoleId: pulumi.String(strings.ReplaceAll(a.Cluster, "-", "_") + "_replacement"), Title: pulumi.String("Replacement of workers of " + a.Cluster),
		Description: pulumi.String("Deletes machines, which their groups make anew"), Permissions: pulumi.ToStringArray(replacesMachines), Stage: pulumi.String("GA"),
	}, parent)
	if err != nil {
		return nil, err
	}
	replaces, err := projects.NewIAMMember(ctx, name+"-replacement", &projects.IAMMemberArgs{
		Project: pulumi.String(a.Project.ID), Role: replacer.Name, Member: account.Member,
		Condition: projects.IAMMemberConditionArgs{Title: pulumi.String("replaces workers"), Expression: pulumi.String(a.ownWorkers())},
	}, parent)
	if err != nil {
		return nil, err
	}
	r.ControlPlaneEmail = once(account.Email, grant.ID(), replaces.ID())
	all := pulumi.StringArray{}
	for _, pool := range a.Pools {
		made, err := a.account(ctx, name+"-"+pool, pool, fmt.Sprintf("Workers of the pool %s of %s", pool, a.Cluster), parent)
		if err != nil {
			return nil, err
		}
		r.pools, all = append(r.pools, made.Email), append(all, made.Email)
	}
	r.PoolEmails = all.ToStringArrayOutput()
	return r, ctx.RegisterResourceOutputs(r, pulumi.Map{"controlPlaneEmail": r.ControlPlaneEmail, "poolEmails": r.PoolEmails})
}

func (a FlatcarRolesArgs) account(ctx *pulumi.Context, name, pool, description string, opts ...pulumi.ResourceOption) (*serviceaccount.Account, error) {
	return serviceaccount.NewAccount(ctx, name, &serviceaccount.AccountArgs{
		AccountId: pulumi.String(FlatcarAccount(a.Cluster, pool)), Project: pulumi.String(a.Project.ID),
		DisplayName: pulumi.String(description), Description: pulumi.String("Reads its part of the store"),
	}, opts...)
}

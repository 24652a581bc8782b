package aws

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// FlatcarRolesArgs describes the roles of the machines of a self-managed cluster.
// Account, Cluster and Pools are required.
type FlatcarRolesArgs struct {
	Account Account `pulumi:"account"`
	// Cluster is the name of the cluster: at most 28 characters.
	Cluster string `pulumi:"cluster"`
	// Pools are the names of the pools of workers, each with a role of its own.
	Pools      []string          `pulumi:"pools"`
	Tags       map[string]string `pulumi:"tags,optional"`
	Exceptions []hostconfig.Exception
}

// Names of a self-managed cluster are parts of longer ones: the load balancer's
// name has 32 characters, a role's 64.
const (
	longestFlatcarCluster = 28
	longestFlatcarPool    = 16
)

func (p *problems) flatcarCluster(field, name string) {
	p.cluster(field, name)
	if len(name) > longestFlatcarCluster {
		p.add(field, fmt.Sprintf("%q has %d characters, and the name of its load balancer is longer", name, len(name)), fmt.Sprintf("write at most %d", longestFlatcarCluster))
	}
}

func (p *problems) flatcarPool(field, name string) {
	if !poolPattern.MatchString(name) || len(name) > longestFlatcarPool {
		p.add(field, fmt.Sprintf("%q is not a name for a pool", name), fmt.Sprintf("write at most %d lower-case letters, digits and dashes, beginning with a letter", longestFlatcarPool))
	}
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a FlatcarRolesArgs) Validate(now time.Time) error {
	var p problems
	p.account("account", a.Account)
	p.flatcarCluster("cluster", a.Cluster)
	for i, pool := range a.Pools {
		at := fmt.Sprintf("pools[%d]", i)
		p.flatcarPool(at, pool)
		if slices.Contains(a.Pools[:i], pool) {
			p.add(at, pool+" is another's name", "give each pool a name of its own")
		}
	}
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// FlatcarRoles are the roles of machines: one of control planes, one of each pool,
// so that no pool reads what is another's. They wait for nothing, so that keys can
// name them.
//
// Each output is known once the role has its permissions.
type FlatcarRoles struct {
	pulumi.ResourceState

	// ControlPlaneRoleArn belongs into SecretsPrincipals of [Keys].
	ControlPlaneRoleArn pulumi.StringOutput `pulumi:"controlPlaneRoleArn"`
	// ControlPlaneProfile is the name of the instance profile.
	ControlPlaneProfile pulumi.StringOutput `pulumi:"controlPlaneProfile"`
	// PoolRoleArns and PoolProfiles are by the pool's name.
	PoolRoleArns pulumi.StringMapOutput `pulumi:"poolRoleArns"`
	PoolProfiles pulumi.StringMapOutput `pulumi:"poolProfiles"`
}

// NewFlatcarRoles registers the roles. The arguments are checked, all at once,
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
	arns, profiles := pulumi.StringMap{}, pulumi.StringMap{}
	var err error
	if r.ControlPlaneRoleArn, r.ControlPlaneProfile, err = a.register(ctx, name, controlPlaneUse, a.controlPlanePolicy(), pulumi.Parent(r)); err != nil {
		return nil, err
	}
	for _, pool := range a.Pools {
		arn, profile, err := a.register(ctx, name, poolUse(pool), a.poolPolicy(pool), pulumi.Parent(r))
		if err != nil {
			return nil, err
		}
		arns[pool], profiles[pool] = arn, profile
	}
	r.PoolRoleArns, r.PoolProfiles = arns.ToStringMapOutput(), profiles.ToStringMapOutput()
	return r, ctx.RegisterResourceOutputs(r, pulumi.Map{
		"controlPlaneRoleArn": r.ControlPlaneRoleArn, "controlPlaneProfile": r.ControlPlaneProfile, "poolRoleArns": r.PoolRoleArns, "poolProfiles": r.PoolProfiles,
	})
}

const controlPlaneUse = "control-plane"

func poolUse(pool string) string { return "w-" + pool }

// profileARN names what a machine runs as, before it is made.
func profileARN(account Account, cluster, use string) string {
	return account.iamARN("instance-profile/" + roleName(account, cluster, use))
}

// register makes a role that machines have, with the one policy that it needs.
func (a FlatcarRolesArgs) register(ctx *pulumi.Context, name, use string, allowed document, opts ...pulumi.ResourceOption) (arn, profile pulumi.StringOutput, err error) {
	full := roleName(a.Account, a.Cluster, use)
	assume := policy(statement{Effect: allow, Principal: service("ec2.amazonaws.com"), Action: []string{"sts:AssumeRole"}})
	role, err := iam.NewRole(ctx, name+"-"+use, &iam.RoleArgs{
		Name: pulumi.String(full), AssumeRolePolicy: pulumi.String(assume.String()),
		Description: pulumi.String(fmt.Sprintf("%s of the cluster %s", use, a.Cluster)), Tags: tagged(a.Tags, a.Cluster, full),
	}, opts...)
	if err != nil {
		return arn, profile, err
	}
	own, err := iam.NewRolePolicy(ctx, name+"-"+use+"-own", &iam.RolePolicyArgs{Name: pulumi.String("own"), Role: role.Name, Policy: pulumi.String(allowed.String())}, opts...)
	if err != nil {
		return arn, profile, err
	}
	made, err := iam.NewInstanceProfile(ctx, name+"-"+use, &iam.InstanceProfileArgs{Name: pulumi.String(full), Role: role.Name.ToStringOutput().ToStringPtrOutput(), Tags: tagged(a.Tags, a.Cluster, full)}, opts...)
	if err != nil {
		return arn, profile, err
	}
	return once(role.Arn, own.ID()), once(made.Name, own.ID()), nil
}

// flatcarGrants are who reads and writes what of the store; the program has a name
// of its own for each version, which is read by all.
func flatcarGrants(pools []string) []selfmanaged.Grant {
	spec := selfmanaged.Spec{ControlPlanes: []selfmanaged.ControlPlane{{Name: "*"}}}
	for _, pool := range pools {
		spec.Pools = append(spec.Pools, selfmanaged.Pool{Pool: nodeconfig.Pool{Name: pool}})
	}
	grants := spec.Grants()
	program := selfmanaged.Grant{Key: programKeys, Readers: []selfmanaged.Principal{selfmanaged.ControlPlanes}, Writers: []selfmanaged.Principal{selfmanaged.Provisioner}}
	for _, pool := range pools {
		program.Readers = append(program.Readers, selfmanaged.PoolPrincipal(pool))
	}
	return append(grants, program)
}

const programKeys = "bin/*"

// readable and writable are the keys of the store that a principal reads or writes.
func readable(grants []selfmanaged.Grant, who selfmanaged.Principal) []string {
	return keysOf(grants, func(g selfmanaged.Grant) []selfmanaged.Principal { return g.Readers }, who)
}

func writable(grants []selfmanaged.Grant, who selfmanaged.Principal) []string {
	return keysOf(grants, func(g selfmanaged.Grant) []selfmanaged.Principal { return g.Writers }, who)
}

// keysOf gives the keys, those of the control plane's secrets as one pattern: its
// files are all its own, and a policy has few bytes.
func keysOf(grants []selfmanaged.Grant, of func(selfmanaged.Grant) []selfmanaged.Principal, who selfmanaged.Principal) []string {
	var keys []string
	for _, g := range grants {
		key := g.Key
		if strings.HasPrefix(key, selfmanaged.PKIPrefix) {
			key = selfmanaged.PKIPrefix + "*"
		}
		if slices.Contains(of(g), who) && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// objects names objects of a bucket.
func (a Account) objects(bucket string, keys []string) []string {
	var out []string
	for _, key := range keys {
		out = append(out, a.s3ARN(bucket+"/"+key))
	}
	return out
}

// controlPlanePolicy is what control planes do: fetch their part of the store,
// write how machines join, keep snapshots, and look after the machines of pools.
func (a FlatcarRolesArgs) controlPlanePolicy() document {
	store, snapshots, log := StoreName(a.Account, a.Cluster), SnapshotsName(a.Account, a.Cluster), AuditLogName(a.Account, a.Cluster)
	grants := flatcarGrants(a.Pools)
	statements := []statement{
		{Sid: "ReadStore", Effect: allow, Action: []string{"s3:GetObject"}, Resource: a.Account.objects(store, readable(grants, selfmanaged.ControlPlanes))},
		{Sid: "WriteStore", Effect: allow, Action: []string{"s3:PutObject"}, Resource: a.Account.objects(store, writable(grants, selfmanaged.ControlPlanes))},
		// Without it an object that is not there is one that may not be read:
		// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
		{Sid: "TellMissing", Effect: allow, Action: []string{"s3:ListBucket"}, Resource: []string{a.Account.s3ARN(store), a.Account.s3ARN(snapshots), a.Account.s3ARN(log)}},
		{Sid: "Snapshots", Effect: allow, Action: []string{"s3:GetObject", "s3:PutObject"}, Resource: []string{a.Account.s3ARN(snapshots + "/*")}},
		// It adds, and reads nothing of it: what has happened is not for whoever gets in.
		{Sid: "AuditLog", Effect: allow, Action: []string{"s3:PutObject"}, Resource: []string{a.Account.s3ARN(log + "/" + nodeconfig.AuditLogPrefix + "*")}},
		// Neither call has resources to name.
		{Sid: "SeeMachines", Effect: allow, Action: []string{"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "ec2:DescribeInstances"}, Resource: []string{"*"}},
		{Sid: "DrainMachines", Effect: allow, Action: []string{"autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"},
			Resource: []string{a.Account.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/"+a.Cluster+"-*")}},
	}
	if len(a.Pools) > 0 {
		// With it also a machine that works is ended: those of the cluster's pools, each group
		// by its name, and none of another cluster whose name begins like this one's.
		statements = append(statements, statement{Sid: "ReplaceMachines", Effect: allow, Action: []string{"autoscaling:SetInstanceHealth"}, Resource: a.groups()})
	}
	return policy(statements...)
}

// groups names the pools' groups of machines.
func (a FlatcarRolesArgs) groups() []string {
	var out []string
	for _, pool := range a.Pools {
		out = append(out, a.Account.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/"+poolGroup(a.Cluster, pool)))
	}
	return out
}

// poolPolicy is what a worker does of itself: it fetches its configuration, the
// program and how it joins.
func (a FlatcarRolesArgs) poolPolicy(pool string) document {
	own := readable(flatcarGrants(a.Pools), selfmanaged.PoolPrincipal(pool))
	return policy(
		statement{Sid: "ReadStore", Effect: allow, Action: []string{"s3:GetObject"}, Resource: a.Account.objects(StoreName(a.Account, a.Cluster), own)},
	)
}

package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/orgpolicy"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// constraint is one of Google's, which holds whoever makes the resource, and with
// whatever program.
// https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints
type constraint struct {
	name   string
	reason string
	// denies says that it takes a list, of which nothing is allowed; the others are
	// switched on.
	denies bool
}

// constraints say, above the cluster, what the provider cannot say of it, and what
// nobody should undo beside it.
var constraints = []constraint{
	{name: "container.managed.disableInsecureKubeletReadOnlyPort", reason: "the kubelet's port without authentication is off"},
	{name: "container.managed.disableRBACSystemBindings", reason: "no role binding is for everybody"},
	{name: "container.managed.disableABAC", reason: "legacy authorization is off"},
	{name: "container.managed.enablePrivateNodes", reason: "nodes have no address on the internet"},
	{name: "container.managed.enableSecretsEncryption", reason: "secrets are encrypted with a key of the customer"},
	{name: "container.managed.enableShieldedNodes", reason: "nodes prove what they booted"},
	{name: "container.managed.enableWorkloadIdentityFederation", reason: "pods do not have the account of their node"},
	{name: "container.managed.enableBinaryAuthorization", reason: "images are those of the policy"},
	{name: "container.managed.enableNetworkPolicy", reason: "policies of the network are enforced"},
	{name: "container.managed.enableGoogleGroupsRBAC", reason: "role bindings name groups"},
	{name: "container.managed.disallowDefaultComputeServiceAccount", reason: "nodes have an account of their own"},
	{name: "compute.requireShieldedVm", reason: "machines prove what they booted"},
	{name: "compute.disableSerialPortAccess", reason: "there is no console past the network"},
	{name: "compute.skipDefaultNetworkCreation", reason: "no network is open from the beginning"},
	{name: "compute.vmExternalIpAccess", reason: "no machine has an address on the internet", denies: true},
	{name: "iam.disableServiceAccountKeyCreation", reason: "credentials that do not expire do not exist"},
	{name: "iam.disableServiceAccountKeyUpload", reason: "credentials that do not expire do not exist"},
	{name: "iam.automaticIamGrantsForDefaultServiceAccounts", reason: "default accounts may edit nothing"},
	{name: "storage.publicAccessPrevention", reason: "no object is public"},
	{name: "storage.uniformBucketLevelAccess", reason: "access is decided in one place"},
}

// OrgPolicyArgs describes the constraints above a cluster. Parent is required.
type OrgPolicyArgs struct {
	// Parent is projects/<id>, folders/<number> or organizations/<number>: what is
	// below it, clusters of others included, must follow.
	Parent string `pulumi:"parent"`
	// Without are constraints that are left alone, by name. Each needs an exception
	// for M46/org-policy.
	Without []string `pulumi:"without,optional"`
	// DryRun only records what would be refused, to see what lives below the parent
	// and whether it would go on. It needs an exception for M46/org-policy.
	DryRun     bool `pulumi:"dryRun,optional"`
	Exceptions []hostconfig.Exception
}

var parentPattern = regexp.MustCompile(`^(projects/[a-z][a-z0-9-]{4,28}[a-z0-9]|(folders|organizations)/[1-9][0-9]+)$`)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a OrgPolicyArgs) Validate(now time.Time) error {
	var p problems
	if !parentPattern.MatchString(a.Parent) {
		p.add("parent", fmt.Sprintf("%q has no policies", a.Parent), "write projects/<id>, folders/<number> or organizations/<number>")
	}
	for i, name := range a.Without {
		at := fmt.Sprintf("without[%d]", i)
		if !slices.ContainsFunc(constraints, func(c constraint) bool { return c.name == name }) {
			p.add(at, fmt.Sprintf("%q is none of the constraints", name), "leave it out")
		} else {
			p.weakens(at, name+" holds for nobody", "M46/org-policy", a.Exceptions)
		}
	}
	if a.DryRun {
		p.weakens("dryRun", "nothing is refused", "M46/org-policy", a.Exceptions)
	}
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// OrgPolicy are constraints above a cluster (M46): what [Limits] says of a cluster
// holds because nothing else can be made.
type OrgPolicy struct {
	pulumi.ResourceState

	// Parent is known once all constraints hold: clusters that wait for it are made
	// under them.
	Parent pulumi.StringOutput `pulumi:"parent"`
}

// NewOrgPolicy registers the constraints. The arguments are checked, all at once,
// before anything is registered.
func NewOrgPolicy(ctx *pulumi.Context, name string, args *OrgPolicyArgs, opts ...pulumi.ResourceOption) (*OrgPolicy, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	o := &OrgPolicy{}
	if err := ctx.RegisterComponentResource(orgPolicyToken, name, o, opts...); err != nil {
		return nil, err
	}
	ready := []any{text(a.Parent)}
	for _, c := range constraints {
		if slices.Contains(a.Without, c.name) {
			continue
		}
		rule := orgpolicy.PolicySpecRuleArgs{Enforce: pulumi.String("TRUE")}
		if c.denies {
			rule = orgpolicy.PolicySpecRuleArgs{DenyAll: pulumi.String("TRUE")}
		}
		args := &orgpolicy.PolicyArgs{Name: pulumi.String(a.Parent + "/policies/" + c.name), Parent: pulumi.String(a.Parent)}
		if a.DryRun {
			args.DryRunSpec = orgpolicy.PolicyDryRunSpecArgs{Rules: orgpolicy.PolicyDryRunSpecRuleArray{orgpolicy.PolicyDryRunSpecRuleArgs{Enforce: rule.Enforce, DenyAll: rule.DenyAll}}}
		} else {
			args.Spec = orgpolicy.PolicySpecArgs{Rules: orgpolicy.PolicySpecRuleArray{rule}}
		}
		policy, err := orgpolicy.NewPolicy(ctx, name+"-"+c.name, args, pulumi.Parent(o))
		if err != nil {
			return nil, err
		}
		ready = append(ready, policy.ID())
	}
	o.Parent = once(ready...)
	return o, ctx.RegisterResourceOutputs(o, pulumi.Map{"parent": o.Parent})
}

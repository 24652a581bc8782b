package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/binaryauthorization"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// ImagePolicyArgs describes which images run in the clusters of a project, of
// which it has one policy. Project is required, and one of Images and Attestors.
type ImagePolicyArgs struct {
	Project Project `pulumi:"project"`
	// Images are patterns of images that run without an attestation: registry and
	// path, where * at the end stands for one more name and ** for any more, such as
	// europe-west3-docker.pkg.dev/shop-prod/services/**.
	Images []string `pulumi:"images,optional"`
	// Attestors are projects/<project>/attestors/<name>: every other image needs an
	// attestation of each of them. Without any, no other image runs.
	Attestors []string `pulumi:"attestors,optional"`
	// DryRun lets every image run and only records which should not. It needs an
	// exception for M26/image-policy.
	DryRun     bool `pulumi:"dryRun,optional"`
	Exceptions []hostconfig.Exception
}

var (
	// imagePattern has a registry and at least one name below it: a whole registry
	// names nobody.
	imagePattern    = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+((/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)+)(/\*\*?|@sha256:[0-9a-f]{64})?$`)
	attestorPattern = regexp.MustCompile(`^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/attestors/[a-zA-Z0-9_-]{1,64}$`)
)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a ImagePolicyArgs) Validate(now time.Time) error {
	var p problems
	p.project("project", a.Project)
	if len(a.Images)+len(a.Attestors) == 0 {
		p.add("images", "are missing, and so are attestors: nothing could run", "write where your images are, or who attests them")
	}
	for i, image := range a.Images {
		at := fmt.Sprintf("images[%d]", i)
		if !imagePattern.MatchString(image) {
			p.add(at, fmt.Sprintf("%q names no images of yours (M26)", image), "write a registry and a path, such as europe-west3-docker.pkg.dev/project/repository/**")
		}
		if slices.Contains(a.Images[:i], image) {
			p.add(at, image+" is repeated", "list it once")
		}
	}
	for i, attestor := range a.Attestors {
		at := fmt.Sprintf("attestors[%d]", i)
		if !attestorPattern.MatchString(attestor) {
			p.add(at, fmt.Sprintf("%q is not an attestor", attestor), "write projects/<project>/attestors/<name>")
		}
		if slices.Contains(a.Attestors[:i], attestor) {
			p.add(at, attestor+" is repeated", "list it once")
		}
	}
	if a.DryRun {
		p.weakens("dryRun", "every image runs", "M26/image-policy", a.Exceptions)
	}
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// ImagePolicy is the policy of Binary Authorization of a project (CIS-GKE-5.1.4,
// 5.10.4, M26): what it does not name does not run. Google's own system images do.
type ImagePolicy struct {
	pulumi.ResourceState

	// PolicyProject is the project once it has the policy.
	PolicyProject pulumi.StringOutput `pulumi:"policyProject"`
}

// NewImagePolicy registers the policy. The arguments are checked, all at once,
// before anything is registered.
func NewImagePolicy(ctx *pulumi.Context, name string, args *ImagePolicyArgs, opts ...pulumi.ResourceOption) (*ImagePolicy, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	i := &ImagePolicy{}
	if err := ctx.RegisterComponentResource(imagePolicyToken, name, i, opts...); err != nil {
		return nil, err
	}
	rule := binaryauthorization.PolicyDefaultAdmissionRuleArgs{
		EvaluationMode: pulumi.String("ALWAYS_DENY"), EnforcementMode: pulumi.String("ENFORCED_BLOCK_AND_AUDIT_LOG"),
	}
	if len(a.Attestors) > 0 {
		rule.EvaluationMode, rule.RequireAttestationsBies = pulumi.String("REQUIRE_ATTESTATION"), pulumi.ToStringArray(a.Attestors)
	}
	if a.DryRun {
		rule.EnforcementMode = pulumi.String("DRYRUN_AUDIT_LOG_ONLY")
	}
	var patterns binaryauthorization.PolicyAdmissionWhitelistPatternArray
	for _, image := range a.Images {
		patterns = append(patterns, binaryauthorization.PolicyAdmissionWhitelistPatternArgs{NamePattern: pulumi.String(image)})
	}
	policy, err := binaryauthorization.NewPolicy(ctx, name, &binaryauthorization.PolicyArgs{
		Project: pulumi.String(a.Project.ID), Description: pulumi.String("What runs in the clusters of the project"),
		DefaultAdmissionRule: rule, AdmissionWhitelistPatterns: patterns, GlobalPolicyEvaluationMode: pulumi.String("ENABLE"),
	}, pulumi.Parent(i))
	if err != nil {
		return nil, err
	}
	i.PolicyProject = once(text(a.Project.ID), policy.ID())
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{"policyProject": i.PolicyProject})
}

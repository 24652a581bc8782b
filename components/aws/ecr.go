package aws

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// EcrRegistry is where images come from: repositories whose tags never move,
// scanned and encrypted (M26, M27), and a cache of upstream registries, so that
// nodes need no way to them.
type EcrRegistry struct {
	pulumi.ResourceState

	// Host is the name of the registry. The images of a cache are found below
	// <host>/<name of the cache>.
	Host pulumi.StringOutput `pulumi:"host"`
	// KeyArn is the customer key of images, which serves nothing else.
	KeyArn pulumi.StringOutput `pulumi:"keyArn"`
}

// NewEcrRegistry registers the registry. The arguments are checked, all at once,
// before anything is registered.
func NewEcrRegistry(ctx *pulumi.Context, name string, args *EcrRegistryArgs, opts ...pulumi.ResourceOption) (*EcrRegistry, error) {
	a := args.withDefaults()
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	r := &EcrRegistry{}
	if err := ctx.RegisterComponentResource(registryToken, name, r, opts...); err != nil {
		return nil, err
	}
	key, err := newKey(ctx, name+"-key", KeysArgs{Account: a.Account, Cluster: a.Cluster, Tags: a.Tags}.withDefaults(), "images",
		pulumi.String(imagesKeyPolicy(a.Account).String()), pulumi.Parent(r))
	if err != nil {
		return nil, err
	}
	r.KeyArn = key.Arn
	for _, step := range []func(*pulumi.Context, string, EcrRegistryArgs) error{r.scanning, r.repositories, r.cache} {
		if err := step(ctx, name, a); err != nil {
			return nil, err
		}
	}
	r.Host = pulumi.String(fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com", a.Account.ID, a.Account.Region)).ToStringOutput()
	return r, ctx.RegisterResourceOutputs(r, pulumi.Map{"host": r.Host, "keyArn": r.KeyArn})
}

// imagesKeyPolicy is for a key that ECR uses through grants alone, which whoever
// makes a repository makes.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html
func imagesKeyPolicy(account Account) document {
	return policy(administration(account), statement{Sid: "RepositoryCreatorGrantsECR", Effect: allow, Principal: identities(account.iamARN("root")),
		Action: []string{"kms:CreateGrant"}, Resource: thisKey, Condition: forAWSResource()},
		statement{Sid: "RepositoryCreatorRetiresGrants", Effect: allow, Principal: identities(account.iamARN("root")),
			Action: []string{"kms:RetireGrant"}, Resource: thisKey})
}

// scanning covers every repository, those that the cache makes as well (CIS-EKS 5.1.1).
func (r *EcrRegistry) scanning(ctx *pulumi.Context, name string, a EcrRegistryArgs) error {
	kind, frequency := "BASIC", "SCAN_ON_PUSH"
	if a.Inspector {
		kind, frequency = "ENHANCED", "CONTINUOUS_SCAN"
	}
	_, err := ecr.NewRegistryScanningConfiguration(ctx, name, &ecr.RegistryScanningConfigurationArgs{
		ScanType: pulumi.String(kind),
		Rules: ecr.RegistryScanningConfigurationRuleArray{ecr.RegistryScanningConfigurationRuleArgs{
			ScanFrequency: pulumi.String(frequency),
			RepositoryFilters: ecr.RegistryScanningConfigurationRuleRepositoryFilterArray{
				ecr.RegistryScanningConfigurationRuleRepositoryFilterArgs{Filter: pulumi.String("*"), FilterType: pulumi.String("WILDCARD")}},
		}},
	}, pulumi.Parent(r))
	return err
}

func (r *EcrRegistry) repositories(ctx *pulumi.Context, name string, a EcrRegistryArgs) error {
	for _, repository := range a.Repositories {
		// Dots for the slash: no name has two, so no two names become one.
		child := name + "-" + strings.ReplaceAll(repository, "/", "..")
		made, err := ecr.NewRepository(ctx, child, &ecr.RepositoryArgs{
			Name: pulumi.String(repository), ImageTagMutability: pulumi.String("IMMUTABLE"),
			ImageScanningConfiguration: ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
			EncryptionConfigurations: ecr.RepositoryEncryptionConfigurationArray{
				ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("KMS"), KmsKey: r.KeyArn.ToStringPtrOutput()}},
			Tags: tagged(a.Tags, a.Cluster, repository),
		}, pulumi.Parent(r))
		if err != nil {
			return err
		}
		_, err = ecr.NewLifecyclePolicy(ctx, child, &ecr.LifecyclePolicyArgs{Repository: made.Name, Policy: pulumi.String(a.lifecycle())}, pulumi.Parent(r))
		if err != nil {
			return err
		}
	}
	return nil
}

func sorted[V any](given map[string]V) []string {
	return slices.Sorted(maps.Keys(given))
}

package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// cache makes the rules of the cache, and the template of the repositories that
// ECR itself makes for them: encrypted as the others. Their tags follow those
// upstream, some of which move.
func (r *EcrRegistry) cache(ctx *pulumi.Context, name string, a EcrRegistryArgs) error {
	if len(a.Cache) == 0 {
		return nil
	}
	creator, err := r.creator(ctx, name, a)
	if err != nil {
		return err
	}
	for _, prefix := range sorted(a.Cache) {
		template, err := ecr.NewRepositoryCreationTemplate(ctx, name+"-"+prefix, &ecr.RepositoryCreationTemplateArgs{
			Prefix: pulumi.String(prefix), AppliedFors: pulumi.ToStringArray([]string{"PULL_THROUGH_CACHE"}),
			Description: pulumi.String("Cache of " + a.Cache[prefix]), ImageTagMutability: pulumi.String("MUTABLE"),
			EncryptionConfigurations: ecr.RepositoryCreationTemplateEncryptionConfigurationArray{
				ecr.RepositoryCreationTemplateEncryptionConfigurationArgs{EncryptionType: pulumi.String("KMS"), KmsKey: r.KeyArn.ToStringPtrOutput()}},
			CustomRoleArn: creator.ToStringPtrOutput(), LifecyclePolicy: pulumi.String(a.lifecycle()),
			ResourceTags: tagged(a.Tags, a.Cluster, prefix),
		}, pulumi.Parent(r))
		if err != nil {
			return err
		}
		rule := &ecr.PullThroughCacheRuleArgs{EcrRepositoryPrefix: template.Prefix, UpstreamRegistryUrl: pulumi.String(a.Cache[prefix])}
		if secret := a.CacheCredentialArns[prefix]; secret != "" {
			rule.CredentialArn = pulumi.String(secret)
		}
		if _, err := ecr.NewPullThroughCacheRule(ctx, name+"-"+prefix, rule, pulumi.Parent(r)); err != nil {
			return err
		}
	}
	if a.PullerArns == nil {
		return nil
	}
	// Without it a node finds only what somebody else has pulled before.
	_, err = ecr.NewRegistryPolicy(ctx, name+"-cache", &ecr.RegistryPolicyArgs{Policy: policyFor(a.PullerArns, func(arns []string) document {
		return policy(statement{Sid: "FillTheCache", Effect: allow, Principal: identities(arns...),
			Action: []string{"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}, Resource: a.cached()})
	})}, pulumi.Parent(r))
	return err
}

// cached names every repository that the cache may make.
func (a EcrRegistryArgs) cached() []string {
	var repositories []string
	for _, prefix := range sorted(a.Cache) {
		repositories = append(repositories, a.Account.arn("ecr", "repository/"+prefix+"/*"))
	}
	return repositories
}

// creator is the role with which ECR makes repositories that have a key and tags.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-iam.html
func (r *EcrRegistry) creator(ctx *pulumi.Context, name string, a EcrRegistryArgs) (pulumi.StringOutput, error) {
	full := fmt.Sprintf("%s-%s-images", a.Cluster, a.Account.Region)
	role, err := iam.NewRole(ctx, name+"-creator", &iam.RoleArgs{
		Name: pulumi.String(full), Description: pulumi.String("Makes the repositories of the cache"), Tags: tagged(a.Tags, a.Cluster, full),
		AssumeRolePolicy: pulumi.String(policy(statement{Effect: allow, Principal: service("ecr.amazonaws.com"), Action: []string{"sts:AssumeRole"}}).String()),
	}, pulumi.Parent(r))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	inline, err := iam.NewRolePolicy(ctx, name+"-creator", &iam.RolePolicyArgs{
		Name: pulumi.String("own"), Role: role.Name,
		Policy: r.KeyArn.ApplyT(func(key string) string {
			return policy(
				statement{Sid: "Repositories", Effect: allow, Action: []string{"ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource"}, Resource: a.cached()},
				statement{Sid: "Key", Effect: allow, Action: []string{"kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"}, Resource: []string{key}},
			).String()
		}).(pulumi.StringOutput),
	}, pulumi.Parent(r))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return once(role.Arn, inline.ID()), nil
}

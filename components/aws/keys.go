package aws

import (
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// KeysArgs describes the customer keys of an environment. Account and Cluster
// are required.
type KeysArgs struct {
	Account Account `pulumi:"account"`
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string `pulumi:"cluster"`
	// RotationDays is how often AWS replaces the key material, 365 by default
	// and 90 at least. More than 365 needs an exception for M18/key-rotation.
	RotationDays int `pulumi:"rotationDays,optional"`
	// DeletionWindowDays is how long a key that is to be deleted can be brought
	// back, 30 by default, the longest there is. Less needs an exception for
	// M18/deletion-window.
	DeletionWindowDays int `pulumi:"deletionWindowDays,optional"`
	// SecretsPrincipals are the ARNs of roles that use the secrets key beside
	// the grant of EKS. None by default.
	SecretsPrincipals pulumi.StringArrayInput `pulumi:"secretsPrincipals,optional"`
	// VolumesPrincipals are the ARNs of roles that make volumes: that of the CSI driver.
	VolumesPrincipals pulumi.StringArrayInput `pulumi:"volumesPrincipals,optional"`
	// ArchiveReaders are the ARNs of roles that read the audit archive.
	ArchiveReaders pulumi.StringArrayInput `pulumi:"archiveReaders,optional"`
	// LogGroups are names of further log groups that the logs key encrypts, where
	// a star stands for any text; those of the cluster and its network are there
	// already.
	LogGroups []string `pulumi:"logGroups,optional"`
	// Archive lets the delivery of logs to a bucket use the logs key, and the stream
	// of the control plane's logs.
	Archive bool `pulumi:"archive,optional"`
	// KeepLogsKey leaves the logs key in the account when the stack goes, for an
	// archive that is locked: without its key nobody reads it.
	KeepLogsKey bool `pulumi:"keepLogsKey,optional"`
	// Trail lets CloudTrail use the logs key, see [LogsArgs].
	Trail bool `pulumi:"trail,optional"`
	// Alarms lets alarms and findings go to a topic that the logs key encrypts, see
	// [Detection].
	Alarms bool `pulumi:"alarms,optional"`
	// Sessions lets sessions of AWS Systems Manager use the logs key, see
	// [SessionLogging].
	Sessions bool `pulumi:"sessions,optional"`
	// Machines lets who makes the stack make machines and volumes under the volumes
	// key, as far as IAM does; groups of machines need it not. See [FlatcarCluster].
	Machines bool `pulumi:"machines,optional"`
	// CreateAutoScalingRole makes the service-linked role of Auto Scaling, which
	// a fresh account lacks and of which an account has one.
	CreateAutoScalingRole bool `pulumi:"createAutoScalingRole,optional"`
	// AccountDefault makes the volumes key the default for every volume of the
	// account in the region, those of other environments included.
	AccountDefault bool              `pulumi:"accountDefault,optional"`
	Tags           map[string]string `pulumi:"tags,optional"`
	Exceptions     []hostconfig.Exception
}

// Bounds of KMS: https://docs.aws.amazon.com/kms/latest/developerguide/rotating-keys-enable.html
const (
	shortestRotation = 90
	longestRotation  = 2560
	yearlyRotation   = 365
	shortestWindow   = 7
	longestWindow    = 30
)

func (a KeysArgs) withDefaults() KeysArgs {
	setDefault(&a.RotationDays, yearlyRotation)
	setDefault(&a.DeletionWindowDays, longestWindow)
	return a
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a KeysArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.account("account", a.Account)
	p.cluster("cluster", a.Cluster)
	switch {
	case a.RotationDays < shortestRotation || a.RotationDays > longestRotation:
		p.add("rotationDays", fmt.Sprintf("%d is no period of rotation", a.RotationDays), fmt.Sprintf("write %d to %d", shortestRotation, yearlyRotation))
	case a.RotationDays > yearlyRotation:
		p.weakens("rotationDays", fmt.Sprintf("%d days is more than a year", a.RotationDays), "M18/key-rotation", a.Exceptions)
	}
	switch {
	case a.DeletionWindowDays < shortestWindow || a.DeletionWindowDays > longestWindow:
		p.add("deletionWindowDays", fmt.Sprintf("%d is no waiting time", a.DeletionWindowDays), fmt.Sprintf("write %d", longestWindow))
	case a.DeletionWindowDays < longestWindow:
		p.weakens("deletionWindowDays", fmt.Sprintf("%d days leave little time to bring a key back", a.DeletionWindowDays), "M18/deletion-window", a.Exceptions)
	}
	for i, group := range a.LogGroups {
		if !logGroupPattern.MatchString(group) || group == "*" || group == "/*" {
			p.add(fmt.Sprintf("logGroups[%d]", i), fmt.Sprintf("%q does not name log groups", group), "write a name such as /aws/containerinsights/name/*")
		}
	}
	p.principals("secretsPrincipals", a.SecretsPrincipals)
	p.principals("volumesPrincipals", a.VolumesPrincipals)
	p.principals("archiveReaders", a.ArchiveReaders)
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// Keys are three customer keys, so that who may use one can use no other (M18, M19).
type Keys struct {
	pulumi.ResourceState

	// SecretsKeyArn encrypts the secrets of the cluster, LogsKeyArn its logs and
	// their archive, VolumesKeyArn the disks of nodes and claims.
	SecretsKeyArn pulumi.StringOutput `pulumi:"secretsKeyArn"`
	LogsKeyArn    pulumi.StringOutput `pulumi:"logsKeyArn"`
	VolumesKeyArn pulumi.StringOutput `pulumi:"volumesKeyArn"`
}

// NewKeys registers the keys. The arguments are checked, all at once, before
// anything is registered.
func NewKeys(ctx *pulumi.Context, name string, args *KeysArgs, opts ...pulumi.ResourceOption) (*Keys, error) {
	a := args.withDefaults()
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	k := &Keys{}
	if err := ctx.RegisterComponentResource(keysToken, name, k, opts...); err != nil {
		return nil, err
	}
	volumesOptions := []pulumi.ResourceOption{pulumi.Parent(k)}
	if a.CreateAutoScalingRole {
		role, err := iam.NewServiceLinkedRole(ctx, name+"-autoscaling", &iam.ServiceLinkedRoleArgs{AwsServiceName: pulumi.String("autoscaling.amazonaws.com")}, pulumi.Parent(k))
		if err != nil {
			return nil, err
		}
		// KMS refuses a policy that names a role which does not exist.
		volumesOptions = append(volumesOptions, pulumi.DependsOn([]pulumi.Resource{role}))
	}
	groups := slices.Concat(logGroups(a.Cluster), a.LogGroups)
	var more []statement
	if a.Trail {
		groups, more = append(groups, fmt.Sprintf(trailLogGroup, a.Cluster)), trailKeyStatements(a.Account, a.Cluster)
	}
	if a.Archive {
		more = append(more, streamKeyStatements(a.Account, a.Cluster)...)
	}
	if a.Alarms {
		more = append(more, alarmKeyStatements(a.Account, a.Cluster)...)
	}
	if a.Sessions {
		groups, more = append(groups, fmt.Sprintf(sessionLogGroup, a.Cluster)), append(more, sessionKeyStatements(a.Account, a.Cluster)...)
	}
	var logsOptions []pulumi.ResourceOption
	if a.KeepLogsKey {
		logsOptions = append(logsOptions, pulumi.RetainOnDelete(true))
	}
	for _, key := range []struct {
		use     string
		policy  pulumi.StringInput
		into    *pulumi.StringOutput
		options []pulumi.ResourceOption
	}{
		{"secrets", policyFor(a.SecretsPrincipals, func(arns []string) document { return secretsKeyPolicy(a.Account, arns) }), &k.SecretsKeyArn, nil},
		{"logs", policyFor(a.ArchiveReaders, func(arns []string) document { return logsKeyPolicy(a.Account, groups, a.Archive, arns, more...) }), &k.LogsKeyArn, logsOptions},
		{"volumes", policyFor(a.VolumesPrincipals, func(arns []string) document { return volumesKeyPolicy(a.Account, arns, a.Machines) }), &k.VolumesKeyArn, volumesOptions},
	} {
		made, err := newKey(ctx, name+"-"+key.use, a, key.use, key.policy, append(key.options, pulumi.Parent(k))...)
		if err != nil {
			return nil, err
		}
		*key.into = made.Arn
	}
	if a.AccountDefault {
		if err := k.accountDefault(ctx, name); err != nil {
			return nil, err
		}
	}
	return k, ctx.RegisterResourceOutputs(k, pulumi.Map{"secretsKeyArn": k.SecretsKeyArn, "logsKeyArn": k.LogsKeyArn, "volumesKeyArn": k.VolumesKeyArn})
}

func newKey(ctx *pulumi.Context, name string, a KeysArgs, use string, document pulumi.StringInput, opts ...pulumi.ResourceOption) (*kms.Key, error) {
	key, err := kms.NewKey(ctx, name, &kms.KeyArgs{
		Description:          pulumi.String(fmt.Sprintf("%s of the cluster %s", use, a.Cluster)),
		EnableKeyRotation:    pulumi.Bool(true),
		RotationPeriodInDays: pulumi.Int(a.RotationDays),
		DeletionWindowInDays: pulumi.Int(a.DeletionWindowDays),
		Policy:               document,
		Tags:                 tagged(a.Tags, a.Cluster, a.Cluster+"-"+use),
	}, opts...)
	if err != nil {
		return nil, err
	}
	// The name goes even where the key stays: the next key of the use takes it.
	_, err = kms.NewAlias(ctx, name+"-alias", &kms.AliasArgs{
		Name: pulumi.String(keyAlias(a.Cluster, use)), TargetKeyId: key.KeyId,
	}, append(opts, pulumi.RetainOnDelete(false))...)
	return key, err
}

// keyAlias names a key before it is made.
func keyAlias(cluster, use string) string { return fmt.Sprintf("alias/redoubt/%s/%s", cluster, use) }

func (k *Keys) accountDefault(ctx *pulumi.Context, name string) error {
	key, err := ebs.NewDefaultKmsKey(ctx, name+"-default", &ebs.DefaultKmsKeyArgs{KeyArn: k.VolumesKeyArn}, pulumi.Parent(k))
	if err != nil {
		return err
	}
	_, err = ebs.NewEncryptionByDefault(ctx, name+"-encryption-by-default", &ebs.EncryptionByDefaultArgs{Enabled: pulumi.Bool(true)},
		pulumi.Parent(k), pulumi.DependsOn([]pulumi.Resource{key}))
	return err
}

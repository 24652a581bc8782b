package aws

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// deletionWindow is the longest that KMS offers: a key that is deleted takes its data along.
const deletionWindow = 30

// KeysArgs describe the keys of a cluster. Region, AccountID and Cluster are required.
type KeysArgs struct {
	Region    string `pulumi:"region"`
	AccountID string `pulumi:"accountId"`
	Cluster   string `pulumi:"cluster"`
	// RotationDays is how often KMS makes new key material: from 90 to 2560 days, 365 when zero.
	RotationDays int `pulumi:"rotationDays"`
	// MakeAutoScalingRole makes the role through which the Auto Scaling service opens volumes. An account in which
	// nothing was ever scaled lacks it (hashicorp/terraform-provider-aws#28644); it can exist only once.
	MakeAutoScalingRole bool `pulumi:"makeAutoScalingRole"`
	// VolumeRoles are the ARNs of further roles that attach volumes, such as the CSI driver's.
	VolumeRoles []string          `pulumi:"volumeRoles"`
	Tags        map[string]string `pulumi:"tags"`
}

// Keys are a cluster's keys, one for each purpose, so that the right to one opens nothing of another (M17, M19, M20).
type Keys struct {
	pulumi.ResourceState

	SecretsARN pulumi.StringOutput `pulumi:"secretsArn"`
	LogsARN    pulumi.StringOutput `pulumi:"logsArn"`
	VolumesARN pulumi.StringOutput `pulumi:"volumesArn"`
}

// Validate says everything that is wrong with the arguments.
func (a KeysArgs) Validate() error {
	var p problems
	p.region(a.Region)
	p.account(a.AccountID)
	if !clusterName.MatchString(a.Cluster) {
		p.add("cluster", "write at most 100 letters, digits, dashes and underscores, beginning with a letter or digit", "%q is not a name of a cluster", a.Cluster)
	}
	if a.RotationDays != 0 && (a.RotationDays < 90 || a.RotationDays > 2560) {
		p.add("rotationDays", "write from 90 to 2560 days", "%d days", a.RotationDays)
	}
	for _, role := range a.VolumeRoles {
		if !strings.HasPrefix(role, "arn:aws:iam::"+a.AccountID+":role/") {
			p.add("volumeRoles", "write the ARN of a role of the account, such as arn:aws:iam::111122223333:role/ebs-csi", "%q is not a role of account %s", role, a.AccountID)
		}
	}
	return p.join()
}

// Uses of a key, as AWS's own documentation groups them.
var (
	administration = []string{"kms:CancelKeyDeletion", "kms:CreateAlias", "kms:Describe*", "kms:Disable*", "kms:Enable*", "kms:Get*", "kms:List*", "kms:PutKeyPolicy",
		"kms:RevokeGrant", "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:Update*"}
	use = []string{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"}
)

// administrators may manage a key as far as IAM lets them, and not read with it. Grants are not among what they may
// make: a grant would be a way to read.
func administrators(account string) statement {
	return statement{"Sid": "Administration", "Effect": "Allow", "Principal": map[string]any{"AWS": "arn:aws:iam::" + account + ":root"},
		"Action": administration, "Resource": "*"}
}

// secretsPolicy lets whoever makes the cluster hand the key to EKS, and nobody else use it.
func secretsPolicy(a *KeysArgs) string {
	return document(administrators(a.AccountID), statement{"Sid": "EKS", "Effect": "Allow", "Principal": map[string]any{"AWS": "arn:aws:iam::" + a.AccountID + ":root"},
		"Action": []string{"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"}, "Resource": "*",
		"Condition": map[string]any{"StringEquals": map[string]any{"kms:ViaService": "eks." + a.Region + ".amazonaws.com", "kms:CallerAccount": a.AccountID}}})
}

// logsPolicy lets CloudWatch Logs use the key for the cluster's groups.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
func logsPolicy(a *KeysArgs) string {
	var groups []string
	controlPlane, flows, queries := logGroups(a.Cluster)
	for _, name := range []string{controlPlane, flows, queries} {
		groups = append(groups, "arn:aws:logs:"+a.Region+":"+a.AccountID+":log-group:"+name)
	}
	return document(administrators(a.AccountID), statement{"Sid": "Logs", "Effect": "Allow", "Principal": map[string]any{"Service": "logs." + a.Region + ".amazonaws.com"},
		"Action": use, "Resource": "*", "Condition": map[string]any{"ArnEquals": map[string]any{"kms:EncryptionContext:aws:logs:arn": groups}}})
}

// volumesPolicy lets the Auto Scaling service and the drivers of volumes use the key through EC2.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
func volumesPolicy(a *KeysArgs) string {
	who := append([]string{"arn:aws:iam::" + a.AccountID + ":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"}, a.VolumeRoles...)
	through := map[string]any{"kms:ViaService": "ec2." + a.Region + ".amazonaws.com", "kms:CallerAccount": a.AccountID}
	return document(administrators(a.AccountID),
		statement{"Sid": "Volumes", "Effect": "Allow", "Principal": map[string]any{"AWS": who}, "Action": use, "Resource": "*", "Condition": map[string]any{"StringEquals": through}},
		statement{"Sid": "Attachment", "Effect": "Allow", "Principal": map[string]any{"AWS": who}, "Action": "kms:CreateGrant", "Resource": "*",
			"Condition": map[string]any{"StringEquals": through, "Bool": map[string]any{"kms:GrantIsForAWSResource": "true"}}})
}

// NewKeys makes the keys.
func NewKeys(ctx *pulumi.Context, name string, args *KeysArgs, opts ...pulumi.ResourceOption) (*Keys, error) {
	if err := args.Validate(); err != nil {
		return nil, err
	}
	k := &Keys{}
	if err := ctx.RegisterComponentResource(keysToken, name, k, opts...); err != nil {
		return nil, err
	}
	child := pulumi.Parent(k)
	first := []pulumi.Resource{}
	if args.MakeAutoScalingRole {
		role, err := iam.NewServiceLinkedRole(ctx, name+"-autoscaling", &iam.ServiceLinkedRoleArgs{AwsServiceName: pulumi.String("autoscaling.amazonaws.com")}, child)
		if err != nil {
			return nil, err
		}
		first = append(first, role)
	}
	days := args.RotationDays
	if days == 0 {
		days = 365
	}
	for _, each := range []struct {
		purpose, policy string
		after           []pulumi.Resource
		into            *pulumi.StringOutput
	}{{"secrets", secretsPolicy(args), nil, &k.SecretsARN}, {"logs", logsPolicy(args), nil, &k.LogsARN}, {"volumes", volumesPolicy(args), first, &k.VolumesARN}} {
		key, err := kms.NewKey(ctx, name+"-"+each.purpose, &kms.KeyArgs{Description: pulumi.StringPtr(each.purpose + " of the cluster " + args.Cluster), Policy: pulumi.StringPtr(each.policy),
			EnableKeyRotation: pulumi.Bool(true), RotationPeriodInDays: pulumi.IntPtr(days), DeletionWindowInDays: pulumi.IntPtr(deletionWindow), Tags: pulumi.ToStringMap(args.Tags)},
			child, pulumi.DependsOn(each.after))
		if err != nil {
			return nil, err
		}
		if _, err := kms.NewAlias(ctx, name+"-"+each.purpose, &kms.AliasArgs{Name: pulumi.StringPtr("alias/" + args.Cluster + "/" + each.purpose), TargetKeyId: key.KeyId}, child); err != nil {
			return nil, err
		}
		*each.into = key.Arn
	}
	return k, ctx.RegisterResourceOutputs(k, pulumi.Map{"secretsArn": k.SecretsARN, "logsArn": k.LogsARN, "volumesArn": k.VolumesARN})
}

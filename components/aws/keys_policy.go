package aws

// keyAdministration is what the account may do with its keys through IAM:
// everything that keeps a key alive and in order, and nothing that uses it. The
// statement is what keeps people from being locked out of a key.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
var keyAdministration = []string{
	"kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey", "kms:EnableKey",
	"kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies",
	"kms:ListKeyRotations", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:RotateKeyOnDemand",
	"kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
}

// keyUse is what encrypts and decrypts.
var keyUse = []string{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"}

// thisKey is the resource of every statement of a key policy.
var thisKey = []string{"*"}

// forAWSResource holds for grants that a service of AWS makes for a resource
// that it integrates with: a volume, the secrets of a cluster.
func forAWSResource() conditions {
	return conditions{"Bool": {"kms:GrantIsForAWSResource": {"true"}}}
}

func administration(account Account) statement {
	return statement{Sid: "AccountAdministersTheKey", Effect: allow, Principal: identities(account.iamARN("root")),
		Action: keyAdministration, Resource: thisKey}
}

// secretsKeyPolicy is for the key that envelops the secrets of the cluster. EKS
// uses it through a grant, which whoever creates the cluster makes.
// https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html
func secretsKeyPolicy(account Account, users []string) document {
	d := policy(administration(account),
		statement{Sid: "ClusterCreatorGrantsEKS", Effect: allow, Principal: identities(account.iamARN("root")),
			Action: []string{"kms:CreateGrant"}, Resource: thisKey, Condition: forAWSResource()})
	if len(users) > 0 {
		d.Statement = append(d.Statement, statement{Sid: "UseForSecrets", Effect: allow, Principal: identities(users...),
			Action: keyUse, Resource: thisKey})
	}
	return d
}

// logsKeyPolicy is for the key of log groups, named one by one, and of the archive.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
func logsKeyPolicy(account Account, groups []string, archive bool, readers []string, more ...statement) document {
	var contexts []string
	for _, group := range groups {
		contexts = append(contexts, account.arn("logs", "log-group:"+group))
	}
	d := policy(administration(account),
		statement{Sid: "LogGroups", Effect: allow, Principal: service("logs." + account.Region + ".amazonaws.com"),
			Action: keyUse, Resource: thisKey, Condition: conditions{"ArnLike": {"kms:EncryptionContext:aws:logs:arn": contexts}}})
	if archive {
		d.Statement = append(d.Statement, statement{Sid: "DeliveryToTheArchive", Effect: allow, Principal: service("delivery.logs.amazonaws.com"),
			Action: []string{"kms:Decrypt", "kms:GenerateDataKey*"}, Resource: thisKey,
			Condition: ours(account, account.arn("logs", "*"))})
	}
	if len(readers) > 0 {
		d.Statement = append(d.Statement, statement{Sid: "ReadTheArchive", Effect: allow, Principal: identities(readers...),
			Action: []string{"kms:Decrypt", "kms:DescribeKey"}, Resource: thisKey,
			Condition: conditions{"StringEquals": {"kms:ViaService": {"s3." + account.Region + ".amazonaws.com"}}}})
	}
	d.Statement = append(d.Statement, more...)
	return d
}

// autoScalingRole is the role with which Auto Scaling launches nodes. It has no
// permission for keys of its own: the key's policy must name it.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
func autoScalingRole(account Account) string {
	return account.iamARN("role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling")
}

// volumesKeyPolicy is for the key of disks: for Auto Scaling, which makes those
// of nodes, and for the principals of the CSI driver, which makes those of
// claims; and where machines stand alone, for who makes them. All only through EC2.
func volumesKeyPolicy(account Account, users []string, machines bool) document {
	users = append([]string{autoScalingRole(account)}, users...)
	throughEC2 := func() map[string][]string {
		return map[string][]string{"kms:ViaService": {"ec2." + account.Region + ".amazonaws.com"}, "kms:CallerAccount": {account.ID}}
	}
	grant := forAWSResource()
	grant["StringEquals"] = throughEC2()
	d := policy(administration(account),
		statement{Sid: "UseForVolumes", Effect: allow, Principal: identities(users...), Action: keyUse, Resource: thisKey,
			Condition: conditions{"StringEquals": throughEC2()}},
		statement{Sid: "GrantForVolumes", Effect: allow, Principal: identities(users...), Action: []string{"kms:CreateGrant"},
			Resource: thisKey, Condition: grant})
	if machines {
		root := identities(account.iamARN("root"))
		d.Statement = append(d.Statement,
			statement{Sid: "ProvisionerMakesVolumes", Effect: allow, Principal: root, Action: []string{"kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*"},
				Resource: thisKey, Condition: conditions{"StringEquals": throughEC2()}},
			statement{Sid: "ProvisionerGrantsEC2", Effect: allow, Principal: root, Action: []string{"kms:CreateGrant"}, Resource: thisKey, Condition: grant})
	}
	return d
}

package aws

// call is something that a program on a node, or in a pod, asks of a service.
type call struct {
	// service is the name of the endpoint after com.amazonaws.<region>.
	service string
	// caller is the program, and what fails without the call.
	caller  string
	actions []string
	scope   scope
	// use is empty where every environment makes the call.
	use Use
}

// calls are all that nodes and add-ons ask of AWS, from their own documentation:
//
//   - nodes: https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html
//   - images: https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
//   - vpc-cni: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKS_CNI_Policy.html
//   - CSI driver: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEBSCSIDriverPolicy.html
//   - Session Manager: https://docs.aws.amazon.com/systems-manager/latest/userguide/setup-create-vpc.html
//   - Load Balancer Controller, Cluster Autoscaler: their own policies
var calls = []call{
	{service: "eks", caller: "Bottlerocket learns the cluster's network at boot", actions: []string{"eks:DescribeCluster"}, scope: ownCluster},
	{service: "eks", caller: "people and automation learn the endpoint of the cluster", actions: []string{"eks:DescribeCluster", "eks:DescribeNodegroup"}, scope: ownCluster},
	{service: "ec2", caller: "Bottlerocket learns its node name at boot", actions: []string{"ec2:DescribeInstances"}},
	{service: "ec2", caller: "vpc-cni gives pods their addresses", actions: []string{
		"ec2:AssignIpv6Addresses", "ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface", "ec2:CreateTags",
		"ec2:DeleteNetworkInterface", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups",
		"ec2:DescribeSubnets", "ec2:DescribeTags", "ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute",
		"ec2:UnassignIpv6Addresses", "ec2:UnassignPrivateIpAddresses"}},
	{service: "ec2", caller: "the CSI driver makes and attaches volumes", actions: []string{
		"ec2:AttachVolume", "ec2:CreateSnapshot", "ec2:CreateTags", "ec2:CreateVolume", "ec2:DeleteSnapshot", "ec2:DeleteTags", "ec2:DeleteVolume",
		"ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeSnapshots", "ec2:DescribeTags", "ec2:DescribeVolumes",
		"ec2:DescribeVolumesModifications", "ec2:DetachVolume", "ec2:ModifyVolume"}},
	{service: "ecr.api", caller: "the kubelet gets a token for registries", actions: []string{"ecr:GetAuthorizationToken"}},
	{service: "ecr.api", caller: "containerd finds the layers of images", actions: []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}},
	{service: "ecr.dkr", caller: "containerd pulls images", actions: []string{
		"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"}},
	{service: "ecr.dkr", caller: "the pull-through cache fetches what it does not have", actions: []string{"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}, scope: inAccount},
	{service: "s3", caller: "containerd fetches the layers of images", actions: []string{"s3:GetObject"}, scope: imageLayers},
	{service: "s3", caller: "workloads use buckets of the account", actions: []string{
		"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:PutObject"}, scope: inAccount},
	{service: "sts", caller: "service accounts take roles with the cluster's tokens", actions: []string{"sts:AssumeRoleWithWebIdentity"}, scope: ownRoles},
	{service: "sts", caller: "programs take other roles of the account", actions: []string{"sts:AssumeRole", "sts:TagSession"}, scope: ownRoles},
	{service: "sts", caller: "programs learn who they are", actions: []string{"sts:GetCallerIdentity"}},
	{service: "eks-auth", caller: "the Pod Identity agent gets credentials for pods", actions: []string{"eks-auth:AssumeRoleForPodIdentity"}, scope: ownCluster},
	{service: "logs", caller: "log agents write to the account's log groups", actions: []string{
		"logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents"}, scope: inAccount},
	{service: "kms", caller: "workloads use the account's keys", actions: []string{
		"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"}, scope: inAccount},

	{service: "ssm", use: UseSSM, caller: "the SSM agent registers the node and fetches the documents of sessions", actions: []string{
		"ssm:DescribeAssociation", "ssm:DescribeDocument", "ssm:GetDeployablePatchSnapshotForInstance", "ssm:GetDocument", "ssm:GetManifest",
		"ssm:GetParameter", "ssm:GetParameters", "ssm:ListAssociations", "ssm:ListInstanceAssociations", "ssm:PutComplianceItems",
		"ssm:PutConfigurePackageResult", "ssm:PutInventory", "ssm:UpdateAssociationStatus", "ssm:UpdateInstanceAssociationStatus",
		"ssm:UpdateInstanceInformation"}},
	{service: "ssmmessages", use: UseSSM, caller: "the SSM agent opens sessions", actions: []string{
		"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"}},
	{service: "ec2messages", use: UseSSM, caller: "the SSM agent receives commands", actions: []string{
		"ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage", "ec2messages:GetEndpoint",
		"ec2messages:GetMessages", "ec2messages:SendReply"}},

	{service: "elasticloadbalancing", use: UseLoadBalancers, caller: "the Load Balancer Controller makes load balancers", actions: []string{
		"elasticloadbalancing:Add*", "elasticloadbalancing:Create*", "elasticloadbalancing:Delete*", "elasticloadbalancing:Deregister*",
		"elasticloadbalancing:Describe*", "elasticloadbalancing:Modify*", "elasticloadbalancing:Register*", "elasticloadbalancing:Remove*",
		"elasticloadbalancing:Set*"}},
	{service: "ec2", use: UseLoadBalancers, caller: "the Load Balancer Controller finds subnets and opens groups", actions: []string{
		"ec2:AuthorizeSecurityGroupIngress", "ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup", "ec2:Describe*", "ec2:GetSecurityGroupsForVpc",
		"ec2:RevokeSecurityGroupIngress"}},
	{service: "autoscaling", use: UseClusterAutoscaler, caller: "the Cluster Autoscaler changes the size of groups", actions: []string{
		"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLaunchConfigurations",
		"autoscaling:DescribeScalingActivities", "autoscaling:DescribeTags", "autoscaling:SetDesiredCapacity",
		"autoscaling:TerminateInstanceInAutoScalingGroup"}},
	{service: "ec2", use: UseClusterAutoscaler, caller: "the Cluster Autoscaler learns what nodes would be like", actions: []string{
		"ec2:DescribeImages", "ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions", "ec2:GetInstanceTypesFromInstanceRequirements"}},
	{service: "guardduty-data", use: UseGuardDuty, caller: "the GuardDuty agent reports what it sees", actions: []string{"guardduty:SendSecurityTelemetry"}},
	{service: "eks", use: UseAutomation, caller: "automation installs the add-ons that run as pods", actions: []string{
		"eks:CreateAddon", "eks:CreatePodIdentityAssociation", "eks:DeleteAddon", "eks:DeletePodIdentityAssociation", "eks:DescribeAddon",
		"eks:DescribePodIdentityAssociation", "eks:DescribeUpdate", "eks:ListPodIdentityAssociations", "eks:ListTagsForResource", "eks:TagResource",
		"eks:UntagResource", "eks:UpdateAddon", "eks:UpdatePodIdentityAssociation"}, scope: ownCluster},
	{service: "secretsmanager", use: UseSecretsManager, caller: "the External Secrets operator reads secrets", actions: []string{
		"secretsmanager:BatchGetSecretValue", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:ListSecrets"}, scope: inAccount},
}

// selfManagedCalls are what machines of a self-managed cluster ask of AWS: their
// operating system when it boots, and the program that we put on them.
//
//   - https://coreos.github.io/ignition/supported-platforms/
//   - https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
var selfManagedCalls = []call{
	{service: "s3", caller: "machines fetch their configuration, their program and how they join", scope: inAccount, actions: []string{
		"s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket"}},
	{service: "s3", caller: "control planes write how machines join, snapshots and the audit log", scope: inAccount, actions: []string{"s3:AbortMultipartUpload", "s3:PutObject"}},
	{service: "kms", caller: "control planes encrypt what the API server stores", scope: inAccount, actions: []string{
		"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"}},
	{service: "ec2", caller: "the approver asks which machine it is that wants a certificate", actions: []string{"ec2:DescribeInstances"}},
	{service: "autoscaling", caller: "control planes drain machines that are about to end", actions: []string{
		"autoscaling:CompleteLifecycleAction", "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:RecordLifecycleActionHeartbeat"}},
	{service: "autoscaling", caller: "control planes have machines replaced whose nodes are silent", actions: []string{"autoscaling:SetInstanceHealth"}},
}

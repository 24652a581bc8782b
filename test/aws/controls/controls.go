// Package controls judges an account of AWS by what exists in it: each check stands for controls, and says what is wrong
// with them. It knows nothing of how the account was made.
package controls

import (
	"slices"

	"github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

// Check and Account are those of the judge.
type (
	Check   = judge.Check
	Account = judge.World
)

// Checks are all of them.
func Checks() []Check { return slices.Concat(cluster, access, nodes, network, data) }

// Types that are looked at.
const (
	clusterType    = "aws:eks/cluster:Cluster"
	addonType      = "aws:eks/addon:Addon"
	nodeGroupType  = "aws:eks/nodeGroup:NodeGroup"
	templateType   = "aws:ec2/launchTemplate:LaunchTemplate"
	entryType      = "aws:eks/accessEntry:AccessEntry"
	policyType     = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
	attachmentType = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
	inlineType     = "aws:iam/rolePolicy:RolePolicy"
	roleType       = "aws:iam/role:Role"
	vpcType        = "aws:ec2/vpc:Vpc"
	subnetType     = "aws:ec2/subnet:Subnet"
	tableType      = "aws:ec2/routeTable:RouteTable"
	groupType      = "aws:ec2/securityGroup:SecurityGroup"
	aclType        = "aws:ec2/networkAcl:NetworkAcl"
	ingressType    = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	egressType     = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	endpointType   = "aws:ec2/vpcEndpoint:VpcEndpoint"
	flowLogType    = "aws:ec2/flowLog:FlowLog"
	queriesType    = "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation"
	keyType        = "aws:kms/key:Key"
	logGroupType   = "aws:cloudwatch/logGroup:LogGroup"
	bucketType     = "aws:s3/bucketV2:BucketV2"
	lockType       = "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2"
	blockType      = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
	versionsType   = "aws:s3/bucketVersioningV2:BucketVersioningV2"
	bucketKeyType  = "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"
	bucketRuleType = "aws:s3/bucketPolicy:BucketPolicy"
	trailType      = "aws:cloudtrail/trail:Trail"
	scanningType   = "aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration"
	defaultEBSType = "aws:ebs/encryptionByDefault:EncryptionByDefault"
)

// The judgements that are asked for most.
var (
	each, some, none, both       = judge.Each, judge.Some, judge.None, judge.All
	is, has, holds, least, empty = judge.Is, judge.Has, judge.Holds, judge.Least, judge.Empty
)

package aws

import (
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// The tokens of the types, as pulumi-aws v6 spells them.
const (
	vpc                  = "aws:ec2/vpc:Vpc"
	subnet               = "aws:ec2/subnet:Subnet"
	cidrAssociation      = "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation"
	internetGateway      = "aws:ec2/internetGateway:InternetGateway"
	egressOnlyGateway    = "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway"
	natGateway           = "aws:ec2/natGateway:NatGateway"
	eip                  = "aws:ec2/eip:Eip"
	routeTable           = "aws:ec2/routeTable:RouteTable"
	route                = "aws:ec2/route:Route"
	tableAssociation     = "aws:ec2/routeTableAssociation:RouteTableAssociation"
	networkInterface     = "aws:ec2/networkInterface:NetworkInterface"
	networkACL           = "aws:ec2/networkAcl:NetworkAcl"
	securityGroup        = "aws:ec2/securityGroup:SecurityGroup"
	ingressRule          = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	egressRule           = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	defaultSecurityGroup = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
	defaultNetworkACL    = "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl"
	defaultRouteTable    = "aws:ec2/defaultRouteTable:DefaultRouteTable"
	vpcEndpoint          = "aws:ec2/vpcEndpoint:VpcEndpoint"
	flowLog              = "aws:ec2/flowLog:FlowLog"
	launchTemplate       = "aws:ec2/launchTemplate:LaunchTemplate"
	encryptionByDefault  = "aws:ebs/encryptionByDefault:EncryptionByDefault"
	defaultVolumeKey     = "aws:ebs/defaultKmsKey:DefaultKmsKey"

	cidrReservation  = "aws:ec2/subnetCidrReservation:SubnetCidrReservation"
	instance         = "aws:ec2/instance:Instance"
	volume           = "aws:ebs/volume:Volume"
	volumeAttachment = "aws:ec2/volumeAttachment:VolumeAttachment"
	autoscalingGroup = "aws:autoscaling/group:Group"
	loadBalancer     = "aws:lb/loadBalancer:LoadBalancer"
	targetGroup      = "aws:lb/targetGroup:TargetGroup"
	listener         = "aws:lb/listener:Listener"
	targetAttachment = "aws:lb/targetGroupAttachment:TargetGroupAttachment"
	hostedZone       = "aws:route53/zone:Zone"
	dnsRecord        = "aws:route53/record:Record"

	key                  = "aws:kms/key:Key"
	alias                = "aws:kms/alias:Alias"
	grant                = "aws:kms/grant:Grant"
	role                 = "aws:iam/role:Role"
	policy               = "aws:iam/policy:Policy"
	rolePolicy           = "aws:iam/rolePolicy:RolePolicy"
	rolePolicyAttachment = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
	instanceProfile      = "aws:iam/instanceProfile:InstanceProfile"
	oidcProvider         = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
	serviceLinkedRole    = "aws:iam/serviceLinkedRole:ServiceLinkedRole"

	logGroup          = "aws:cloudwatch/logGroup:LogGroup"
	logResourcePolicy = "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"
	metricFilter      = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
	metricAlarm       = "aws:cloudwatch/metricAlarm:MetricAlarm"

	subscriptionFilter = "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter"
	deliveryStream     = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
	eventRule          = "aws:cloudwatch/eventRule:EventRule"
	eventTarget        = "aws:cloudwatch/eventTarget:EventTarget"
	topic              = "aws:sns/topic:Topic"
	topicPolicy        = "aws:sns/topicPolicy:TopicPolicy"
	topicSubscription  = "aws:sns/topicSubscription:TopicSubscription"
	ssmDocument        = "aws:ssm/document:Document"

	cluster                 = "aws:eks/cluster:Cluster"
	nodeGroup               = "aws:eks/nodeGroup:NodeGroup"
	addon                   = "aws:eks/addon:Addon"
	accessEntry             = "aws:eks/accessEntry:AccessEntry"
	accessPolicyAssociation = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
	podIdentityAssociation  = "aws:eks/podIdentityAssociation:PodIdentityAssociation"

	repository       = "aws:ecr/repository:Repository"
	repositoryPolicy = "aws:ecr/repositoryPolicy:RepositoryPolicy"
	lifecyclePolicy  = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
	pullThroughCache = "aws:ecr/pullThroughCacheRule:PullThroughCacheRule"
	registryPolicy   = "aws:ecr/registryPolicy:RegistryPolicy"
	registryScanning = "aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration"
	creationTemplate = "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate"

	detector        = "aws:guardduty/detector:Detector"
	detectorFeature = "aws:guardduty/detectorFeature:DetectorFeature"
	trail           = "aws:cloudtrail/trail:Trail"

	bucket              = "aws:s3/bucketV2:BucketV2"
	bucketPolicy        = "aws:s3/bucketPolicy:BucketPolicy"
	bucketVersioning    = "aws:s3/bucketVersioningV2:BucketVersioningV2"
	bucketEncryption    = "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"
	bucketPublicBlock   = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
	bucketObjectLock    = "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2"
	bucketLifecycle     = "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2"
	bucketOwnership     = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
	bucketObject        = "aws:s3/bucketObjectv2:BucketObjectv2"
	queryLog            = "aws:route53/resolverQueryLogConfig:ResolverQueryLogConfig"
	queryLogAssociation = "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation"
	vpnEndpoint         = "aws:ec2clientvpn/endpoint:Endpoint"
	vpnAssociation      = "aws:ec2clientvpn/networkAssociation:NetworkAssociation"
	vpnAuthorization    = "aws:ec2clientvpn/authorizationRule:AuthorizationRule"
	parameter           = "aws:ssm/parameter:Parameter"
)

// kind begins a type: its token and the SDK's structs. Required are the lists and free-form values the SDK demands.
func kind(token string, args, resource any, required ...string) *simcloud.ResourceType {
	return &simcloud.ResourceType{Token: token, Inputs: simcloud.Inputs(args, required...), Outputs: simcloud.Outputs(resource)}
}

// to is a reference by id, with the answer when there is no such thing.
func to(path, code, words string, targets ...string) simcloud.Reference {
	return simcloud.Reference{Path: path, To: targets, Missing: func(value string) *simcloud.Error {
		return simcloud.Errorf(code, words, value)
	}}
}

// holding is a reference that keeps its target from being deleted.
func holding(r simcloud.Reference) simcloud.Reference { r.Holds = true; return r }

// by is a reference through a property of the target.
func by(r simcloud.Reference, property string) simcloud.Reference { r.By = property; return r }

// The references that many types have.
func toVPC(path string) simcloud.Reference {
	return to(path, "InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", vpc)
}

func toSubnet(path string) simcloud.Reference {
	return to(path, "InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", subnet)
}

func toGroup(path string) simcloud.Reference {
	return to(path, "InvalidGroup.NotFound", "The security group '%s' does not exist", securityGroup)
}

func toTable(path string) simcloud.Reference {
	return to(path, "InvalidRouteTableID.NotFound", "The routeTable ID '%s' does not exist", routeTable)
}

func toKey(path string) simcloud.Reference {
	r := by(to(path, "NotFoundException", "Key '%s' does not exist", key), "arn")
	r.Holds = false // a key may be scheduled for deletion while it is used: AWS does not stop anybody
	return r
}

func toRole(path string) simcloud.Reference {
	return by(to(path, "InvalidParameterException", "Role with arn: %s, could not be assumed because it does not exist or the trusted entity is not correct", role), "arn")
}

// nothing is the creation of what has no rules beyond its references, with an id of a prefix.
func nothing(prefix string) func(*simcloud.Change) error {
	return func(c *simcloud.Change) error {
		c.ID = id(c, prefix)
		return nil
	}
}

func errorf(code, format string, a ...any) *simcloud.Error {
	return simcloud.Errorf(code, format, a...)
}

// oneOf judges an enumerated value at plan time.
func oneOf(p *simcloud.Plan, path string, allowed ...any) { p.OneOf(path, allowed...) }

// between judges a number at plan time.
func between(p *simcloud.Plan, path string, low, high int) { p.Between(path, low, high) }

package aws_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	awsvpc "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

type m = map[string]any

// policyOf renders a policy of statements.
func policyOf(statements ...m) string {
	text, err := json.Marshal(m{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func allow(principal any, actions any, more ...m) m {
	out := m{"Effect": "Allow", "Action": actions, "Resource": "*"}
	if principal != nil {
		out["Principal"] = principal
	}
	for _, each := range more {
		for key, value := range each {
			out[key] = value
		}
	}
	return out
}

func trust(service string, actions ...string) string {
	if len(actions) == 0 {
		actions = []string{"sts:AssumeRole"}
	}
	return policyOf(m{"Effect": "Allow", "Principal": m{"Service": service}, "Action": actions})
}

var accountRoot = allow(m{"AWS": "arn:aws:iam::" + aws.Account + ":root"}, "kms:*")

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// environment is a private cluster with one pool, written out resource by resource. Its switches leave out or change
// what a test wants to see missed.
type environment struct {
	withoutEndpoint string // the service that has no interface endpoint
	withoutCNI      bool
	withoutGrant    bool          // the volumes' key does not know the Auto Scaling role
	withoutEgress   bool          // nodes may not reach the API server
	emptyList       bool          // the default access list drops everything, and subnets have no other
	late            func(e *made) // what else there is
	nodeOptions     []pulumi.ResourceOption
}

// made is what an environment has made so far.
type made struct {
	ctx         *pulumi.Context
	vpc         *ec2.Vpc
	subnets     []*ec2.Subnet
	cluster     *eks.Cluster
	nodes       *ec2.SecurityGroup
	clusterRole *iam.Role
	nodeRole    *iam.Role
	podRole     *iam.Role
	volumes     *kms.Key
	template    *ec2.LaunchTemplate
	group       *eks.NodeGroup
	cni         *eks.Addon
	logs        *cloudwatch.LogGroup
	held        []pulumi.Resource // what nothing names and the cluster or its nodes need: policies, rules
}

func (e environment) program(ctx *pulumi.Context) error {
	x := &made{ctx: ctx}
	e.network(x)
	e.roles(x)
	e.control(x)
	e.pool(x)
	if e.late != nil {
		e.late(x)
	}
	ctx.Export("endpoint", x.cluster.Endpoint)
	ctx.Export("issuer", x.cluster.Identities.Index(pulumi.Int(0)).Oidcs().Index(pulumi.Int(0)).Issuer())
	return nil
}

func (e environment) network(x *made) {
	x.vpc = newVPC(x.ctx, "net", "10.0.0.0/16")
	table := must(ec2.NewRouteTable(x.ctx, "private", &ec2.RouteTableArgs{VpcId: x.vpc.ID()}))
	for i, zone := range "abc" {
		s := newSubnet(x.ctx, fmt.Sprintf("private-%d", i), x.vpc, fmt.Sprintf("10.0.%d.0/20", 16*i), string(zone))
		must(ec2.NewRouteTableAssociation(x.ctx, fmt.Sprintf("private-%d", i), &ec2.RouteTableAssociationArgs{RouteTableId: table.ID(), SubnetId: s.ID()}))
		x.subnets = append(x.subnets, s)
	}
	if e.emptyList {
		must(ec2.NewDefaultNetworkAcl(x.ctx, "default", &ec2.DefaultNetworkAclArgs{DefaultNetworkAclId: x.vpc.DefaultNetworkAclId}))
	}
	must(ec2.NewDefaultSecurityGroup(x.ctx, "default", &ec2.DefaultSecurityGroupArgs{VpcId: x.vpc.ID()}))
	x.nodes = must(ec2.NewSecurityGroup(x.ctx, "nodes", &ec2.SecurityGroupArgs{VpcId: x.vpc.ID(), Description: str("nodes of the cluster")}))
	endpoints := must(ec2.NewSecurityGroup(x.ctx, "endpoints", &ec2.SecurityGroupArgs{VpcId: x.vpc.ID(), Description: str("interface endpoints")}))
	x.held = append(x.held, must(awsvpc.NewSecurityGroupIngressRule(x.ctx, "endpoints-from-nodes", &awsvpc.SecurityGroupIngressRuleArgs{SecurityGroupId: endpoints.ID(),
		ReferencedSecurityGroupId: x.nodes.ID(), IpProtocol: pulumi.String("tcp"), FromPort: pulumi.IntPtr(443), ToPort: pulumi.IntPtr(443)})))
	x.held = append(x.held, must(awsvpc.NewSecurityGroupEgressRule(x.ctx, "nodes-to-endpoints", &awsvpc.SecurityGroupEgressRuleArgs{SecurityGroupId: x.nodes.ID(),
		ReferencedSecurityGroupId: endpoints.ID(), IpProtocol: pulumi.String("tcp"), FromPort: pulumi.IntPtr(443), ToPort: pulumi.IntPtr(443)})))
	s3 := must(ec2.NewVpcEndpoint(x.ctx, "s3", &ec2.VpcEndpointArgs{VpcId: x.vpc.ID(), ServiceName: str("com.amazonaws." + region + ".s3"), RouteTableIds: pulumi.StringArray{table.ID()}}))
	x.held = append(x.held, must(awsvpc.NewSecurityGroupEgressRule(x.ctx, "nodes-to-s3", &awsvpc.SecurityGroupEgressRuleArgs{SecurityGroupId: x.nodes.ID(),
		PrefixListId: s3.PrefixListId, IpProtocol: pulumi.String("tcp"), FromPort: pulumi.IntPtr(443), ToPort: pulumi.IntPtr(443)})))
	for _, service := range aws.NodeEndpoints {
		if service == e.withoutEndpoint {
			continue
		}
		args := &ec2.VpcEndpointArgs{VpcId: x.vpc.ID(), ServiceName: str("com.amazonaws." + region + "." + service), VpcEndpointType: str("Interface"),
			PrivateDnsEnabled: pulumi.Bool(true), SecurityGroupIds: pulumi.StringArray{endpoints.ID()}}
		subnets := pulumi.StringArray{}
		for _, s := range x.subnets {
			subnets = append(subnets, s.ID())
		}
		args.SubnetIds = subnets
		end := must(ec2.NewVpcEndpoint(x.ctx, "endpoint-"+service, args))
		e.nodeOptions = append(e.nodeOptions, pulumi.DependsOn([]pulumi.Resource{end}))
	}
}

func (e environment) roles(x *made) {
	attach := func(name string, to *iam.Role, policies ...string) {
		for _, policy := range policies {
			x.held = append(x.held, must(iam.NewRolePolicyAttachment(x.ctx, name+"-"+policy, &iam.RolePolicyAttachmentArgs{Role: to.Name, PolicyArn: pulumi.String("arn:aws:iam::aws:policy/" + policy)})))
		}
	}
	x.clusterRole = must(iam.NewRole(x.ctx, "cluster", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust("eks.amazonaws.com"))}))
	attach("cluster", x.clusterRole, "AmazonEKSClusterPolicy")
	x.nodeRole = must(iam.NewRole(x.ctx, "node", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust("ec2.amazonaws.com"))}))
	attach("node", x.nodeRole, "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
	x.podRole = must(iam.NewRole(x.ctx, "cni", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust("pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession"))}))
	attach("cni", x.podRole, "AmazonEKS_CNI_Policy")
	linked := must(iam.NewServiceLinkedRole(x.ctx, "autoscaling", &iam.ServiceLinkedRoleArgs{AwsServiceName: pulumi.String("autoscaling.amazonaws.com")}))
	policy := policyOf(accountRoot)
	if !e.withoutGrant {
		who := m{"AWS": aws.LinkedRoleARN("autoscaling.amazonaws.com")}
		policy = policyOf(accountRoot, allow(who, []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"}),
			allow(who, "kms:CreateGrant", m{"Condition": m{"Bool": m{"kms:GrantIsForAWSResource": true}}}))
	}
	x.volumes = must(kms.NewKey(x.ctx, "volumes", &kms.KeyArgs{Policy: str(policy), EnableKeyRotation: pulumi.Bool(true)}, pulumi.DependsOn([]pulumi.Resource{linked})))
}

func (e environment) control(x *made) {
	x.logs = must(cloudwatch.NewLogGroup(x.ctx, "control", &cloudwatch.LogGroupArgs{Name: str("/aws/eks/main/cluster"), RetentionInDays: pulumi.IntPtr(365)}))
	subnets := pulumi.StringArray{}
	for _, s := range x.subnets {
		subnets = append(subnets, s.ID())
	}
	x.cluster = must(eks.NewCluster(x.ctx, "main", &eks.ClusterArgs{Name: str("main"), RoleArn: x.clusterRole.Arn, Version: str("1.35"),
		VpcConfig:                  &eks.ClusterVpcConfigArgs{SubnetIds: subnets, EndpointPrivateAccess: pulumi.Bool(true), EndpointPublicAccess: pulumi.Bool(false)},
		AccessConfig:               &eks.ClusterAccessConfigArgs{AuthenticationMode: str("API"), BootstrapClusterCreatorAdminPermissions: pulumi.Bool(false)},
		EnabledClusterLogTypes:     pulumi.ToStringArray([]string{"api", "audit"}),
		BootstrapSelfManagedAddons: pulumi.Bool(false),
	}, pulumi.DependsOn(append([]pulumi.Resource{x.logs, x.volumes}, x.held...))))
	group := x.cluster.VpcConfig.ClusterSecurityGroupId().Elem()
	if !e.withoutEgress {
		x.held = append(x.held, must(awsvpc.NewSecurityGroupEgressRule(x.ctx, "nodes-to-api", &awsvpc.SecurityGroupEgressRuleArgs{SecurityGroupId: x.nodes.ID(),
			ReferencedSecurityGroupId: group, IpProtocol: pulumi.String("tcp"), FromPort: pulumi.IntPtr(443), ToPort: pulumi.IntPtr(443)})))
	}
	x.held = append(x.held, must(awsvpc.NewSecurityGroupIngressRule(x.ctx, "api-from-nodes", &awsvpc.SecurityGroupIngressRuleArgs{SecurityGroupId: group,
		ReferencedSecurityGroupId: x.nodes.ID(), IpProtocol: pulumi.String("tcp"), FromPort: pulumi.IntPtr(443), ToPort: pulumi.IntPtr(443)})))
	x.held = append(x.held, must(awsvpc.NewSecurityGroupIngressRule(x.ctx, "kubelet-from-api", &awsvpc.SecurityGroupIngressRuleArgs{SecurityGroupId: x.nodes.ID(),
		ReferencedSecurityGroupId: group, IpProtocol: pulumi.String("tcp"), FromPort: pulumi.IntPtr(10250), ToPort: pulumi.IntPtr(10250)})))
	if !e.withoutCNI {
		must(eks.NewAddon(x.ctx, "agent", &eks.AddonArgs{ClusterName: x.cluster.Name, AddonName: pulumi.String("eks-pod-identity-agent"), AddonVersion: str("v1.3.10-eksbuild.2")}))
		x.cni = must(eks.NewAddon(x.ctx, "cni", &eks.AddonArgs{ClusterName: x.cluster.Name, AddonName: pulumi.String("vpc-cni"), AddonVersion: str("v1.21.1-eksbuild.1"),
			PodIdentityAssociations: eks.AddonPodIdentityAssociationArray{&eks.AddonPodIdentityAssociationArgs{RoleArn: x.podRole.Arn, ServiceAccount: pulumi.String("aws-node")}}}))
	}
}

func (e environment) pool(x *made) {
	data := "[settings.kubernetes]\nseccomp-default = true\n"
	x.template = must(ec2.NewLaunchTemplate(x.ctx, "nodes", &ec2.LaunchTemplateArgs{
		VpcSecurityGroupIds: pulumi.StringArray{x.nodes.ID()}, UserData: str(base64.StdEncoding.EncodeToString([]byte(data))),
		MetadataOptions: &ec2.LaunchTemplateMetadataOptionsArgs{HttpTokens: str("required"), HttpPutResponseHopLimit: pulumi.IntPtr(1)},
		BlockDeviceMappings: ec2.LaunchTemplateBlockDeviceMappingArray{&ec2.LaunchTemplateBlockDeviceMappingArgs{DeviceName: str("/dev/xvda"),
			Ebs: &ec2.LaunchTemplateBlockDeviceMappingEbsArgs{Encrypted: str("true"), KmsKeyId: x.volumes.Arn, VolumeType: str("gp3"), VolumeSize: pulumi.IntPtr(4)}}}}))
	subnets := pulumi.StringArray{}
	for _, s := range x.subnets {
		subnets = append(subnets, s.ID())
	}
	first := []pulumi.Resource{x.cluster}
	if x.cni != nil {
		first = append(first, x.cni)
	}
	x.group = must(eks.NewNodeGroup(x.ctx, "pool", &eks.NodeGroupArgs{ClusterName: x.cluster.Name, NodeGroupName: str("pool"), NodeRoleArn: x.nodeRole.Arn, SubnetIds: subnets,
		AmiType: str("BOTTLEROCKET_x86_64"), InstanceTypes: pulumi.ToStringArray([]string{"m7i.large"}),
		ScalingConfig:  &eks.NodeGroupScalingConfigArgs{MinSize: pulumi.Int(1), DesiredSize: pulumi.Int(2), MaxSize: pulumi.Int(3)},
		LaunchTemplate: &eks.NodeGroupLaunchTemplateArgs{Id: x.template.ID().ToStringOutput().ToStringPtrOutput(), Version: pulumi.Sprintf("%d", x.template.LatestVersion)},
	}, append(e.nodeOptions, pulumi.DependsOn(append(first, x.held...)))...))
}

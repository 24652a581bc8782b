package aws_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func TestPlansOfClustersAreRefused(t *testing.T) {
	t.Parallel()
	simtest.Unplanned(t, account(t), settings, func(ctx *pulumi.Context) error {
		cluster := func(name string, change func(*eks.ClusterArgs)) {
			args := &eks.ClusterArgs{Name: str("main"), RoleArn: pulumi.String("arn"), VpcConfig: &eks.ClusterVpcConfigArgs{SubnetIds: pulumi.ToStringArray([]string{"a", "b"})}}
			change(args)
			must(eks.NewCluster(ctx, name, args))
		}
		cluster("cluster", func(*eks.ClusterArgs) {})
		cluster("name", func(a *eks.ClusterArgs) { a.Name = str("-main") })
		cluster("name-long", func(a *eks.ClusterArgs) { a.Name = str(strings.Repeat("n", 101)) })
		cluster("logs", func(a *eks.ClusterArgs) { a.EnabledClusterLogTypes = pulumi.ToStringArray([]string{"audits"}) })
		cluster("mode", func(a *eks.ClusterArgs) {
			a.AccessConfig = &eks.ClusterAccessConfigArgs{AuthenticationMode: str("IAM")}
		})
		cluster("encryption", func(a *eks.ClusterArgs) {
			a.EncryptionConfig = &eks.ClusterEncryptionConfigArgs{Resources: pulumi.ToStringArray([]string{"configmaps"}), Provider: &eks.ClusterEncryptionConfigProviderArgs{KeyArn: pulumi.String("k")}}
		})
		services := func(text string) func(*eks.ClusterArgs) {
			return func(a *eks.ClusterArgs) {
				a.KubernetesNetworkConfig = &eks.ClusterKubernetesNetworkConfigArgs{ServiceIpv4Cidr: str(text)}
			}
		}
		cluster("services-public", services("8.8.0.0/16"))
		cluster("services-wide", services("10.0.0.0/8"))
		group := func(name string, change func(*eks.NodeGroupArgs)) {
			args := &eks.NodeGroupArgs{ClusterName: pulumi.String("main"), NodeRoleArn: pulumi.String("arn"), SubnetIds: pulumi.ToStringArray([]string{"a"}), AmiType: str("BOTTLEROCKET_x86_64"),
				ScalingConfig: &eks.NodeGroupScalingConfigArgs{MinSize: pulumi.Int(1), DesiredSize: pulumi.Int(1), MaxSize: pulumi.Int(1)}}
			change(args)
			must(eks.NewNodeGroup(ctx, name, args))
		}
		template := &eks.NodeGroupLaunchTemplateArgs{Id: str("lt"), Version: pulumi.String("1")}
		group("group", func(*eks.NodeGroupArgs) {})
		group("group-name", func(a *eks.NodeGroupArgs) { a.NodeGroupName = str(strings.Repeat("n", 64)) })
		group("ami", func(a *eks.NodeGroupArgs) { a.AmiType = str("BOTTLEROCKET") })
		group("sizes", func(a *eks.NodeGroupArgs) {
			a.ScalingConfig = &eks.NodeGroupScalingConfigArgs{MinSize: pulumi.Int(2), DesiredSize: pulumi.Int(1), MaxSize: pulumi.Int(3)}
		})
		group("update", func(a *eks.NodeGroupArgs) {
			a.UpdateConfig = &eks.NodeGroupUpdateConfigArgs{MaxUnavailable: pulumi.IntPtr(1), MaxUnavailablePercentage: pulumi.IntPtr(10)}
		})
		group("taint", func(a *eks.NodeGroupArgs) {
			a.Taints = eks.NodeGroupTaintArray{&eks.NodeGroupTaintArgs{Key: pulumi.String("k"), Effect: pulumi.String("NoSchedule")}}
		})
		group("label", func(a *eks.NodeGroupArgs) {
			a.Labels = pulumi.ToStringMap(map[string]string{"eks.amazonaws.com/x": "y"})
		})
		group("disk", func(a *eks.NodeGroupArgs) { a.LaunchTemplate, a.DiskSize = template, pulumi.IntPtr(20) })
		group("release", func(a *eks.NodeGroupArgs) { a.ReleaseVersion = str("1.35") })
		entry := func(name string, change func(*eks.AccessEntryArgs)) {
			args := &eks.AccessEntryArgs{ClusterName: pulumi.String("main"), PrincipalArn: pulumi.String("arn:aws:iam::111122223333:role/x")}
			change(args)
			must(eks.NewAccessEntry(ctx, name, args))
		}
		entry("entry", func(*eks.AccessEntryArgs) {})
		entry("no-arn", func(a *eks.AccessEntryArgs) { a.PrincipalArn = pulumi.String("role/x") })
		entry("masters", func(a *eks.AccessEntryArgs) { a.KubernetesGroups = pulumi.ToStringArray([]string{"system:masters"}) })
		entry("user", func(a *eks.AccessEntryArgs) { a.UserName = str("system:admin") })
		entry("typed-groups", func(a *eks.AccessEntryArgs) {
			a.Type, a.KubernetesGroups = str("EC2_LINUX"), pulumi.ToStringArray([]string{"x"})
		})
		must(eks.NewAccessPolicyAssociation(ctx, "scope", &eks.AccessPolicyAssociationArgs{ClusterName: pulumi.String("main"), PrincipalArn: pulumi.String("arn"), PolicyArn: pulumi.String("p"),
			AccessScope: &eks.AccessPolicyAssociationAccessScopeArgs{Type: pulumi.String("namespace")}}))
		must(eks.NewAddon(ctx, "values", &eks.AddonArgs{ClusterName: pulumi.String("main"), AddonName: pulumi.String("vpc-cni"), ConfigurationValues: str(`{"a":`)}))
		return nil
	}, simtest.Refusals{
		"name": "invalid value for name", "name-long": "invalid value for name", "logs": "control plane log type", "mode": "to be one of", "encryption": `to be ["secrets"]`, "services-public": "must be within",
		"services-wide": "between 12 and 24", "group-name": "1 to 63", "ami": "expected amiType to be one of", "sizes": "must be between minimum 2", "update": "exactly one of", "taint": "NO_SCHEDULE",
		"label": "reserved prefixes", "disk": "Disk size must be specified within the launch template.", "release": "is not valid", "no-arn": "invalid ARN", "masters": "The kubernetes group name system:masters is invalid, it cannot start with system:",
		"user": "cannot start with system:", "typed-groups": "STANDARD entries only", "scope": "names namespaces", "values": "no valid JSON",
	})
}

// One cluster that works, and beside it everything that must not.
func TestClustersAndNodesAreRefused(t *testing.T) {
	t.Parallel()
	e := environment{late: func(x *made) {
		ctx := x.ctx
		ids := func(subnets ...*ec2.Subnet) pulumi.StringArray {
			out := pulumi.StringArray{}
			for _, s := range subnets {
				out = append(out, s.ID())
			}
			return out
		}
		all, one := ids(x.subnets...), ids(x.subnets[0])
		other := newVPC(ctx, "other", "10.9.0.0/16")
		tiny := newSubnet(ctx, "tiny", x.vpc, "10.0.255.0/28", "c")
		far := newSubnet(ctx, "far", other, "10.9.0.0/20", "b")
		untrusted := must(iam.NewRole(ctx, "untrusted", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust("ec2.amazonaws.com"))}))
		powerless := must(iam.NewRole(ctx, "powerless", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust("eks.amazonaws.com"))}))
		cluster := func(name string, change func(*eks.ClusterArgs)) *eks.Cluster {
			args := &eks.ClusterArgs{Name: str(name), RoleArn: x.clusterRole.Arn, Version: str("1.35"), AccessConfig: &eks.ClusterAccessConfigArgs{AuthenticationMode: str("API")},
				VpcConfig: &eks.ClusterVpcConfigArgs{SubnetIds: all, EndpointPrivateAccess: pulumi.Bool(true)}, BootstrapSelfManagedAddons: pulumi.Bool(false)}
			change(args)
			return must(eks.NewCluster(ctx, name, args, after(x.cluster)))
		}
		in := func(subnets pulumi.StringArray) func(*eks.ClusterArgs) {
			return func(a *eks.ClusterArgs) {
				a.VpcConfig = &eks.ClusterVpcConfigArgs{SubnetIds: subnets, EndpointPrivateAccess: pulumi.Bool(true)}
			}
		}
		cluster("main-again", func(a *eks.ClusterArgs) { a.Name = str("main") })
		cluster("one-zone", in(one))
		cluster("two-networks", in(append(ids(far), one...)))
		full := []pulumi.Resource{x.cluster} // eleven addresses of a /28 less six
		for i := range 6 {
			full = append(full, must(ec2.NewNatGateway(ctx, fmt.Sprintf("fill-%d", i), &ec2.NatGatewayArgs{SubnetId: tiny.ID(), ConnectivityType: str("private")})))
		}
		must(eks.NewCluster(ctx, "full-subnet", &eks.ClusterArgs{RoleArn: x.clusterRole.Arn, VpcConfig: &eks.ClusterVpcConfigArgs{SubnetIds: ids(tiny, x.subnets[0])}}, after(full...)))
		cluster("dangling-subnet", in(pulumi.ToStringArray([]string{"subnet-0123456789abcdef0"})))
		cluster("untrusted", func(a *eks.ClusterArgs) { a.RoleArn = untrusted.Arn })
		cluster("powerless", func(a *eks.ClusterArgs) { a.RoleArn = powerless.Arn })
		cluster("old", func(a *eks.ClusterArgs) { a.Version = str("1.24") })
		cluster("extended", func(a *eks.ClusterArgs) {
			a.Version, a.UpgradePolicy = str("1.32"), &eks.ClusterUpgradePolicyArgs{SupportType: str("STANDARD")}
		})
		cluster("unreachable", func(a *eks.ClusterArgs) {
			a.VpcConfig = &eks.ClusterVpcConfigArgs{SubnetIds: all, EndpointPublicAccess: pulumi.Bool(false), EndpointPrivateAccess: pulumi.Bool(false)}
		})
		cluster("services", func(a *eks.ClusterArgs) {
			a.KubernetesNetworkConfig = &eks.ClusterKubernetesNetworkConfigArgs{ServiceIpv4Cidr: str("10.0.64.0/20")}
		})
		stingy := must(kms.NewKey(ctx, "stingy", &kms.KeyArgs{Policy: str(policyOf(allow(m{"AWS": "arn:aws:iam::" + aws.Account + ":root"}, []string{"kms:PutKeyPolicy", "kms:DescribeKey"})))}))
		cluster("no-grant", func(a *eks.ClusterArgs) {
			a.EncryptionConfig = &eks.ClusterEncryptionConfigArgs{Resources: pulumi.ToStringArray([]string{"secrets"}), Provider: &eks.ClusterEncryptionConfigProviderArgs{KeyArn: stingy.Arn}}
		})
		bare := cluster("bare", func(*eks.ClusterArgs) {})
		mapped := cluster("mapped", func(a *eks.ClusterArgs) {
			a.AccessConfig = &eks.ClusterAccessConfigArgs{AuthenticationMode: str("CONFIG_MAP")}
		})

		wrongKey := must(kms.NewKey(ctx, "wrong-key", nil))
		lonely := must(ec2.NewSecurityGroup(ctx, "lonely", &ec2.SecurityGroupArgs{VpcId: x.vpc.ID()}))
		template := func(name string, change func(*ec2.LaunchTemplateArgs)) *ec2.LaunchTemplate {
			args := &ec2.LaunchTemplateArgs{VpcSecurityGroupIds: pulumi.StringArray{x.nodes.ID()}}
			change(args)
			return must(ec2.NewLaunchTemplate(ctx, name+"-template", args))
		}
		group := func(name string, change func(*eks.NodeGroupArgs), with func(*ec2.LaunchTemplateArgs)) {
			args := &eks.NodeGroupArgs{ClusterName: x.cluster.Name, NodeRoleArn: x.nodeRole.Arn, SubnetIds: all, AmiType: str("BOTTLEROCKET_x86_64"), NodeGroupName: str(name),
				ScalingConfig: &eks.NodeGroupScalingConfigArgs{MinSize: pulumi.Int(1), DesiredSize: pulumi.Int(1), MaxSize: pulumi.Int(1)}}
			if with != nil {
				args.LaunchTemplate = &eks.NodeGroupLaunchTemplateArgs{Id: template(name, with).ID().ToStringOutput().ToStringPtrOutput(), Version: pulumi.String("1")}
			}
			change(args)
			must(eks.NewNodeGroup(ctx, name, args, after(x.group)))
		}
		same := func(*eks.NodeGroupArgs) {}
		group("pool-again", func(a *eks.NodeGroupArgs) { a.NodeGroupName = str("pool") }, nil)
		group("arm", func(a *eks.NodeGroupArgs) { a.InstanceTypes = pulumi.ToStringArray([]string{"m7g.large"}) }, nil)
		group("newer", func(a *eks.NodeGroupArgs) { a.Version = str("1.36") }, nil)
		group("far-nodes", func(a *eks.NodeGroupArgs) { a.SubnetIds = ids(far) }, nil)
		group("node-trust", func(a *eks.NodeGroupArgs) { a.NodeRoleArn = powerless.Arn }, nil)
		group("node-policies", func(a *eks.NodeGroupArgs) { a.NodeRoleArn = untrusted.Arn }, nil)
		group("node-route", func(a *eks.NodeGroupArgs) { a.SubnetIds = ids(tiny) }, func(*ec2.LaunchTemplateArgs) {}) // its table has no gateway endpoint
		group("bare-nodes", func(a *eks.NodeGroupArgs) { a.ClusterName = bare.Name }, nil)
		group("profile", same, func(a *ec2.LaunchTemplateArgs) {
			a.IamInstanceProfile = &ec2.LaunchTemplateIamInstanceProfileArgs{Name: str("x")}
		})
		group("user-data", same, func(a *ec2.LaunchTemplateArgs) {
			a.UserData = str(base64.StdEncoding.EncodeToString([]byte("[settings.kubernetes]\nno-such-setting = true\n")))
		})
		group("volume-key", same, func(a *ec2.LaunchTemplateArgs) {
			a.BlockDeviceMappings = ec2.LaunchTemplateBlockDeviceMappingArray{&ec2.LaunchTemplateBlockDeviceMappingArgs{DeviceName: str("/dev/xvda"),
				Ebs: &ec2.LaunchTemplateBlockDeviceMappingEbsArgs{Encrypted: str("true"), KmsKeyId: wrongKey.Arn}}}
		})
		group("no-rules", same, func(a *ec2.LaunchTemplateArgs) { a.VpcSecurityGroupIds = pulumi.StringArray{lonely.ID()} })
		group("version", func(a *eks.NodeGroupArgs) {
			a.LaunchTemplate = &eks.NodeGroupLaunchTemplateArgs{Id: x.template.ID().ToStringOutput().ToStringPtrOutput(), Version: pulumi.String("7")}
		}, nil)

		addon := func(name, what string, of *eks.Cluster, change func(*eks.AddonArgs)) {
			args := &eks.AddonArgs{ClusterName: of.Name, AddonName: pulumi.String(what)}
			change(args)
			must(eks.NewAddon(ctx, name, args, after(x.group)))
		}
		as := func(*eks.AddonArgs) {}
		addon("coredns", "coredns", x.cluster, as)
		addon("coredns-without-nodes", "coredns", bare, as)
		addon("cni-twice", "vpc-cni", x.cluster, as)
		addon("no-addon", "vpc-cny", x.cluster, as)
		addon("addon-version", "eks-node-monitoring-agent", x.cluster, func(a *eks.AddonArgs) { a.AddonVersion = str("1.2.3") })
		addon("proxy-version", "kube-proxy", x.cluster, func(a *eks.AddonArgs) { a.AddonVersion = str("v1.36.0-eksbuild.2") })
		addon("pod-role", "aws-ebs-csi-driver", x.cluster, func(a *eks.AddonArgs) {
			a.PodIdentityAssociations = eks.AddonPodIdentityAssociationArray{&eks.AddonPodIdentityAssociationArgs{RoleArn: x.nodeRole.Arn, ServiceAccount: pulumi.String("x")}}
		})
		must(eks.NewPodIdentityAssociation(ctx, "association-role", &eks.PodIdentityAssociationArgs{ClusterName: x.cluster.Name, Namespace: pulumi.String("n"), ServiceAccount: pulumi.String("other"), RoleArn: untrusted.Arn}))

		associated := &eks.PodIdentityAssociationArgs{ClusterName: x.cluster.Name, Namespace: pulumi.String("n"), ServiceAccount: pulumi.String("s"), RoleArn: x.podRole.Arn}
		bound := must(eks.NewPodIdentityAssociation(ctx, "association", associated))
		must(eks.NewPodIdentityAssociation(ctx, "association-twice", associated, after(bound)))

		entry := func(name string, of *eks.Cluster, who pulumi.StringInput, options ...pulumi.ResourceOption) *eks.AccessEntry {
			return must(eks.NewAccessEntry(ctx, name, &eks.AccessEntryArgs{ClusterName: of.Name, PrincipalArn: who}, options...))
		}
		viewer := entry("entry", x.cluster, untrusted.Arn)
		entry("entry-twice", x.cluster, untrusted.Arn, after(viewer))
		entry("entry-mapped", mapped, untrusted.Arn)
		entry("entry-nobody", x.cluster, pulumi.String("arn:aws:iam::"+aws.Account+":role/nobody"))
		associate := func(name string, who pulumi.StringInput, policy string) {
			must(eks.NewAccessPolicyAssociation(ctx, name, &eks.AccessPolicyAssociationArgs{ClusterName: x.cluster.Name, PrincipalArn: who, PolicyArn: pulumi.String("arn:aws:eks::aws:cluster-access-policy/" + policy),
				AccessScope: &eks.AccessPolicyAssociationAccessScopeArgs{Type: pulumi.String("cluster")}}, after(viewer, x.group)))
		}
		associate("view", untrusted.Arn, "AmazonEKSViewPolicy")
		associate("no-policy", untrusted.Arn, "AmazonEKSOwnerPolicy")
		associate("no-entry", powerless.Arn, "AmazonEKSViewPolicy")
		associate("node-entry", x.nodeRole.Arn, "AmazonEKSViewPolicy")
	}}
	simtest.Refused(t, account(t), settings, e.program, simtest.Refusals{
		"one-zone": "Subnets specified must be in at least two different AZs", "two-networks": "must be in the same VPC", "full-subnet": "fewer than the 6 free addresses", "dangling-subnet": "InvalidSubnetID.NotFound",
		"untrusted": "could not be assumed", "powerless": "AmazonEKSClusterPolicy", "old": "unsupported Kubernetes version 1.24", "extended": "extended support", "unreachable": "Private and public endpoint access cannot be false",
		"services": "overlaps with the CIDR", "no-grant": "User not authorized to perform kms:CreateGrant operation", "main-again": "Cluster already exists with name: main",
		"arm": "[m7g.large] is not a valid instance type for requested amiType BOTTLEROCKET_x86_64", "newer": "newer than the cluster version", "far-nodes": "not in the VPC of cluster", "node-trust": "must trust ec2.amazonaws.com",
		"node-policies": "AmazonEKSWorkerNodeMinimalPolicy", "node-route": "no gateway endpoint of s3", "bare-nodes": "vpc-cni add-on must be there first", "profile": "should not specify an instance profile", "user-data": "no TOML that Bottlerocket reads",
		"volume-key": "Client.InternalError", "no-rules": "reach the API server on 443/tcp", "version": "VersionNotFound", "pool-again": "NodeGroup already exists",
		"coredns-without-nodes": "DEGRADED", "cni-twice": "Addon already exists", "no-addon": "not supported: vpc-cny", "addon-version": "Addon version specified is not supported", "proxy-version": "kube-proxy v1.36.0",
		"pod-role": "must allow pods.eks.amazonaws.com", "association-role": "must allow pods.eks.amazonaws.com", "association-twice": "Association already exists", "entry-twice": "already in use on this cluster", "entry-mapped": "must be set to one of [API, API_AND_CONFIG_MAP]",
		"entry-nobody": "invalid principal", "no-policy": "The specified policyArn is invalid", "no-entry": "could not be found", "node-entry": "STANDARD entries only",
	})
}

// What a node needs and what its environment leaves out.
func TestNodesDoNotJoin(t *testing.T) {
	t.Parallel()
	for reason, each := range map[string]environment{
		"no interface endpoint with private DNS for sts": {withoutEndpoint: "sts"},
		"drops what comes to the API server":             {emptyList: true},
		"cni config uninitialized":                       {withoutCNI: true},
		"does not let arn:aws:iam":                       {withoutGrant: true},
		"let no node reach the API server on 443/tcp":    {withoutEgress: true},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			simtest.Refused(t, account(t), settings, each.program, simtest.Refusals{"pool": reason})
		})
	}
}

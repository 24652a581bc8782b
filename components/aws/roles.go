package aws

import (
	"fmt"
	"path"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// RolesArgs describes the roles of a cluster. Account and Cluster are required.
type RolesArgs struct {
	Account Account `pulumi:"account"`
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string `pulumi:"cluster"`
	// SSM lets nodes open sessions of AWS Systems Manager, for pools that start
	// the control container. Off by default.
	SSM bool `pulumi:"ssm,optional"`
	// SessionLogs lets nodes log those sessions, see [SessionLogging]. It needs SSM.
	SessionLogs bool              `pulumi:"sessionLogs,optional"`
	Tags        map[string]string `pulumi:"tags,optional"`
	Exceptions  []hostconfig.Exception
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a RolesArgs) Validate(now time.Time) error {
	var p problems
	p.account("account", a.Account)
	p.cluster("cluster", a.Cluster)
	if a.SessionLogs && !a.SSM {
		p.add("sessionLogs", "there are no sessions without SSM", "turn ssm on, or leave it out")
	}
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// Roles are those of the control plane, of nodes and of the add-ons that call
// AWS. They wait for nothing, so that keys can name them: the policy of a key
// names only what exists.
//
// Each output is known once the role has its permissions.
type Roles struct {
	pulumi.ResourceState

	ClusterRoleArn pulumi.StringOutput `pulumi:"clusterRoleArn"`
	NodeRoleArn    pulumi.StringOutput `pulumi:"nodeRoleArn"`
	// NetworkRoleArn is that of vpc-cni, VolumesRoleArn that of the EBS CSI
	// driver, which belongs into VolumesPrincipals of [Keys].
	NetworkRoleArn pulumi.StringOutput `pulumi:"networkRoleArn"`
	VolumesRoleArn pulumi.StringOutput `pulumi:"volumesRoleArn"`
}

// grants is a role as it should be.
type grants struct {
	use     string
	trust   document
	managed []string // names of policies of AWS, with their path
	inline  *document
	into    *pulumi.StringOutput
}

// NewRoles registers the roles. The arguments are checked, all at once, before
// anything is registered.
func NewRoles(ctx *pulumi.Context, name string, args *RolesArgs, opts ...pulumi.ResourceOption) (*Roles, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	r := &Roles{}
	if err := ctx.RegisterComponentResource(rolesToken, name, r, opts...); err != nil {
		return nil, err
	}
	for _, g := range r.grants(a) {
		if err := g.register(ctx, name, a, pulumi.Parent(r)); err != nil {
			return nil, err
		}
	}
	return r, ctx.RegisterResourceOutputs(r, pulumi.Map{
		"clusterRoleArn": r.ClusterRoleArn, "nodeRoleArn": r.NodeRoleArn, "networkRoleArn": r.NetworkRoleArn, "volumesRoleArn": r.VolumesRoleArn,
	})
}

// grants are all roles. The node's own is small: what the network plugin and
// the CSI driver do, they do with roles of their own, which no other pod gets.
// https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html
func (r *Roles) grants(a RolesArgs) []grants {
	cluster := a.Account.clusterARN(a.Cluster)
	node := policy(statement{Sid: "PodIdentity", Effect: allow, Action: []string{"eks-auth:AssumeRoleForPodIdentity"}, Resource: []string{cluster}})
	if a.SSM {
		// What a session needs, without reading parameters, which
		// AmazonSSMManagedInstanceCore allows for all of the account.
		// https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html
		node.Statement = append(node.Statement, statement{Sid: "Sessions", Effect: allow, Action: []string{
			"ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"}, Resource: []string{"*"}})
	}
	if a.SessionLogs {
		node.Statement = append(node.Statement, sessionStatements(a.Account, a.Cluster)...)
	}
	assume := func(name string) document {
		return policy(statement{Effect: allow, Principal: service(name), Action: []string{"sts:AssumeRole"}})
	}
	return []grants{
		{use: "cluster", trust: assume("eks.amazonaws.com"), managed: []string{"AmazonEKSClusterPolicy"}, into: &r.ClusterRoleArn},
		{use: "nodes", trust: assume("ec2.amazonaws.com"), managed: []string{"AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"},
			inline: &node, into: &r.NodeRoleArn},
		{use: "network", trust: podTrust(cluster, systemNamespace, "aws-node"), managed: []string{"AmazonEKS_CNI_Policy"}, into: &r.NetworkRoleArn},
		{use: "volumes", trust: podTrust(cluster, systemNamespace, "ebs-csi-controller-sa"), managed: []string{"service-role/AmazonEBSCSIDriverPolicy"},
			into: &r.VolumesRoleArn},
	}
}

const systemNamespace = "kube-system"

// podTrust lets EKS Pod Identity take a role for one service account of one
// cluster, and for no other pod of the account.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
func podTrust(clusterARN, namespace, serviceAccount string) document {
	return policy(statement{Effect: allow, Principal: service("pods.eks.amazonaws.com"), Action: []string{"sts:AssumeRole", "sts:TagSession"},
		Condition: conditions{"StringEquals": {
			"aws:RequestTag/eks-cluster-arn":            {clusterARN},
			"aws:RequestTag/kubernetes-namespace":       {namespace},
			"aws:RequestTag/kubernetes-service-account": {serviceAccount},
		}}})
}

// clusterARN names a cluster before it exists.
func (a Account) clusterARN(cluster string) string { return a.arn("eks", "cluster/"+cluster) }

// managedPolicy names a policy of AWS.
func (a Account) managedPolicy(name string) string {
	return fmt.Sprintf("arn:%s:iam::aws:policy/%s", a.partition(), name)
}

// roleName is the name of a role. Roles have no region, so their names have: at
// most 57 of 64 characters.
func roleName(account Account, cluster, use string) string {
	return fmt.Sprintf("%s-%s-%s", cluster, account.Region, use)
}

func (g grants) register(ctx *pulumi.Context, name string, a RolesArgs, opts ...pulumi.ResourceOption) error {
	full := roleName(a.Account, a.Cluster, g.use)
	role, err := iam.NewRole(ctx, name+"-"+g.use, &iam.RoleArgs{
		Name: pulumi.String(full), AssumeRolePolicy: pulumi.String(g.trust.String()),
		Description: pulumi.String(fmt.Sprintf("%s of the cluster %s", g.use, a.Cluster)), Tags: tagged(a.Tags, a.Cluster, full),
	}, opts...)
	if err != nil {
		return err
	}
	ready := []any{role.Arn}
	for _, each := range g.managed {
		attached, err := iam.NewRolePolicyAttachment(ctx, name+"-"+g.use+"-"+path.Base(each), &iam.RolePolicyAttachmentArgs{
			Role: role.Name, PolicyArn: pulumi.String(a.Account.managedPolicy(each)),
		}, opts...)
		if err != nil {
			return err
		}
		ready = append(ready, attached.ID())
	}
	if g.inline != nil {
		inline, err := iam.NewRolePolicy(ctx, name+"-"+g.use+"-own", &iam.RolePolicyArgs{
			Name: pulumi.String("own"), Role: role.Name, Policy: pulumi.String(g.inline.String()),
		}, opts...)
		if err != nil {
			return err
		}
		ready = append(ready, inline.ID())
	}
	*g.into = once(ready...)
	return nil
}

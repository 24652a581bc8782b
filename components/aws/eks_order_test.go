package aws

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

// environment registers everything as an environment does, each component from
// the outputs of others.
func environment(ctx *pulumi.Context) error {
	roles, err := NewRoles(ctx, "roles", &RolesArgs{Account: testAccount, Cluster: "prod"})
	if err != nil {
		return err
	}
	keys, err := NewKeys(ctx, "keys", &KeysArgs{Account: testAccount, Cluster: "prod", VolumesPrincipals: pulumi.StringArray{pinned(roles.VolumesRoleArn)}})
	if err != nil {
		return err
	}
	network := testNetwork()
	network.LogsKeyArn = keys.LogsKeyArn
	net, err := NewNetwork(ctx, "net", &network)
	if err != nil {
		return err
	}
	logs, err := NewLogs(ctx, "logs", &LogsArgs{Account: testAccount, Cluster: "prod", KeyArn: keys.LogsKeyArn})
	if err != nil {
		return err
	}
	wall, err := NewFirewall(ctx, "wall", &FirewallArgs{Cluster: "prod", VpcID: net.VpcID, EndpointSecurityGroupID: net.EndpointSecurityGroupID, S3PrefixListID: net.S3PrefixListID})
	if err != nil {
		return err
	}
	args := testCluster()
	args.SubnetIDs, args.SecurityGroupID, args.SecretsKeyArn = net.PrivateSubnetIDs, wall.ClusterSecurityGroupID, keys.SecretsKeyArn
	args.LogGroupName, args.ClusterRoleArn, args.NetworkRoleArn = logs.ClusterLogGroupName, pinned(roles.ClusterRoleArn), pinned(roles.NetworkRoleArn)
	cluster, err := NewEksCluster(ctx, "eks", &args)
	if err != nil {
		return err
	}
	pool := testPool()
	pool.ClusterName, pool.ControlPlaneVersion, pool.SubnetIDs = cluster.NodesClusterName, cluster.KubernetesVersion, net.NodeSubnetIDs
	pool.SecurityGroupID, pool.VolumesKeyArn, pool.NodeRoleArn = wall.NodeSecurityGroupID, keys.VolumesKeyArn, pinned(roles.NodeRoleArn)
	nodes, err := NewNodePool(ctx, "pool", &pool)
	if err != nil {
		return err
	}
	if _, err := NewEksAddons(ctx, "addons", &EksAddonsArgs{Cluster: "prod", After: pulumi.StringArray{nodes.Arn}, VolumesRoleArn: pinned(roles.VolumesRoleArn),
		Versions: map[string]string{"coredns": "v1.13.1-eksbuild.1", "aws-ebs-csi-driver": "v1.54.0-eksbuild.1"}}); err != nil {
		return err
	}
	return consumer(ctx, "inside", pulumi.All(cluster.Endpoint, cluster.CertificateAuthority).ApplyT(func(v []any) string { return v[0].(string) + v[1].(string) }).(pulumi.StringOutput))
}

// pinned gives a role the form of a real ARN, and keeps what it waits for.
func pinned(arn pulumi.StringOutput) pulumi.StringOutput {
	return arn.ApplyT(func(string) string { return string(testRole("made")) }).(pulumi.StringOutput)
}

// Real dependencies, no timers, and no edge that puts something slow in front of
// the control plane.
func TestClusterOrder(t *testing.T) {
	c := run(t, environment)
	type node struct{ kind, name string }
	waits := func(who node, kinds ...string) {
		t.Helper()
		for _, kind := range kinds {
			found := c.Of(kind)
			if len(found) == 0 {
				t.Errorf("no %s is registered", kind)
			}
			for _, each := range found {
				if !c.One(t, who.kind, who.name).WaitsFor(each) {
					t.Errorf("%s %s does not wait for %s %s", who.kind, who.name, kind, each.Name)
				}
			}
		}
	}
	one := func(who node, others ...node) {
		t.Helper()
		for _, other := range others {
			if !c.One(t, who.kind, who.name).WaitsFor(c.One(t, other.kind, other.name)) {
				t.Errorf("%s %s does not wait for %s %s", who.kind, who.name, other.kind, other.name)
			}
		}
	}
	never := func(who node, others ...node) {
		t.Helper()
		for _, other := range others {
			if c.One(t, who.kind, who.name).WaitsFor(c.One(t, other.kind, other.name)) {
				t.Errorf("%s %s waits for %s %s", who.kind, who.name, other.kind, other.name)
			}
		}
	}
	cluster, group := node{"Cluster", "eks"}, node{"NodeGroup", "pool"}
	one(cluster, node{"LogGroup", "logs-cluster"}, node{"Key", "keys-secrets"}, node{"Role", "roles-cluster"}, node{"RolePolicyAttachment", "roles-cluster-AmazonEKSClusterPolicy"})
	for _, rule := range append(c.Of("SecurityGroupIngressRule"), c.Of("SecurityGroupEgressRule")...) {
		if rule.Text("securityGroupId") == "wall-"+clusterGroup+"_id" {
			one(cluster, node{rule.Token[strings.LastIndex(rule.Token, ":")+1:], rule.Name})
		}
	}
	never(cluster, node{"Key", "keys-volumes"}, node{"RolePolicyAttachment", "roles-nodes-AmazonEKSWorkerNodeMinimalPolicy"})
	never(node{"LaunchTemplate", "pool"}, cluster)
	for _, endpoint := range c.Of("VpcEndpoint") {
		never(cluster, node{"VpcEndpoint", endpoint.Name})
	}
	// Nodes: after what makes them able to run pods, and to boot without internet.
	one(group, node{"Addon", "eks-vpc-cni"}, node{"Addon", "eks-kube-proxy"}, node{"Addon", "eks-eks-pod-identity-agent"}, node{"LaunchTemplate", "pool"}, cluster,
		node{"RolePolicyAttachment", "roles-nodes-AmazonEKSWorkerNodeMinimalPolicy"}, node{"RolePolicyAttachment", "roles-nodes-AmazonEC2ContainerRegistryPullOnly"}, node{"RolePolicy", "roles-nodes-own"})
	waits(group, "VpcEndpoint", "RouteTableAssociation", "NetworkAcl")
	one(node{"Addon", "eks-vpc-cni"}, cluster, node{"RolePolicyAttachment", "roles-network-AmazonEKS_CNI_Policy"})
	// What runs as ordinary pods comes after nodes.
	for _, name := range []string{"addons-coredns", "addons-aws-ebs-csi-driver"} {
		one(node{"Addon", name}, group)
	}
	one(node{"Addon", "addons-aws-ebs-csi-driver"}, node{"RolePolicyAttachment", "roles-volumes-AmazonEBSCSIDriverPolicy"})
	// What is made inside the cluster comes after the policies of people, and goes before them.
	waits(node{"Role", "inside"}, "AccessPolicyAssociation")
	for _, association := range c.Of("AccessPolicyAssociation") {
		one(node{"AccessPolicyAssociation", association.Name}, node{"AccessEntry", association.Name})
	}
	// A key names only roles that exist.
	one(node{"Key", "keys-volumes"}, node{"Role", "roles-volumes"})
	never(node{"Key", "keys-secrets"}, node{"Role", "roles-volumes"})
}

func TestEksAddonsRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewEksAddons(ctx, "addons", &EksAddonsArgs{}); return err },
		"cluster", "after", "volumesRoleArn", "versions[coredns]", "versions[aws-ebs-csi-driver]")
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewEksAddons(ctx, "addons", &EksAddonsArgs{Cluster: "prod", After: pulumi.StringArray{}, VolumesRoleArn: testRole("csi"),
			Versions: map[string]string{"coredns": "v1", "aws-ebs-csi-driver": "v1.54.0-eksbuild.1", "vpc-cni": "v1.21.0-eksbuild.1"}})
		return err
	}, "after", "versions[coredns]", "versions[vpc-cni]")
}

package aws

import (
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

// NodeEndpoints are the interface endpoints without which a Bottlerocket node of EKS does not join from a network with
// no way out; the layers of images come through the gateway endpoint of s3.
// https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html
var NodeEndpoints = []string{"ec2", "ecr.api", "ecr.dkr", "eks", "sts"}

// nodesFail says why the nodes of a group would not join, nil when they would. AWS itself says only that they did not.
// https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html#worker-node-fail
func nodesFail(c *simcloud.Change, of, with *simcloud.Object) *simcloud.Error {
	because := func(reason string) *simcloud.Error {
		return errorf("NodeCreationFailure", "Instances failed to join the kubernetes cluster (%s)", reason)
	}
	node := c.New.String("nodeRoleArn")
	if !hasPolicy(c.Cloud, node, "AmazonEKSWorkerNodePolicy") && !hasPolicy(c.Cloud, node, "AmazonEKSWorkerNodeMinimalPolicy") {
		return because("the node role has neither AmazonEKSWorkerNodeMinimalPolicy nor AmazonEKSWorkerNodePolicy")
	}
	if !slices.ContainsFunc(attached(c.Cloud, node), func(p string) bool { return strings.Contains(p, "AmazonEC2ContainerRegistry") }) {
		return because("the node role may not pull images from ECR: attach AmazonEC2ContainerRegistryPullOnly")
	}
	if !of.State.Bool("bootstrapSelfManagedAddons") {
		if cni := c.Cloud.Get(c.Scope, addon, of.ID+":vpc-cni"); cni == nil || !cni.Ready {
			return because("container runtime network not ready: cni config uninitialized; the vpc-cni add-on must be there first")
		}
	}
	vpcID, group := of.State.String("vpcConfig.vpcId"), of.State.String("vpcConfig.clusterSecurityGroupId")
	nodes, control := []string{group}, append([]string{group}, of.State.Strings("vpcConfig.securityGroupIds")...)
	if with != nil {
		if own := with.State.Strings("vpcSecurityGroupIds"); len(own) > 0 {
			nodes = own // a template's groups replace the cluster's
		}
		if reason := volumesFail(c, with); reason != "" {
			return errorf("AsgInstanceLaunchFailures", "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Client.InternalError: Client error on launch (%s)", reason)
		}
	}
	if !reaches(c.Cloud, c.Scope, vpcID, nodes, control, "tcp", 443) {
		return because("the security groups let no node reach the API server on 443/tcp")
	}
	if !reaches(c.Cloud, c.Scope, vpcID, control, nodes, "tcp", 10250) {
		return because("the security groups do not let the control plane reach a kubelet on 10250/tcp")
	}
	if network := c.Cloud.Get(c.Scope, vpc, vpcID); of.State.Bool("vpcConfig.endpointPrivateAccess") && !(network.State.Bool("enableDnsSupport") && network.State.Bool("enableDnsHostnames")) {
		return because("the private endpoint's name resolves only with enableDnsSupport and enableDnsHostnames")
	}
	for _, each := range of.State.Strings("vpcConfig.subnetIds") {
		if reason := listDrops(c.Cloud, c.Cloud.Get(c.Scope, subnet, each), controlFlows); reason != "" {
			return because(reason)
		}
	}
	for _, each := range c.New.Strings("subnetIds") {
		if reason := noWay(c, c.Cloud.Get(c.Scope, subnet, each), nodes); reason != "" {
			return because(reason)
		}
	}
	return nil
}

// noWay says what a node in a subnet cannot reach, "" when it has all it needs.
func noWay(c *simcloud.Change, at *simcloud.Object, nodes []string) string {
	network := at.State.String("vpcId")
	if reason := listDrops(c.Cloud, at, nodeFlows); reason != "" {
		return reason
	}
	if routesOut(c.Cloud, at) {
		return ""
	}
	for _, service := range NodeEndpoints {
		name := "com.amazonaws." + c.Scope + "." + service
		found := c.Cloud.Find(c.Scope, vpcEndpoint, func(o *simcloud.Object) bool {
			return o.State.String("vpcId") == network && o.State.String("serviceName") == name && o.State.Bool("privateDnsEnabled") && o.Ready && len(o.State.Strings("subnetIds")) > 0
		})
		if len(found) == 0 {
			return "subnet " + at.ID + " has no way out and its VPC no interface endpoint with private DNS for " + service
		}
		if !reaches(c.Cloud, c.Scope, network, nodes, found[0].State.Strings("securityGroupIds"), "tcp", 443) {
			return "the security groups let no node reach the endpoint of " + service
		}
	}
	table, name := tableOf(c.Cloud, at), "com.amazonaws."+c.Scope+".s3"
	gateways := c.Cloud.Find(c.Scope, vpcEndpoint, func(o *simcloud.Object) bool {
		return o.State.String("serviceName") == name && o.State.String("vpcEndpointType") == "Gateway" && slices.Contains(o.State.Strings("routeTableIds"), table)
	})
	if len(gateways) == 0 {
		return "the route table of subnet " + at.ID + " has no gateway endpoint of s3, from which ECR serves layers"
	}
	list := gateways[0].State.String("prefixListId")
	for _, group := range nodes {
		for _, p := range permissions(c.Cloud, c.Scope, group, "egress") {
			if p.carries("tcp", 443) && (slices.Contains(p.lists, list) || slices.Contains(p.ranges, "0.0.0.0/0")) {
				return ""
			}
		}
	}
	return "the security groups let no node reach s3 through its prefix list"
}

// volumesFail says why the Auto Scaling service could not make a template's volumes: the key must let its linked role
// in, which has no permission of its own. https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
func volumesFail(c *simcloud.Change, with *simcloud.Object) string {
	linked := LinkedRoleARN("autoscaling.amazonaws.com")
	for _, device := range with.State.List("blockDeviceMappings") {
		given := device.String("ebs.kmsKeyId")
		if given == "" {
			continue
		}
		k := findKey(c.Cloud, c.Scope, given)
		if k == nil {
			return "the key " + given + " does not exist"
		}
		for _, action := range []string{"kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext"} {
			if !mayUse(c.Cloud, k, iampolicy.Request{Principal: linked, Action: action, Context: map[string]string{
				"kms:GrantIsForAWSResource": "true", "kms:ViaService": "ec2." + c.Scope + ".amazonaws.com", "kms:CallerAccount": Account}}) {
				return "the policy of key " + k.ID + " does not let " + linked + " do " + action
			}
		}
	}
	return ""
}

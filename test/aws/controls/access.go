package controls

import (
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var access = []Check{
	{IDs: []string{"CIS-EKS-4.1.7", "CIS-EKS-5.5.1"}, About: "access is by entries of IAM alone", Wrong: each(clusterType, is("accessConfig.authenticationMode", "API"))},
	{IDs: []string{"M20"}, About: "who makes the cluster does not administer it", Wrong: each(clusterType, is("accessConfig.bootstrapClusterCreatorAdminPermissions", false))},
	{IDs: []string{"CIS-EKS-5.5.1", "M20"}, About: "only roles come in, and no group of the system's", Wrong: each(entryType, holds("principalArn", ":role/"), func(v simcloud.Values) string {
		if slices.ContainsFunc(v.Strings("kubernetesGroups"), func(g string) bool { return strings.HasPrefix(g, "system:") }) {
			return "is of a group of the system"
		}
		return ""
	})},
	{IDs: []string{"M20"}, About: "not everybody administers the cluster, and somebody does", Wrong: administrators},
	{IDs: []string{"CIS-EKS-5.1.3"}, About: "nodes pull images, and push none", Wrong: nodePolicies("AmazonEC2ContainerRegistry", "AmazonEC2ContainerRegistryPullOnly")},
	{IDs: []string{"M10"}, About: "nodes may do no more than nodes need", Wrong: nodePolicies("AmazonEKS", "AmazonEKSWorkerNodeMinimalPolicy")},
	{IDs: []string{"CIS-EKS-5.2.1"}, About: "add-ons have roles of their own service accounts", Wrong: both(
		some(addonType, func(v simcloud.Values) bool { return v.String("addonName") == "vpc-cni" }, holds("podIdentityAssociations[0].roleArn", ":role/"), empty("serviceAccountRoleArn")),
		some(addonType, func(v simcloud.Values) bool { return v.String("addonName") == "eks-pod-identity-agent" }),
		some(roleType, func(v simcloud.Values) bool {
			return strings.Contains(v.String("assumeRolePolicy"), "pods.eks.amazonaws.com")
		},
			holds("assumeRolePolicy", "aws:RequestTag/kubernetes-service-account"), holds("assumeRolePolicy", "aws:RequestTag/eks-cluster-arn")))},
	{IDs: []string{"CIS-EKS-5.1.1"}, About: "every image is scanned", Wrong: each(scanningType, is("rules[0].repositoryFilters[0].filter", "*"), func(v simcloud.Values) string {
		if f := v.String("rules[0].scanFrequency"); f != "SCAN_ON_PUSH" && f != "CONTINUOUS_SCAN" {
			return "scans " + f
		}
		return ""
	})},
}

// administrators: a policy that administers is the exception.
func administrators(a Account) []string {
	var wide, all int
	for _, o := range a.Of(policyType) {
		all++
		if strings.HasSuffix(o.State.String("policyArn"), "AdminPolicy") && o.State.String("accessScope.type") == "cluster" {
			wide++
		}
	}
	switch {
	case wide == 0:
		return []string{"nobody administers the cluster"}
	case wide == all:
		return []string{"everybody who comes in administers the cluster"}
	}
	return nil
}

// nodePolicies wants one policy of AWS of a kind on the roles of nodes, and no other of it.
func nodePolicies(kind, only string) func(Account) []string {
	return func(a Account) []string {
		var out []string
		for _, o := range a.Of(nodeGroupType) {
			role := o.State.String("nodeRoleArn")
			name, held := role[strings.LastIndex(role, "/")+1:], []string{}
			for _, attached := range a.Of(attachmentType) {
				policy := attached.State.String("policyArn")
				if short := policy[strings.LastIndex(policy, "/")+1:]; attached.State.String("role") == name && strings.HasPrefix(short, kind) {
					held = append(held, short)
				}
			}
			if !slices.Equal(held, []string{only}) {
				out = append(out, o.ID+": "+name+" has "+strings.Join(held, " ")+", not "+only)
			}
			for _, inline := range a.Of(inlineType) {
				if inline.State.String("role") == name && strings.Contains(inline.State.String("policy"), `"*"`) {
					out = append(out, name+" has a policy of its own for everything")
				}
			}
		}
		return out
	}
}

package controls

import (
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var access = []Check{
	{[]string{"CIS-EKS-4.1.7", "CIS-EKS-5.5.1"}, "access is by entries of IAM alone", each(clusterType, is("accessConfig.authenticationMode", "API"))},
	{[]string{"M20"}, "who makes the cluster does not administer it", each(clusterType, is("accessConfig.bootstrapClusterCreatorAdminPermissions", false))},
	{[]string{"CIS-EKS-5.5.1", "M20"}, "only roles come in, and no group of the system's", each(entryType, holds("principalArn", ":role/"), func(v simcloud.Values) string {
		if slices.ContainsFunc(v.Strings("kubernetesGroups"), func(g string) bool { return strings.HasPrefix(g, "system:") }) {
			return "is of a group of the system"
		}
		return ""
	})},
	{[]string{"M20"}, "not everybody administers the cluster, and somebody does", administrators},
	{[]string{"CIS-EKS-5.1.3"}, "nodes pull images, and push none", nodePolicies("AmazonEC2ContainerRegistry", "AmazonEC2ContainerRegistryPullOnly")},
	{[]string{"M10"}, "nodes may do no more than nodes need", nodePolicies("AmazonEKS", "AmazonEKSWorkerNodeMinimalPolicy")},
	{[]string{"CIS-EKS-5.2.1"}, "add-ons have roles of their own service accounts", both(
		some(addonType, func(v simcloud.Values) bool { return v.String("addonName") == "vpc-cni" }, holds("podIdentityAssociations[0].roleArn", ":role/"), empty("serviceAccountRoleArn")),
		some(addonType, func(v simcloud.Values) bool { return v.String("addonName") == "eks-pod-identity-agent" }),
		some(roleType, func(v simcloud.Values) bool {
			return strings.Contains(v.String("assumeRolePolicy"), "pods.eks.amazonaws.com")
		},
			holds("assumeRolePolicy", "aws:RequestTag/kubernetes-service-account"), holds("assumeRolePolicy", "aws:RequestTag/eks-cluster-arn")))},
	{[]string{"CIS-EKS-5.1.1"}, "every image is scanned", each(scanningType, is("rules[0].repositoryFilters[0].filter", "*"), func(v simcloud.Values) string {
		if f := v.String("rules[0].scanFrequency"); f != "SCAN_ON_PUSH" && f != "CONTINUOUS_SCAN" {
			return "scans " + f
		}
		return ""
	})},
}

// administrators: a policy that administers is the exception.
func administrators(a Account) []string {
	var wide, all int
	for _, o := range a.of(policyType) {
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
		for _, o := range a.of(nodeGroupType) {
			role := o.State.String("nodeRoleArn")
			name, held := role[strings.LastIndex(role, "/")+1:], []string{}
			for _, attached := range a.of(attachmentType) {
				policy := attached.State.String("policyArn")
				if short := policy[strings.LastIndex(policy, "/")+1:]; attached.State.String("role") == name && strings.HasPrefix(short, kind) {
					held = append(held, short)
				}
			}
			if !slices.Equal(held, []string{only}) {
				out = append(out, o.ID+": "+name+" has "+strings.Join(held, " ")+", not "+only)
			}
			for _, inline := range a.of(inlineType) {
				if inline.State.String("role") == name && strings.Contains(inline.State.String("policy"), `"*"`) {
					out = append(out, name+" has a policy of its own for everything")
				}
			}
		}
		return out
	}
}

package aws

import (
	"slices"
	"strconv"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// versions are the minor versions of Kubernetes that EKS offers, and whether their support is standard.
// https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html
var versions = map[string]bool{"1.31": false, "1.32": false, "1.33": false, "1.34": true, "1.35": true, "1.36": true, "1.37": true}

const defaultVersion = "1.35"

func judgeVersion(version, support string) error {
	standard, offered := versions[version]
	if !offered {
		return errorf("InvalidParameterException", "unsupported Kubernetes version %s", version)
	}
	if support == "STANDARD" && !standard {
		return errorf("InvalidParameterException", "Kubernetes version %s is in extended support, which the upgrade policy STANDARD excludes", version)
	}
	return nil
}

// updateCluster judges changes in place: https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html
func updateCluster(c *simcloud.Change) error {
	was, is := c.Old.String("version"), c.New.String("version")
	if is == "" {
		is = was
	}
	if err := judgeVersion(is, c.New.String("upgradePolicy.supportType")); err != nil {
		return err
	}
	if err := judgeAccess(c.New); err != nil {
		return err
	}
	switch step := minor(is) - minor(was); {
	case step < 0:
		return errorf("InvalidParameterException", "unsupported Kubernetes minor version update from %s to %s: a control plane is never downgraded", was, is)
	case step > 1:
		return errorf("InvalidParameterException", "unsupported Kubernetes minor version update from %s to %s", was, is)
	}
	for _, nodes := range c.Cloud.Find(c.Scope, nodeGroup, func(o *simcloud.Object) bool { return o.State.String("clusterName") == c.Object.ID }) {
		if minor(is)-minor(nodes.State.String("version")) > 3 { // the skew that Kubernetes allows its kubelets
			return errorf("InvalidRequestException", "Nodegroup %s runs %s, too old for %s: update it first", nodes.ID, nodes.State.String("version"), is)
		}
	}
	before, after := c.Old.String("accessConfig.authenticationMode"), c.New.String("accessConfig.authenticationMode")
	if after != "" && slices.Index(modes, after) < slices.Index(modes, before) {
		return errorf("InvalidParameterException", "Unsupported authentication mode update from %s to %s", before, after)
	}
	vpcID, subnets, err := judgeClusterNetwork(c)
	if err != nil {
		return err
	}
	if vpcID != c.Old.String("vpcConfig.vpcId") || len(subnets) == 0 {
		return errorf("InvalidParameterException", "Provided subnets belong to a different VPC than the cluster's")
	}
	c.Out["version"] = is
	c.Beside = logGroupOf(c)
	finishCluster(c, vpcID, c.Old.String("vpcConfig.clusterSecurityGroupId"))
	return nil
}

// minor is the minor of a version such as "1.35".
func minor(version string) int {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(parts[1])
	return n
}

package aws

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// addons are those of EKS itself; the value tells whether an add-on runs pods that need a node before it is active.
// https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html
var addons = map[string]bool{
	"vpc-cni": false, "kube-proxy": false, "eks-pod-identity-agent": false, "aws-guardduty-agent": false, "eks-node-monitoring-agent": false,
	"coredns": true, "aws-ebs-csi-driver": true, "aws-efs-csi-driver": true, "snapshot-controller": true, "metrics-server": true,
	"amazon-cloudwatch-observability": true, "aws-mountpoint-s3-csi-driver": false, "aws-secrets-store-csi-driver-provider": false, "external-dns": true, "cert-manager": true,
}

var addonVersion = regexp.MustCompile(`^v(\d+)\.(\d+)\.(\d+)-eksbuild\.\d+$`)

// toPodRole is the role of a Pod Identity association.
func toPodRole(path string) simcloud.Reference {
	r := by(to(path, "InvalidParameterException", "Role provided in the request does not exist: %s", role), "arn")
	r.Patience = seconds(120)
	return r
}

// addonTypes are add-ons and Pod Identity associations: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAddon.html
func addonTypes() []*simcloud.ResourceType {
	t := kind(addon, eks.AddonArgs{}, eks.Addon{})
	t.Replace = []string{"addonName", "clusterName"}
	t.References = []simcloud.Reference{toCluster(), toPodRole("serviceAccountRoleArn"), toPodRole("podIdentityAssociations[].roleArn")}
	t.Check = func(p *simcloud.Plan) {
		oneOf(p, "resolveConflictsOnCreate", "NONE", "OVERWRITE")
		oneOf(p, "resolveConflictsOnUpdate", "NONE", "OVERWRITE", "PRESERVE")
		if text := p.Values.String("configurationValues"); text != "" && strings.HasPrefix(strings.TrimSpace(text), "{") && !json.Valid([]byte(text)) {
			p.Add("configurationValues", "InvalidParameterException: ConfigurationValue provided in request is not supported: it is no valid JSON")
		}
	}
	t.Create = func(c *simcloud.Change) error {
		of, err := active(c)
		if err != nil {
			return err
		}
		name := c.New.String("addonName")
		c.ID = of.ID + ":" + name
		if c.Cloud.Get(c.Scope, addon, c.ID) != nil {
			return errorf("ResourceInUseException", "Addon already exists.")
		}
		needsNodes, known := addons[name]
		if !known {
			return errorf("InvalidParameterException", "Addon specified is not supported: %s", name)
		}
		if err := judgeAddon(c, of); err != nil {
			return err
		}
		now := c.Cloud.Clock.Now().Format("2006-01-02T15:04:05Z")
		c.Out = simcloud.Values{"arn": arn("eks", c.Scope, "addon/"+of.ID+"/"+name+"/"+uuid(c.Cloud, "addon")), "createdAt": now, "modifiedAt": now}
		if !c.New.Has("addonVersion") {
			c.Out["addonVersion"] = "v1.0.0-eksbuild.1"
		}
		if needsNodes && !hasNodes(c.Cloud, of) {
			c.Fails, c.Extra = errorf("InsufficientNumberOfReplicas", "The add-on is unhealthy because all deployments have all pods unscheduled: no nodes available to schedule pods (last state: 'DEGRADED')"), seconds(1140)
		}
		return nil
	}
	t.Update = func(c *simcloud.Change) error {
		of, err := active(c)
		if err != nil {
			return err
		}
		if c.Old.Has("addonVersion") && !c.New.Has("addonVersion") {
			c.Out["addonVersion"] = c.Old["addonVersion"]
		}
		c.Out["modifiedAt"] = c.Cloud.Clock.Now().Format("2006-01-02T15:04:05Z")
		return judgeAddon(c, of)
	}

	association := kind(podIdentityAssociation, eks.PodIdentityAssociationArgs{}, eks.PodIdentityAssociation{})
	association.Replace = []string{"clusterName", "namespace", "serviceAccount"}
	association.References = []simcloud.Reference{toCluster(), toPodRole("roleArn")}
	association.Create = func(c *simcloud.Change) error {
		of, err := active(c)
		if err != nil {
			return err
		}
		for _, o := range c.Cloud.Find(c.Scope, podIdentityAssociation, nil) {
			if o.State.String("clusterName") == of.ID && o.State.String("namespace") == c.New.String("namespace") && o.State.String("serviceAccount") == c.New.String("serviceAccount") {
				return errorf("ResourceInUseException", "Association already exists: %s", o.State.String("associationId"))
			}
		}
		c.ID = "a-" + digits(c.Cloud, "association", 17)
		c.Out = simcloud.Values{"associationId": c.ID, "associationArn": arn("eks", c.Scope, "podidentityassociation/"+of.ID+"/"+c.ID)}
		return judgePodRole(c, of, c.New.String("roleArn"), c.New.String("namespace"), c.New.String("serviceAccount"))
	}
	association.Update = func(c *simcloud.Change) error {
		of, err := active(c)
		if err != nil {
			return err
		}
		return judgePodRole(c, of, c.New.String("roleArn"), c.New.String("namespace"), c.New.String("serviceAccount"))
	}
	return []*simcloud.ResourceType{t, association}
}

// judgePodRole judges that the pods of one service account may assume a role: a trust policy can ask for the session
// tags of EKS, which say whose they are.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html and pod-id-abac.html
func judgePodRole(c *simcloud.Change, of *simcloud.Object, arn, namespace, serviceAccount string) error {
	tags := map[string]string{
		"aws:RequestTag/eks-cluster-arn": of.State.String("arn"), "aws:RequestTag/eks-cluster-name": of.ID,
		"aws:RequestTag/kubernetes-namespace": namespace, "aws:RequestTag/kubernetes-service-account": serviceAccount,
	}
	if !trustsWith(c.Cloud, arn, "pods.eks.amazonaws.com", tags, "sts:AssumeRole", "sts:TagSession") {
		return errorf("InvalidParameterException", "Trust policy of role %s must allow pods.eks.amazonaws.com sts:AssumeRole and sts:TagSession", arn)
	}
	return nil
}

func judgeAddon(c *simcloud.Change, of *simcloud.Object) error {
	version, name := c.New.String("addonVersion"), c.New.String("addonName")
	if parts := addonVersion.FindStringSubmatch(version); version != "" && parts == nil {
		return errorf("InvalidParameterException", "Addon version specified is not supported: %s", version)
	} else if parts != nil && name == "kube-proxy" {
		// kube-proxy is a version of Kubernetes: never newer than the control plane, at most three minors older.
		if behind := minor(of.State.String("version")) - minor(parts[1]+"."+parts[2]); behind < 0 || behind > 3 {
			return errorf("InvalidParameterException", "Addon version specified is not supported: kube-proxy %s with Kubernetes %s", version, of.State.String("version"))
		}
	}
	if len(c.New.List("podIdentityAssociations")) > 0 && c.New.Has("serviceAccountRoleArn") {
		return errorf("InvalidParameterException", "Pod identity associations and a service account role cannot be given together")
	}
	for _, each := range c.New.List("podIdentityAssociations") {
		agent := c.Cloud.Get(c.Scope, addon, of.ID+":eks-pod-identity-agent")
		if agent == nil && name != "eks-pod-identity-agent" && name != "vpc-cni" {
			return errorf("InvalidParameterException", "Pod identity associations of %s need the add-on eks-pod-identity-agent", name)
		}
		if err := judgePodRole(c, of, each.String("roleArn"), "kube-system", each.String("serviceAccount")); err != nil {
			return err
		}
	}
	return nil
}

// hasNodes tells whether a cluster has a node group that came up.
func hasNodes(cloud *simcloud.Cloud, of *simcloud.Object) bool {
	return slices.ContainsFunc(cloud.Find(of.Scope, nodeGroup, nil), func(o *simcloud.Object) bool {
		return o.Ready && o.State.String("clusterName") == of.ID && o.State.Int("scalingConfig.desiredSize") > 0
	})
}

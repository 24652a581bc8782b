package aws

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// accessPolicies are those of EKS: https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
var accessPolicies = strings.Fields(`AmazonEKSAdminPolicy AmazonEKSClusterAdminPolicy AmazonEKSAdminViewPolicy AmazonEKSEditPolicy AmazonEKSViewPolicy
	AmazonEKSSecretReaderPolicy AmazonEKSAutoNodePolicy`)

// toPrincipal is the role of an access entry; users and other accounts are not looked up.
func toPrincipal(path string) simcloud.Reference {
	r := by(to(path, "InvalidParameterException", "The specified principalArn is invalid: invalid principal: %s", role), "arn")
	r.Patience = seconds(120)
	r.Ignore = func(value string) bool { return !strings.HasPrefix(value, arn("iam", "", "role/")) || value == Caller }
	return r
}

// accessTypes are access entries: https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html
func accessTypes() []*simcloud.ResourceType {
	entry := kind(accessEntry, eks.AccessEntryArgs{}, eks.AccessEntry{})
	entry.Defaults = simcloud.Values{"type": "STANDARD"}
	entry.Replace = []string{"clusterName", "principalArn", "type"}
	entry.References = []simcloud.Reference{toCluster(), toPrincipal("principalArn")}
	entry.Check = checkEntry
	entry.Create = func(c *simcloud.Change) error {
		of, err := withAPI(c)
		if err != nil {
			return err
		}
		who := c.New.String("principalArn")
		c.ID = of.ID + ":" + who
		if c.Cloud.Get(c.Scope, accessEntry, c.ID) != nil {
			return errorf("ResourceInUseException", "The specified access entry resource is already in use on this cluster.")
		}
		now := c.Cloud.Clock.Now().Format("2006-01-02T15:04:05Z")
		c.Out = simcloud.Values{"createdAt": now, "modifiedAt": now,
			"accessEntryArn": arn("eks", c.Scope, "access-entry/"+of.ID+"/role/"+Account+"/"+who[strings.LastIndex(who, "/")+1:]+"/"+uuid(c.Cloud, "entry"))}
		if !c.New.Has("userName") {
			c.Out["userName"] = who
		}
		return nil
	}

	association := kind(accessPolicyAssociation, eks.AccessPolicyAssociationArgs{}, eks.AccessPolicyAssociation{})
	association.Replace = []string{"clusterName", "principalArn", "policyArn", "accessScope"}
	association.References = []simcloud.Reference{toCluster(), toPrincipal("principalArn")}
	association.Check = func(p *simcloud.Plan) {
		oneOf(p, "accessScope.type", "cluster", "namespace")
		namespaces := len(p.Values.Strings("accessScope.namespaces"))
		if kind := p.Values.String("accessScope.type"); p.Values.Known("accessScope") && (kind == "cluster" && namespaces > 0 || kind == "namespace" && namespaces == 0) {
			p.Add("accessScope", "InvalidParameterException: a scope of type namespace names namespaces, one of type cluster names none")
		}
	}
	association.Create = func(c *simcloud.Change) error {
		of, err := withAPI(c)
		if err != nil {
			return err
		}
		who, what := c.New.String("principalArn"), c.New.String("policyArn")
		c.ID = of.ID + "#" + who + "#" + what
		name, ours := strings.CutPrefix(what, "arn:aws:eks::aws:cluster-access-policy/")
		if !ours || !slices.Contains(accessPolicies, name) {
			return errorf("InvalidParameterException", "The specified policyArn is invalid: %s", what)
		}
		of = c.Cloud.Get(c.Scope, accessEntry, of.ID+":"+who)
		if of == nil {
			return errorf("ResourceNotFoundException", "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.")
		}
		if of.State.String("type") != "STANDARD" {
			return errorf("InvalidRequestException", "The access entry of %s is of type %s: policies go with STANDARD entries only", who, of.State.String("type"))
		}
		if c.Cloud.Get(c.Scope, accessPolicyAssociation, c.ID) != nil {
			return errorf("ResourceInUseException", "The policy is associated with this entry already")
		}
		now := c.Cloud.Clock.Now().Format("2006-01-02T15:04:05Z")
		c.Out = simcloud.Values{"associatedAt": now, "modifiedAt": now}
		return nil
	}
	return []*simcloud.ResourceType{entry, association}
}

// withAPI finds an active cluster whose authentication mode knows access entries.
func withAPI(c *simcloud.Change) (*simcloud.Object, error) {
	of, err := active(c)
	if err != nil {
		return nil, err
	}
	if of.State.String("accessConfig.authenticationMode") == "CONFIG_MAP" {
		return nil, errorf("InvalidRequestException", "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
	}
	return of, nil
}

func checkEntry(p *simcloud.Plan) {
	kinds := []any{"STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX"}
	oneOf(p, "type", kinds...)
	if who := p.Values.String("principalArn"); who != "" && !strings.HasPrefix(who, "arn:aws") {
		p.Add("principalArn", fmt.Sprintf("%q (principalArn) is an invalid ARN: arn: invalid prefix", who))
	}
	for _, prefix := range []string{"system:", "eks:", "aws:", "amazon:", "iam:"} {
		if name := p.Values.String("userName"); strings.HasPrefix(name, prefix) && p.Values.String("type") == "STANDARD" {
			p.Add("userName", "InvalidParameterException: The username "+name+" is invalid, it cannot start with "+prefix)
		}
	}
	for i, group := range p.Values.Strings("kubernetesGroups") {
		if strings.HasPrefix(group, "system:") {
			p.Add(fmt.Sprintf("kubernetesGroups[%d]", i), "InvalidParameterException: The kubernetes group name "+group+" is invalid, it cannot start with system:")
		}
	}
	if p.Values.String("type") != "STANDARD" && (p.Values.Has("kubernetesGroups") || p.Values.Has("userName")) {
		p.Add("kubernetesGroups", "InvalidParameterException: groups and a user name go with STANDARD entries only")
	}
}

package aws

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func newTestRoles(t *testing.T, args RolesArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewRoles(ctx, "roles", &args); return err })
}

// CIS-EKS 5.1.3, 5.2.1, M20: each program has a role of its own, and a node can
// pull images, join, and nothing else.
func TestRolesAreLeastPrivilege(t *testing.T) {
	args := RolesArgs{Account: testAccount, Cluster: "prod"}
	c := newTestRoles(t, args)
	managed := map[string][]string{}
	for _, each := range c.Of("RolePolicyAttachment") {
		managed[each.Text("role")] = append(managed[each.Text("role")], strings.TrimPrefix(each.Text("policyArn"), "arn:aws:iam::aws:policy/"))
	}
	want := map[string][]string{
		"prod-eu-central-1-cluster": {"AmazonEKSClusterPolicy"},
		"prod-eu-central-1-nodes":   {"AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy"},
		"prod-eu-central-1-network": {"AmazonEKS_CNI_Policy"},
		"prod-eu-central-1-volumes": {"service-role/AmazonEBSCSIDriverPolicy"},
	}
	if fmt.Sprint(managed) != fmt.Sprint(want) {
		t.Errorf("policies %v", managed)
	}
	own := c.Of("RolePolicy")
	if len(own) != 1 || own[0].Text("role") != "prod-eu-central-1-nodes" {
		t.Fatalf("inline policies %v", own)
	}
	statements := parse(t, own[0].Text("policy"))
	if len(statements) != 1 || !slices.Equal(statements[0].Action, []string{"eks-auth:AssumeRoleForPodIdentity"}) ||
		!slices.Equal(statements[0].Resource, []string{"arn:aws:eks:eu-central-1:123456789012:cluster/prod"}) {
		t.Errorf("node role %v", statements)
	}
	args.SSM = true
	for _, s := range parse(t, newTestRoles(t, args).Of("RolePolicy")[0].Text("policy")) {
		for _, action := range s.Action {
			if strings.Contains(action, "*") || strings.HasPrefix(action, "ssm:Get") {
				t.Errorf("SSM: %s", action)
			}
		}
	}
}

// A role is taken by the one program it is for.
func TestRolesAreTrusted(t *testing.T) {
	c := newTestRoles(t, RolesArgs{Account: testAccount, Cluster: "prod"})
	for use, service := range map[string]string{"cluster": "eks.amazonaws.com", "nodes": "ec2.amazonaws.com"} {
		s := parse(t, c.One(t, "Role", "roles-"+use).Text("assumeRolePolicy"))
		if len(s) != 1 || fmt.Sprint(s[0].Principal) != "map[Service:["+service+"]]" || !slices.Equal(s[0].Action, []string{"sts:AssumeRole"}) {
			t.Errorf("%s: %v", use, s)
		}
	}
	for use, account := range map[string]string{"network": "aws-node", "volumes": "ebs-csi-controller-sa"} {
		s := parse(t, c.One(t, "Role", "roles-"+use).Text("assumeRolePolicy"))
		if len(s) != 1 || fmt.Sprint(s[0].Principal) != "map[Service:[pods.eks.amazonaws.com]]" || !slices.Equal(s[0].Action, []string{"sts:AssumeRole", "sts:TagSession"}) {
			t.Errorf("%s: %v", use, s)
		}
		tags := s[0].Condition["StringEquals"]
		if fmt.Sprint(tags["aws:RequestTag/kubernetes-service-account"]) != "["+account+"]" || fmt.Sprint(tags["aws:RequestTag/kubernetes-namespace"]) != "[kube-system]" ||
			fmt.Sprint(tags["aws:RequestTag/eks-cluster-arn"]) != "[arn:aws:eks:eu-central-1:123456789012:cluster/prod]" {
			t.Errorf("%s: %v", use, s[0].Condition)
		}
	}
}

func TestRolesRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewRoles(ctx, "roles", &RolesArgs{}); return err }, "account.id", "account.region", "cluster")
}

// Names of roles keep AWS's limit for the longest cluster and region.
func TestRoleNamesFit(t *testing.T) {
	args := RolesArgs{Account: Account{ID: "123456789012", Region: "ap-southeast-1"}, Cluster: strings.Repeat("c", 32)}
	for _, role := range newTestRoles(t, args).Of("Role") {
		if len(role.Text("name")) > 64 {
			t.Errorf("%s has %d characters", role.Text("name"), len(role.Text("name")))
		}
	}
}

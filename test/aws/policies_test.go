package aws_test

import (
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

// nodeCalls are what a Bottlerocket node asks of AWS until it has joined and runs its first pod, as it asks.
// https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html
var nodeCalls = []struct{ service, action, resource string }{
	{"eks", "eks:DescribeCluster", "arn:aws:eks:" + region + ":" + simaws.Account + ":cluster/main"},
	{"ec2", "ec2:DescribeInstances", "*"},
	{"ec2", "ec2:AssignPrivateIpAddresses", "*"},
	{"ecr.api", "ecr:GetAuthorizationToken", "*"},
	// Images of add-ons lie in an account of AWS.
	{"ecr.dkr", "ecr:BatchGetImage", "arn:aws:ecr:" + region + ":602401143452:repository/eks/pause"},
	{"ecr.dkr", "ecr:GetDownloadUrlForLayer", "arn:aws:ecr:" + region + ":602401143452:repository/eks/pause"},
	{"s3", "s3:GetObject", "arn:aws:s3:::prod-" + region + "-starport-layer-bucket/layer"},
	{"sts", "sts:GetCallerIdentity", "*"},
	{"eks-auth", "eks-auth:AssumeRoleForPodIdentity", "arn:aws:eks:" + region + ":" + simaws.Account + ":podidentityassociation/main/a-1"},
}

// asks puts a request of somebody of an account to the policy of an endpoint.
func asks(t *testing.T, cloud *simcloud.Cloud, service, by, of, action, resource string) bool {
	t.Helper()
	for _, o := range cloud.Objects(endpointToken) {
		if strings.TrimPrefix(o.State.String("serviceName"), "com.amazonaws."+region+".") != service {
			continue
		}
		policy, err := iampolicy.Parse(o.State.String("policy"), iampolicy.Endpoint)
		if err != nil {
			t.Fatal(err)
		}
		return policy.Allows(iampolicy.Request{Principal: "arn:aws:iam::" + by + ":role/node", Action: action, Resource: resource,
			Context: map[string]string{"aws:PrincipalAccount": by, "aws:ResourceAccount": of}})
	}
	t.Errorf("no endpoint for %s", service)
	return false
}

// policies judges what the endpoints let through: what nodes call, nobody of another account, and nothing to one (M06).
func policies(t *testing.T, cloud *simcloud.Cloud) {
	const stranger = "999999999999"
	for _, c := range nodeCalls {
		if !asks(t, cloud, c.service, simaws.Account, simaws.Account, c.action, c.resource) {
			t.Errorf("%s does not let a node do %s on %s", c.service, c.action, c.resource)
		}
		// Layers are fetched with addresses that ECR has signed, by nobody of an account.
		if c.service != "s3" && asks(t, cloud, c.service, stranger, stranger, c.action, c.resource) {
			t.Errorf("%s lets a stranger do %s", c.service, c.action)
		}
	}
	for service, action := range map[string]string{"s3": "s3:PutObject", "logs": "logs:PutLogEvents", "kms": "kms:Encrypt"} {
		if !asks(t, cloud, service, simaws.Account, simaws.Account, action, "*") {
			t.Errorf("%s does not let workloads do %s", service, action)
		}
		if asks(t, cloud, service, simaws.Account, stranger, action, "*") {
			t.Errorf("%s carries data to another account with %s", service, action)
		}
	}
	for service, action := range map[string]string{"eks": "eks:CreateCluster", "ec2": "ec2:RunInstances", "kms": "kms:ScheduleKeyDeletion", "sts": "sts:GetFederationToken"} {
		if asks(t, cloud, service, simaws.Account, simaws.Account, action, "*") {
			t.Errorf("%s lets a node do %s, which nobody there calls", service, action)
		}
	}
}

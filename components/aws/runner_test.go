package aws

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testRunner() RunnerArgs {
	return RunnerArgs{Cluster: "prod", VpcID: pulumi.String("vpc-1"), EndpointSecurityGroupID: pulumi.String("sg-endpoints"), S3PrefixListID: pulumi.String("pl-1"),
		ClusterSecurityGroupID: pulumi.String("sg-cluster"), Egress: []EgressArgs{{Name: "sources", CIDRs: []string{"192.0.2.0/24", "2001:db8::/32"}, Reason: "the program is fetched"}}}
}

// M09: automation calls the API server, the endpoints, S3 and what is named; nobody calls it.
func TestRunner(t *testing.T) {
	args := testRunner()
	c := run(t, func(ctx *pulumi.Context) error { _, err := NewRunner(ctx, "ci", &args); return err })
	called := map[string]bool{}
	for _, rule := range c.Of("SecurityGroupEgressRule") {
		if rule.Text("securityGroupId") != "ci-runner_id" || rule.Inputs["fromPort"] != 443.0 || rule.Inputs["toPort"] != 443.0 || rule.Text("description") == "" {
			t.Errorf("M08: %v", rule.Inputs)
		}
		called[rule.Text("referencedSecurityGroupId")+rule.Text("prefixListId")+rule.Text("cidrIpv4")+rule.Text("cidrIpv6")] = true
	}
	for _, to := range []string{"sg-cluster", "sg-endpoints", "pl-1", "192.0.2.0/24", "2001:db8::/32"} {
		if !called[to] {
			t.Errorf("it does not reach %s", to)
		}
		delete(called, to)
	}
	if len(called) > 0 {
		t.Errorf("M08: it reaches %v too", called)
	}
	lets := map[string]bool{}
	for _, rule := range c.Of("SecurityGroupIngressRule") {
		if rule.Text("referencedSecurityGroupId") != "ci-runner_id" {
			t.Errorf("M08: %v", rule.Inputs)
		}
		lets[rule.Text("securityGroupId")] = true
	}
	if len(lets) != 2 || !lets["sg-cluster"] || !lets["sg-endpoints"] {
		t.Errorf("M09: it is let in by %v", lets)
	}
}

func TestRunnerRefusals(t *testing.T) {
	refuse := func(change func(*RunnerArgs), want ...string) {
		t.Helper()
		args := testRunner()
		change(&args)
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewRunner(ctx, "ci", &args); return err }, want...)
	}
	refuse(func(a *RunnerArgs) { *a = RunnerArgs{} }, "cluster", "vpcId", "endpointSecurityGroupId", "s3PrefixListId", "clusterSecurityGroupId")
	refuse(func(a *RunnerArgs) { a.Egress[0].CIDRs, a.Egress[0].Reason = []string{"0.0.0.0/0"}, "" }, "egress[0].cidrs[0]", "egress[0].reason")
}

// What runs in the network calls AWS through the endpoints: the add-ons of the
// second stack are made from there.
func TestAutomationMakesAddonsThroughTheEndpoint(t *testing.T) {
	for _, uses := range [][]Use{nil, {UseAutomation}} {
		for _, e := range Endpoints(uses, nil) {
			if e.Service == "eks" && strings.Contains(e.Policy(testAccount, "prod"), "eks:CreateAddon") != (uses != nil) {
				t.Errorf("with %v: %s", uses, e.Policy(testAccount, "prod"))
			}
		}
	}
}

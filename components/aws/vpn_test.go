package aws

import (
	"fmt"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

const testCertificate = "arn:aws:acm:eu-central-1:123456789012:certificate/0123-abcd"

func testVpn() ClientVpnArgs {
	return ClientVpnArgs{Cluster: "prod", VpcID: pulumi.String("vpc-1"), NetworkCIDR: "10.20.0.0/16", SubnetIDs: []pulumi.StringInput{pulumi.String("subnet-a"), pulumi.String("subnet-b")},
		ClusterSecurityGroupID: pulumi.String("sg-cluster"), ClientCIDR: "10.250.0.0/22", ServerCertificateArn: testCertificate, LogsKeyArn: testKey,
		SamlProviderArn: "arn:aws:iam::123456789012:saml-provider/people", AccessGroup: "operators"}
}

// M09, M41: people reach the API server alone, are logged, and have to come again every day.
func TestClientVpn(t *testing.T) {
	args := testVpn()
	c := run(t, func(ctx *pulumi.Context) error { _, err := NewClientVpn(ctx, "vpn", &args); return err })
	endpoint := c.One(t, "Endpoint", "vpn")
	for name, want := range map[string]any{
		"splitTunnel": true, "sessionTimeoutHours": 8.0, "disconnectOnSessionTimeout": true, "dnsServers": []any{"10.20.0.2"}, "securityGroupIds": []any{"vpn_id"},
		"clientCidrBlock": "10.250.0.0/22", "connectionLogOptions": map[string]any{"enabled": true, "cloudwatchLogGroup": "/aws/clientvpn/prod/connections"},
		"authenticationOptions": []any{map[string]any{"type": "federated-authentication", "samlProviderArn": args.SamlProviderArn}},
	} {
		if fmt.Sprint(endpoint.Inputs[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, endpoint.Inputs[name], want)
		}
	}
	if logs := c.One(t, "LogGroup", "vpn"); logs.Text("kmsKeyId") != string(testKey) || logs.Inputs["retentionInDays"] != 365.0 {
		t.Errorf("M17: %v", logs.Inputs)
	}
	if len(c.Of("NetworkAssociation")) != 2 || len(c.Of("SecurityGroupIngressRule")) != 1 || len(c.Of("SecurityGroupEgressRule")) != 1 {
		t.Error("M08: more or less is open than the API server")
	}
	in, out := c.Of("SecurityGroupIngressRule")[0], c.Of("SecurityGroupEgressRule")[0]
	if in.Text("securityGroupId") != "sg-cluster" || in.Text("referencedSecurityGroupId") != "vpn_id" || out.Text("securityGroupId") != "vpn_id" || out.Text("referencedSecurityGroupId") != "sg-cluster" ||
		in.Inputs["fromPort"] != 443.0 || in.Inputs["toPort"] != 443.0 || out.Inputs["toPort"] != 443.0 || !endpoint.WaitsFor(in) || !endpoint.WaitsFor(out) {
		t.Errorf("M08: %v %v", in.Inputs, out.Inputs)
	}
	if rule := c.One(t, "AuthorizationRule", "vpn"); rule.Text("accessGroupId") != "operators" || rule.Inputs["authorizeAllGroups"] != nil || rule.Text("targetNetworkCidr") != "10.20.0.0/16" {
		t.Errorf("M09: %v", rule.Inputs)
	}
	args.SamlProviderArn, args.AccessGroup, args.ClientCertificateArn = "", "", testCertificate
	c = run(t, func(ctx *pulumi.Context) error { _, err := NewClientVpn(ctx, "vpn", &args); return err })
	if got := fmt.Sprint(c.One(t, "Endpoint", "vpn").List("authenticationOptions")); got != "[map[rootCertificateChainArn:"+testCertificate+" type:certificate-authentication]]" {
		t.Errorf("certificates: %s", got)
	}
}

func TestClientVpnRefusals(t *testing.T) {
	refuse := func(change func(*ClientVpnArgs), want ...string) {
		t.Helper()
		args := testVpn()
		change(&args)
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewClientVpn(ctx, "vpn", &args); return err }, want...)
	}
	refuse(func(a *ClientVpnArgs) { *a = ClientVpnArgs{} }, "cluster", "vpcId", "networkCidr", "subnetIds", "clusterSecurityGroupId", "clientCidr", "serverCertificateArn", "samlProviderArn", "logsKeyArn")
	refuse(func(a *ClientVpnArgs) { a.ClientCIDR, a.AccessGroup, a.RetentionDays = "10.20.4.0/22", "", 30 }, "clientCidr", "accessGroup", "retentionDays")
	refuse(func(a *ClientVpnArgs) { a.ClientCIDR, a.ClientCertificateArn = "10.250.0.0/24", testCertificate }, "clientCidr", "samlProviderArn")
	refuse(func(a *ClientVpnArgs) { a.SamlProviderArn = "people" }, "samlProviderArn")
	refuse(func(a *ClientVpnArgs) { a.SamlProviderArn, a.ClientCertificateArn = "", "mine" }, "accessGroup")
	refuse(func(a *ClientVpnArgs) { a.SamlProviderArn, a.AccessGroup, a.ClientCertificateArn = "", "", "mine" }, "clientCertificateArn")
}

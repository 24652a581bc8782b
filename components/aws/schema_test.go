package aws

import (
	"context"
	"slices"
	"testing"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// M44: the components can be served to every Pulumi language under the tokens
// that they register, with no more required than there must be.
func TestComponentsHaveSchemas(t *testing.T) {
	provider, err := infer.NewProviderBuilder().WithNamespace("redoubt-dev").WithComponents(
		infer.ComponentF(NewNetwork), infer.ComponentF(NewKeys), infer.ComponentF(NewLogs), infer.ComponentF(NewFirewall),
		infer.ComponentF(NewRoles), infer.ComponentF(NewEksCluster), infer.ComponentF(NewNodePool), infer.ComponentF(NewEksAddons), infer.ComponentF(NewEcrRegistry), infer.ComponentF(NewClientVpn),
		infer.ComponentF(NewDetection), infer.ComponentF(NewSessionLogging)).Build()
	if err != nil {
		t.Fatal(err)
	}
	schema, err := p.GetSchema(context.Background(), "redoubt", "0.0.0", provider)
	if err != nil {
		t.Fatal(err)
	}
	for token, required := range map[string][]string{
		networkToken:  {"account", "cluster", "logsKeyArn", "zones"},
		keysToken:     {"account", "cluster"},
		logsToken:     {"account", "cluster", "keyArn"},
		firewallToken: {"cluster", "endpointSecurityGroupId", "vpcId"},
		rolesToken:    {"account", "cluster"},
		eksClusterToken: {"access", "account", "addonVersions", "cluster", "clusterRoleArn", "logGroupName", "networkRoleArn",
			"secretsKeyArn", "securityGroupId", "subnetIds"},
		nodePoolToken: {"cluster", "clusterName", "controlPlaneVersion", "instanceTypes", "nodeRoleArn", "pool", "releaseVersion",
			"securityGroupId", "subnetIds", "volumesKeyArn"},
		eksAddonsToken:      {"after", "cluster", "versions", "volumesRoleArn"},
		registryToken:       {"account", "cluster"},
		detectionToken:      {"account", "cluster"},
		sessionLoggingToken: {"account", "cluster", "keyArn"},
		clientVpnToken:      {"clientCidr", "cluster", "clusterSecurityGroupId", "logsKeyArn", "networkCidr", "serverCertificateArn", "subnetIds", "vpcId"},
	} {
		r, found := schema.Resources[token]
		if !found || !r.IsComponent {
			t.Errorf("%s is not served", token)
		}
		slices.Sort(r.RequiredInputs)
		if !slices.Equal(r.RequiredInputs, required) {
			t.Errorf("%s requires %v, want %v", token, r.RequiredInputs, required)
		}
		if len(r.Properties) == 0 {
			t.Errorf("%s has no outputs", token)
		}
	}
}

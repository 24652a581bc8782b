package gcp

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
		infer.ComponentF(NewNetwork), infer.ComponentF(NewKeys), infer.ComponentF(NewLogs), infer.ComponentF(NewFirewall), infer.ComponentF(NewRoles),
		infer.ComponentF(NewImagePolicy), infer.ComponentF(NewGkeCluster), infer.ComponentF(NewNodePool), infer.ComponentF(NewIapAccess), infer.ComponentF(NewCloudVpn),
		infer.ComponentF(NewDetection), infer.ComponentF(NewArtifactRegistry), infer.ComponentF(NewOrgPolicy), infer.ComponentF(NewFlatcarRoles)).Build()
	if err != nil {
		t.Fatal(err)
	}
	schema, err := p.GetSchema(context.Background(), "redoubt", "0.0.0", provider)
	if err != nil {
		t.Fatal(err)
	}
	for token, required := range map[string][]string{
		networkToken:     {"cluster", "project"},
		keysToken:        {"cluster", "project"},
		logsToken:        {"cluster", "keyId", "project"},
		firewallToken:    {"cluster", "controlPlaneCidr", "networkId", "nodeCidr", "podCidr", "project"},
		rolesToken:       {"cluster", "project"},
		imagePolicyToken: {"project"},
		gkeClusterToken: {"access", "authorizedNetworks", "cluster", "controlPlaneCidr", "disksKeyId", "networkId", "nodeServiceAccount", "podRangeName", "policyProject", "project",
			"secretsKeyId", "securityGroup", "serviceRangeName", "subnetworkId"},
		nodePoolToken:  {"cluster", "clusterName", "disksKeyId", "nodeServiceAccount", "pool", "project"},
		iapAccessToken: {"cidr", "cluster", "controlPlaneCidr", "disksKeyId", "endpoint", "image", "members", "networkId", "project", "zone"},
		cloudVpnToken:  {"cluster", "controlPlaneCidr", "networkId", "peerAsn", "peerIps", "project", "sharedSecret"},
		detectionToken: {"cluster", "project"},
		registryToken:  {"cluster", "keyRingId", "project"},
		orgPolicyToken: {"parent"},

		flatcarRolesToken: {"cluster", "pools", "project"},
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

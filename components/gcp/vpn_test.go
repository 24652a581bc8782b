package gcp

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testVpn() CloudVpnArgs {
	return CloudVpnArgs{Project: testProject, Cluster: "prod", NetworkID: pulumi.String("net_id"), ControlPlaneCIDR: pulumi.String("10.0.64.0/28"),
		PeerIPs: []string{"203.0.113.1", "203.0.113.2"}, PeerASN: 65001, SharedSecret: pulumi.String("0123456789abcdef0123456789abcdef")}
}

// M09: two tunnels of IKEv2, through which only the control plane is found.
func TestCloudVpn(t *testing.T) {
	args := testVpn()
	c := run(t, func(ctx *pulumi.Context) error { _, err := NewCloudVpn(ctx, "vpn", &args); return err })
	c.One(t, "Router", "vpn").Wants(t, map[string]any{"bgp.asn": 64514, "bgp.advertiseMode": "CUSTOM", "bgp.advertisedGroups": nil, "bgp.advertisedIpRanges": []any{map[string]any{"range": "10.0.64.0/28", "description": "the API server"}}})
	c.One(t, "ExternalVpnGateway", "vpn").Wants(t, map[string]any{"redundancyType": "TWO_IPS_REDUNDANCY"})
	for i, link := range []string{"169.254.21.", "169.254.22."} {
		suffix := []string{"-0", "-1"}[i]
		c.One(t, "VPNTunnel", "vpn"+suffix).Wants(t, map[string]any{"ikeVersion": 2, "vpnGatewayInterface": i, "peerExternalGatewayInterface": i, "router": "vpn_id", "vpnGateway": "vpn_id"})
		c.One(t, "RouterInterface", "vpn"+suffix).Wants(t, map[string]any{"ipRange": link + "1/30", "vpnTunnel": "prod-vpn" + suffix})
		c.One(t, "RouterPeer", "vpn"+suffix).Wants(t, map[string]any{"peerIpAddress": link + "2", "peerAsn": 65001, "interface": "prod-vpn" + suffix})
	}
	args.PeerIPs = args.PeerIPs[:1]
	c = run(t, func(ctx *pulumi.Context) error { _, err := NewCloudVpn(ctx, "vpn", &args); return err })
	c.One(t, "ExternalVpnGateway", "vpn").Wants(t, map[string]any{"redundancyType": "SINGLE_IP_INTERNALLY_REDUNDANT"})
	c.One(t, "VPNTunnel", "vpn-1").Wants(t, map[string]any{"peerExternalGatewayInterface": 0})
}

// The secret stays one, whatever it was given as.
func TestVpnSecretIsSecret(t *testing.T) {
	args := testVpn()
	c := run(t, func(ctx *pulumi.Context) error { _, err := NewCloudVpn(ctx, "vpn", &args); return err })
	for _, tunnel := range c.Of("VPNTunnel") {
		if !tunnel.Secret("sharedSecret") {
			t.Errorf("the secret of %s is shown", tunnel.Name)
		}
	}
}

func TestVpnRefusals(t *testing.T) {
	refuse := func(a CloudVpnArgs, want ...string) {
		t.Helper()
		mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewCloudVpn(ctx, "vpn", &a); return err }, want...)
	}
	refuse(CloudVpnArgs{Project: testProject}, "cluster", "networkId", "controlPlaneCidr", "peerIps", "peerAsn", "sharedSecret")
	args := testVpn()
	args.ControlPlaneCIDR, args.PeerIPs, args.PeerASN, args.ASN, args.SharedSecret = pulumi.String("10.0.0.0/24"), []string{"10.0.0.1", "x"}, 3320, 3320, pulumi.String("short")
	args.Links = []string{"169.254.169.252/30", "10.0.0.0/30"}
	refuse(args, "controlPlaneCidr", "peerIps[0]", "peerIps[1]", "peerAsn", "asn", "sharedSecret", "links[0]", "links[1]")
}

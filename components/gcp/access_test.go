package gcp

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testAccess() IapAccessArgs {
	return IapAccessArgs{Project: testProject, Cluster: "prod", NetworkID: pulumi.String("net_id"), CIDR: pulumi.String("10.0.64.16/28"), ControlPlaneCIDR: pulumi.String("10.0.64.0/28"),
		Endpoint: pulumi.String("https://10.0.64.2"), DisksKeyID: testKey, Zone: "europe-west3-a", Image: "projects/cos-cloud/global/images/cos-121-18867-90-38",
		Members: []string{"group:operators@example.com", "serviceAccount:automation@shop-prod.iam.gserviceaccount.com"}}
}

func newTestAccess(t *testing.T, args IapAccessArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewIapAccess(ctx, "entry", &args); return err })
}

// M09: the forwarder has no address on the internet, no keys, no permissions, and
// an image that is pinned and shielded.
func TestForwarderIsHardened(t *testing.T) {
	c := newTestAccess(t, testAccess())
	c.One(t, "Instance", "entry").Wants(t, map[string]any{
		"networkInterfaces.accessConfigs": nil, "networkInterfaces.ipv6AccessConfigs": nil, "networkInterfaces.subnetwork": "entry_id", "canIpForward": false,
		"shieldedInstanceConfig.enableSecureBoot": true, "shieldedInstanceConfig.enableVtpm": true, "shieldedInstanceConfig.enableIntegrityMonitoring": true,
		"bootDisk.kmsKeySelfLink": string(testKey), "bootDisk.autoDelete": true, "networkInterfaces.stackType": "IPV4_ONLY", "metadata.cos-update-strategy": "update_disabled", "bootDisk.initializeParams.image": "projects/cos-cloud/global/images/cos-121-18867-90-38",
		"metadata.enable-oslogin": "TRUE", "metadata.block-project-ssh-keys": "TRUE", "metadata.serial-port-enable": "FALSE", "metadata.ssh-keys": nil, "metadataStartupScript": nil,
		"serviceAccount.email": "prod-entry@shop-prod.iam.gserviceaccount.com", "zone": "europe-west3-a", "machineType": "e2-small",
	})
	if n := len(c.Of("IAMMember")); n != 0 {
		t.Errorf("the forwarder may do %d things", n)
	}
	c.One(t, "Subnetwork", "entry").Wants(t, map[string]any{"ipCidrRange": "10.0.64.16/28", "privateIpGoogleAccess": true, "logConfig.metadata": "INCLUDE_ALL_METADATA", "logConfig.flowSampling": 1})
}

// M08, M09: tunnels come in, to one port; connections go out, to the API server;
// nothing else, and no way to log in.
func TestForwarderReaches(t *testing.T) {
	c := newTestAccess(t, testAccess())
	target := []any{"prod-entry@shop-prod.iam.gserviceaccount.com"}
	for name, want := range map[string]map[string]any{
		"entry-in":      {"direction": "INGRESS", "sourceRanges": []any{"35.235.240.0/20"}, "allows": []any{map[string]any{"protocol": "tcp", "ports": []any{"8443"}}}, "priority": 1000},
		"entry-out":     {"direction": "EGRESS", "destinationRanges": []any{"10.0.64.0/28"}, "allows": []any{map[string]any{"protocol": "tcp", "ports": []any{"443"}}}, "priority": 1000},
		"entry-deny-in": {"direction": "INGRESS", "denies.protocol": "all", "priority": 65000}, "entry-deny-out": {"direction": "EGRESS", "denies.protocol": "all", "priority": 65000},
	} {
		want["targetServiceAccounts"] = target
		c.One(t, "Firewall", name).Wants(t, want)
	}
	if n := len(c.Of("Firewall")); n != 4 {
		t.Errorf("%d rules", n)
	}
	for _, name := range []string{"entry-in", "entry-out"} {
		if !c.One(t, "Instance", "entry").WaitsFor(c.One(t, "Firewall", name)) {
			t.Errorf("the forwarder does not wait for %s", name)
		}
	}
}

// The kernel passes on to the API server, and sshd does not run.
func TestForwarderConfig(t *testing.T) {
	config := newTestAccess(t, testAccess()).One(t, "Instance", "entry").At("metadata.user-data").(string)
	if !strings.HasPrefix(config, "#cloud-config\n") {
		t.Errorf("%q", config)
	}
	var parsed struct {
		WriteFiles []struct{ Path, Permissions, Content string } `json:"write_files"`
		Runcmd     []string                                      `json:"runcmd"`
	}
	if err := yaml.UnmarshalStrict([]byte(config), &parsed); err != nil && !strings.Contains(err.Error(), "owner") {
		t.Fatal(err)
	}
	if len(parsed.WriteFiles) != 1 || len(parsed.Runcmd) != 3 || parsed.Runcmd[0] != "systemctl mask --now sshd.service" {
		t.Fatalf("%+v", parsed)
	}
	unit := parsed.WriteFiles[0].Content
	for _, line := range []string{
		"-A PREROUTING -m addrtype --dst-type LOCAL -p tcp -s 35.235.240.0/20 --dport 8443 -j DNAT --to-destination 10.0.64.2:443", "-P FORWARD DROP",
		"-I FORWARD -p tcp -s 35.235.240.0/20 -d 10.0.64.2 --dport 443 -j ACCEPT", "net.ipv4.ip_forward=1",
	} {
		if !strings.Contains(unit, line+"\n") {
			t.Errorf("the unit lacks %q", line)
		}
	}
	// What is not an address never becomes part of a command.
	for _, endpoint := range []string{"", "https://gke.example.com", "https://10.0.0.1; reboot", "https://[2001:db8::1]", "10.0.0.1:443"} {
		if config, err := forwarderConfig(endpoint); err == nil {
			t.Errorf("%q gives %q", endpoint, config)
		}
	}
}

// M09, M41: who is named opens tunnels to the one port of the one machine.
func TestTunnels(t *testing.T) {
	c := newTestAccess(t, testAccess())
	members := map[string]bool{}
	for _, r := range c.Of("TunnelInstanceIAMMember") {
		members[r.Text("member")] = true
		r.Wants(t, map[string]any{"role": "roles/iap.tunnelResourceAccessor", "instance": "prod-entry", "zone": "europe-west3-a", "condition.expression": "destination.port == 8443"})
	}
	for _, r := range c.Of("InstanceIAMMember") {
		if r.Text("role") != "roles/compute.viewer" || !members[r.Text("member")] {
			t.Errorf("%v", r.Inputs)
		}
	}
	if len(members) != 2 || !members["group:operators@example.com"] {
		t.Errorf("members %v", members)
	}
}

func TestAccessRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewIapAccess(ctx, "entry", &IapAccessArgs{Project: testProject})
		return err
	}, "cluster", "networkId", "cidr", "controlPlaneCidr", "endpoint", "disksKeyId", "zone", "image", "members")
	args := testAccess()
	args.CIDR, args.ControlPlaneCIDR, args.Endpoint, args.Zone = pulumi.String("10.0.0.0/8"), pulumi.String("203.0.113.0/28"), pulumi.String("https://api.example.com"), "us-east1-b"
	args.NetworkProject = "X"
	args.Image, args.MachineType, args.Members = "projects/cos-cloud/global/images/family/cos-stable", "Large", []string{"allUsers", "user:me@example.com", "group:a@example.com", "group:a@example.com"}
	mocks.Refused(t, func(ctx *pulumi.Context) error { _, err := NewIapAccess(ctx, "entry", &args); return err },
		"cidr", "controlPlaneCidr", "endpoint", "zone", "image", "machineType", "networkProject", "members[0]", "members[1]", "members[3]")
}

package gcp_test

import (
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/monitoring"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	redoubt "github.com/redoubt-dev/redoubt/components/gcp"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// prepared is a project with what people have before an environment: accounts, and a way to tell them.
func prepared(t *testing.T) (cloud *simcloud.Cloud, channel string) {
	t.Helper()
	cloud = open(t)
	simtest.New(t, cloud, settings).MustUp(func(ctx *pulumi.Context) error {
		newAccount(ctx, "automation")
		newAccount(ctx, "emergency")
		must(monitoring.NewNotificationChannel(ctx, "mail", &monitoring.NotificationChannelArgs{Type: pulumi.String("email"), Labels: pulumi.StringMap{"email_address": pulumi.String("a@example.com")}}))
		return nil
	})
	return cloud, cloud.Objects("gcp:monitoring/notificationChannel:NotificationChannel")[0].ID
}

// components is an environment made of the project's own components.
func components(channel string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		at := redoubt.Project{ID: project, Number: gcp.Number(project), Region: region}
		account := func(name string) string { return "serviceAccount:" + name + "@" + project + ".iam.gserviceaccount.com" }
		roles := must(redoubt.NewRoles(ctx, "roles", &redoubt.RolesArgs{Project: at, Cluster: "prod"}))
		keys := must(redoubt.NewKeys(ctx, "keys", &redoubt.KeysArgs{Project: at, Cluster: "prod", CreateAgents: true}))
		net := must(redoubt.NewNetwork(ctx, "net", &redoubt.NetworkArgs{Project: at, Cluster: "prod", CIDR: "10.64.0.0/16"}))
		wall := must(redoubt.NewFirewall(ctx, "wall", &redoubt.FirewallArgs{Project: at, Cluster: "prod", NetworkID: net.NetworkID, NodeCIDR: net.NodeCIDR, PodCIDR: net.PodCIDR,
			ControlPlaneCIDR: net.ControlPlaneCIDR, NodeServiceAccount: roles.NodeEmail}))
		images := must(redoubt.NewImagePolicy(ctx, "images", &redoubt.ImagePolicyArgs{Project: at, Images: []string{region + "-docker.pkg.dev/" + project + "/services/**"}}))
		cluster := must(redoubt.NewGkeCluster(ctx, "gke", &redoubt.GkeClusterArgs{Project: at, Cluster: "prod", NetworkID: net.NetworkID, SubnetworkID: net.NodeSubnetworkID, PodRangeName: net.PodRangeName,
			ServiceRangeName: net.ServiceRangeName, ControlPlaneCIDR: net.ControlPlaneCIDR, SecretsKeyID: keys.SecretsKeyID, DisksKeyID: keys.DisksKeyID, NodeServiceAccount: wall.NodeServiceAccount,
			PolicyProject: images.PolicyProject, SecurityGroup: "gke-security-groups@example.com", AuthorizedNetworks: []redoubt.AuthorizedNetworkArgs{{Name: "access", CIDR: "10.64.64.16/28"}},
			Access: []redoubt.AccessArgs{{Name: "automation", Role: redoubt.AccessAdmin, Member: account("automation")}, {Name: "emergency", Role: redoubt.AccessBreakGlass, Member: account("emergency")},
				{Name: "shop", Role: redoubt.AccessOperator, Member: "group:shop@example.com"}}, Unprotected: true}))
		pool := func(name, machine string, change func(*redoubt.NodePoolArgs)) {
			args := &redoubt.NodePoolArgs{Project: at, Cluster: "prod", ClusterName: cluster.NodesClusterName, Pool: name, MachineType: machine, DisksKeyID: keys.DisksKeyID, NodeServiceAccount: wall.NodeServiceAccount}
			change(args)
			must(redoubt.NewNodePool(ctx, name, args))
		}
		pool("general", "n2d-standard-4", func(a *redoubt.NodePoolArgs) { a.Confidential = true })
		pool("sandboxed", "e2-standard-4", func(a *redoubt.NodePoolArgs) { a.GVisor, a.Isolation = true, "sandboxed" })
		must(redoubt.NewLogs(ctx, "logs", &redoubt.LogsArgs{Project: at, Cluster: "prod", KeyID: keys.LogsKeyID, DataAccess: true, Archive: &redoubt.ArchiveArgs{Lock: redoubt.LockNone},
			Exceptions: []hostconfig.Exception{{Control: "M38/object-lock", Reason: "a simulation that comes and goes", Expires: "2027-06-30"}}}))
		must(redoubt.NewDetection(ctx, "detection", &redoubt.DetectionArgs{Project: at, Cluster: "prod", Channels: pulumi.StringArray{pulumi.String(channel)}, BreakGlassMembers: []string{account("emergency")}}))
		must(redoubt.NewIapAccess(ctx, "entry", &redoubt.IapAccessArgs{Project: at, Cluster: "prod", NetworkID: net.NetworkID, CIDR: pulumi.String("10.64.64.16/28"), ControlPlaneCIDR: net.ControlPlaneCIDR,
			Endpoint: cluster.Endpoint, DisksKeyID: keys.DisksKeyID, Zone: region + "-a", Image: "projects/cos-cloud/global/images/cos-121-18867-90-38", Members: []string{"group:operators@example.com"}}))
		must(redoubt.NewCloudVpn(ctx, "vpn", &redoubt.CloudVpnArgs{Project: at, Cluster: "prod", NetworkID: net.NetworkID, ControlPlaneCIDR: net.ControlPlaneCIDR, PeerIPs: []string{"203.0.113.1", "203.0.113.2"},
			PeerASN: 65001, SharedSecret: pulumi.String("0123456789abcdef0123456789abcdef")}))
		must(redoubt.NewArtifactRegistry(ctx, "registry", &redoubt.ArtifactRegistryArgs{Project: at, Cluster: "prod", KeyRingID: keys.RingID, Repositories: []string{"services"},
			Remotes: map[string]string{"hub": "docker.io", "kubernetes": "https://registry.k8s.io"}, Pullers: []pulumi.StringInput{roles.NodeEmail}}))
		must(redoubt.NewOrgPolicy(ctx, "constraints", &redoubt.OrgPolicyArgs{Parent: "projects/" + project}))
		return nil
	}
}

// The components make what GCP takes, change nothing the second time, and leave nothing.
func TestComponentsLiveAndDie(t *testing.T) {
	t.Parallel()
	cloud, channel := prepared(t)
	before := len(cloud.Objects())
	e := simtest.New(t, cloud, settings)
	program := components(channel)
	result, err := e.Preview(program)
	if err != nil {
		t.Fatal(err)
	}
	planned := result.Creates()
	if result = e.MustUp(program); result.Creates() != planned {
		t.Errorf("planned %d, made %d", planned, result.Creates())
	}
	if result = e.MustUp(program); result.Changed() != 0 {
		t.Errorf("a second pass changes %v", result.Changes)
	}
	if result, err = e.Refresh(); err != nil || result.Changed() != 0 {
		t.Errorf("drift where there is none: %v %v", result.Changes, err)
	}
	if open := gcp.Public(cloud); len(open) > 0 {
		t.Errorf("open to everybody: %v", open)
	}
	if err := e.Destroy(); err != nil {
		t.Fatal(err)
	}
	for _, left := range cloud.Objects()[before:] {
		t.Errorf("left behind: %s", left.Key())
	}
}

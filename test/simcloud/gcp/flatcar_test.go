package gcp_test

import (
	"crypto/sha512"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	redoubt "github.com/redoubt-dev/redoubt/components/gcp"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
	"github.com/redoubt-dev/redoubt/test/simcloud/utilities"
)

// withKeys is an engine that makes keys, too.
func withKeys(t *testing.T, cloud *simcloud.Cloud) *simtest.Engine {
	t.Helper()
	made, err := utilities.Open()
	if err != nil {
		t.Fatal(err)
	}
	e := simtest.New(t, cloud, settings)
	e.Beside = made.Providers()
	return e
}

// selfManaged is a self-managed cluster made of the project's own components.
func selfManaged(t *testing.T, change func(*redoubt.FlatcarClusterArgs)) pulumi.RunFunc {
	t.Helper()
	program := filepath.Join(t.TempDir(), "redoubt-node")
	if err := os.WriteFile(program, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512([]byte("kubernetes"))
	return func(ctx *pulumi.Context) error {
		at := redoubt.Project{ID: project, Number: gcp.Number(project), Region: region}
		roles := must(redoubt.NewFlatcarRoles(ctx, "roles", &redoubt.FlatcarRolesArgs{Project: at, Cluster: "self", Pools: []string{"general"}}))
		keys := must(redoubt.NewKeys(ctx, "keys", &redoubt.KeysArgs{Project: at, Cluster: "self", SecretsAccount: roles.ControlPlaneEmail}))
		net := must(redoubt.NewNetwork(ctx, "net", &redoubt.NetworkArgs{Project: at, Cluster: "self", CIDR: "10.64.0.0/16"}))
		wall := must(redoubt.NewFirewall(ctx, "wall", &redoubt.FirewallArgs{Project: at, Cluster: "self", NetworkID: net.NetworkID, NodeCIDR: net.NodeCIDR, PodCIDR: net.PodCIDR,
			ControlPlaneCIDR: net.ControlPlaneCIDR, SelfManaged: true, ControlPlaneServiceAccount: roles.ControlPlaneEmail, PoolServiceAccounts: roles.Emails(),
			Network: []hostconfig.NetworkTraffic{hostconfig.CiliumVXLAN, hostconfig.CiliumWireGuard, hostconfig.CiliumHealth}}))
		args := &redoubt.FlatcarClusterArgs{
			Project: at, Cluster: "self", Image: "projects/kinvolk-public/global/images/flatcar-stable-4230-2-4", ProgramFile: program,
			Kubernetes: redoubt.ExtensionArgs{Source: "https://extensions.example.com/kubernetes-v1.35.4-x86-64.raw", Hash: "sha512-" + hex.EncodeToString(sum[:])},
			NetworkID:  net.NetworkID, SubnetworkID: net.NodeSubnetworkID, NodeCIDR: "10.64.0.0/18", PodCIDR: "10.64.128.0/17", ServiceCIDR: "10.64.96.0/20",
			ControlPlaneCIDR: "10.64.64.0/28", Zones: []string{region + "-a", region + "-b", region + "-c"}, CNI: "cilium",
			ControlPlaneServiceAccount: wall.ControlPlaneServiceAccount,
			PoolServiceAccounts:        []pulumi.StringInput{wall.PoolServiceAccounts.Index(pulumi.Int(0))},
			DisksKeyID:                 keys.DisksKeyID, SecretsKeyID: keys.SecretsKeyID, KeyRingID: keys.RingID,
			ControlPlane: redoubt.FlatcarControlPlaneArgs{Machines: 3, MachineType: "n2d-standard-2"},
			Pools:        []redoubt.FlatcarPoolArgs{{Name: "general", MachineType: "n2d-standard-4"}}, Unprotected: true,
			Snapshots: redoubt.SnapshotsArgs{Lock: redoubt.LockNone}, AuditLog: redoubt.AuditLogArgs{Lock: redoubt.LockNone},
			Exceptions: []hostconfig.Exception{{Control: "M38/object-lock", Reason: "a simulation that comes and goes", Expires: "2027-06-30"}},
		}
		change(args)
		must(redoubt.NewFlatcarCluster(ctx, "flatcar", args))
		return nil
	}
}

// A self-managed cluster is what GCP takes: every machine would boot with what its own account may read. It changes
// nothing the second time, and leaves nothing.
func TestSelfManagedClustersLiveAndDie(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	e := withKeys(t, cloud)
	program := selfManaged(t, func(*redoubt.FlatcarClusterArgs) {})
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
	if err := e.Destroy(); err != nil {
		t.Fatal(err)
	}
	for _, left := range cloud.Objects() {
		t.Errorf("left behind: %s", left.Key())
	}
}

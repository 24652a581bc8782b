package gcp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// testProgram is a file that stands for the program of hosts.
func testProgram(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "redoubt-node")
	if err := os.WriteFile(file, []byte("program"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

func testFlatcar(t *testing.T) FlatcarClusterArgs {
	return FlatcarClusterArgs{
		Project: testProject, Cluster: "prod", Image: "projects/kinvolk-public/global/images/flatcar-stable-4230-2-4", ProgramFile: testProgram(t),
		Kubernetes: ExtensionArgs{Source: "https://extensions.example.com/kubernetes-v1.35.4-x86-64.raw", Hash: "sha512-" + strings.Repeat("ab", 64)},
		NetworkID:  pulumi.String("net_id"), SubnetworkID: pulumi.String("net-nodes_id"), NodeCIDR: "10.0.0.0/19", PodCIDR: "10.0.128.0/17", ServiceCIDR: "10.0.96.0/20",
		ControlPlaneCIDR: "10.0.64.0/28", Zones: []string{"europe-west3-a", "europe-west3-b", "europe-west3-c"}, CNI: "cilium",
		ControlPlaneServiceAccount: pulumi.String("prod-control@shop-prod.iam.gserviceaccount.com"),
		PoolServiceAccounts:        []pulumi.StringInput{pulumi.String("prod-w-general@shop-prod.iam.gserviceaccount.com")},
		DisksKeyID:                 testKey, SecretsKeyID: pulumi.String("projects/shop-prod/locations/europe-west3/keyRings/prod/cryptoKeys/prod-secrets"),
		KeyRingID:    pulumi.String("projects/shop-prod/locations/europe-west3/keyRings/prod"),
		ControlPlane: FlatcarControlPlaneArgs{Machines: 3, MachineType: "n2d-standard-2"},
		Pools:        []FlatcarPoolArgs{{Name: "general", MachineType: "n2d-standard-4"}},
	}
}

func TestFlatcarArguments(t *testing.T) {
	args := testFlatcar(t)
	if err := args.Validate(time.Now()); err != nil {
		t.Fatal(err)
	}
	_ = hostconfig.DefaultPorts()
	_ = mocks.Refused
}

// TestFlatcarLocks: what is stored cannot be deleted for as long as it must be there;
// less is a risk that somebody accepts (M38).
func TestFlatcarLocks(t *testing.T) {
	for want, change := range map[string]func(*FlatcarClusterArgs){
		"snapshots.lock: who gets into the project":      func(a *FlatcarClusterArgs) { a.Snapshots.Lock = LockNone },
		"snapshots.lockDays: 1 days are less than":       func(a *FlatcarClusterArgs) { a.Snapshots.LockDays = 1 },
		"auditLog.lock: who gets into a control plane":   func(a *FlatcarClusterArgs) { a.AuditLog.Lock = LockNone },
		"auditLog.lock: \"governance\" is not a lock":    func(a *FlatcarClusterArgs) { a.AuditLog.Lock = "governance" },
		"auditLog.lockDays: 364 days is less than a ye":  func(a *FlatcarClusterArgs) { a.AuditLog.LockDays = 364 },
		"auditLog.lockDays: -1 is no time of retention;": func(a *FlatcarClusterArgs) { a.AuditLog.LockDays = -1 },
	} {
		args := testFlatcar(t)
		change(&args)
		if err := args.Validate(time.Now()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		if args.AuditLog.Lock == LockNone {
			args.Exceptions = []hostconfig.Exception{{Control: "M38/object-lock", Reason: "an environment of a day", Expires: time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}}
			if err := args.Validate(time.Now()); err != nil {
				t.Errorf("with an exception: %v", err)
			}
		}
	}
}

// TestFlatcarOwnWorkers: the condition under which control planes delete machines has
// as many operators as IAM takes, and no pool is left out of it by its name (M05).
func TestFlatcarOwnWorkers(t *testing.T) {
	args := FlatcarRolesArgs{Project: testProject, Cluster: "prod"}
	for i := range mostPools {
		args.Pools = append(args.Pools, string(rune('a'+i)))
	}
	if err := args.Validate(time.Now()); err != nil {
		t.Fatal(err)
	}
	where := args.ownWorkers()
	if n := strings.Count(where, "&&") + strings.Count(where, "||"); n > 12 { // https://cloud.google.com/iam/quotas
		t.Errorf("the condition has %d operators: %s", n, where)
	}
	args.Pools = []string{"control-plane", "my-control-plane"}
	for _, want := range []string{"pools[0]: control-plane is what control planes are called", "pools[1]: my-control-plane is what control planes are called"} {
		if err := args.Validate(time.Now()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

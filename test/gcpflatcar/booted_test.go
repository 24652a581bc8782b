package gcpflatcar_test

import (
	"strings"
	"testing"

	simgcp "github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// judged is what machines would boot from.
var judged = simtest.Judged(simgcp.Machines)

// M12, M02: what the project was given is what machines boot from, byte by byte, and all that they need for it.
func TestMachinesBootFromTheProject(t *testing.T) {
	w := up(t)
	cluster, j, err := judged(t, w.Cloud)
	if err != nil {
		t.Fatal(err)
	}
	if len(j.ControlPlanes) != 3 || len(j.Pools) != 2 || len(j.Elsewhere) != 1 || !strings.HasSuffix(j.Elsewhere[0], ".raw") {
		t.Fatalf("%d control planes, %d pools, from elsewhere %q", len(j.ControlPlanes), len(j.Pools), j.Elsewhere)
	}
	if len(j.Registries) != 1 || j.Registries[0] != "registry.example.com" || len(cluster.Outside) != 2 || cluster.Outside[0].String() != "10.200.32.0/28" {
		t.Errorf("images come from %q, and machines are let out to %v", j.Registries, cluster.Outside)
	}
	if cluster.APIs != "199.36.153.4" || cluster.Network != "10.66.0.0/17" {
		t.Errorf("Google's interfaces are at %q, and the network is %s", cluster.APIs, cluster.Network)
	}
	b := cluster.Balancer
	if !b.Passthrough || b.Port != "6443" || b.Address != "10.66.64.2" {
		t.Errorf("%+v", b)
	}
	for i, plane := range j.ControlPlanes {
		own, _ := plane.Config.Own()
		m := cluster.ControlPlanes[i]
		if own.Address != m.Instance.Addresses[0] || m.Instance.Name != own.Name || b.Targets[i] != own.Address || m.Instance.Role+"@redoubt-self-4713.iam.gserviceaccount.com" != plane.Config.ControlPlaneRole {
			t.Errorf("%+v is not %+v", m.Instance, own)
		}
		if m.Device != "/dev/disk/by-id/scsi-0Google_PersistentDisk_etcd" {
			t.Errorf("%s has the disk %q", own.Name, m.Device)
		}
	}
	given := map[string]bool{}
	for i, pool := range cluster.Pools {
		if j.Pools[i].Config.Pool == "" || len(pool.Places) != 3 {
			t.Errorf("%+v", pool)
		}
		for n := 1; n <= 4; n++ {
			instance, host, err := cluster.Worker(pool, n)
			if err != nil || given[instance.ID] || given[instance.Addresses[0]] || len(instance.ID) != 19 || !strings.HasPrefix(host, instance.Name+"."+instance.Zone+".c.redoubt-self-4713.") {
				t.Errorf("machine %d of %s: %+v, %s, %v", n, pool.Template.Group, instance, host, err)
			}
			given[instance.ID], given[instance.Addresses[0]] = true, true
		}
	}
}

// M12, M18, M34: each binding that machines need is missed when the project does not have it, before anything boots.
func TestABindingThatIsMissingIsMissed(t *testing.T) {
	w := up(t)
	const onBucket, onProject, onKey = "gcp:storage/bucketIAMMember:BucketIAMMember", "gcp:projects/iAMMember:IAMMember", "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
	const plane, general = "serviceAccount:gcp-flatcar-control@", "serviceAccount:gcp-flatcar-w-general@"
	for what, c := range map[string]struct {
		token, member, of string
		words             string
	}{
		"a control plane that reads nothing":                 {onBucket, plane, "reads what is its own", "control-plane-1 would not boot"},
		"a control plane that writes no tokens":              {onBucket, plane, "writes what is its own", "may not write " + name + "-store-"},
		"a control plane that cannot tell what is not there": {onBucket, plane, "tells what is not there", "may not list " + name + "-store-"},
		"a control plane that keeps no copies":               {onBucket, plane, "roles/storage.objectCreator", "may not write " + name + "-etcd-"},
		"a control plane that ships no audit log":            {onBucket, plane, "adds to its folder", "may not write " + name + "-apilog-"},
		"a shipper that cannot tell what it sent":            {onBucket, plane, "tells what it added", "may not list " + name + "-apilog-"},
		"a control plane that sees no machines":              {onProject, plane, "projects/redoubt-self-4713/roles/gcp_flatcar_control_plane", "may not see machines"},
		"a control plane that replaces nobody":               {onProject, plane, "replaces workers", "may not replace a machine of "},
		"a worker that reads nothing":                        {onBucket, general, "reads what is its own", name + "-general would not boot"},
		"a key that control planes may not use":              {onKey, plane, "", "may not encrypt projects/"},
	} {
		changed := 0
		for _, o := range w.Cloud.Objects(c.token) {
			s := o.State
			if !strings.HasPrefix(s.String("member"), c.member) || c.of != "" && s.String("condition.title") != c.of && (s.String("condition.title") != "" || s.String("role") != c.of) {
				continue
			}
			changed++
			weak := o
			weak.State = s.With("member", "serviceAccount:somebody@else.iam.gserviceaccount.com")
			if err := w.Cloud.Put(weak); err != nil {
				t.Fatal(err)
			}
			if _, _, err := judged(t, w.Cloud); err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%s: %v", what, err)
			}
			if err := w.Cloud.Put(o); err != nil {
				t.Fatal(err)
			}
		}
		if changed != 1 {
			t.Errorf("%s: %d bindings are that", what, changed)
		}
	}
	if _, _, err := judged(t, w.Cloud); err != nil {
		t.Errorf("after all was put back: %v", err)
	}
}

// M17, M38: see [simtest.AuditLogIsForAuditors].
func TestTheAuditLogIsForAuditors(t *testing.T) {
	cluster, j, err := judged(t, up(t).Cloud)
	if err != nil {
		t.Fatal(err)
	}
	simtest.AuditLogIsForAuditors(t, cluster, j)
}

// M05, M20: see [simtest.ControlPlanesReplaceWorkers].
func TestControlPlanesReplaceWorkers(t *testing.T) {
	cluster, j, err := judged(t, up(t).Cloud)
	if err != nil {
		t.Fatal(err)
	}
	simtest.ControlPlanesReplaceWorkers(t, cluster, j)
}

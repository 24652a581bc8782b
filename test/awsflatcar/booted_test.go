package awsflatcar_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// judged is what machines would boot from.
var judged = simtest.Judged(simaws.Machines)

// M12, M02: what the account was given is what machines boot from, byte by byte, and all that they need for it.
func TestMachinesBootFromTheAccount(t *testing.T) {
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
	for i, plane := range j.ControlPlanes {
		own, _ := plane.Config.Own()
		m := cluster.ControlPlanes[i]
		if own.Address != m.Instance.Addresses[0] || !strings.HasSuffix(m.Instance.Name, own.Name) || cluster.Balancer.Targets[i] != own.Address {
			t.Errorf("%+v is not %+v", m.Instance, own)
		}
		if !strings.HasPrefix(m.Device, "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol") {
			t.Errorf("%s has the volume %q", own.Name, m.Device)
		}
	}
	if got := cluster.Names["api."+name+".internal"]; got == "" || got != cluster.Balancer.Address || cluster.Balancer.Port != "6443" {
		t.Errorf("the name of the API leads to %q: %+v", got, cluster.Balancer)
	}
	given := map[string]bool{}
	for i, pool := range cluster.Pools {
		if j.Pools[i].Config.Pool == "" || len(pool.Places) != 3 {
			t.Errorf("%+v", pool)
		}
		for n := 1; n <= 4; n++ {
			instance, host, err := cluster.Worker(pool, n)
			if err != nil || given[instance.ID] || given[instance.Addresses[0]] || !pool.Places[(n-1)%3].CIDR.Contains(parse(t, instance.Addresses[0])) ||
				host != "ip-"+strings.ReplaceAll(instance.Addresses[0], ".", "-")+".eu-central-1.compute.internal" {
				t.Errorf("machine %d of %s: %+v, %s, %v", n, pool.Template.Group, instance, host, err)
			}
			given[instance.ID], given[instance.Addresses[0]] = true, true
		}
	}
	for _, plane := range cluster.ControlPlanes {
		if given[plane.Instance.Addresses[0]] {
			t.Errorf("a worker has the address of %s", plane.Instance.Name)
		}
	}
}

// M12, M18, M34: each grant that machines need is missed when the environment does not give it, before anything boots.
func TestAGrantThatIsMissingIsMissed(t *testing.T) {
	w := up(t)
	for what, c := range map[string]struct {
		token, of string // whose document
		without   string // the statement
		words     string
	}{
		"a control plane that reads nothing":      {rolePolicies, "-control-plane", "ReadStore", "control-plane-1 would not boot"},
		"a control plane that writes no tokens":   {rolePolicies, "-control-plane", "WriteStore", "may not write " + name + "-store-"},
		"a control plane that keeps no copies":    {rolePolicies, "-control-plane", "Snapshots", "may not write " + name + "-etcd-"},
		"a control plane that ships no audit log": {rolePolicies, "-control-plane", "AuditLog", "may not write " + name + "-apilog-"},
		"a shipper that cannot tell what it sent": {rolePolicies, "-control-plane", "TellMissing", "may not list " + name + "-apilog-"},
		"a control plane that sees no machines":   {rolePolicies, "-control-plane", "SeeMachines", "may not see machines"},
		"a control plane that replaces nobody":    {rolePolicies, "-control-plane", "ReplaceMachines", "may not replace a machine of " + name + "-general"},
		"a worker that reads nothing":             {rolePolicies, "-w-general", "ReadStore", name + "-general would not boot"},
		"a key that control planes may not use":   {keys, "UseForSecrets", "UseForSecrets", "may not encrypt arn:aws:kms:"},
		"a store that control planes cannot open": {keys, "ControlPlanesRead", "ControlPlanesRead", "control-plane-1 would not boot"},
		"tokens that cannot be encrypted":         {keys, "ControlPlanesWrite", "ControlPlanesWrite", "may not write"},
		"a store that a pool cannot open":         {keys, "PoolReads1", "PoolReads1", "would not boot"},
	} {
		changed := 0
		for _, o := range w.Cloud.Objects(c.token) {
			document := o.State.String("policy")
			if !strings.Contains(o.ID+document, c.of) || !strings.Contains(document, `"`+c.without+`"`) || c.token == rolePolicies && !strings.Contains(o.ID, c.of) {
				continue
			}
			changed++
			weak := o
			weak.State = o.State.With("policy", leftOut(t, document, c.without))
			if err := w.Cloud.Put(weak); err != nil {
				t.Fatal(err)
			}
			_, _, err := judged(t, w.Cloud)
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%s: %v", what, err)
			}
			if err := w.Cloud.Put(o); err != nil {
				t.Fatal(err)
			}
		}
		if changed != 1 {
			t.Errorf("%s: %d documents have the statement", what, changed)
		}
	}
	// A statement that keeps somebody out counts as well.
	for _, o := range w.Cloud.Objects(bucketRules) {
		if !strings.HasPrefix(o.ID, name+"-store-") {
			continue
		}
		strict := o
		strict.State = o.State.With("policy", strings.Replace(o.State.String("policy"), `"Statement":[`,
			`"Statement":[{"Sid":"DenyAll","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"*"},`, 1))
		if err := w.Cloud.Put(strict); err != nil {
			t.Fatal(err)
		}
		if _, _, err := judged(t, w.Cloud); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("a store that denies everybody: %v", err)
		}
		if err := w.Cloud.Put(o); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := judged(t, w.Cloud); err != nil {
		t.Errorf("after all was put back: %v", err)
	}
}

// leftOut leaves one statement out of a policy document.
func leftOut(t *testing.T, document, sid string) string {
	t.Helper()
	var policy map[string]any
	if err := json.Unmarshal([]byte(document), &policy); err != nil {
		t.Fatal(err)
	}
	statements := policy["Statement"].([]any)
	policy["Statement"] = slices.DeleteFunc(slices.Clone(statements), func(each any) bool { return each.(map[string]any)["Sid"] == sid })
	text, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t *testing.T, address string) netip.Addr {
	t.Helper()
	a, err := netip.ParseAddr(address)
	if err != nil {
		t.Fatal(err)
	}
	return a
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

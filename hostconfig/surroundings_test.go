package hostconfig

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestClusterFirewall: what the one description of a cluster says is what the
// firewall of each role names.
func TestClusterFirewall(t *testing.T) {
	c := testCluster(t)
	known := c.Firewall(RoleWorker, Surroundings{})
	want := firewalls()["worker"]
	want.Workers = []string{"10.80.0.11", "10.80.0.12"}
	if mustNftables(t, known) != mustNftables(t, want) {
		t.Errorf("known machines: %+v", known)
	}
	c.Workers, c.PodCIDRs, c.NodeCIDRs = nil, append(c.PodCIDRs, "fd81::/56"), append(c.NodeCIDRs, "fd80::/64")
	group := c.Firewall(RoleWorker, Surroundings{Platform: PlatformGCP})
	accepted(t, group.Validate())
	if got := group.Ranges(Workers); !slices.Equal(got, []string{"10.80.0.0/24", "fd80::/64"}) {
		t.Errorf("workers: %v", got)
	}
	if got := group.Ranges(Pods); !slices.Equal(got, []string{"10.81.0.0/16", "fd81::/56"}) {
		t.Errorf("pods: %v", got)
	}
	c.ControlPlanes = nil // both roles in one range: nobody can tell who may reach etcd
	refused(t, c.Firewall(RoleWorker, Surroundings{Platform: PlatformGCP}).Validate(), "workers[0]", "M13")
	c.Managed = true
	accepted(t, c.Firewall(RoleWorker, Surroundings{Platform: PlatformGCP}).Validate())
}

func mustNftables(t testing.TB, f Firewall) string {
	t.Helper()
	ruleset, err := Nftables(f)
	if err != nil {
		t.Fatal(err)
	}
	return ruleset
}

// TestManyMachines: thousands of machines are a set of addresses, and cost little.
func TestManyMachines(t *testing.T) {
	f := firewalls()["worker-cloud"]
	f.Workers = nil
	for i := range 10000 {
		f.Workers = append(f.Workers, "10.100."+itoa(i/250)+"."+itoa(i%250+1))
	}
	begin := time.Now()
	ruleset := mustNftables(t, f)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("rendering took %s", took)
	}
	// Without IPv6 workers a few rules fewer, and none for a machine.
	if few, many := strings.Count(mustNftables(t, firewalls()["worker-cloud"]), "comment"), strings.Count(ruleset, "comment"); many > few {
		t.Errorf("%d rules instead of %d", many, few)
	}
}

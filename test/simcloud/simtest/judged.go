package simtest

import (
	"testing"

	"github.com/redoubt-dev/redoubt/test/fakecloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/machines"
)

// Judged gives a function that finds the machines in a cloud and boots them on paper, see [machines.Cluster.Judge].
func Judged(find func(*simcloud.Cloud) (machines.Cluster, error)) func(testing.TB, *simcloud.Cloud) (machines.Cluster, machines.Judgement, error) {
	return func(t testing.TB, c *simcloud.Cloud) (machines.Cluster, machines.Judgement, error) {
		t.Helper()
		cluster, err := find(c)
		if err != nil {
			t.Fatal(err)
		}
		cloud, err := cluster.Cloud()
		if err != nil {
			t.Fatal(err)
		}
		j, err := cluster.Judge(cloud)
		return cluster, j, err
	}
}

// AuditLogIsForAuditors wants a control plane to add to its audit log's folder and nowhere else, and to read none of it;
// workers have nothing to do with it.
func AuditLogIsForAuditors(t testing.TB, cluster machines.Cluster, j machines.Judgement) {
	t.Helper()
	cloud, err := cluster.Cloud()
	if err != nil {
		t.Fatal(err)
	}
	bucket := j.ControlPlanes[0].Config.AuditLog.Bucket
	plane, worker := cluster.ControlPlanes[0].Instance.Role, cluster.Pools[0].Template.Role
	if err := cloud.May(plane, fakecloud.WriteObject, bucket+"/audit/control-plane-1/x.log.gz"); err != nil {
		t.Error(err)
	}
	for _, forbidden := range []struct {
		role      string
		operation fakecloud.Operation
		on        string
	}{
		{plane, fakecloud.ReadObject, bucket + "/audit/control-plane-1/x.log.gz"}, {plane, fakecloud.WriteObject, bucket + "/other/x.log.gz"},
		{worker, fakecloud.ReadObject, bucket + "/audit/control-plane-1/x.log.gz"}, {worker, fakecloud.WriteObject, bucket + "/audit/control-plane-1/x.log.gz"},
		{worker, fakecloud.ListObjects, bucket},
	} {
		if cloud.May(forbidden.role, forbidden.operation, forbidden.on) == nil {
			t.Errorf("%s may %s %s", forbidden.role, forbidden.operation, forbidden.on)
		}
	}
}

// ControlPlanesReplaceWorkers wants control planes to replace machines of their cluster's pools and no others, themselves
// and those of a cluster whose name begins like a pool's included; workers replace none.
func ControlPlanesReplaceWorkers(t testing.TB, cluster machines.Cluster, j machines.Judgement) {
	t.Helper()
	cloud, err := cluster.Cloud()
	if err != nil {
		t.Fatal(err)
	}
	config := j.ControlPlanes[0].Config
	plane, worker := cluster.ControlPlanes[0].Instance.Role, cluster.Pools[0].Template.Role
	for _, pool := range config.Pools {
		for _, on := range machines.Replaced(config, pool.Group) {
			if err := cloud.May(plane, fakecloud.ReplaceMachine, on); err != nil {
				t.Error(err)
			}
			if cloud.May(worker, fakecloud.ReplaceMachine, on) == nil {
				t.Errorf("%s may replace a machine of %s", worker, on)
			}
		}
	}
	others := []string{"somebody-else", config.Cluster, config.Cluster + "-of-somebody-else", "x" + config.Pools[0].Group}
	for _, zone := range config.Cloud.Zones {
		for _, each := range cluster.ControlPlanes {
			others = append(others, zone+"/"+each.Instance.Name)
		}
		// Of a cluster that is called like a pool of this one.
		others = append(others, zone+"/"+config.Pools[0].Group+"-control-plane-1", zone+"/somebody-else-x1y2", "us-central1-a/"+config.Pools[0].Group+"-x1y2")
	}
	for _, on := range others {
		if cloud.May(plane, fakecloud.ReplaceMachine, on) == nil {
			t.Errorf("%s may replace %s", plane, on)
		}
	}
}

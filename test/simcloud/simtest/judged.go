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

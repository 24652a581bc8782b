package simtest

import (
	"testing"

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

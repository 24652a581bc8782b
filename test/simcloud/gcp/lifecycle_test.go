package gcp_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func TestAClusterLivesAndDies(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "gcp.jsonl")
	again := func() *simcloud.Cloud {
		cloud, err := gcp.Open(simcloud.Options{Journal: journal})
		if err != nil {
			t.Fatal(err)
		}
		return cloud
	}
	cloud := again()
	e := simtest.New(t, cloud, settings)
	program := environment{}.program
	result, err := e.Preview(program)
	if err != nil {
		t.Fatal(err)
	}
	if len(cloud.Objects()) > 0 {
		t.Error("a preview made something")
	}
	planned := result.Creates()
	result = e.MustUp(program)
	if result.Creates() != planned {
		t.Errorf("planned %d, made %d", planned, result.Creates())
	}
	if got := result.Output("endpoint"); got != "172.16.0.2" {
		t.Errorf("endpoint %q", got)
	}
	if took := cloud.Clock.Now().Sub(simcloud.Epoch); took < 9*time.Minute || took > 30*time.Minute {
		t.Errorf("a cluster and its nodes took %s", took)
	}
	if err := cloud.Close(); err != nil {
		t.Fatal(err)
	}

	e.Cloud = again() // another process, the same cloud
	result = e.MustUp(program)
	if result.Changed() != 0 {
		t.Errorf("a second pass changes %v", result.Changes)
	}
	result, err = e.Refresh()
	if err != nil || result.Changed() != 0 {
		t.Errorf("drift where there is none: %v %v", result.Changes, err)
	}
	if err := e.Destroy(); err != nil {
		t.Fatal(err)
	}
	for _, left := range e.Cloud.Objects() {
		t.Errorf("left behind: %s", left.Key())
	}
}

package aws_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func TestAClusterLivesAndDies(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "aws.jsonl")
	open := func() *simcloud.Cloud {
		cloud, err := aws.Open(simcloud.Options{Journal: journal})
		if err != nil {
			t.Fatal(err)
		}
		return cloud
	}
	cloud := open()
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
	if got := result.Output("endpoint"); !strings.HasPrefix(got, "https://") || !strings.HasSuffix(got, ".gr7.eu-central-1.eks.amazonaws.com") {
		t.Errorf("endpoint %q", got)
	}
	if got := result.Output("issuer"); !strings.HasPrefix(got, "https://oidc.eks.eu-central-1.amazonaws.com/id/") {
		t.Errorf("issuer %q", got)
	}
	if took := cloud.Clock.Now().Sub(simcloud.Epoch); took < 12*time.Minute {
		t.Errorf("a cluster and its nodes took %s", took)
	}
	if err := cloud.Close(); err != nil {
		t.Fatal(err)
	}

	e.Cloud = open() // another process, the same cloud
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

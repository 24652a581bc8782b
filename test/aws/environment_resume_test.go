package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// An up of production that stops in the middle, at several places, goes on from there: nothing is there twice, the end
// is that of a smooth run, and in between the guard knows what there is.
func TestProductionIsResumed(t *testing.T) {
	t.Parallel()
	smooth := prepare(t, "aws-prod")
	planned := smooth.mustUp().Creates()
	e := prepare(t, "aws-prod")
	faults := []simcloud.Fault{
		simcloud.Throttle(simcloud.Create, endpointToken, 6),
		{Operation: simcloud.Create, Type: keyToken, Name: "*-volumes", Err: &simcloud.Error{Code: "KMSInternalException", Message: "An internal error", Status: 500}},
		{Operation: simcloud.Create, Type: "aws:s3/bucketPolicy:BucketPolicy", Err: simcloud.Errorf("OperationAborted", "A conflicting conditional operation is currently in progress.")},
		{Operation: simcloud.Create, Type: endpointToken, Name: "*-sts", Effect: simcloud.Unfinished, Err: simcloud.Errorf("Timeout", "timeout while waiting for the endpoint")},
		{Operation: simcloud.Create, Type: clusterToken, Effect: simcloud.Unfinished, Err: simcloud.Errorf("Timeout", "timeout while waiting for the cluster to become ACTIVE")},
		{Operation: simcloud.Create, Type: addonToken, Name: "*-vpc-cni", Effect: simcloud.Unfinished, Err: simcloud.Errorf("Timeout", "timeout while waiting for the add-on")},
		{Operation: simcloud.Create, Type: groupToken, Name: "*-general", Effect: simcloud.Unfinished, Err: simcloud.Errorf("NodeCreationFailure", "Instances failed to join the kubernetes cluster")},
	}
	for _, fault := range faults {
		e.Cloud.Inject(fault)
	}
	_, err := e.up()
	refused(t, err, "What was made stays")
	runs := 1
	for ; err != nil; runs++ {
		if runs > len(faults) {
			t.Fatalf("not resumed: %v", err)
		}
		_, err = e.up()
	}
	if runs < 4 {
		t.Errorf("%d runs: most faults hit nothing", runs)
	}
	if again := e.mustUp(); again.Changed() != 0 || again.Same() != planned {
		t.Errorf("after that: %v, planned %d", again.Changes, planned)
	}
	if got, want := counts(e.Cloud), counts(smooth.Cloud); !slices.Equal(got, want) {
		t.Errorf("exist\n%s\na smooth run makes\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	same(t, e.Cloud, smooth.Cloud)

	// A run that fails forgets nothing of what the next must not change.
	e.Cloud.Inject(simcloud.Fault{Operation: simcloud.Update, Type: clusterToken, Err: simcloud.Errorf("ServerException", "An internal error")})
	_, err = e.edited(t, nextMinor).up()
	refused(t, err, "ServerException")
	_, err = e.edited(t, edit{"network.cidr": "10.66.0.0/16"}).up()
	refused(t, err, "redoubt:network.cidr: was 10.64.0.0/16")
}

// same compares what was asked of two clouds, property by property, without what is of its own each time.
func same(t *testing.T, got, want *simcloud.Cloud) {
	t.Helper()
	all := func(cloud *simcloud.Cloud) []string {
		properties := map[string]string{}
		var out []string
		for _, o := range cloud.Objects() {
			clear(properties)
			flat(properties, o.Type, o.Inputs, "aws-prod")
			for path, value := range properties {
				out = append(out, path+" = "+value)
			}
		}
		slices.Sort(out)
		return out
	}
	if a, b := all(got), all(want); !slices.Equal(a, b) {
		for _, line := range a {
			if !slices.Contains(b, line) {
				t.Errorf("differs from a smooth run: %s", line)
			}
		}
		t.Errorf("%d properties, %d in a smooth run", len(a), len(b))
	}
}

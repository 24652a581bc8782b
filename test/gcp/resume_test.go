package gcp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// An up of production that stops in the middle, at several places, goes on from there: nothing is there twice, the end
// is that of a smooth run, and in between the guard knows what there is.
func TestProductionIsResumed(t *testing.T) {
	t.Parallel()
	smooth := prepare(t, "gcp-prod")
	planned := smooth.mustUp().Creates()
	e := prepare(t, "gcp-prod")
	busy := &simcloud.Error{Code: "backendError", Message: "Internal error encountered.", Status: 500}
	late := simcloud.Errorf("operation", "timeout while waiting for state to become 'DONE'")
	faults := []simcloud.Fault{
		simcloud.Throttle(simcloud.Create, firewallToken, 6),
		{Operation: simcloud.Create, Type: "gcp:kms/cryptoKey:CryptoKey", Name: "*-disks", Err: busy},
		{Operation: simcloud.Create, Type: "gcp:compute/network:Network", Effect: simcloud.Unfinished, Err: late},
		{Operation: simcloud.Create, Type: keyMemberToken, Name: "*-secrets", Err: &simcloud.Error{Code: "concurrentPolicyChanges", Message: "There were concurrent policy changes.", Status: 409}},
		{Operation: simcloud.Create, Type: "gcp:storage/bucketIAMMember:BucketIAMMember", Err: busy},
		{Operation: simcloud.Create, Type: clusterToken, Effect: simcloud.Unfinished, Err: late},
		{Operation: simcloud.Create, Type: poolToken, Name: "*-general", Effect: simcloud.Unfinished, Err: late},
		{Operation: simcloud.Create, Type: "gcp:compute/instance:Instance", Err: busy},
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
	same(t, e.Cloud, smooth.Cloud)

	// A run that fails forgets nothing of what the next must not change.
	e.Cloud.Inject(simcloud.Fault{Operation: simcloud.Update, Type: clusterToken, Err: busy})
	_, err = e.edited(t, edit{"kubernetesVersion": "v1.36.4"}).up()
	refused(t, err, "Internal error encountered")
	_, err = e.edited(t, edit{"network.cidr": "10.66.0.0/16"}).up()
	refused(t, err, "redoubt:network.cidr: was 10.64.0.0/16")
}

// A stack that is removed while Google fails is removed in the end.
func TestADestroyIsResumed(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-dev")
	before := keysOf(e.Cloud)
	e.mustUp()
	for _, token := range []string{poolToken, clusterToken, "gcp:compute/network:Network"} {
		e.Cloud.Inject(simcloud.Fault{Operation: simcloud.Delete, Type: token, Err: simcloud.Errorf("operation", "Internal error encountered.")})
	}
	e.Cloud.Inject(simcloud.Throttle(simcloud.Delete, firewallToken, 5))
	failures := 0
	for err := e.Destroy(); err != nil; err = e.Destroy() {
		if failures++; failures > 3 {
			t.Fatal(err)
		}
	}
	if left := beyond(e.Cloud, before); failures != 3 || len(left) > 0 {
		t.Errorf("%d failures, left behind: %v", failures, left)
	}
}

// same compares what was asked of two clouds, property by property, without what is of its own each time.
func same(t *testing.T, got, want *simcloud.Cloud) {
	t.Helper()
	all := func(cloud *simcloud.Cloud) []string {
		var out []string
		for _, o := range cloud.Objects() {
			var parts []string
			for name, value := range o.Inputs {
				if !strings.HasPrefix(name, "__") {
					parts = append(parts, fmt.Sprintf("%s = %v", name, value))
				}
			}
			slices.Sort(parts)
			out = append(out, o.Type+" "+strings.Join(parts, ", "))
		}
		slices.Sort(out)
		return out
	}
	a, b := all(got), all(want)
	for _, line := range a {
		if !slices.Contains(b, line) {
			t.Errorf("differs from a smooth run: %s", line)
		}
	}
	if len(a) != len(b) {
		t.Errorf("%d objects, %d in a smooth run", len(a), len(b))
	}
}

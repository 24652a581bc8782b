package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// What stops in the middle goes on from there: nothing is made twice, and the end is that of a run without a failure.
func TestFailuresInTheMiddleAreResumed(t *testing.T) {
	t.Parallel()
	program := foundation{network: func(a *aws.NetworkArgs) { a.Egress = aws.EgressNAT }, cluster: cluster{}.program}.program
	smooth := open(t)
	planned := simtest.New(t, smooth, settings).MustUp(program).Creates()
	for name, each := range map[string]struct {
		faults []simcloud.Fault
		said   []string // nothing: the provider gets over it by itself
	}{
		"throttled": {faults: []simcloud.Fault{simcloud.Throttle(simcloud.Create, endpointToken, 12), simcloud.Throttle(simcloud.Create, ingressToken, 5),
			simcloud.Throttle(simcloud.Create, keyToken, 3), simcloud.Throttle(simcloud.Create, groupToken, 2)}},
		"refused, and never ready": {[]simcloud.Fault{
			{Operation: simcloud.Create, Type: "aws:ec2/subnet:Subnet", Name: "*-b", Err: &simcloud.Error{Code: "InternalError", Message: "An internal error has occurred", Status: 500}},
			{Operation: simcloud.Create, Type: "aws:cloudwatch/logGroup:LogGroup", Name: "net-queries", Err: simcloud.Errorf("LimitExceededException", "Resource limit exceeded.")},
			// Endpoints wait for all subnets: this is for the second run.
			{Operation: simcloud.Create, Type: endpointToken, Skip: 4, Times: 3, Err: simcloud.Errorf("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.")},
			{Operation: simcloud.Create, Type: endpointToken, Name: "*-sts", Effect: simcloud.Unfinished, Err: simcloud.Errorf("Timeout", "timeout while waiting for the endpoint")},
			{Operation: simcloud.Create, Type: "aws:ec2/natGateway:NatGateway", Name: "*-a", Effect: simcloud.Unfinished, Err: simcloud.Errorf("Timeout", "timeout while waiting for the gateway")},
			{Operation: simcloud.Create, Type: groupToken, Effect: simcloud.Unfinished, Err: simcloud.Errorf("NodeCreationFailure", "Instances failed to join the kubernetes cluster")},
		}, []string{"InternalError", "LimitExceededException", "waiting for the gateway"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud, strikes := open(t), 0
			for _, fault := range each.faults {
				cloud.Inject(fault)
				strikes += max(1, fault.Times)
			}
			e := simtest.New(t, cloud, settings)
			e.Continue = true // as much as possible is made around the failure
			_, err := e.Up(program)
			if (err != nil) != (len(each.said) > 0) {
				t.Fatalf("the first run: %v", err)
			}
			for _, words := range each.said {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q is not said: %v", words, err)
				}
			}
			for tries := 0; err != nil; tries++ {
				// What waits for a resource that failed is reached by a later run only: in
				// the worst order each strike stops a run of its own, and none does twice.
				if tries == strikes {
					t.Fatalf("not resumed: %v", err)
				}
				_, err = e.Up(program)
			}
			if again := e.MustUp(program); again.Changed() != 0 || again.Same() != planned {
				t.Errorf("after that: %v, planned %d", again.Changes, planned)
			}
			if got, want := counts(cloud), counts(smooth); !slices.Equal(got, want) {
				t.Errorf("exist\n%v\na run without a failure makes\n%v", got, want)
			}
			if err := e.Destroy(); err != nil {
				t.Fatal(err)
			}
			if left := gone(cloud); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// counts are the types of what exists, once for each object.
func counts(cloud *simcloud.Cloud) []string {
	var types []string
	for _, o := range cloud.Objects() {
		types = append(types, o.Type)
	}
	slices.Sort(types)
	return types
}

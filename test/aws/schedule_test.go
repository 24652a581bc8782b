package aws_test

import (
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// The control plane takes longest and waits for nothing slow: no endpoint and no gateway is on the longest chain, and a run
// that works on enough resources at a time takes no longer than that. Not parallel: other tests would keep the process busy.
func TestNothingSlowIsBeforeTheControlPlane(t *testing.T) {
	cloud, err := simaws.Open(simcloud.Options{VirtualTime: true})
	if err != nil {
		t.Fatal(err)
	}
	slow := simcloud.Throttle(simcloud.Create, endpointToken, 5) // the one that is quick is half a minute late
	slow.Name = "net-s3"
	cloud.Inject(slow)
	e := simtest.New(t, cloud, settings)
	e.Parallel = 32
	e.MustUp(foundation{network: func(a *aws.NetworkArgs) { a.Egress, a.Uses = aws.EgressNAT, aws.Uses() }, cluster: cluster{}.program}.program)
	r := e.Schedule(cloud.Timeline())
	seen := false
	for _, step := range r.Path {
		if strings.Contains(step.URN, ":VpcEndpoint::") || strings.Contains(step.URN, ":NatGateway::") {
			t.Errorf("the longest chain goes through %s", step.URN)
		}
		seen = seen || strings.HasSuffix(step.URN, ":Cluster::main")
	}
	if !seen || r.Ratio() > 1.05 {
		var table strings.Builder
		_ = r.Table(&table)
		t.Errorf("%s", &table)
	}
}

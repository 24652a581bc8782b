package aws_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

// M06: the nodes of every pool join from a network with no way out, and do not where one endpoint of those that a node
// calls is missing. What else is there, nodes do not need.
func TestEveryPoolJoinsWithoutInternet(t *testing.T) {
	t.Parallel()
	for name, pools := range map[string][]string{"aws-dev": {"general BOTTLEROCKET_ARM_64"}, "aws-prod": {"general BOTTLEROCKET_x86_64", "restricted BOTTLEROCKET_x86_64"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := prepare(t, name)
			e.mustUp()
			seen := []string{}
			for _, o := range e.Cloud.Objects(groupToken) {
				pool := another{cloud: e.Cloud, server: e.Cloud.Serve(), like: o}
				defer pool.server.Close()
				if err := pool.configure(); err != nil {
					t.Fatal(err)
				}
				delete(pool.like.Inputs, "nodeGroupNamePrefix")
				seen = append(seen, strings.TrimSuffix(o.State.String("nodeGroupNamePrefix"), "-")+" "+o.State.String("amiType"))
				pool.expect(t, o.ID, "")
				needed := map[string]string{"s3": "no gateway endpoint of s3"}
				for _, service := range simaws.NodeEndpoints {
					needed[service] = "no interface endpoint with private DNS for " + service
				}
				for _, endpoint := range e.Cloud.Objects(endpointToken) {
					service := strings.TrimPrefix(endpoint.State.String("serviceName"), "com.amazonaws."+region+".")
					pool.without(t, o.ID+" "+service, endpoint, needed[service])
					delete(needed, service)
				}
				if len(needed) > 0 {
					t.Errorf("%s: no endpoint for %v", o.ID, needed)
				}
			}
			slices.Sort(seen)
			if fmt.Sprint(seen) != fmt.Sprint(pools) {
				t.Errorf("pools %v, want %v", seen, pools)
			}
		})
	}
}

package aws_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// Four keys of twelve seconds each: in virtual time it matters how many are made at a time, and nothing else. Not parallel: other tests would keep the process busy.
func TestVirtualTimeTellsHowManyWorkAtATime(t *testing.T) {
	for parallel, want := range map[int]struct {
		took  time.Duration
		slots int
	}{1: {48 * time.Second, 1}, 2: {24 * time.Second, 2}, 0: {12 * time.Second, 4}} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) {
			cloud, err := aws.Open(simcloud.Options{VirtualTime: true})
			if err != nil {
				t.Fatal(err)
			}
			e := simtest.New(t, cloud, settings)
			e.Parallel = parallel
			e.MustUp(func(ctx *pulumi.Context) error {
				for _, name := range []string{"one", "two", "three", "four"} {
					must(kms.NewKey(ctx, name, nil))
				}
				return nil
			})
			r := e.Schedule(cloud.Timeline())
			if r.Makespan != want.took || r.Slots != want.slots || r.Bound != 12*time.Second || r.Work != 48*time.Second {
				t.Errorf("%s", r)
			}
			if took := cloud.Clock.Now().Sub(simcloud.Epoch); took != want.took {
				t.Errorf("the clock says %s", took)
			}
		})
	}
}

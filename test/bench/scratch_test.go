package bench

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/schedule"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func TestScratch(t *testing.T) {
	for _, parallel := range []int{0, 16, 32, 64} {
		cloud := must(simaws.Open(simcloud.Options{VirtualTime: true}))
		e := simtest.New(t, cloud, map[string]string{"aws:region": region})
		e.Parallel = parallel
		if n := os.Getenv("PAR"); n != "" && n != strconv.Itoa(parallel) {
			continue
		}
		begin := time.Now()
		e.MustUp(environment)
		took := time.Since(begin)
		g := must(schedule.Read(must(e.Export())))
		r := must(g.Measure(schedule.Operations(cloud.Timeline())))
		t.Logf("parallel %d: real %s", parallel, took)
		r.Table(os.Stdout)
		if os.Getenv("ALL") != "" {
			for _, s := range r.Steps {
				t.Logf("%s %s %s late %s slack %s waited %s %s", s.Start, s.End, s.Takes(), s.Late(), s.Slack, s.Waited(), s.URN)
			}
		}
		n := len(cloud.Timeline())
		if err := e.Destroy(); err != nil {
			t.Fatal(err)
		}
		r = must(g.Measure(schedule.Operations(cloud.Timeline()[n:])))
		t.Log("destroy")
		r.Table(os.Stdout)
	}
}

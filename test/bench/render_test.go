package bench

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// now is a day on which the bench's specifications hold: rendering has no clock.
var now = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// BenchmarkRender renders clusters of workers, as every file and argument that
// they read, and measures:
//
//	us/node      time of one node, in microseconds
//	allocs/node  allocations of one node
//	growth       time of a node among 10,000 over that among 100 (goal: at most 1.2)
func BenchmarkRender(b *testing.B) {
	for b.Loop() {
		few, _ := renderWorkers(b, 100)
		many, allocations := renderWorkers(b, 10_000)
		b.ReportMetric(float64(many.Nanoseconds())/1000, "us/node")
		b.ReportMetric(allocations, "allocs/node")
		b.ReportMetric(many.Seconds()/few.Seconds(), "growth")
	}
	b.ReportMetric(0, "ns/op")
}

// renderWorkers validates and renders a cluster of so many workers, and gives
// the time and the allocations of one.
func renderWorkers(b *testing.B, count int) (perNode time.Duration, allocations float64) {
	b.Helper()
	nodes := workers(count)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	if err := hostconfig.ValidateNodes(nodes, now); err != nil {
		b.Fatal(err)
	}
	for _, node := range nodes {
		worker := node.Worker()
		if files, err := worker.Files(); err != nil || len(files) == 0 || len(worker.KubeletArgs()) == 0 {
			b.Fatal(err)
		}
	}
	elapsed := time.Since(begin)
	runtime.ReadMemStats(&after)
	return elapsed / time.Duration(count), float64(after.Mallocs-before.Mallocs) / float64(count)
}

// workers are those of one cluster, each with a range of pods of its own.
func workers(count int) []hostconfig.Node {
	cluster := hostconfig.Cluster{
		Name: "bench", Endpoint: "https://10.0.0.10:6443", DNS: []string{"10.255.0.10"},
		PodCIDRs: []string{"10.128.0.0/10"}, ServiceCIDRs: []string{"10.255.0.0/16"}, NodeCIDRs: []string{"10.0.0.0/16"},
		ControlPlanes: []hostconfig.Machine{{Name: "control-plane-1", Address: "10.0.0.10"}},
		Operators:     []string{"10.1.0.0/24"},
	}
	for i := range count {
		cluster.Workers = append(cluster.Workers, hostconfig.Machine{
			Name: fmt.Sprintf("worker-%d", i), Address: fmt.Sprintf("10.0.%d.%d", 1+i/250, i%250+1),
			PodCIDR: fmt.Sprintf("10.%d.%d.0/24", 128+i/250, i%250),
		})
	}
	var nodes []hostconfig.Node
	for _, machine := range cluster.Workers {
		nodes = append(nodes, hostconfig.Node{
			Role: hostconfig.RoleWorker, OS: hostconfig.OSFlatcar, Platform: hostconfig.PlatformGCP, Cluster: cluster,
			Name: machine.Name, Address: machine.Address, PodCIDR: machine.PodCIDR,
		})
	}
	return nodes
}

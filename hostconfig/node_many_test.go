package hostconfig

import (
	"fmt"
	"strings"
	"testing"
)

// manyNodes are n workers of one cluster.
func manyNodes(t testing.TB, n int) []Node {
	cluster := manyMachines(t, n)
	var nodes []Node
	for _, machine := range cluster.Workers {
		node := nodeOf(t, OSHost, RoleWorker)
		node.Cluster, node.Name, node.Address, node.PodCIDR = cluster, machine.Name, machine.Address, machine.PodCIDR
		nodes = append(nodes, node)
	}
	return nodes
}

func TestNodesAreValidatedTogether(t *testing.T) {
	nodes := manyNodes(t, 40)
	accepted(t, ValidateNodes(nodes, now))
	nodes[3].Name, nodes[5].Address, nodes[7].Taints = "worker-1", nodes[2].Address, []string{"a"}
	err := ValidateNodes(nodes, now)
	refused(t, err, "nodes[3].name", "nodes[1]")
	refused(t, err, "nodes[3].address", "cluster.workers")
	refused(t, err, "nodes[5].address", "nodes[2]")
	refused(t, err, "nodes[7].taints[0]", "taint")

	// A mistake of the cluster is one mistake, not one of each node.
	nodes = manyNodes(t, 40)
	for i := range nodes {
		nodes[i].Cluster.Operators = []string{"0.0.0.0/0"}
	}
	shared := nodes[0].Cluster.Operators
	for i := range nodes {
		nodes[i].Cluster.Operators = shared
	}
	if count := strings.Count(ValidateNodes(nodes, now).Error(), "open to the world"); count != 1 {
		t.Errorf("reported %d times", count)
	}
	// Two nodes with one range of pods, and one with the address of another machine.
	nodes = manyNodes(t, 4)
	nodes[1].Name, nodes[2].Name, nodes[1].Address, nodes[2].Address = "spare-1", "spare-2", "10.80.200.1", "10.80.200.2"
	nodes[2].PodCIDR, nodes[3].Name, nodes[3].Role = nodes[1].PodCIDR, "spare-3", RoleWorker
	err = ValidateNodes(nodes, now)
	refused(t, err, "nodes[2].podCIDR", "nodes[1]")
	refused(t, err, "nodes[3].address", "cluster.workers[3]")
	// Surroundings that look alike in print are two.
	nodes = manyNodes(t, 2)
	nodes[0].Surroundings.Resolvers, nodes[1].Surroundings.Resolvers = []string{"10.1.0.1", "10.1.0.2"}, []string{"10.1.0.1 10.1.0.2"}
	refused(t, ValidateNodes(nodes, now), "nodes[1].surroundings.resolvers[0]", "neither an address")

	nodes = manyNodes(t, 40)
	for i := range nodes {
		nodes[i].Cluster.Operators = shared
	}
	// Another cluster is judged too.
	nodes[39].Cluster.Name = "B"
	refused(t, ValidateNodes(nodes, now), "nodes[39].cluster.name", "DNS label")
}

// renderNode renders every file of a worker.
func renderNode(b testing.TB, n Node) {
	w := n.Worker()
	files, err := w.Files()
	if err != nil || len(files) == 0 || len(w.KubeletArgs()) == 0 {
		b.Fatal(err)
	}
}

// BenchmarkNodes validates and renders clusters: the time of a node must not
// grow with the number of nodes.
func BenchmarkNodes(b *testing.B) {
	for _, count := range []int{10, 1000, 10000} {
		nodes := manyNodes(b, count)
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := ValidateNodes(nodes, now); err != nil {
					b.Fatal(err)
				}
				for _, n := range nodes {
					renderNode(b, n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/node")
		})
	}
}

package bench

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
)

// now is a day on which the bench's specifications hold: rendering has no clock.
var now = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// BenchmarkRender validates and renders whole nodes, each with a name and an
// address of its own, and measures for each kind:
//
//	us/node      time of one node in microseconds, as the processor counts it:
//	             what else the machine does is not the renderer's
//	allocs/node  allocations of one node
//	growth       time of a node among many over that among few (goal: at most 1.2)
//	group-ratio  Flatcar only: time of a machine that another one of its group
//	             was translated before, over one that is translated anew
func BenchmarkRender(b *testing.B) {
	for _, kind := range []struct {
		name      string
		few, many int
		render    func(testing.TB, hostconfig.Node)
	}{
		{"files", 100, 10_000, renderFiles},
		{"bottlerocket", 100, 10_000, renderBottlerocket},
		{"flatcar-worker", 20, 400, renderFlatcar(nil)},
		{"flatcar-control-plane", 20, 100, renderFlatcar(nil)},
	} {
		b.Run(kind.name, func(b *testing.B) {
			role := hostconfig.RoleWorker
			if strings.HasSuffix(kind.name, string(hostconfig.RoleControlPlane)) {
				role = hostconfig.RoleControlPlane
			}
			var growths []float64
			for b.Loop() {
				before, _ := timeOf(b, nodes(role, kind.few), kind.render)
				many, allocations := timeOf(b, nodes(role, kind.many), kind.render)
				after, _ := timeOf(b, nodes(role, kind.few), kind.render)
				growths = append(growths, many/min(before, after))
				b.ReportMetric(many*1e6, "us/node")
				b.ReportMetric(allocations, "allocs/node")
			}
			b.ReportMetric(median(growths), "growth")
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("flatcar-group", func(b *testing.B) {
		group := nodes(hostconfig.RoleWorker, 40)
		for i := range group {
			group[i].Name, group[i].Address, group[i].PodCIDR = "", "", ""
		}
		var ratios []float64
		for b.Loop() {
			anew, _ := timeOf(b, group, renderFlatcar(nil))
			again, _ := timeOf(b, group, renderFlatcar(flatcar.NewTranslator(1)))
			ratios = append(ratios, again/anew)
		}
		b.ReportMetric(median(ratios), "group-ratio")
		b.ReportMetric(0, "ns/op")
	})
}

// timeOf gives the seconds and the allocations of one node.
func timeOf(b *testing.B, nodes []hostconfig.Node, render func(testing.TB, hostconfig.Node)) (perNode, allocations float64) {
	b.Helper()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := processorTime()
	for _, node := range nodes {
		render(b, node)
	}
	elapsed := processorTime() - begin
	runtime.ReadMemStats(&after)
	count := float64(len(nodes))
	return elapsed.Seconds() / count, float64(after.Mallocs-before.Mallocs) / count
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// renderFiles gives every file and argument of a machine's programs.
func renderFiles(b testing.TB, node hostconfig.Node) {
	node.OS = hostconfig.OSFlatcar
	worker := node.Worker()
	if files, err := worker.Files(); err != nil || len(files) == 0 || len(worker.KubeletArgs()) == 0 {
		b.Fatal(err)
	}
}

func renderBottlerocket(b testing.TB, node hostconfig.Node) {
	labels := map[string]string{"example.org/pool": node.Name}
	node = hostconfig.Node{
		Role: hostconfig.RoleWorker, OS: hostconfig.OSBottlerocket, Platform: hostconfig.PlatformAWS, Labels: labels,
		Cluster: hostconfig.Cluster{Name: "bench", Managed: true},
	}
	spec := bottlerocket.Spec{Node: node, Group: bottlerocket.ManagedGroup}
	if err := spec.Validate(now); err != nil {
		b.Fatal(err)
	}
	if _, err := spec.Render(); err != nil {
		b.Fatal(err)
	}
}

// renderFlatcar gives Ignition, with a memory of translations or without.
func renderFlatcar(translator *flatcar.Translator) func(testing.TB, hostconfig.Node) {
	secret := base64.StdEncoding.EncodeToString(make([]byte, 32))
	encryption, problem := hostconfig.Encryption{Keys: []hostconfig.EncryptionKey{{Name: "one", Secret: secret}}}.Configuration()
	return func(b testing.TB, node hostconfig.Node) {
		spec := flatcar.Spec{Node: node, Kubernetes: flatcar.Image{
			Source: "https://extensions.example.org/kubernetes-" + hostconfig.DefaultKubernetesVersion + "-x86-64.raw",
			Hash:   "sha256-" + strings.Repeat("0", 64),
		}}
		if node.Role == hostconfig.RoleControlPlane {
			spec.Kubeadm.Init, spec.Kubeadm.SkipKubeProxy = true, true
			spec.Kubeadm.Files = []hostconfig.File{{Path: hostconfig.Paths{}.Encryption(), Mode: 0o600, Owner: "root", Contents: encryption, Secret: true}}
		}
		render := spec.Ignition
		if translator != nil {
			render = func(now time.Time) ([]byte, error) { return translator.Ignition(spec, now) }
		}
		if _, err := render(now); err != nil || problem != nil {
			b.Fatal(err, problem)
		}
	}
}

// nodes are machines of one cluster. The cluster lists its control planes alone,
// as one whose workers come and go.
func nodes(role hostconfig.Role, count int) []hostconfig.Node {
	cluster := hostconfig.Cluster{
		Name: "bench", Endpoint: "https://10.0.0.10:6443", DNS: []string{"10.254.0.10"},
		PodCIDRs: []string{"10.128.0.0/10"}, ServiceCIDRs: []string{"10.254.0.0/16"}, NodeCIDRs: []string{"10.0.0.0/16"},
		ControlPlanes: []hostconfig.Machine{{Name: "node-0", Address: "10.0.0.10"}},
		Operators:     []string{"10.1.0.0/24"},
	}
	var all []hostconfig.Node
	for i := range count {
		node := hostconfig.Node{
			Role: role, Platform: hostconfig.PlatformGCP, Cluster: cluster,
			Name: fmt.Sprintf("node-%d", i+1), Address: fmt.Sprintf("10.0.%d.%d", 1+i/250, i%250+1),
		}
		if role == hostconfig.RoleWorker {
			node.PodCIDR = fmt.Sprintf("10.%d.%d.0/24", 128+i/250, i%250)
		} else {
			node.Cluster.ControlPlanes = []hostconfig.Machine{{Name: node.Name, Address: node.Address}}
		}
		all = append(all, node)
	}
	return all
}

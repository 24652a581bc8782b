package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/rehearse/redoubt"
)

// BenchmarkLocal brings up a local cluster and measures:
//
//	api-ratio      a warm `make up` until the API server is ready, over a bare
//	               script that starts the same four programs with their files
//	               already there (goal: at most 2.0)
//	up-s           the whole `make up`, node Ready and baseline applied, and
//	               its phases
//	noop-s         a second `make up`, which changes nothing
//	runtime-MiB    guards, watchers and supervisors of both machines (PSS)
//	driver-MiB     this process's peak: the driver with its providers
func BenchmarkLocal(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("worker machines need root")
	}
	root, err := redoubt.Root()
	if err != nil {
		b.Fatal(err)
	}
	if err := redoubt.Export(root, ""); err != nil {
		b.Fatal(err)
	}
	var ratios, ups, noops, bares []float64
	for i := 0; b.Loop(); i++ {
		bareTime, err := bareControlPlane(b, filepath.Join(root, "bin"))
		if err != nil {
			b.Fatal(err)
		}
		up, ready, noop := localCluster(b, root, fmt.Sprintf("bench-%d-%d", os.Getpid(), i))
		ratios = append(ratios, ready.Seconds()/bareTime.Seconds())
		ups, noops, bares = append(ups, up.Seconds()), append(noops, noop.Seconds()), append(bares, bareTime.Seconds())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratios), "api-ratio")
	b.ReportMetric(median(bares), "bare-s")
	b.ReportMetric(median(ups), "up-s")
	b.ReportMetric(median(noops), "noop-s")
	b.ReportMetric(memoryOf("/proc/self/status", "VmHWM:"), "driver-MiB")
}

func bareControlPlane(b *testing.B, programs string) (time.Duration, error) {
	script, err := newBare(b.TempDir(), programs)
	if err != nil {
		return 0, err
	}
	return script.start(context.Background())
}

// localCluster brings an environment up, up again and down.
func localCluster(b *testing.B, root, name string) (up, apiReady, noop time.Duration) {
	b.Helper()
	ctx := context.Background()
	options := redoubt.Options(root, name)
	options.ConfigFile = filepath.Join(root, "stacks", "Pulumi.local.yaml")
	driver := rehearse.New(options)
	defer func() {
		if _, err := driver.Destroy(ctx); err != nil {
			b.Error(err)
		}
	}()
	begin := time.Now()
	first, err := driver.Up(ctx)
	if err != nil {
		b.Fatal(err)
	}
	for _, step := range first.Steps {
		if strings.HasSuffix(step.Type, ":ControlPlane") {
			apiReady = step.Started.Add(step.Duration).Sub(begin)
		}
	}
	for _, phase := range first.Phases {
		b.ReportMetric(phase.Duration.Seconds(), strings.ReplaceAll(phase.Name, " ", "-")+"-s")
	}
	b.ReportMetric(runtimeMemory(name), "runtime-MiB")
	second, err := driver.Up(ctx)
	if err != nil {
		b.Fatal(err)
	}
	if second.Changed() != 0 {
		b.Errorf("the second up changed %d resources", second.Changed())
	}
	return first.Duration, apiReady, second.Duration
}

// runtimeMemory sums the proportional memory of an environment's
// redoubt-machine processes.
func runtimeMemory(environment string) (total float64) {
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range processes {
		line, _ := os.ReadFile(file)
		if strings.Contains(string(line), "redoubt-machine\x00") && strings.Contains(string(line), "/"+environment+"/") {
			total += memoryOf(filepath.Join(filepath.Dir(file), "smaps_rollup"), "Pss:")
		}
	}
	return total
}

// memoryOf reads a line in kB from a /proc file, in MiB.
func memoryOf(file, name string) float64 {
	data, _ := os.ReadFile(file)
	for _, line := range strings.Split(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kilobytes, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kilobytes / 1024
		}
	}
	return 0
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

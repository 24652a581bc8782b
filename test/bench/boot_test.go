package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/boot"
	"github.com/redoubt-dev/redoubt/test/rehearse/redoubt"
)

// BenchmarkBoot boots a self-managed cluster of three control planes and a worker
// from what its cloud has, and measures:
//
//	boot-ratio  from the first byte that Ignition asks for until every node is
//	            Ready, over a bare script that runs kubeadm with its own defaults
//	            on the same machines, programs and images (goal: at most 1.3)
//	boot-s      the boot, and bare-s the script
func BenchmarkBoot(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("machines need root")
	}
	root, err := redoubt.Root()
	if err != nil {
		b.Fatal(err)
	}
	artifacts, err := boot.MakeArtifacts(b.Context(), filepath.Join(root, "bin"))
	if err != nil {
		b.Fatal(err)
	}
	var ratios, boots, bares []float64
	for i := 0; b.Loop(); i++ {
		bare := bootTime(b, artifacts, fmt.Sprintf("bare%d", i), func(ctx context.Context, r *boot.Rehearsal) error { return r.Bare(ctx) })
		whole := bootTime(b, artifacts, fmt.Sprintf("boot%d", i), func(ctx context.Context, r *boot.Rehearsal) error { return r.Boot(ctx) })
		ratios = append(ratios, whole.Seconds()/bare.Seconds())
		boots, bares = append(boots, whole.Seconds()), append(bares, bare.Seconds())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratios), "boot-ratio")
	b.ReportMetric(median(boots), "boot-s")
	b.ReportMetric(median(bares), "bare-s")
}

func bootTime(b *testing.B, artifacts boot.Artifacts, name string, run func(context.Context, *boot.Rehearsal) error) time.Duration {
	b.Helper()
	f, err := boot.NewFixture(hostconfig.PlatformAWS, artifacts, nil)
	if err != nil {
		b.Fatal(err)
	}
	f.Config.Name, f.Config.Dir = name, filepath.Join(b.TempDir(), "state")
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	r, err := boot.New(ctx, f.Config)
	if err != nil {
		b.Fatal(err)
	}
	started := time.Now()
	err = run(ctx, r)
	took := time.Since(started)
	if err := r.Close(); err != nil {
		b.Error(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	return took
}

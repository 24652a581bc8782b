package booted

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/test/boot"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
)

// proofTime bounds a proof: the longest replace a machine and wait until it is a member again.
const proofTime = 15 * time.Minute

// Proofs are those of package boot, in their order, and the benchmark.
func (m *Machines) Proofs() []cloud.Proof {
	var out []cloud.Proof
	for _, proof := range boot.Proofs() {
		out = append(out, m.proof(proof.Name, func(ctx context.Context) error { return proof.Run(ctx, m.running) }))
	}
	return append(out, m.proof("M36_kube_bench", func(ctx context.Context) error {
		return m.running.JudgeKubeBench(ctx, m.root, filepath.Join(m.root, "test", "boot", "kube-bench-exceptions.yaml"))
	}))
}

// proof names a proof for people, who know rows from the documentation.
func (m *Machines) proof(name string, run func(context.Context) error) cloud.Proof {
	row, words, _ := strings.Cut(strings.ReplaceAll(name, "_", " "), " ")
	return cloud.Proof{Name: "proof: " + words, Run: func(ctx context.Context, _ io.Writer, _ cloud.Change) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, proofTime)
		defer cancel()
		return "holds (" + row + ")", run(ctx)
	}}
}

package booted

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/test/boot"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
)

// proofTime bounds a proof: the longest replace a machine and wait until it is a member again.
const proofTime = 15 * time.Minute

// Proofs are those of package boot, in their order; then what the environment itself does about a machine that is lost; the
// benchmark; and last what brings the cluster back in time.
func (m *Machines) Proofs() []cloud.Proof {
	var out []cloud.Proof
	for _, proof := range boot.Proofs() {
		out = append(out, named(proof.Name, func(ctx context.Context, _ io.Writer, _ cloud.Change) error { return proof.Run(ctx, m.running) }))
	}
	return append(out,
		cloud.Proof{Name: "proof: the verify suite of the local cluster", Run: m.verified},
		named("M12_the_environment_replaces_a_lost_control_plane", m.replaced),
		named("M36_kube_bench", func(ctx context.Context, _ io.Writer, _ cloud.Change) error {
			return m.running.JudgeKubeBench(ctx, m.root, filepath.Join(m.root, "test", "boot", "kube-bench-exceptions.yaml"))
		}),
		named("M34_the_next_authorities_are_trusted", m.authorities("{generation: 1, trusted: [2]}", (*boot.Rotation).Trusted)),
		named("M34_the_next_authorities_sign", m.authorities("{generation: 2, trusted: [1]}", (*boot.Rotation).Signs)),
		named("M34_the_last_authorities_are_forgotten", m.authorities("{generation: 2}", (*boot.Rotation).Forgotten)),
		named("M12_the_environment_restores_a_snapshot", m.restored))
}

// verifier is the verify suite as a program: see test/local, and the Makefile, which builds it.
const verifier = "verify.test"

// results are the lines in which a test program tells what became of each check.
var results = regexp.MustCompile(`(?m)^ +--- (PASS|FAIL|SKIP): TestVerifyBooted/(\S+)`)

// verified lets the verify suite of the local cluster attack these machines: the proofs of both are the same.
func (m *Machines) verified(ctx context.Context, log io.Writer, _ cloud.Change) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, proofTime)
	defer cancel()
	program := filepath.Join(m.bin, verifier)
	if _, err := os.Stat(program); err != nil {
		return "", fmt.Errorf("%w: make rehearse builds it", err)
	}
	file, err := m.running.Whereabouts(m.tenants)
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, program, "-test.run=^TestVerifyBooted$", "-test.v", "-test.timeout="+proofTime.String(), "-booted="+file)
	command.Dir = m.root
	output, failed := command.CombinedOutput()
	_, _ = log.Write(output)
	var passed, wrong []string
	for _, match := range results.FindAllStringSubmatch(string(output), -1) {
		switch match[1] {
		case "PASS":
			passed = append(passed, match[2])
		case "FAIL":
			wrong = append(wrong, match[2])
		}
	}
	switch {
	case len(wrong) > 0:
		return "", fmt.Errorf("%d checks of the verify suite do not hold: %s", len(wrong), strings.Join(wrong, ", "))
	case failed != nil:
		return "", fmt.Errorf("the verify suite: %w: %s", failed, output[max(0, len(output)-1000):])
	case len(passed) == 0:
		return "", errors.New("the verify suite checked nothing")
	}
	return fmt.Sprintf("%d checks hold", len(passed)), nil
}

// named makes a proof whose name begins with a row.
func named(name string, run func(context.Context, io.Writer, cloud.Change) error) cloud.Proof {
	row, words, _ := strings.Cut(strings.ReplaceAll(name, "_", " "), " ")
	return cloud.Proof{Name: "proof: " + words, Run: func(ctx context.Context, log io.Writer, change cloud.Change) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, proofTime)
		defer cancel()
		return "holds (" + row + ")", run(ctx, log, change)
	}}
}

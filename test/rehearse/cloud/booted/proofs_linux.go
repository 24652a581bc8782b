package booted

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
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
		named("M12_the_environment_replaces_a_lost_control_plane", m.replaced),
		named("M36_kube_bench", func(ctx context.Context, _ io.Writer, _ cloud.Change) error {
			return m.running.JudgeKubeBench(ctx, m.root, filepath.Join(m.root, "test", "boot", "kube-bench-exceptions.yaml"))
		}),
		named("M12_the_environment_restores_a_snapshot", m.restored))
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

// replaced loses the last control plane, here and in the cloud, and lets an up of the environment make another.
func (m *Machines) replaced(ctx context.Context, log io.Writer, change cloud.Change) error {
	planes := m.running.Planes()
	name := planes[len(planes)-1]
	return m.running.ProveReplaced(ctx, name, func(ctx context.Context) error {
		before, err := m.provider.Machines(m.in)
		if err != nil {
			return err
		}
		if err := m.provider.Lose(m.in, before.ControlPlanes[len(planes)-1].Instance.ID); err != nil {
			return err
		}
		return m.change(ctx, log, change, nil, name)
	})
}

// restored brings the environment up with the settings that docs/flatcar.md names.
func (m *Machines) restored(ctx context.Context, log io.Writer, change cloud.Change) error {
	return m.running.ProveRestored(ctx, func(ctx context.Context, snapshot, until string) error {
		return m.change(ctx, log, change, map[string]string{"redoubt:host.restore": fmt.Sprintf("{snapshot: %q, until: %q}", snapshot, until)}, m.running.Planes()...)
	})
}

// change brings the environment up with further settings, and does to the machines what that did. These must be replaced,
// and no others.
func (m *Machines) change(ctx context.Context, log io.Writer, change cloud.Change, settings map[string]string, wanted ...string) error {
	if err := change(ctx, log, settings); err != nil {
		return err
	}
	now, err := m.provider.Machines(m.in)
	if err != nil {
		return err
	}
	replaced, err := m.running.Follow(ctx, now)
	if err != nil {
		return err
	}
	if !slices.Equal(replaced, wanted) {
		return fmt.Errorf("the environment replaced %q, and not %q", replaced, wanted)
	}
	return nil
}

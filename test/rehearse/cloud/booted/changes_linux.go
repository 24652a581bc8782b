package booted

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/redoubt-dev/redoubt/test/boot"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
)

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
		return m.change(ctx, log, change, nil, m.running.Lose, name)
	})
}

// restored brings the environment up with the settings that docs/flatcar.md names.
func (m *Machines) restored(ctx context.Context, log io.Writer, change cloud.Change) error {
	return m.running.ProveRestored(ctx, func(ctx context.Context, snapshot, until string) error {
		return m.change(ctx, log, change, map[string]string{"redoubt:host.restore": fmt.Sprintf("{snapshot: %q, until: %q}", snapshot, until)}, m.running.Lose, m.running.Planes()...)
	})
}

// authorities takes one step of docs/flatcar.md in the rotation of the authorities, which replaces every machine, and lets
// done judge it. Whoever has a kubeconfig needs the new one.
func (m *Machines) authorities(settings string, done func(*boot.Rotation, context.Context) error) func(context.Context, io.Writer, cloud.Change) error {
	return func(ctx context.Context, log io.Writer, change cloud.Change) (err error) {
		if m.rotation == nil {
			if m.rotation, err = m.running.BeginRotation(ctx); err != nil {
				return err
			}
		}
		every := slices.Concat(m.running.Planes(), m.running.Workers())
		if err := m.change(ctx, log, change, map[string]string{"redoubt:authorities": settings}, m.running.Stop, every...); err != nil {
			return err
		}
		if err := done(m.rotation, ctx); err != nil {
			return err
		}
		_, err = m.running.Expose()
		return err
	}
}

// change brings the environment up with further settings, and does to the machines what that did. These must be replaced,
// and no others; end takes away what was there.
func (m *Machines) change(ctx context.Context, log io.Writer, change cloud.Change, settings map[string]string, end func(context.Context, string) error, wanted ...string) error {
	if err := change(ctx, log, settings); err != nil {
		return err
	}
	now, err := m.provider.Machines(m.in)
	if err != nil {
		return err
	}
	replaced, err := m.running.Follow(ctx, now, end)
	if err != nil {
		return err
	}
	if !slices.Equal(replaced, wanted) {
		return fmt.Errorf("the environment replaced %q, and not %q", replaced, wanted)
	}
	return nil
}

package boot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// TellToStop presses the machine's power button, as a cloud does that is asked to
// stop or to delete it, and returns at once. The machine stops in its own time; a
// cloud would cut its power some minutes later.
func (r *Rehearsal) TellToStop(ctx context.Context, machine string) error {
	_, err := r.Run(ctx, machine, "systemctl", "--no-block", "poweroff")
	return err
}

// Stopped waits until a machine that was told to stop is off.
func (r *Rehearsal) Stopped(ctx context.Context, machine string) error {
	m := r.machines[machine]
	select {
	case <-m.ended:
		return m.cut()
	case <-ctx.Done():
		return fmt.Errorf("%s does not stop: %w\n%s", machine, ctx.Err(), r.Journal(machine, yieldUnit, 10))
	}
}

const yieldUnit = "redoubt-etcd-yield.service"

// proveYield does what an update does that replaces control planes one after the
// other and asks no etcd: it takes one away and tells the next one to stop while
// the first is not back. The second stays until the first has caught up, so that
// the cluster goes on all the time; then it goes by itself.
func proveYield(ctx context.Context, r *Rehearsal) error {
	planes := r.Planes()
	if len(planes) < 3 {
		return nil // nobody else could keep etcd going
	}
	first, second := planes[1], planes[2]
	if err := within(ctx, 2*time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() error { return r.whole(ctx, second) })
	}); err != nil {
		return err
	}
	if err := r.containersEnd(ctx, second); err != nil {
		return err
	}
	if err := r.Destroy(first, true); err != nil {
		return err
	}
	if err := r.TellToStop(ctx, second); err != nil {
		return err
	}
	// The machine is on its way down from here on, or would be.
	if err := within(ctx, 2*time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() error {
			switch said := r.Journal(second, yieldUnit, 20); {
			case !r.machines[second].runs():
				return errors.Join(r.machines[second].cut(), errors.New("it has stopped"))
			case !strings.Contains(said, "waiting until etcd can do without this machine"):
				return fmt.Errorf("nothing holds it up: %s", said)
			}
			return nil
		})
	}); err != nil {
		return fmt.Errorf("%s was told to stop while %s was away: %w", second, first, err)
	}
	// What is written now needs a majority, and so both that are left.
	check, err := keep(ctx, r)
	if err != nil {
		return fmt.Errorf("%s is away, %s was told to stop, and the cluster does not go on: %w", first, second, err)
	}
	if err := within(ctx, 5*time.Minute, func(ctx context.Context) error { return r.Boot(ctx, first) }); err != nil {
		return err
	}
	if err := within(ctx, 5*time.Minute, func(ctx context.Context) error { return r.Stopped(ctx, second) }); err != nil {
		return err
	}
	// Its API server stopped after all that waiting, and what that recorded is stored.
	if err := r.shippedToTheEnd(second); err != nil {
		return err
	}
	// It went because it could be missed: the other two are a majority at once.
	if err := within(ctx, 2*time.Minute, check); err != nil {
		return fmt.Errorf("without %s: %w", second, err)
	}
	if err := r.machines[second].power(ctx); err != nil {
		return err
	}
	return within(ctx, 4*time.Minute, func(ctx context.Context) error {
		for _, name := range planes {
			if err := Eventually(ctx, func() error { return r.whole(ctx, name) }); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return check(ctx)
	})
}

// containersEnd wants systemd to give containers the time that the machine's clouds
// have for them, and no more.
func (r *Rehearsal) containersEnd(ctx context.Context, machine string) error {
	output, err := r.Run(ctx, machine, "systemctl", "show", "--property=TimeoutStopUSec", "cri-containerd-*.scope")
	if err != nil {
		return err
	}
	limits := strings.Fields(output)
	want := "TimeoutStopUSec=" + nodeconfig.ContainersStop.String()
	if len(limits) == 0 || slices.ContainsFunc(limits, func(limit string) bool { return limit != want }) {
		return fmt.Errorf("%s: containers that stop have %q, and not %s", machine, limits, want)
	}
	return nil
}

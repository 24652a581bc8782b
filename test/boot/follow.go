package boot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/test/simcloud/machines"
)

// Follow does to the machines what happened to them in the cloud: objects that have
// changed are stored, roles get the policies that they have now, and whichever machine
// is another instance, or boots from other user data, is replaced, one after the
// other in the order of the machines; end takes each away. Volumes go with their
// names. It gives the names of the machines that were replaced, and does not wait for
// them.
func (r *Rehearsal) Follow(ctx context.Context, cluster machines.Cluster, end func(context.Context, string) error) ([]string, error) {
	if err := cluster.Store(r.Cloud.Server); err != nil {
		return nil, err
	}
	for _, role := range cluster.Roles {
		if err := r.Cloud.Server.AddRole(role); err != nil {
			return nil, err
		}
	}
	judged, err := cluster.Judge(r.Cloud.Server)
	if err != nil {
		return nil, err
	}
	var replaced []string
	for i, each := range cluster.ControlPlanes {
		m := r.machines[judged.ControlPlanes[i].Config.Node]
		if m == nil || m.Address != each.Instance.Addresses[0] || m.Device != each.Device {
			return replaced, fmt.Errorf("the machine %s is another one than it was, with the address %s and the volume %s", each.Instance.Name, each.Instance.Addresses[0], each.Device)
		}
		if m.Instance.ID == each.Instance.ID && string(m.Instance.UserData) == string(each.Instance.UserData) {
			continue
		}
		if err := errors.Join(end(ctx, m.Name), r.Destroy(m.Name, true)); err != nil {
			return replaced, err
		}
		m.Instance, m.launches = each.Instance, 0
		replaced = append(replaced, m.Name)
		if err := r.Launch(ctx, m.Name); err != nil {
			return replaced, err
		}
	}
	for i, pool := range cluster.Pools {
		for _, name := range r.Workers() {
			m := r.machines[name]
			if !strings.HasPrefix(name, judged.Pools[i].Config.Pool+"-") || m.Instance.Group != pool.Template.Group || string(m.Instance.UserData) == string(pool.Template.UserData) {
				continue
			}
			if err := errors.Join(end(ctx, name), r.Destroy(name, false)); err != nil {
				return replaced, err
			}
			m.Instance.UserData = slices.Clone(pool.Template.UserData)
			replaced = append(replaced, name)
			if err := r.Launch(ctx, name); err != nil {
				return replaced, err
			}
		}
	}
	return replaced, nil
}

// Lose ends a machine as a failing host does. Its volume stays.
func (r *Rehearsal) Lose(_ context.Context, name string) error { return r.Destroy(name, true) }

// patience is how long a machine that is told to stop may take here: etcd-yield's
// eight minutes, and what comes before and after.
const patience = 10 * time.Minute

// Stop ends a machine as a cloud does that deletes it: it is told to, and goes in its
// own time. A control plane waits until etcd can do without it.
func (r *Rehearsal) Stop(ctx context.Context, name string) error {
	return within(ctx, patience, func(ctx context.Context) error {
		if err := r.TellToStop(ctx, name); err != nil {
			return err
		}
		return r.Stopped(ctx, name)
	})
}

// ProveReplaced loses a control plane, lets replace put another in its place, and
// wants the cluster whole again with what it held.
func (r *Rehearsal) ProveReplaced(ctx context.Context, name string, replace func(context.Context) error) error {
	check, err := keep(ctx, r)
	if err != nil {
		return err
	}
	if err := r.Lose(ctx, name); err != nil {
		return err
	}
	if err := within(ctx, 2*time.Minute, check); err != nil && len(r.Planes()) > 1 {
		return fmt.Errorf("without %s: %w", name, err)
	}
	if err := replace(ctx); err != nil {
		return err
	}
	if err := within(ctx, 8*time.Minute, func(ctx context.Context) error { return r.WaitReady(ctx, name) }); err != nil {
		return err
	}
	if err := within(ctx, 2*time.Minute, check); err != nil {
		return err
	}
	return within(ctx, 4*time.Minute, func(ctx context.Context) error { return Eventually(ctx, func() error { return r.whole(ctx, name) }) })
}

// ProveRestored brings the cluster back to a snapshot, as docs/flatcar.md says: what
// was written before it is there, what was written after it is gone. Restore replaces
// every control plane by one whose specification has this restore in it, with the
// volume that was there.
func (r *Rehearsal) ProveRestored(ctx context.Context, restore func(ctx context.Context, snapshot, until string) error) error {
	before, err := keep(ctx, r)
	if err != nil {
		return err
	}
	plane := r.Planes()[0]
	config, err := r.NodeConfig(plane)
	if err != nil {
		return err
	}
	if _, err := r.Run(ctx, plane, "systemctl", "start", "redoubt-snapshot.service"); err != nil {
		return fmt.Errorf("%w\n%s", err, r.Journal(plane, "redoubt-snapshot.service", 10))
	}
	newest := ""
	for _, key := range r.Cloud.Server.Keys(config.Snapshots.Bucket) {
		if strings.HasSuffix(key, ".db") && key > newest {
			newest = key
		}
	}
	if newest == "" {
		return errors.New("there is no snapshot")
	}
	after := "after-" + randomHex()
	if _, err := r.Kubectl(ctx, "create", "configmap", after, "--from-literal=value=x"); err != nil {
		return err
	}
	if err := restore(ctx, newest, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)); err != nil {
		return err
	}
	if err := within(ctx, 8*time.Minute, func(ctx context.Context) error { return r.WaitReady(ctx, r.Planes()...) }); err != nil {
		return err
	}
	err = within(ctx, 4*time.Minute, func(ctx context.Context) error {
		for _, name := range r.Planes() {
			if err := Eventually(ctx, func() error { return r.whole(ctx, name) }); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return before(ctx)
	})
	if err != nil {
		return err
	}
	found, err := "", error(nil)
	_ = within(ctx, time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() error {
			found, err = r.Kubectl(ctx, "get", "configmap", after, "-o", "name", "--ignore-not-found")
			return err
		})
	})
	switch {
	case err != nil:
		return err
	case found != "":
		return errors.New("what was written after the snapshot is there")
	}
	return within(ctx, 4*time.Minute, func(ctx context.Context) error { return r.WaitReady(ctx, r.Workers()...) })
}

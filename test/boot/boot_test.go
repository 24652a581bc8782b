package boot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// cluster boots the fixture once for all that attacks it, with every machine but
// the last interrupted in the middle of what it does first.
func cluster(t *testing.T, platform hostconfig.Platform) (*Fixture, *Rehearsal) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("machines are namespaces: run as root")
	}
	ctx := t.Context()
	artifacts, err := MakeArtifacts(ctx, "../../bin")
	if err != nil {
		t.Fatalf("%v: make tools-all first", err)
	}
	sandbox := filepath.Join(t.TempDir(), "gvisor.raw")
	hash, err := gVisorExtension(ctx, artifacts.Bin, sandbox)
	require.NoError(t, err, "run make boot, which builds gVisor")
	f, err := NewFixture(platform, artifacts, func(s *selfmanaged.Spec) {
		s.RepairAfter.Duration = nodeconfig.ShortestRepairAfter
		s.Pools[0].RuntimeClasses = []string{hostconfig.RuntimeClassGVisor}
		s.Pools[0].Extensions = []flatcar.Extension{{Name: "gvisor", Source: gVisorURL, Hash: hash}}
	})
	require.NoError(t, err)
	f.Config.Internet.Files[gVisorURL] = sandbox
	f.Config.Name, f.Config.Dir, f.Config.Log = "boot-"+string(platform), filepath.Join(t.TempDir(), "state"), t.Logf
	r, err := New(ctx, f.Config)
	require.NoError(t, err)
	t.Cleanup(func() {
		if kept := os.Getenv("REDOUBT_BOOT_KEEP"); kept != "" {
			t.Logf("kept until %s exists", kept)
			for _, err := os.Stat(kept); err != nil; _, err = os.Stat(kept) {
				time.Sleep(time.Second)
			}
		}
		require.NoError(t, r.Close())
	})
	return f, r
}

// cutAt takes a machine's power away as soon as a file is there, and gives it back.
func cutAt(ctx context.Context, r *Rehearsal, machine, file string) error {
	for {
		if _, err := os.Lstat(r.File(machine, file)); err == nil {
			return r.Reboot(ctx, machine)
		}
		select {
		case <-ctx.Done():
			return errors.New(machine + " never made " + file)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestBoot(t *testing.T) {
	for _, platform := range []hostconfig.Platform{hostconfig.PlatformAWS, hostconfig.PlatformGCP} {
		t.Run(string(platform), func(t *testing.T) { bootCluster(t, platform) })
	}
}

func bootCluster(t *testing.T, platform hostconfig.Platform) {
	f, r := cluster(t, platform)
	began := time.Now()
	// Files that mark the middle of kubeadm init, of join, and of a worker's join.
	middle := map[string]string{
		r.Planes()[0]:  "/etc/kubernetes/manifests/kube-apiserver.yaml",
		r.Planes()[1]:  "/etc/kubernetes/pki/apiserver.crt",
		r.Workers()[0]: "/etc/kubernetes/join.conf",
	}
	ok := t.Run("M12_machines_that_lose_power_in_the_middle_converge", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
		defer cancel()
		var wait sync.WaitGroup
		for _, m := range r.Machines {
			require.NoError(t, r.Launch(ctx, m.Name))
			if file := middle[m.Name]; file != "" {
				wait.Go(func() { assert.NoError(t, cutAt(ctx, r, m.Name, file)) })
			}
		}
		wait.Wait()
		require.NoError(t, r.WaitReady(ctx, append(r.Planes(), r.Workers()...)...))
		for _, name := range r.Planes() {
			require.NoError(t, Eventually(ctx, func() error { return r.whole(ctx, name) }), name)
		}
		t.Logf("all nodes are Ready after %v", time.Since(began).Round(time.Second))
	})
	if !ok {
		t.FailNow()
	}
	for _, proof := range Proofs() {
		t.Run(proof.Name, func(t *testing.T) {
			started := time.Now()
			require.NoError(t, proof.Run(t.Context(), r))
			t.Logf("%v", time.Since(started).Round(time.Second))
		})
	}
	t.Run("M28_a_pod_runs_in_gVisor", func(t *testing.T) { sandboxed(t, r) })
	if platform == hostconfig.PlatformGCP {
		t.Run("M17_the_audit_daemon_of_nodes_is_started", func(t *testing.T) { nodeAudit(t, r) })
	}
	t.Run("M05_a_worker_whose_kubelet_is_dead_is_replaced", func(t *testing.T) { repaired(t, r) })
	t.Run("M36_kube_bench", func(t *testing.T) {
		require.NoError(t, r.JudgeKubeBench(t.Context(), "../..", "kube-bench-exceptions.yaml"))
	})
	t.Run("M12_a_snapshot_is_restored", func(t *testing.T) { restore(t, f, r) })
	t.Run("M12_instances_of_another_role_get_nothing", func(t *testing.T) { strangers(t, f, r) })
}

// strangers launches instances whose role is not the one that their user data is
// for: Ignition gets no configuration, and so no key and no program.
func strangers(t *testing.T, f *Fixture, r *Rehearsal) {
	require.NoError(t, f.Cloud.AddRole(fakecloud.Role{Name: "stranger"}))
	m := r.machines[r.Workers()[0]]
	refusal := map[hostconfig.Platform]string{hostconfig.PlatformAWS: "AccessDenied", hostconfig.PlatformGCP: "does not have storage.objects.get access"}[m.Platform]
	for name, instance := range map[string]fakecloud.Instance{
		"no rights, as a worker":              {Role: "stranger", UserData: f.Rendering.Pools[0].UserData},
		"no rights, as a control plane":       {Role: "stranger", UserData: f.Rendering.ControlPlanes[0].UserData},
		"a worker's role, as a control plane": {Role: poolRole, UserData: f.Rendering.ControlPlanes[0].UserData},
	} {
		require.NoError(t, r.Destroy(m.Name, false))
		m.Instance.Role, m.Instance.UserData = instance.Role, instance.UserData
		err := r.Launch(t.Context(), m.Name)
		require.ErrorContains(t, err, refusal, name)
		for _, file := range []string{"/etc/kubernetes", "/opt/redoubt", "/etc/redoubt"} {
			assert.NoDirExists(t, r.File(m.Name, file), name)
		}
	}
}

// restore replaces every control plane of the fixture by one that restores.
func restore(t *testing.T, f *Fixture, r *Rehearsal) {
	require.NoError(t, r.ProveRestored(t.Context(), func(ctx context.Context, snapshot, until string) error {
		if err := f.Rerender(r, func(s *selfmanaged.Spec) { s.Restore = &selfmanaged.Restore{Snapshot: snapshot, Until: until} }); err != nil {
			return err
		}
		for _, name := range r.Planes() {
			if err := r.Destroy(name, true); err != nil {
				return err
			}
		}
		for _, name := range r.Planes() {
			if err := r.Launch(ctx, name); err != nil {
				return err
			}
		}
		return nil
	}))
}

package booted

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/boot"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// bootTime bounds the boot of all machines, on a machine that does other things beside.
const bootTime = 15 * time.Minute

// Machines are the cluster. A value is good for one rehearsal.
type Machines struct {
	root, bin, name, dir string
	provider             Provider
	in                   *simcloud.Cloud
	environment          rehearse.Result
	artifacts            boot.Artifacts
	running              *boot.Rehearsal
	rotation             *boot.Rotation // of the authorities, once it has begun
	tenants              []string
}

// Place gives a rehearsal its cluster: the machines of the cloud, or without root the local one.
func Place(r cloud.Rehearsal, provider Provider) (cloud.Rehearsal, error) {
	if os.Geteuid() != 0 {
		var err error
		r.LeftOut = "the machines are not booted, and no proof on them runs: they are namespaces, so run as root. The baseline goes into the local cluster"
		r.Cluster, err = r.ThisMachine("")
		return r, err
	}
	dir, err := directory(r)
	if err != nil {
		return r, err
	}
	bin := r.BinDirectory
	if bin == "" {
		bin = filepath.Join(r.Repository, "bin")
	}
	r.Cluster = &Machines{root: r.Repository, bin: bin, name: unique(r.Environment, dir), dir: dir, provider: provider}
	return r, nil
}

// Prepare makes the system extension and finds the host program: the environment's settings name both by hash.
func (m *Machines) Prepare(ctx context.Context, _ io.Writer) (map[string]string, error) {
	var err error
	if m.artifacts, err = boot.MakeArtifacts(ctx, m.bin); err != nil {
		return nil, err
	}
	return map[string]string{"redoubt:kubernetes.hash": m.artifacts.ExtensionHash, "redoubt:nodeProgram": m.artifacts.Node}, nil
}

// From says in which cloud the machines are.
func (m *Machines) From(in *simcloud.Cloud, environment rehearse.Result) {
	m.in, m.environment = in, environment
}

// Tenants says in which namespaces proofs may try what tenants do.
func (m *Machines) Tenants(namespaces []string) { m.tenants = namespaces }

// Up boots every machine of the control plane and one of each pool, and waits until all are Ready.
func (m *Machines) Up(ctx context.Context, log io.Writer) (kubeconfig string, facts []string, err error) {
	if version := m.environment.Output("kubernetesVersion"); version != hostconfig.DefaultKubernetesVersion {
		return "", nil, fmt.Errorf("the environment's machines run Kubernetes %s, and there are programs of %s here: rehearse with --set redoubt:kubernetesVersion=%s, or with --no-kubernetes",
			version, hostconfig.DefaultKubernetesVersion, hostconfig.DefaultKubernetesVersion)
	}
	config, err := m.config(log)
	if err != nil {
		return "", nil, err
	}
	began := time.Now()
	if m.running, err = boot.New(ctx, config); err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	if err := m.running.Boot(ctx); err != nil {
		return "", nil, err
	}
	took := time.Since(began)
	if err := m.running.InstallAgent(ctx); err != nil {
		return "", nil, err
	}
	kubeconfig, err = m.running.Expose()
	return kubeconfig, []string{fmt.Sprintf("%d control planes and %d workers Ready in %s", len(m.running.Planes()), len(m.running.Workers()), took.Round(time.Second))}, err
}

// config is what the cloud has now.
func (m *Machines) config(log io.Writer) (boot.Config, error) {
	cluster, err := m.provider.Machines(m.in)
	if err != nil {
		return boot.Config{}, err
	}
	return boot.From(cluster, boot.Site{
		Name: m.name, Dir: m.dir, Artifacts: m.artifacts, PodCIDR: m.environment.Output("podCIDR"),
		Log: func(format string, arguments ...any) { fmt.Fprintf(log, format+"\n", arguments...) },
	})
}

// Destroy ends the machines, also those of a run that was killed, and looks for what is left of them.
func (m *Machines) Destroy(ctx context.Context, _ io.Writer) error {
	if m.running == nil {
		return boot.Sweep(ctx, m.name, m.dir)
	}
	if err := m.running.Close(); err != nil {
		return err
	}
	m.running = nil
	// A process that was killed is there until the kernel has taken it apart.
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return boot.Eventually(ctx, func() error {
		if left := boot.Leftovers(m.name, m.dir); len(left) > 0 {
			return fmt.Errorf("the machines are gone, and this is left: %q", left)
		}
		return nil
	})
}

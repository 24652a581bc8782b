package redoubt

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/local"
	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// barePorts moves the ports of a bare cluster that is not isolated, so that it runs beside `make up`.
const barePorts = 2000

// Bare drives a cluster of this machine without a baseline: what stands where a managed cluster would stand while an
// environment of a cloud is rehearsed. Its data and its state are in the state directory, which is absolute.
func Bare(root, stateDirectory, programs, name string) (rehearse.Options, error) {
	options := rehearse.Options{
		Environment: name, Repository: root, StateDirectory: stateDirectory, BinDirectory: programs,
		ConfigFile: filepath.Join(stateDirectory, name+".yaml"), Providers: Providers()[:1], Verify: Verify, Sweep: Sweep,
		Program: func(*pulumi.Context) error { return errors.New("no version of Kubernetes is known") },
	}
	if err := os.MkdirAll(stateDirectory, 0o700); err != nil {
		return options, err
	}
	if err := os.WriteFile(options.ConfigFile, []byte("config: {}\n"), 0o600); err != nil {
		return options, err
	}
	return options, nil
}

// WithCluster gives a bare environment its cluster, of the version that the programs have.
func WithCluster(options rehearse.Options) (rehearse.Options, error) {
	programs := rehearse.New(options).Programs()
	version, err := kubernetesVersion(programs)
	if err != nil {
		return options, err
	}
	options.Program = func(ctx *pulumi.Context) error {
		host := local.DetectHost()
		cluster, err := local.NewCluster(ctx, options.Environment, &local.ClusterArgs{
			Environment: options.Environment, StateDirectory: filepath.Join(options.StateDirectory, options.Environment),
			ProgramsDirectory: programs, Isolated: host.Isolation, Workers: host.DefaultWorkers(), KubernetesVersion: version,
			PortOffset: barePorts, CgroupV1: host.CgroupV1, RestrictOOMScoreAdj: host.RestrictOOMScoreAdj,
		})
		if err != nil {
			return err
		}
		ctx.Export("kubeconfigPath", cluster.KubeconfigPath)
		ctx.Export("nodes", cluster.Nodes)
		return nil
	}
	return options, nil
}

// kubernetesVersion asks the API server's program.
func kubernetesVersion(programs string) (string, error) {
	out, err := exec.Command(filepath.Join(programs, "kube-apiserver"), "--version").Output()
	version, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "Kubernetes ")
	if err == nil && !ok {
		err = fmt.Errorf("%q is not its version", out)
	}
	if err != nil {
		return "", fmt.Errorf("kube-apiserver: %w; build it with `make tools`", err)
	}
	return version, nil
}

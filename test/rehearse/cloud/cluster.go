package cloud

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"path/filepath"
	"strings"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/rehearse/redoubt"
)

// Local is a hardened cluster of this machine as `make up` makes it, without a baseline: whole for root on Linux, a
// control plane on 127.0.0.1 elsewhere.
type Local struct {
	// Repository and StateDirectory are absolute. Programs is where the programs are, "" as for a driver.
	Repository, StateDirectory, Programs string
	// Name is the cluster's, also on the host.
	Name string
}

// ThisMachine gives a rehearsal its cluster.
func (r Rehearsal) ThisMachine(name string) (Cluster, error) {
	repository, err := filepath.Abs(r.Repository)
	if err != nil {
		return nil, err
	}
	r.Repository = repository
	if name == "" {
		name = clusterName(r.Environment)
	}
	return Local{Repository: repository, StateDirectory: r.state(), Programs: r.BinDirectory, Name: name}, nil
}

const (
	longestName = 32 // of an environment
	suffix      = "-rehearsal"
)

// clusterName derives a name of its own for an environment's cluster. One that is too long is cut, and told from others
// that begin alike.
func clusterName(environment string) string {
	if len(environment)+len(suffix) <= longestName {
		return environment + suffix
	}
	hash := fnv.New32a()
	hash.Write([]byte(environment))
	sum := fmt.Sprintf("-%04x", hash.Sum32()&0xffff)
	return strings.TrimRight(environment[:longestName-len(suffix)-len(sum)], "-") + sum + suffix
}

func (l Local) options(log io.Writer) (rehearse.Options, error) {
	options, err := redoubt.Bare(l.Repository, l.StateDirectory, l.Programs, l.Name)
	options.Output = log
	return options, err
}

// Up brings the cluster up and asks it what every up promises.
func (l Local) Up(ctx context.Context, log io.Writer) (string, []string, error) {
	options, err := l.options(log)
	if err != nil {
		return "", nil, err
	}
	if options, err = redoubt.WithCluster(options); err != nil {
		return "", nil, err
	}
	result, err := rehearse.New(options).Up(ctx)
	return result.Output("kubeconfigPath"), result.Verified, err
}

// Destroy removes the cluster, also one that an interrupted run left half.
func (l Local) Destroy(ctx context.Context, log io.Writer) error {
	options, err := l.options(log)
	if err != nil {
		return err
	}
	_, err = rehearse.New(options).Destroy(ctx)
	return err
}

package redoubt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"github.com/redoubt-dev/redoubt/components/local/machine"
	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// Sweep ends what an environment still runs once its stack is gone: machines and namespaces that an interrupted run
// made and never recorded. The directory is the environment's, named after it.
func Sweep(ctx context.Context, directory string) error {
	environment := filepath.Base(directory)
	found, err := filepath.Glob(filepath.Join(directory, "machines", "*"))
	if err != nil {
		return err
	}
	var problems []error
	network := netns.Topology{Environment: environment, Owner: directory}
	for _, dir := range found {
		problems = append(problems, machine.Stop(ctx, dir))
		network.Members = append(network.Members, netns.Member{Machine: filepath.Base(dir)})
	}
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		problems = append(problems, netns.Remove(ctx, network))
	}
	return errors.Join(problems...)
}

package local

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/redoubt-dev/redoubt/components/local/machine"
)

// command prepares a program inside a machine: in all of its namespaces, so
// that paths and processes are the machine's.
func (c *Cluster) command(ctx context.Context, name string, argv ...string) *exec.Cmd {
	if c.booted != nil {
		return c.bootedCommand(ctx, name, argv...)
	}
	return machine.ExecCommand(ctx, c.MachineDir(name), argv...)
}

// exec runs a program inside a machine and gives its output without the final
// newline.
func (c *Cluster) exec(ctx context.Context, name string, argv ...string) (string, error) {
	cmd := c.command(ctx, name, argv...)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		return strings.TrimRight(out.String(), "\n"), fmt.Errorf("%s: %s: %w: %s", name, strings.Join(argv, " "), err, faults.String())
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

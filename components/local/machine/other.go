//go:build !linux

package machine

import (
	"context"
	"errors"
	"os/exec"
)

// errLinux is the answer to all that isolated machines need.
var errLinux = errors.New("isolated machines need Linux: on this system run the control plane alone (redoubt:workers: 0)")

func startInit(cmd *exec.Cmd, spec Spec) error {
	if spec.Isolated {
		return errLinux
	}
	return cmd.Start()
}

func isolate(Spec) error { return errLinux }

func destroyCgroups(context.Context, string) error { return nil }

func preflightIsolated(v *validation, _ Spec) { v.err("isolated", errLinux) }

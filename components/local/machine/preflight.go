package machine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// leastSpace is what a machine needs to start: below it the kubelet evicts
// pods and etcd soon refuses writes.
const leastSpace = 1 << 30

// Preflight looks at the host for everything that the machine needs, changes
// nothing, and reports all that is missing at once, each with its remedy. It
// does not look at ports of a machine that runs: it would find its own.
func Preflight(spec Spec) error {
	v := &validation{}
	if spec.Isolated {
		preflightIsolated(v, spec)
	}
	v.err("dir", checkSpace(spec.Dir))
	if status, err := Inspect(spec.Dir); err == nil && !status.Running && !spec.Isolated {
		for _, port := range spec.Ports {
			v.err("ports", checkPort(port))
		}
	}
	for _, bind := range spec.Binds {
		_, err := os.Stat(bind.Source)
		v.err("binds", err)
	}
	if len(v.errs) == 0 {
		return nil
	}
	return fmt.Errorf("this host cannot run machine %s yet:\n%w", spec.Name, errors.Join(v.errs...))
}

// checkSpace looks at the file system that will hold the state.
func checkSpace(dir string) error {
	for !exists(dir) {
		dir = filepath.Dir(dir)
	}
	var info unix.Statfs_t
	if err := unix.Statfs(dir, &info); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	free := uint64(info.Bavail) * uint64(info.Bsize)
	if free < leastSpace {
		return fmt.Errorf("%s has %d MiB free and a machine needs 1024: make room, or put the repository on a larger disk", dir, free>>20)
	}
	return nil
}

// checkPort tries to listen where a service will.
func checkPort(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		_, port, _ := net.SplitHostPort(address)
		return fmt.Errorf("%s is not free (%v): stop the program that listens there (`lsof -i :%s` or `ss -ltnp` names it)", address, err, port)
	}
	return listener.Close()
}

// missingPrograms names the programs that are not in PATH, and the packages
// of Debian that bring them.
func missingPrograms(programs map[string]string) error {
	var names, packages []string
	for name, from := range programs {
		if _, err := exec.LookPath(name); err != nil {
			names = append(names, name)
			packages = append(packages, from)
		}
	}
	if len(names) == 0 {
		return nil
	}
	names, packages = unique(names), unique(packages)
	return fmt.Errorf("missing %s: on Debian or Ubuntu run `apt-get install %s`", strings.Join(names, ", "), strings.Join(packages, " "))
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

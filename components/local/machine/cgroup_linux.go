package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// systemLeaf is the group, below a machine's CgroupRoot, of the machine's own
// processes.
const systemLeaf = "system"

// kubeletControllers are the controllers without which the kubelet does not
// start (k8s.io/kubernetes, pkg/kubelet/cm: requiredControllers and the v2
// check of its supported subsystems).
var kubeletControllers = []string{"cpu", "cpuset", "memory", "pids"}

// hierarchy is one mounted tree of cgroups: one for each controller or group
// of controllers in version 1, one for all in version 2.
type hierarchy struct {
	mount       string
	unified     bool
	controllers []string
}

// hierarchies reads what is mounted below /sys/fs/cgroup.
func hierarchies() ([]hierarchy, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []hierarchy
	for _, line := range strings.Split(string(data), "\n") {
		// proc_pid_mountinfo(5): ... (5) mount point, (6) options, optional
		// fields, "-", type, source, super options.
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 3 || !within(left[4], "/sys/fs/cgroup") {
			continue
		}
		h := hierarchy{mount: left[4], unified: right[0] == "cgroup2"}
		switch {
		case h.unified:
			controllers, err := os.ReadFile(filepath.Join(h.mount, "cgroup.controllers"))
			if err != nil {
				return nil, err
			}
			h.controllers = strings.Fields(string(controllers))
		case right[0] == "cgroup":
			h.controllers = strings.Split(right[2], ",")
		default:
			continue
		}
		found = append(found, h)
	}
	if len(found) == 0 {
		return nil, errors.New("no cgroup hierarchy is mounted below /sys/fs/cgroup")
	}
	return found, nil
}

// pure tells whether all controllers are in version 2: in hybrid mode the
// version 2 tree carries no controller that the kubelet uses, and is only
// entered, not configured.
func pure(all []hierarchy) bool {
	return !slices.ContainsFunc(all, func(h hierarchy) bool { return !h.unified })
}

// createCgroups makes a machine's groups in every hierarchy.
func createCgroups(root string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	// Another machine that stops may remove a group that both are below, when
	// it is empty for a moment.
	for range 10 {
		if err = createIn(all, root); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

func createIn(all []hierarchy, root string) error {
	for _, h := range all {
		dir := h.mount
		for _, part := range strings.Split(strings.Trim(root, "/"), "/") {
			if h.unified && pure(all) {
				if err := enableControllers(dir); err != nil {
					return err
				}
			}
			dir = filepath.Join(dir, part)
			if err := makeGroup(h, dir); err != nil {
				return err
			}
		}
		if h.unified && pure(all) {
			if err := enableControllers(dir); err != nil {
				return err
			}
		}
		if err := makeGroup(h, filepath.Join(dir, systemLeaf)); err != nil {
			return err
		}
	}
	return nil
}

func makeGroup(h hierarchy, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cgroupRoot: %w", err)
	}
	if !slices.Contains(h.controllers, "cpuset") || h.unified {
		return nil
	}
	// Version 1: a group of cpuset takes no process until both are filled.
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		path := filepath.Join(dir, name)
		if own, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(own))) > 0 {
			continue
		}
		inherited, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err == nil {
			err = os.WriteFile(path, inherited, 0o644)
		}
		if err != nil {
			return fmt.Errorf("cgroupRoot: %w", err)
		}
	}
	return nil
}

// enableControllers hands a version 2 group's controllers on to its children,
// one by one, because the kernel takes all of a list or none.
func enableControllers(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "cgroup.subtree_control")
	enabled, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(data)) {
		if slices.Contains(strings.Fields(string(enabled)), controller) {
			continue
		}
		err := os.WriteFile(path, []byte("+"+controller), 0o644)
		if err == nil || !slices.Contains(kubeletControllers, controller) {
			continue
		}
		if errors.Is(err, syscall.EBUSY) {
			return fmt.Errorf("cgroupRoot: %s holds processes, so its %s controller cannot be handed on: in a container, start it with --cgroupns=host, or move its processes into a group below", dir, controller)
		}
		return fmt.Errorf("cgroupRoot: handing on the %s controller of %s: %w", controller, dir, err)
	}
	return nil
}

// joinCgroup moves the calling process into a group of every hierarchy.
func joinCgroup(group string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range all {
		// 0 stands for the writer, whatever its number is in which namespace.
		if err := os.WriteFile(filepath.Join(h.mount, group, "cgroup.procs"), []byte("0"), 0o644); err != nil {
			return fmt.Errorf("cgroupRoot: entering: %w", err)
		}
	}
	return nil
}

// destroyCgroups kills every process in a machine's groups and removes them,
// and the directories above them that became empty.
func destroyCgroups(ctx context.Context, root string) error {
	all, err := hierarchies()
	if err != nil {
		return nil // Nothing is mounted, so nothing is there.
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, h := range all {
		top := filepath.Join(h.mount, root)
		for {
			err := removeGroups(top)
			if err == nil {
				break
			}
			killGroup(top, root)
			select {
			case <-ctx.Done():
				return fmt.Errorf("cgroupRoot: %s cannot be removed: %w", top, err)
			case <-time.After(20 * time.Millisecond):
			}
		}
		// Above the machine's own group only what is empty goes: rmdir refuses
		// the rest, and the hierarchy's root is never reached.
		for dir := filepath.Dir(root); dir != "/"; dir = filepath.Dir(dir) {
			if os.Remove(filepath.Join(h.mount, dir)) != nil {
				break
			}
		}
	}
	return nil
}

// removeGroups removes a group and all below it, the deepest first.
func removeGroups(top string) error {
	var dirs []string
	_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	slices.Reverse(dirs)
	var errs []error
	for _, dir := range dirs {
		// Not RemoveAll: the files of a group cannot be removed, and go with it.
		if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

// killGroup kills every process in a group and below.
func killGroup(top, root string) {
	_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "cgroup.procs" {
			return nil
		}
		data, _ := os.ReadFile(path)
		for _, line := range strings.Fields(string(data)) {
			pid, _ := strconv.Atoi(line)
			p, err := identify(pid)
			// The number is looked at again after the process is held by its
			// start time: by then it may have become a stranger's.
			if err == nil && inGroup(pid, root) {
				_ = p.signal(syscall.SIGKILL)
			}
		}
		return nil
	})
}

// inGroup tells whether a process is in a group, or below, of any hierarchy.
func inGroup(pid int, root string) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(data), "\n") {
		if parts := strings.SplitN(line, ":", 3); len(parts) == 3 && within(parts[2], root) {
			return true
		}
	}
	return false
}

package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupMount is where the host's hierarchies are.
const cgroupMount = "/sys/fs/cgroup"

// hierarchy is one mounted tree of cgroups.
type hierarchy struct {
	// path is the mount point, kind "cgroup" or "cgroup2".
	path, kind string
	// options are what a mount of the same tree is asked for with: the
	// controllers, or the name of a tree without any.
	options string
}

// hierarchies reads what is mounted below /sys/fs/cgroup.
func hierarchies() ([]hierarchy, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []hierarchy
	for _, line := range strings.Split(string(data), "\n") {
		// proc_pid_mountinfo(5): ... (5) mount point ... "-", type, source, super options.
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 || !strings.HasPrefix(left[4]+"/", cgroupMount+"/") || !strings.HasPrefix(right[0], "cgroup") {
			continue
		}
		h := hierarchy{path: left[4], kind: right[0]}
		if h.kind == "cgroup" {
			kept := slices.DeleteFunc(strings.Split(right[2], ","), func(option string) bool { return option == "rw" || option == "ro" })
			if slices.ContainsFunc(kept, func(option string) bool { return strings.HasPrefix(option, "name=") }) {
				kept = append([]string{"none"}, kept...)
			}
			h.options = strings.Join(kept, ",")
		}
		found = append(found, h)
	}
	if len(found) == 0 {
		return nil, errors.New("no cgroup hierarchy is mounted below " + cgroupMount)
	}
	return found, nil
}

// makeCgroup makes a group in every hierarchy.
func makeCgroup(all []hierarchy, group string) error {
	for _, h := range all {
		dir := h.path
		for _, part := range strings.Split(group, "/") {
			parent := dir
			dir = filepath.Join(dir, part)
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			if err := inheritCpuset(parent, dir); err != nil {
				return err
			}
			if h.kind == "cgroup2" && len(all) == 1 {
				if err := handOn(parent); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// inheritCpuset fills what version 1 leaves empty, without which no process enters.
func inheritCpuset(parent, dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		inherited, err := os.ReadFile(filepath.Join(parent, name))
		if err != nil || len(strings.TrimSpace(string(inherited))) == 0 {
			continue // another controller, or version 2
		}
		if err := os.WriteFile(filepath.Join(dir, name), inherited, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// handOn gives a version 2 group's controllers to its children.
func handOn(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(data)) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("handing on %s: %w", controller, err)
		}
	}
	return nil
}

// removeCgroup kills what is in a group and removes it from every hierarchy.
func removeCgroup(all []hierarchy, group string) error {
	var errs []error
	for _, h := range all {
		top := filepath.Join(h.path, group)
		var err error
		for range 250 {
			if err = removeTree(top); err == nil {
				break
			}
			killTree(top)
			time.Sleep(20 * time.Millisecond)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func removeTree(top string) error {
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
		// The files of a group cannot be removed, and go with it.
		if err := unix.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

func killTree(top string) {
	_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "cgroup.procs" {
			return nil
		}
		data, _ := os.ReadFile(path)
		for _, field := range strings.Fields(string(data)) {
			var pid int
			if _, err := fmt.Sscan(field, &pid); err == nil && pid > 1 {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		return nil
	})
}

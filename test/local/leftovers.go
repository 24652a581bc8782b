package local

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/netns"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// keptLogs is the folder below .state that keeps the logs of failed runs.
const keptLogs = "kept-logs"

// traces are what an environment can leave on the host, each as a line of text,
// so that two moments can be compared.
type traces map[string]bool

// hostTraces looks at everything of the host that an environment of this name
// touches: processes, namespaces, mounts, rules, cgroups, interfaces, routes,
// kernel settings and files outside of the repository.
func hostTraces(ctx context.Context, root, environment string) (traces, error) {
	found := traces{}
	state := filepath.Join(root, ".state", environment)
	for _, look := range []func() error{
		func() error { return found.processes(state, environment) },
		func() error { return found.mounts(state, environment) },
		func() error { return found.files("/run/netns", "network namespace", environment, 1) },
		func() error { return found.files("/sys/fs/cgroup", "cgroup", environment, 5) },
		func() error { return found.lines(ctx, "nftables on the host", "nft", "list", "tables") },
		func() error { return found.interfaces(ctx, environment) },
		func() error { return found.kernelSettings(state, environment) },
		func() error { return found.state(root, environment) },
		func() error { return found.outside(state, environment) },
	} {
		if err := look(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (f traces) add(kind, what string) { f[kind+": "+what] = true }

const (
	// kernelSetting is the kind of trace that environments share.
	kernelSetting = "kernel setting"
	// alone marks a moment at which no other environment was up.
	alone = "alone"
)

// since are the traces that were not there before, and those that have gone.
// Kernel settings are compared only when no other environment, which needs the
// same ones, can have come or gone meanwhile.
func (f traces) since(before traces) []string {
	comparable := func(trace string) bool {
		return trace != alone && (f[alone] && before[alone] || !strings.HasPrefix(trace, kernelSetting))
	}
	var changes []string
	for trace := range f {
		if !before[trace] && comparable(trace) {
			changes = append(changes, "left behind: "+trace)
		}
	}
	for trace := range before {
		if !f[trace] && comparable(trace) {
			changes = append(changes, "taken away: "+trace)
		}
	}
	sort.Strings(changes)
	return changes
}

// processes finds what names the environment's folder, and what is in one of
// its cgroups, pods included.
func (f traces) processes(state, environment string) error {
	directories, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, directory := range directories {
		pid, _ := strconv.Atoi(filepath.Base(directory))
		command, err := os.ReadFile(filepath.Join(directory, "cmdline"))
		if err != nil || pid == os.Getpid() {
			continue // it ended meanwhile
		}
		groups, _ := os.ReadFile(filepath.Join(directory, "cgroup"))
		if bytes.Contains(command, []byte(state+"/")) || bytes.Contains(groups, []byte("/redoubt/"+environment+"/")) {
			f.add("process", fmt.Sprintf("%d %s", pid, strings.ReplaceAll(string(command), "\x00", " ")))
		}
	}
	return nil
}

func (f traces) mounts(state, environment string) error {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.Contains(lines.Text(), state) || strings.Contains(lines.Text(), "rd-"+environment+"-") {
			f.add("mount", strings.Fields(lines.Text())[4])
		}
	}
	return lines.Err()
}

// files finds names that carry the environment's name, down to a depth.
func (f traces) files(root, kind, environment string, depth int) error {
	return walk(root, depth, func(path string) {
		if strings.Contains(filepath.Base(path), environment) {
			f.add(kind, path)
		}
	})
}

// lines adds each line that a program prints.
func (f traces) lines(ctx context.Context, kind, program string, arguments ...string) error {
	out, err := exec.CommandContext(ctx, program, arguments...).Output()
	if err != nil {
		return fmt.Errorf("%s %s: %w", program, strings.Join(arguments, " "), err)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			f.add(kind, line)
		}
	}
	return nil
}

// interfaces finds interfaces, addresses and routes. Those of other environments
// may come and go meanwhile.
func (f traces) interfaces(ctx context.Context, environment string) error {
	all, own := traces{}, netns.HostInterface(environment)
	for kind, arguments := range map[string][]string{
		"address": {"-oneline", "-4", "addr", "show"}, "route": {"route", "show"}, "interface": {"-oneline", "link", "show", "type", "veth"},
	} {
		if err := all.lines(ctx, kind, "ip", arguments...); err != nil {
			return err
		}
	}
	for trace := range all {
		if !strings.Contains(trace, " rd-") || strings.Contains(trace, own) {
			f[trace] = true
		}
	}
	return nil
}

func (f traces) kernelSettings(state, environment string) error {
	before, err := others(state, environment)
	if err != nil {
		return err
	}
	settings := map[string]bool{"net.ipv4.ip_forward": true}
	for name := range hostconfig.KubeletSysctls() {
		settings[name] = true
	}
	for name := range settings {
		data, err := os.ReadFile(filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/")))
		if os.IsNotExist(err) {
			continue // this kernel does not have it
		}
		if err != nil {
			return err
		}
		f.add(kernelSetting, name+" = "+strings.TrimSpace(string(data)))
	}
	after, err := others(state, environment)
	f[alone] = !before && !after
	return err
}

// others tells whether another environment is on the host: it has namespaces, or
// claims on kernel settings or a network, which come before them and go after them.
func others(state, environment string) (bool, error) {
	namespaces, err := filepath.Glob("/run/netns/rd-*")
	if err != nil {
		return false, err
	}
	records, err := filepath.Glob("/run/redoubt/*")
	if err != nil {
		return false, err
	}
	for _, path := range records {
		data, _ := os.ReadFile(path) // gone: nobody's
		if claimsOfOthers(string(data), state) {
			return true, nil
		}
	}
	return slices.ContainsFunc(namespaces, func(path string) bool {
		return !strings.HasPrefix(filepath.Base(path), "rd-"+environment+"-")
	}), nil
}

// claimsOfOthers tells whether a record names a directory outside of a state's.
func claimsOfOthers(record, state string) bool {
	return slices.ContainsFunc(claimed.FindAllString(record, -1), func(claim string) bool {
		return claim != state && !strings.HasPrefix(claim, state+"/")
	})
}

// claimed is a directory of some environment in a record.
var claimed = regexp.MustCompile(`/[^\s"]+`)

// state finds what below .state carries the environment's name.
func (f traces) state(root, environment string) error {
	return walk(filepath.Join(root, ".state"), 8, func(path string) {
		if strings.Contains(filepath.Base(path), environment) && !strings.Contains(path, keptLogs) {
			f.add("state", path)
		}
	})
}

// outside finds what names the environment where programs leave things, and
// the shared record of kernel settings when it mentions the environment or when
// there is no environment at all that could need it.
func (f traces) outside(state, environment string) error {
	for _, root := range []string{"/run", "/tmp", "/var/tmp", "/dev/shm", "/etc", "/var/lib", "/var/log", "/var/cache", "/opt", "/usr/local"} {
		if err := f.files(root, "file", environment, 3); err != nil {
			return err
		}
	}
	claims, err := filesContaining("/run/redoubt", []byte(state+"/"))
	if err != nil {
		return err
	}
	for _, path := range claims {
		f.add("file that mentions it", path)
	}
	// The directory goes with the last claim. Another environment that makes its first
	// one right now has it empty for a moment.
	for range 20 {
		if entries, err := os.ReadDir("/run/redoubt"); err != nil || len(entries) > 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.add("file", "/run/redoubt")
	return nil
}

// walk visits names down to a depth.
func walk(root string, depth int, visit func(path string)) error {
	base := strings.Count(filepath.Clean(root), string(filepath.Separator))
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // it went away meanwhile, or is of a process that did
		}
		visit(path)
		if entry.IsDir() && strings.Count(path, string(filepath.Separator))-base >= depth {
			return filepath.SkipDir
		}
		return nil
	})
}

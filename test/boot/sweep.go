package boot

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/machine"
	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// Leftovers lists what a rehearsal of the name and directory has on this host:
// namespaces, groups, interfaces, processes, block devices and files.
func Leftovers(name, dir string) []string {
	var found []string
	for _, pattern := range []string{"/run/netns/" + netns.Namespace(name, "*"), "/sys/fs/cgroup/*/redoubt-boot-" + name, "/sys/fs/cgroup/redoubt-boot-" + name, dir,
		"/sys/class/net/" + netns.HostInterface(name)} {
		names, _ := filepath.Glob(pattern)
		found = append(found, names...)
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, process := range processes {
		if data, err := os.ReadFile(process); err == nil && strings.Contains(string(data), "/redoubt-boot-"+name+"/") {
			found = append(found, process)
		}
	}
	loops, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, loop := range loops {
		if data, err := os.ReadFile(loop); err == nil && strings.HasPrefix(string(data), dir) {
			found = append(found, loop)
		}
	}
	return found
}

// sweepTries times a fifth of a second is how long the kernel may take to let go of
// what processes had that were killed.
const sweepTries = 300

// Sweep removes what a rehearsal of that name and directory left whose process and
// janitor were both killed. There must be none that runs.
func Sweep(ctx context.Context, name, dir string) error {
	if os.Geteuid() != 0 {
		return nil // nobody else makes any
	}
	r := &Rehearsal{Config: Config{Name: name, Dir: dir}}
	var left []string
	for range sweepTries {
		// The janitor may be at it: what it does at the same time harms neither.
		namespaces, _ := filepath.Glob("/run/netns/" + netns.Namespace(name, "*"))
		for i := range namespaces {
			namespaces[i] = filepath.Base(namespaces[i])
		}
		if output, err := exec.CommandContext(ctx, "sh", append([]string{"-c", cleaning, "boot-janitor", dir, r.cgroup(), netns.HostInterface(name)}, namespaces...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("clearing a rehearsal of the boot: %w: %s", err, output)
		}
		if left = Leftovers(name, dir); len(left) == 0 {
			return machine.ReleaseKernelSettings(ctx, dir)
		}
		time.Sleep(200 * time.Millisecond)
	}
	return fmt.Errorf("a rehearsal of the boot left what cannot be removed: %q", left)
}

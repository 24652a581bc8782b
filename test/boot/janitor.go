package boot

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// janitor removes what a killed rehearsal leaves. Machines die with this process
// (see machine.go); what has a name stays: cgroups, network namespaces, files and
// the kernel's settings. A shell in a session of its own waits until the pipe to
// this process breaks, whatever broke it.
type janitor struct {
	pipe    *os.File
	command *exec.Cmd
}

// cleaning is the janitor's script. A line on standard input says that there is
// nothing to do.
const cleaning = `read -r dismissed && exit 0
state=$1 group=$2 link=$3; shift 3
for try in 1 2 3 4 5 6 7 8 9 10; do
	left=
	for top in /sys/fs/cgroup/*/"$group" /sys/fs/cgroup/"$group"; do
		[ -d "$top" ] || continue
		find "$top" -name cgroup.procs -exec cat {} + 2>/dev/null | while read -r pid; do kill -9 "$pid" 2>/dev/null; done
		find "$top" -depth -type d -exec rmdir {} + 2>/dev/null || left=yes
	done
	[ -n "$left" ] || break
	sleep 0.2
done
ip link delete "$link" 2>/dev/null
for name in "$@"; do ip netns delete "$name" 2>/dev/null; done
rm -rf "$state"
`

func hireJanitor(r *Rehearsal) (*janitor, error) {
	names := []string{}
	for _, m := range r.topology().Members {
		names = append(names, netns.Namespace(r.Name, m.Machine))
	}
	names = append(names, netns.Switch(r.Name))
	reading, writing, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reading.Close()
	command := exec.Command("sh", append([]string{"-c", cleaning, "boot-janitor", r.Dir, r.cgroup(), netns.HostInterface(r.Name)}, names...)...)
	command.Stdin = reading
	command.Dir = "/"
	// Not of this process's group, which a terminal or a runner kills as a whole.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("janitor: %w", err)
	}
	return &janitor{pipe: writing, command: command}, nil
}

// dismiss ends the janitor without work: everything is gone already.
func (j *janitor) dismiss() error {
	if j == nil {
		return nil
	}
	_, _ = strings.NewReader("dismissed\n").WriteTo(j.pipe)
	j.pipe.Close()
	return j.command.Wait()
}

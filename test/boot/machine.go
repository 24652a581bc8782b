package boot

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redoubt-dev/redoubt/components/local/netns"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

//go:embed jail.sh
var jail string

// Machine is one machine as the cloud describes it.
type Machine struct {
	// Name is unique in the rehearsal, lower case letters, digits and dashes.
	// HostName is what the platform tells the machine; Name when it is empty.
	Name, HostName string
	Role           hostconfig.Role
	Platform       hostconfig.Platform
	// Address is the machine's own, in the network's NodeCIDR.
	Address string
	// PodCIDR is routed to the machine, "" where no pods of the bridge network run.
	PodCIDR string
	// Instance is what the cloud says of the machine: its role, group, zone, tags
	// and user data. Its ID is that of the first launch; each later one has another.
	Instance fakecloud.Instance
	// Device is the path of the data volume's block device, "" for none. The
	// volume outlives the machine until [Rehearsal.Replace] says otherwise.
	Device string
}

func (m Machine) hostName() string {
	if m.HostName != "" {
		return m.HostName
	}
	return m.Name
}

// longestHostName is how long a name the kernel takes.
const longestHostName = 64

// kernelName is what the machine makes of the name that it is told: of one that is
// too long systemd keeps the first label, as does afterburn.
// https://www.freedesktop.org/software/systemd/man/252/systemd.network.html#UseHostname=
func (m Machine) kernelName() string {
	if name := m.hostName(); len(name) <= longestHostName {
		return name
	}
	return m.NodeName()
}

// running is a machine that was started.
type running struct {
	Machine
	r     *Rehearsal
	mutex sync.Mutex
	disk  *disk
	// outer is the process that started the namespaces, init the machine's first
	// process as this host counts it.
	outer *exec.Cmd
	init  int
	ended chan struct{}
	// launches counts instances, instance is the present one.
	launches int
	instance string
}

// dir holds the machine's root and disk.
func (m *running) dir(elements ...string) string {
	return m.r.path(append([]string{"machines", m.Name}, elements...)...)
}

// root gives a path of the machine's root as this host sees it.
func (m *running) root(elements ...string) string {
	return m.dir(append([]string{"root"}, elements...)...)
}

func (m *running) namespace() string { return netns.Namespace(m.r.Name, m.Name) }

func (m *running) cgroup() string { return m.r.cgroup() + "/" + m.Name }

// power turns the machine on: systemd starts as its first process.
func (m *running) power(ctx context.Context) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.outer != nil {
		return fmt.Errorf("%s runs already", m.Name)
	}
	if err := errors.Join(m.prepare(), m.freshNetwork(ctx)); err != nil {
		return err
	}
	script := `state=$1 name=$2 group=$3 ; shift 3
while read -r kind options path; do echo 0 >"/sys/fs/cgroup$path/$group/cgroup.procs"; done <"$state/machines/$name/hierarchies"
exec unshare --mount --pid --uts --ipc --cgroup --fork --kill-child=SIGKILL sh "$state/jail.sh" "$state" "$name"`
	command := exec.Command("nsenter", "--net=/run/netns/"+m.namespace(), "sh", "-euc", script, "sh", m.r.path(), m.Name, m.cgroup())
	var said bytes.Buffer
	console, err := os.OpenFile(m.dir("console.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer console.Close()
	command.Stdout, command.Stderr = console, console
	// Whoever kills this process kills the machine.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		// The signal comes when the thread ends that started the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait()
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	m.outer, m.ended = command, ended
	if m.init, err = firstProcess(ctx, command.Process.Pid, ended); err != nil {
		output, _ := os.ReadFile(m.dir("console.log"))
		return fmt.Errorf("%s does not start: %w: %s%s", m.Name, err, said.String(), output)
	}
	return nil
}

// prepare writes what jail.sh reads.
func (m *running) prepare() error {
	if err := makeCgroup(m.r.hierarchies, m.cgroup()); err != nil {
		return err
	}
	var list, devices strings.Builder
	for _, h := range m.r.hierarchies {
		options := h.options
		if options == "" {
			options = "-"
		}
		fmt.Fprintln(&list, h.kind, options, strings.TrimPrefix(h.path, cgroupMount))
	}
	if m.Device != "" {
		fmt.Fprintln(&devices, strings.TrimPrefix(m.Device, "/dev/"), m.disk.path())
	}
	return errors.Join(
		writeFile(m.dir("hierarchies"), list.String(), 0o600),
		writeFile(m.dir("resolv.conf"), "nameserver "+m.resolver()+"\n", 0o644),
		writeFile(m.dir("devices"), devices.String(), 0o600),
		writeFile(m.dir("hostname"), m.kernelName()+"\n", 0o600))
}

// freshNetwork takes away what the machine's kernel would have lost with its power,
// and the namespace, which outlives the machine, has kept: its firewall, and the
// load balancer's address among its own.
func (m *running) freshNetwork(ctx context.Context) error {
	if err := in(ctx, m.namespace(), "nft", "flush", "ruleset"); err != nil {
		return err
	}
	if balancer := m.r.LoadBalancer; balancer.Passthrough {
		return in(ctx, m.namespace(), "ip", "-4", "route", "flush", "table", "local", "type", "local", balancer.Address+"/32")
	}
	return nil
}

// firstProcess waits until systemd has taken the place of the shell that made the root.
func firstProcess(ctx context.Context, outer int, ended <-chan struct{}) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", outer, outer))
		if pid, err := strconv.Atoi(strings.TrimSpace(string(children))); err == nil {
			if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); strings.TrimSpace(string(name)) == "systemd" {
				return pid, nil
			}
		}
		select {
		case <-ended:
			return 0, errors.New("it ended at once")
		case <-ctx.Done():
			return 0, errors.New("systemd did not start")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// cut takes the machine's power away, as a failing host does: nothing is told to stop.
func (m *running) cut() error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.outer == nil {
		return nil
	}
	if m.runs() { // otherwise others may have the numbers of its processes
		_ = unix.Kill(m.outer.Process.Pid, unix.SIGKILL)
		if m.init > 0 {
			_ = unix.Kill(m.init, unix.SIGKILL)
		}
	}
	<-m.ended
	m.outer, m.init = nil, 0
	return removeCgroup(m.r.hierarchies, m.cgroup())
}

// runs tells whether the machine, which was turned on, has not turned itself off.
func (m *running) runs() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// Command prepares a command inside a running machine.
func (r *Rehearsal) Command(ctx context.Context, machine string, arguments ...string) *exec.Cmd {
	m := r.machines[machine]
	enter := []string{"--target", strconv.Itoa(m.init), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wdns=/", "--"}
	command := exec.CommandContext(ctx, "nsenter", append(enter, arguments...)...)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin", "LANG=C.UTF-8", "HOME=/root"}
	return command
}

// Run runs a command inside a running machine and gives what it wrote.
func (r *Rehearsal) Run(ctx context.Context, machine string, arguments ...string) (string, error) {
	m, found := r.machines[machine]
	if !found || m.init == 0 {
		return "", fmt.Errorf("%s does not run", machine)
	}
	return r.run(ctx, m, "", arguments...)
}

func (r *Rehearsal) run(ctx context.Context, m *running, input string, arguments ...string) (string, error) {
	command := r.Command(ctx, m.Name, arguments...)
	var said bytes.Buffer
	command.Stdin, command.Stderr = strings.NewReader(input), &said
	output, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%s: %s: %w: %s%s", m.Name, strings.Join(arguments, " "), err, output, said.String())
	}
	return string(output), err
}

// Journal gives the end of a unit's journal, for messages of what went wrong.
func (r *Rehearsal) Journal(machine, unit string, lines int) string {
	output, _ := exec.Command("journalctl", "--directory="+r.machines[machine].root("var/log/journal"), "--no-pager", "-o", "cat",
		"-n", strconv.Itoa(lines), "-u", unit).CombinedOutput()
	return string(output)
}

// File gives a path of a machine as this host sees it, whether it runs or not.
func (r *Rehearsal) File(machine, name string) string {
	return filepath.Join(r.machines[machine].root(), name)
}

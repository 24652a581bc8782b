package redoubt

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/machine"
)

// lookTime bounds one look at a machine that is not as it should be.
const lookTime = 20 * time.Second

// looks are what tells the state of a node, each a program that a machine has; what there is no program for is read
// from /proc. None changes anything.
var looks = map[string][]string{
	"processes.txt": {"/bin/sh", "-c", `for p in /proc/[0-9]*; do printf '%s\t%s\t%s\t%s\n' "${p#/proc/}" "$(sed -n 's/^PPid:\t//p' "$p/status")" "$(readlink "$p/exe")" "$(tr '\0' ' ' <"$p/cmdline")"; done 2>/dev/null; true`},
	"sockets.txt":   {"/bin/sh", "-c", `for f in tcp tcp6 udp udp6; do echo "== $f"; cat /proc/net/$f; done`},
	"mounts.txt":    {"/bin/cat", "/proc/self/mountinfo"},
	"interfaces.txt": {"/bin/sh", "-c",
		`cat /proc/net/dev; echo "== routes"; cat /proc/net/route; echo "== neighbours"; cat /proc/net/arp`},
	"modules.txt": {"/bin/cat", "/proc/modules"},
	"written.txt": {"/bin/sh", "-c", `find /etc /var/lib/kubelet /tmp -xdev -type f -mtime -2 2>/dev/null | head -n 2000; true`},
}

// NodeState writes what machines of an environment do and hold into a directory of each one's name: the directory is
// the environment's. What cannot be looked at is said in a file missing.txt. Nothing of a machine is changed.
func NodeState(ctx context.Context, directory, out string) error {
	found, err := filepath.Glob(filepath.Join(directory, "machines", "*"))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("no machines in %s: `make up` makes them", directory)
	}
	for _, dir := range found {
		if err := nodeState(ctx, dir, filepath.Join(directory, "log", filepath.Base(dir)), filepath.Join(out, filepath.Base(dir))); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(dir), err)
		}
	}
	return nil
}

func nodeState(ctx context.Context, dir, logs, out string) error {
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return err
	}
	var missing bytes.Buffer
	keep := func(name string, cmd *exec.Cmd) error {
		text, err := cmd.Output()
		if err != nil {
			fmt.Fprintf(&missing, "%s: %v\n", name, err)
		}
		return os.WriteFile(filepath.Join(out, name), text, 0o600)
	}
	within, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	for name, argv := range looks {
		if err := keep(name, machine.ExecCommand(within, dir, argv...)); err != nil {
			return err
		}
	}
	// The firewall is seen from outside: a machine has no program that could change it.
	if status, err := machine.Inspect(dir); err == nil && status.Running {
		if err := keep("firewall.txt", exec.CommandContext(within, "nsenter", "--target", strconv.Itoa(status.InitPID), "--net", "--", "nft", "list", "ruleset")); err != nil {
			return err
		}
	}
	if err := copyLogs(logs, filepath.Join(out, "log")); err != nil {
		fmt.Fprintf(&missing, "logs: %v\n", err)
	}
	if missing.Len() == 0 {
		return nil
	}
	return os.WriteFile(filepath.Join(out, "missing.txt"), missing.Bytes(), 0o600)
}

// copyLogs copies the logs of a machine's services; those of containers are read through the API.
func copyLogs(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	services, err := filepath.Glob(filepath.Join(from, "*.log"))
	if err != nil {
		return err
	}
	for _, path := range services {
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		out, err := os.OpenFile(filepath.Join(to, filepath.Base(path)), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			in.Close()
			return err
		}
		_, err = io.Copy(out, in)
		in.Close()
		if closed := out.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

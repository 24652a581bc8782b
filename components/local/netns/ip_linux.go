package netns

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// directory is where ip(8) keeps named network namespaces.
const directory = "/run/netns"

func exists(namespace string) bool {
	// A file there is a namespace only while something is mounted on it: one
	// that is left after a crash in the middle of `ip netns add` is not.
	var info unix.Statfs_t
	err := unix.Statfs(filepath.Join(directory, namespace), &info)
	return err == nil && info.Type == unix.NSFS_MAGIC
}

// run runs a program, with its error in the answer when it fails.
func run(ctx context.Context, input string, argv ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &stderr
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, missing(argv[0])
		}
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(stderr.String()))
	}
	return out.Bytes(), nil
}

func missing(program string) error {
	packages := map[string]string{"ip": "iproute2", "nft": "nftables"}
	return fmt.Errorf("the program %s is missing: on Debian or Ubuntu run `apt-get install %s`", program, packages[program])
}

// ip runs ip(8) in a namespace, or on the host for "".
func ip(ctx context.Context, namespace string, args ...string) error {
	_, err := run(ctx, "", ipCommand(namespace, args)...)
	return err
}

func ipCommand(namespace string, args []string) []string {
	if namespace == "" {
		return append([]string{"ip"}, args...)
	}
	return append([]string{"ip", "-n", namespace}, args...)
}

// ask runs ip(8) and decodes what it shows.
func ask(ctx context.Context, namespace string, value any, args ...string) error {
	argv := ipCommand(namespace, append([]string{"-json", "-details"}, args...))
	out, err := run(ctx, "", argv...)
	if err != nil || len(bytes.TrimSpace(out)) == 0 {
		return err
	}
	if err := json.Unmarshal(out, value); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return nil
}

// inside calls a function on a thread that is in the namespace, so that
// /proc/sys/net and programs that the function starts are the namespace's.
func inside(namespace string, call func() error) error {
	file, err := os.Open(filepath.Join(directory, namespace))
	if err != nil {
		return fmt.Errorf("network namespace %s: %w", namespace, err)
	}
	defer file.Close()
	done := make(chan error, 1)
	go func() {
		// The thread is never unlocked: it ends with this goroutine, so that
		// no other goroutine can inherit the namespace.
		runtime.LockOSThread()
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering network namespace %s (root is needed): %w", namespace, err)
			return
		}
		done <- call()
	}()
	return <-done
}

// sysctl reads or writes a network setting of the thread's namespace. Names
// have slashes, because names of interfaces may have dots.
func sysctl(name string) (string, error) {
	data, err := os.ReadFile(filepath.Join("/proc/sys/net", name))
	return strings.TrimSpace(string(data)), err
}

func setSysctl(name, value string) error {
	path := filepath.Join("/proc/sys/net", name)
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		return fmt.Errorf("setting %s to %s: %w", path, value, err)
	}
	return nil
}

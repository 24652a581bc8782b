package local

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inNamespace runs fn on a thread that is in the network namespace at path.
func inNamespace(path string, fn func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with this goroutine, so that no other
		// goroutine can inherit the namespace.
		runtime.LockOSThread()
		done <- func() error {
			file, err := os.Open(path)
			if err != nil {
				return fmt.Errorf("network namespace: %w", err)
			}
			defer file.Close()
			if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("entering network namespace %s: %w", path, err)
			}
			return fn()
		}()
	}()
	return <-done
}

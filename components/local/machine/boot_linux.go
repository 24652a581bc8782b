package machine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// startInit starts the machine's first process, in namespaces of its own when
// the machine is isolated.
func startInit(cmd *exec.Cmd, spec Spec) error {
	if !spec.Isolated {
		return cmd.Start()
	}
	if err := createCgroups(spec.CgroupRoot); err != nil {
		return err
	}
	path := filepath.Join("/run/netns", spec.NetworkNamespace)
	network, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("networkNamespace: %w: the network must be made before the machine", err)
	}
	defer network.Close()
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC
	done := make(chan error, 1)
	go func() {
		// The thread enters the network namespace, and the child is cloned
		// from it. It is never unlocked: it ends with this goroutine, so that
		// nothing else can run on a thread in the wrong namespace.
		runtime.LockOSThread()
		if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("networkNamespace: entering %s: %w", path, err)
			return
		}
		if err := cmd.Start(); err != nil {
			done <- fmt.Errorf("the kernel refuses the machine's namespaces (root with CAP_SYS_ADMIN is needed): %w", err)
			return
		}
		done <- nil
	}()
	return <-done
}

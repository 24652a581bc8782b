//go:build !linux && !windows

package rehearse

import "syscall"

// childAttributes put the CLI into a process group of its own, so that an interrupt from the terminal reaches the
// driver alone, which passes it on once.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

package rehearse

import "syscall"

// childAttributes put the CLI into a process group of its own, so that an interrupt from the terminal reaches the
// driver alone, which passes it on once, and interrupt the CLI when the driver is killed: the program and the
// providers are gone with it, and an engine without them can only stop.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
}

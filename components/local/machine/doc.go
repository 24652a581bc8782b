// Package machine runs the machines of a local environment.
//
// A machine is a light container: PID, mount, UTS, IPC and network namespaces
// of its own, a read-only root made of the host's /usr, and its own /etc, /var,
// /run, /tmp, /proc and /sys, so that the standard paths of a Kubernetes host
// hold inside it. Where namespaces are not to be had ("plain mode") a machine
// is a group of ordinary processes.
//
// Three kinds of processes run it, all from the small program redoubt-machine:
//
//	guard       starts the machine's first process and restarts it when it dies
//	watcher     restarts the guard when that dies, and the guard the watcher
//	            (absent where systemd is PID 1: the guard is a unit there)
//	supervisor  the machine's first process: starts, probes and restarts services
//
// The package knows nothing of Kubernetes, of networks (package netns makes
// them) or of the contents of configuration files. It imports the standard
// library, golang.org/x/sys and the log rotation only, because its memory is
// paid once for each machine.
package machine

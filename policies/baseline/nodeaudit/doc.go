// Package nodeaudit has the audit daemon of Linux run on nodes of GKE with
// Container-Optimized OS, and its records sent to Cloud Logging (CIS GKE 5.7.2, M17):
// the node has the daemon and a unit that starts it, and nothing that calls either.
// https://cloud.google.com/kubernetes-engine/docs/how-to/linux-auditd-logging
//
// The package is pure: objects out. Google's example starts the unit from a
// privileged container that has the node's whole file system. Here the container that
// starts it has no capability: it runs the node's own systemctl, read-only, and
// reaches the socket of its systemd, which asks for nothing but root. It sees the
// node's processes, because systemctl wants to know who is at the other end of the
// socket. Whoever holds that socket holds the node, so the container ends once the
// unit runs, and the namespace is the platform's alone.
package nodeaudit

// Namespace is where it runs; a part of the system.
const Namespace = "redoubt-node-audit"

// Name is that of the DaemonSet and of its configuration.
const Name = "node-audit"

// LogName is the log of Cloud Logging in which the records are.
const LogName = "linux-auditd"

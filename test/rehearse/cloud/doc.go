// Package cloud rehearses an environment of a cloud on this machine, with no account: the real engine runs the
// environment's stack against a simulated cloud, and then its baseline stack, whose Kubernetes objects go to a real API
// server of this machine. What it finds is a report. A cloud brings its simulation and what only it can tell; nothing of
// one is known here.
//
// A rehearsal never touches a real stack: its state, its settings and its cluster live in .state/rehearsal/<environment>.
// Each run begins anew, and clears what an earlier one kept or was killed over.
package cloud

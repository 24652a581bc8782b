// Package selfmanaged describes a whole cluster that runs itself: kubeadm on
// Flatcar machines of AWS or GCP. One [Spec] in; out come the first boot of every
// control-plane machine and of every pool of workers, the small user data that
// names it, and the list of objects that must lie in the cluster's store with who
// may read each.
//
// The package is pure: it reads no file, clock or environment, and holds no
// secret. Keys of authorities are known to it by their hashes alone: Ignition
// fetches them from the store with the machine's own role, and refuses what has
// another hash. So no user data, no object that a worker reads and no document of
// this package has anything that must be kept.
//
// What a machine does is decided by what it finds, not by what it was told: every
// unit is tried until it succeeds, in any order of machines, after any loss of
// power, and on a machine that takes the place of another.
//
// Sources: https://kubernetes.io/docs/reference/setup-tools/kubeadm/,
// https://www.flatcar.org/docs/latest/ and
// https://coreos.github.io/ignition/supported-platforms/.
package selfmanaged

// Package boot rehearses the first boot of self-managed clusters on Flatcar.
//
// Given the user data and the object store that a cloud would have, every machine
// gets namespaces of its own (network, mount, PID, UTS, IPC, cgroup), a root as a
// Flatcar image ships it, and the real Ignition, which fetches the machine's
// configuration and every file from the cloud's servers itself. Then systemd runs
// as the machine's first process: it applies the presets, starts the units that
// Ignition wrote, and these run the real kubeadm, kubelet and containerd.
//
// What differs from a Flatcar machine is what this host lacks; adapt.go and
// image.go hold all of it, and docs/flatcar.md lists it.
//
// The package never changes what Ignition is given: user data and objects are
// taken as they are, hashes included. It leaves nothing behind, also when its
// process is killed; see janitor.go.
package boot

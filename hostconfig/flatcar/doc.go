// Package flatcar renders the whole first boot of a self-managed Kubernetes node
// on Flatcar Container Linux: a [Spec] in, a Butane document and the Ignition
// configuration made from it out.
//
// The package is pure: it reads no file, clock or environment. It types no
// setting twice: the kubelet's, containerd's, the firewall's and the kernel's
// settings come from package hostconfig, the units from package systemd, and the
// kubeadm documents from the caller.
//
// Butane's library translates in strict mode: anything that it reports, even a
// warning, is an error. What is rendered twice for one path is an error too.
//
// Users extend: files, units, sysctls, modules, kernel arguments, audit rules.
// What would weaken a control is refused with the control's id, and accepted
// only with an entry in [Spec.Exceptions].
//
// Sources: https://www.flatcar.org/docs/latest/,
// https://coreos.github.io/butane/config-flatcar-v1_1/ and
// https://coreos.github.io/ignition/configuration-v3_4/.
package flatcar

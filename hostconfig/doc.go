// Package hostconfig turns a typed description of a control plane or a worker
// into the files and argument lists that its programs read: etcd, the
// Kubernetes control plane, the kubelet, containerd, CNI, nftables and sysctl.
//
// The package is pure. The same specification always gives the same bytes: it
// reads no file, clock, environment variable or source of randomness, and it
// knows nothing of Pulumi or of any cloud. The one place where time matters,
// the expiry of an accepted risk, takes the time as an argument.
//
// Each setting has a hardened default and a merge rule. A user may add to an
// additive setting, replace an overwritable one within its bounds, and change a
// locked one only with an [Exception] that names the control, the reason and
// the day on which the acceptance ends.
//
// The order of use is always the same: fill a [ControlPlane], [Worker] or
// [Firewall], call WithDefaults, call Validate, then render. Rendering a
// specification that does not validate never yields something weaker than the
// default: an override that no exception covers is left out.
//
// The package renders no private key and no certificate. [ControlPlane.LeafCertificates]
// says which certificates must exist, and where.
package hostconfig
